/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "integrity/tag.h"
#include "meta/dir.h"
#include "meta_cases.h"
#include "meta_fixture.h"
#include "util/rng.h"

#define NAMES 1500u
#define STEPS 4500u

/* A directory and its model: ino[n] is where name n leads, 0 when it is not there. */
struct tree {
	struct volume *vol;
	uint64_t dir_ino;
	struct inode_info dir;
	uint32_t ino[NAMES];
};

/* Names of 1 to 255 bytes, each different. */
static size_t name_make(unsigned n, char *name)
{
	size_t len = (size_t)snprintf(name, 16, "%u", n), want = len + (n * 7919) % 60;

	if (n % 97 == 0)
		want = CFS_NAME_MAX;
	memset(name + len, n % 2 ? '.' : '\xc3', want - len);
	return want;
}

static uint8_t name_type(unsigned n)
{
	return n % 3 ? DT_REG : DT_DIR;
}

static int name_add(struct tree *tree, struct txn *txn, unsigned n, uint64_t ino,
		    struct inode_info *dir)
{
	char name[256];
	size_t len = name_make(n, name);
	int rc;

	*dir = tree->dir;
	rc = dir_add(tree->vol, txn, tree->dir_ino, dir, name, len, ino, name_type(n));
	return rc ? rc : inode_write(tree->vol, txn, tree->dir_ino, dir);
}

static int name_remove(struct tree *tree, struct txn *txn, unsigned n, struct inode_info *dir)
{
	char name[256];
	size_t len = name_make(n, name);

	*dir = tree->dir;
	return dir_remove(tree->vol, txn, tree->dir_ino, dir, name, len);
}

static int name_replace(struct tree *tree, struct txn *txn, unsigned n, uint64_t ino,
			struct inode_info *dir)
{
	char name[256];
	size_t len = name_make(n, name);

	*dir = tree->dir;
	return dir_replace(tree->vol, txn, tree->dir_ino, dir, name, len, ino, name_type(n));
}

static void names_check(struct tree *tree)
{
	struct txn txn;

	txn_begin(&txn, tree->vol->txns);
	for (unsigned n = 0; n < NAMES; n += 7) {
		char name[256];
		size_t len = name_make(n, name);
		uint64_t ino = 0;
		uint8_t type = 0;
		int rc = dir_lookup(tree->vol, &txn, tree->dir_ino, &tree->dir, name, len, &ino,
				    &type);

		ck_assert_int_eq(rc, tree->ino[n] ? 0 : -ENOENT);
		ck_assert_uint_eq(ino, tree->ino[n]);
		ck_assert_uint_eq(type, tree->ino[n] ? name_type(n) : 0);
	}
	txn_abort(&txn);
}

/* One random change, in the directory and in the model. */
static void step(struct tree *tree, struct rng *rng)
{
	unsigned n = (unsigned)rng_below(rng, NAMES);
	uint32_t ino = 1 + (uint32_t)rng_below(rng, 3000);
	struct inode_info dir;
	int rc;

	if (tree->ino[n] && ino % 4 == 0) {
		IN_TXN(tree->vol, rc, name_replace(tree, &txn, n, ino, &dir));
		tree->ino[n] = ino;
	} else if (tree->ino[n]) {
		IN_TXN(tree->vol, rc, name_remove(tree, &txn, n, &dir));
		tree->ino[n] = 0;
	} else {
		IN_TXN(tree->vol, rc, name_add(tree, &txn, n, ino, &dir));
		tree->ino[n] = ino;
	}
	ck_assert_int_eq(rc, 0);
	tree->dir = dir;
}

START_TEST(names_against_a_model)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	static struct tree tree;
	struct rng rng;

	rng_seed(&rng, 4, (uint64_t)_i);
	memset(&tree, 0, sizeof(tree));
	tree.vol = vol;
	tree.dir_ino = meta_inode_make(vol, S_IFDIR | 0700, 2, &tree.dir);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&tree, &rng);
		if (i % 500 == 499)
			names_check(&tree);
	}
	vol = tree.vol = meta_reopen(vol);
	names_check(&tree);
	meta_close(vol);
}
END_TEST

struct listing {
	uint64_t next;
	unsigned limit;
	unsigned seen[NAMES];
	unsigned batch[NAMES], count;
};

static int list_name(void *arg, const struct dir_entry *entry)
{
	struct listing *list = arg;
	char name[256];
	unsigned n;

	snprintf(name, sizeof(name), "%.*s", (int)entry->name_len, entry->name);
	n = (unsigned)strtoul(name, NULL, 10);
	ck_assert_uint_lt(n, NAMES);
	ck_assert_uint_eq(name_make(n, name), entry->name_len);
	ck_assert_mem_eq(entry->name, name, entry->name_len);
	ck_assert_uint_eq(entry->type, name_type(n));
	ck_assert_uint_gt(entry->next, list->next);
	list->seen[n]++;
	list->batch[list->count++] = n;
	list->next = entry->next;
	return list->count == list->limit;
}

/* Lists in pieces and removes some of each piece, and adds other names, before it goes on. */
START_TEST(cookies_stay_valid)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	static struct listing list;
	static struct tree tree;
	struct inode_info dir;
	struct txn reading;
	struct rng rng;
	int rc;

	rng_seed(&rng, 5, (uint64_t)_i);
	memset(&tree, 0, sizeof(tree));
	memset(&list, 0, sizeof(list));
	tree.vol = vol;
	tree.dir_ino = meta_inode_make(vol, S_IFDIR | 0700, 2, &tree.dir);
	for (unsigned n = 0; n < NAMES; n += 2) {
		IN_TXN(vol, rc, name_add(&tree, &txn, n, 1 + n, &dir));
		ck_assert_int_eq(rc, 0);
		tree.dir = dir;
	}
	do {
		list.count = 0;
		list.limit = 1 + (unsigned)rng_below(&rng, 40);
		txn_begin(&reading, vol->txns);
		ck_assert_int_eq(dir_iterate(vol, &reading, tree.dir_ino, &tree.dir, list.next,
					     list_name, &list),
				 0);
		txn_abort(&reading);
		for (unsigned i = 0; i < list.count; i++) {
			if (list.batch[i] % 2 || rng_below(&rng, 3) == 0)
				continue;
			IN_TXN(vol, rc, name_remove(&tree, &txn, list.batch[i], &dir));
			ck_assert_int_eq(rc, 0);
			IN_TXN(vol, rc, name_add(&tree, &txn, list.batch[i] + 1, 1, &dir));
			/* Its partner may have been listed and stays then. */
			ck_assert_int_eq(rc, 0);
			tree.dir = dir;
		}
	} while (list.count);
	for (unsigned n = 0; n < NAMES; n += 2) {
		ck_assert_uint_eq(list.seen[n], 1);
		ck_assert_uint_le(list.seen[n + 1], 1);
	}
	meta_close(meta_reopen(vol));
}
END_TEST

START_TEST(empty_is_seen)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	static struct tree tree;
	struct inode_info dir;
	int rc;

	memset(&tree, 0, sizeof(tree));
	tree.vol = vol;
	tree.dir_ino = meta_inode_make(vol, S_IFDIR | 0700, 2, &tree.dir);
	IN_TXN(vol, rc, dir_empty(vol, &txn, tree.dir_ino, &tree.dir));
	ck_assert_int_eq(rc, 0);
	for (unsigned n = 0; n < 60; n++) {
		IN_TXN(vol, rc, name_add(&tree, &txn, n, 1, &dir));
		ck_assert_int_eq(rc, 0);
		tree.dir = dir;
	}
	ck_assert_uint_gt(tree.dir.size, META_BLOCK_SIZE(_i) / 2);
	for (unsigned n = 0; n < 60; n++) {
		IN_TXN(vol, rc, dir_empty(vol, &txn, tree.dir_ino, &tree.dir));
		ck_assert_int_eq(rc, -ENOTEMPTY);
		IN_TXN(vol, rc, name_remove(&tree, &txn, n, &dir));
		ck_assert_int_eq(rc, 0);
		IN_TXN(vol, rc, name_remove(&tree, &txn, n, &dir));
		ck_assert_int_eq(rc, -ENOENT);
		IN_TXN(vol, rc, name_replace(&tree, &txn, n, 1, &dir));
		ck_assert_int_eq(rc, -ENOENT);
	}
	IN_TXN(vol, rc, dir_empty(vol, &txn, tree.dir_ino, &tree.dir));
	ck_assert_int_eq(rc, 0);
	meta_close(vol);
}
END_TEST

/* Entry heads at offsets 0 and 16 of a block; the names begin with "ab". */
static const struct block_lie {
	const char *name;
	struct {
		uint32_t ino;
		uint16_t rec_len;
		uint8_t name_len, type;
		char text[3];
	} entries[2];
} block_lies[] = {
	{"length 0", {{1, 0, 2, DT_REG, "ab"}}},
	{"length 4", {{0, 4, 0, 0, ""}}},
	{"odd length", {{1, 17, 2, DT_REG, "ab"}, {0, 911, 0, 0, ""}}},
	{"beyond the end", {{1, 16, 2, DT_REG, "ab"}, {0, 916, 0, 0, ""}}},
	{"gap at the end", {{1, 16, 2, DT_REG, "ab"}, {0, 908, 0, 0, ""}}},
	{"name beyond the entry", {{1, 16, 9, DT_REG, "ab"}, {0, 912, 0, 0, ""}}},
	{"empty name", {{1, 16, 0, DT_REG, ""}, {0, 912, 0, 0, ""}}},
	{"slash", {{1, 16, 2, DT_REG, "a/"}, {0, 912, 0, 0, ""}}},
	{"zero byte", {{1, 16, 2, DT_REG, "a"}, {0, 912, 0, 0, ""}}},
	{"dot", {{1, 16, 1, DT_DIR, "."}, {0, 912, 0, 0, ""}}},
	{"dot dot", {{1, 16, 2, DT_DIR, ".."}, {0, 912, 0, 0, ""}}},
	{"no such inode", {{3000000, 16, 2, DT_REG, "ab"}, {0, 912, 0, 0, ""}}},
	{"unknown type", {{1, 16, 2, 3, "ab"}, {0, 912, 0, 0, ""}}},
};

static void block_fill(uint8_t *payload, const struct block_lie *lie)
{
	for (unsigned i = 0; i < 2; i++) {
		struct cfs_dirent *entry = (void *)(payload + (size_t)16 * i);

		entry->inode = le32_make(lie->entries[i].ino);
		entry->rec_len = le16_make(lie->entries[i].rec_len);
		entry->name_len = lie->entries[i].name_len;
		entry->type = lie->entries[i].type;
		memcpy(entry->name, lie->entries[i].text, 3);
	}
}

START_TEST(a_lying_block_is_refused)
{
	static const struct block_lie truth = {"", {{1, 16, 2, DT_REG, "ab"}, {0, 912, 0, 0, ""}}};
	struct volume *vol = meta_open(1024);
	uint8_t payload[928] __attribute__((aligned(8))) = {0};
	struct block_ref ref = {.block = vol->super.journal_start + vol->super.journal_blocks,
				.owner = CFS_ROOT_INODE,
				.type = CFS_BLOCK_DIR};
	struct inode_info root;
	uint64_t ino;
	uint8_t type;
	int rc;

	ck_assert_uint_eq(sizeof(payload), layout_payload(1024));
	IN_TXN(vol, rc, inode_read(vol, &txn, CFS_ROOT_INODE, &root));
	block_fill(payload, &truth);
	meta_block_plant(vol, &ref, payload, sizeof(payload));
	IN_TXN(vol, rc, dir_lookup(vol, &txn, CFS_ROOT_INODE, &root, "ab", 2, &ino, &type));
	ck_assert_int_eq(rc, 0);

	block_fill(payload, &block_lies[_i]);
	meta_block_plant(vol, &ref, payload, sizeof(payload));
	IN_TXN(vol, rc, dir_lookup(vol, &txn, CFS_ROOT_INODE, &root, "ab", 2, &ino, &type));
	ck_assert_msg(rc == -EUCLEAN, "%s", block_lies[_i].name);
	IN_TXN(vol, rc, dir_add(vol, &txn, CFS_ROOT_INODE, &root, "new", 3, 1, DT_REG));
	ck_assert_int_eq(rc, -EUCLEAN);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(false, &vol), -EUCLEAN);
}
END_TEST

START_TEST(a_lying_size_is_refused)
{
	struct volume *vol = meta_open(1024);
	struct inode_info root;
	int rc;

	IN_TXN(vol, rc, inode_read(vol, &txn, CFS_ROOT_INODE, &root));
	root.size = 1000;
	IN_TXN(vol, rc, dir_empty(vol, &txn, CFS_ROOT_INODE, &root));
	ck_assert_int_eq(rc, -EUCLEAN);
	root.size = 1024ULL << 32;
	IN_TXN(vol, rc, dir_empty(vol, &txn, CFS_ROOT_INODE, &root));
	ck_assert_int_eq(rc, -EUCLEAN);
	root.size = 2048;
	IN_TXN(vol, rc, dir_empty(vol, &txn, CFS_ROOT_INODE, &root));
	ck_assert_int_eq(rc, -EUCLEAN);
	meta_close(vol);
}
END_TEST

TCase *meta_dir_case(void)
{
	TCase *tc = tcase_create("dir");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, names_against_a_model, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, cookies_stay_valid, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, empty_is_seen, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, a_lying_block_is_refused, 0,
			    (int)(sizeof(block_lies) / sizeof(block_lies[0])));
	tcase_add_test(tc, a_lying_size_is_refused);
	return tc;
}
