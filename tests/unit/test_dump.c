/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump as a library: what it shows of a tree with everything in it, what it says of contradictions
 * that carry good checksums, and that it ends on images changed at random and sealed again.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dump/dump.h"
#include "dump/output.h"
#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta/dir.h"
#include "meta/extent.h"
#include "meta/symlink.h"
#include "meta_fixture.h"
#include "unit.h"
#include "util/rng.h"

#define RUNS 150u
#define FUZZ_ROUNDS 150u
#define FUZZ_BYTES (768u << 10)

/* Items of a list, by value of "path" or in order. */
static json_t *items;

static int item_keep(void *arg, json_t *item)
{
	(void)arg;
	return json_array_append_new(items, item);
}

static int name_add(struct volume *vol, struct txn *txn, uint64_t dir, const char *name,
		    uint64_t ino, uint8_t type)
{
	struct inode_info inode;
	int rc = inode_read(vol, txn, dir, &inode);

	if (!rc)
		rc = dir_add(vol, txn, dir, &inode, name, strlen(name), ino, type);
	return rc ? rc : inode_write(vol, txn, dir, &inode);
}

static void link_name(struct volume *vol, uint64_t dir, const char *name, uint64_t ino,
		      uint8_t type)
{
	int rc;

	IN_TXN(vol, rc, name_add(vol, &txn, dir, name, ino, type));
	ck_assert_int_eq(rc, 0);
}

/* An inode of MODE, with a name. */
static uint64_t make(struct volume *vol, uint64_t dir, const char *name, uint32_t mode)
{
	struct inode_info inode;
	uint64_t ino = meta_inode_make(vol, mode, S_ISDIR(mode) ? 2 : 1, &inode);
	int rc;

	inode.parent = dir;
	IN_TXN(vol, rc, inode_write(vol, &txn, ino, &inode));
	ck_assert_int_eq(rc, 0);
	link_name(vol, dir, name, ino, (uint8_t)IFTODT(mode));
	return ino;
}

static int run_add(struct volume *vol, struct txn *txn, uint64_t ino, uint32_t logical)
{
	struct extent_run run = {.logical = logical};
	struct inode_info inode;
	int rc = inode_read(vol, txn, ino, &inode);

	if (!rc)
		rc = block_alloc(vol, txn, 0, 1, &run.block, &run.length);
	if (!rc)
		rc = extent_insert(vol, txn, ino, &inode, &run);
	inode.size = (uint64_t)(logical + 1) * vol->super.block_size;
	return rc ? rc : inode_write(vol, txn, ino, &inode);
}

static int target_write(struct volume *vol, struct txn *txn, uint64_t ino, size_t len)
{
	struct inode_info inode;
	char target[4096];
	int rc = inode_read(vol, txn, ino, &inode);

	memset(target, 't', sizeof(target));
	if (!rc)
		rc = symlink_write(vol, txn, ino, &inode, target, len);
	return rc ? rc : inode_write(vol, txn, ino, &inode);
}

/* Everything that the format has, in a few names. */
static void tree_fill(struct volume *vol)
{
	uint64_t dir = make(vol, CFS_ROOT_INODE, "dir", S_IFDIR | 0755), ino;
	char name[40];
	int rc;

	ino = make(vol, dir, "holes", S_IFREG | 0644);
	for (uint32_t i = 0; i < RUNS; i++) {
		IN_TXN(vol, rc, run_add(vol, &txn, ino, 2 * i));
		ck_assert_int_eq(rc, 0);
	}
	ino = make(vol, dir, "short", S_IFLNK | 0777);
	IN_TXN(vol, rc, target_write(vol, &txn, ino, 136));
	ck_assert_int_eq(rc, 0);
	ino = make(vol, dir, "long", S_IFLNK | 0777);
	IN_TXN(vol, rc, target_write(vol, &txn, ino, 4095));
	ck_assert_int_eq(rc, 0);
	make(vol, dir, "tab\there \xff\\", S_IFIFO | 0600);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "a name that fills the directory %d", i);
		link_name(vol, dir, name, ino, DT_LNK);
	}
}

static struct volume *tree_make(uint32_t block_size)
{
	struct volume *vol = meta_open(block_size);

	tree_fill(vol);
	return vol;
}

static void reader_start(struct reader *reader)
{
	ck_assert_int_eq(reader_open(reader, meta_image()), 0);
	ck_assert_str_eq(reader->origin.message, "");
}

static void tree_read(struct reader *reader)
{
	reader_start(reader);
	items = json_array();
	ck_assert_int_eq(dump_tree(reader, item_keep, NULL), 0);
}

static json_t *by_path(const char *path)
{
	json_t *item;
	size_t i;

	json_array_foreach(items, i,
			   item) if (strcmp(json_string_value(json_object_get(item, "path")),
					    path) == 0) return item;
	ck_abort_msg("no %s in the tree", path);
}

static json_int_t number(json_t *item, const char *key)
{
	return json_integer_value(json_object_get(item, key));
}

static size_t length(json_t *item, const char *key)
{
	return json_array_size(json_object_get(item, key));
}

/* True if some entry of "damage" holds TEXT. */
static bool damaged(json_t *item, const char *text)
{
	json_t *value;
	size_t i;

	json_array_foreach(json_object_get(item, "damage"), i,
			   value) if (strstr(json_string_value(value), text)) return true;
	return false;
}

START_TEST(tree_whole)
{
	uint32_t bs = META_BLOCK_SIZE(_i);
	struct reader reader;
	uint64_t ino;
	json_t *item;

	meta_close(tree_make(bs));
	tree_read(&reader);
	ck_assert_uint_eq(reader.damage, 0);
	ck_assert_uint_eq(json_array_size(items), 66);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(items, 0), "path")), "/");
	item = by_path("/dir/holes");
	ck_assert_uint_eq(length(item, "extents"), RUNS);
	ck_assert_uint_gt(length(item, "extent_blocks"), 0);
	ck_assert_int_eq(number(item, "size"), (2 * RUNS - 1) * bs);
	item = by_path("/dir/short");
	ck_assert_uint_eq(json_string_length(json_object_get(item, "target")), 136);
	ck_assert_uint_eq(length(item, "extents"), 0);
	item = by_path("/dir/long");
	ck_assert_uint_eq(json_string_length(json_object_get(item, "target")), 4095);
	item = by_path("/dir/tab\\x09here \\xff\\\\");
	ck_assert_str_eq(json_string_value(json_object_get(item, "type")), "fifo");

	ino = (uint64_t)number(by_path("/dir/holes"), "inode");
	json_decref(items);
	item = dump_inode(&reader, ino);
	ck_assert_uint_eq(length(item, "extents"), RUNS);
	ck_assert(json_is_true(json_object_get(item, "bitmap")));
	ck_assert_uint_eq(reader.damage, 0);
	json_decref(item);
	reader_close(&reader);
}
END_TEST

/* All names of a directory again below itself, and so on: each is entered once. */
START_TEST(tree_loop)
{
	struct volume *vol = tree_make(1024);
	uint64_t dir = make(vol, CFS_ROOT_INODE, "other", S_IFDIR | 0755);
	struct reader reader;

	link_name(vol, dir, "root", CFS_ROOT_INODE, DT_DIR);
	link_name(vol, dir, "self", dir, DT_DIR);
	meta_close(vol);
	tree_read(&reader);
	ck_assert_uint_eq(json_array_size(items), 69);
	ck_assert(damaged(by_path("/other/root"), "second name"));
	ck_assert(damaged(by_path("/other/self"), "second name"));
	ck_assert_uint_eq(reader.damage, 2);
	json_decref(items);
	reader_close(&reader);
}
END_TEST

START_TEST(tree_contradictions)
{
	struct volume *vol = tree_make(1024);
	struct reader reader;
	uint64_t ino = make(vol, CFS_ROOT_INODE, "file", S_IFREG | 0644);

	link_name(vol, CFS_ROOT_INODE, "free", 2000, DT_REG);
	link_name(vol, CFS_ROOT_INODE, "typed", ino, DT_FIFO);
	make(vol, CFS_ROOT_INODE, "moved", S_IFDIR | 0755);
	link_name(vol, make(vol, CFS_ROOT_INODE, "from", S_IFDIR | 0755), "to",
		  make(vol, CFS_ROOT_INODE, "top", S_IFDIR | 0755), DT_DIR);
	meta_close(vol);
	tree_read(&reader);
	ck_assert(damaged(by_path("/free"), "free"));
	ck_assert(damaged(by_path("/typed"), "another type"));
	ck_assert(damaged(by_path("/from/to"), "another parent") ||
		  damaged(by_path("/from/to"), "second name"));
	ck_assert(!json_object_get(by_path("/file"), "damage"));
	ck_assert_uint_ge(reader.damage, 3);
	json_decref(items);
	reader_close(&reader);
}
END_TEST

/* Writes INODE's root as a leaf with the runs given. */
static void root_plant(struct inode_info *inode, const struct cfs_extent *runs, uint16_t count)
{
	struct cfs_extent_head head = {
		.count = le16_make(count),
		.max = le16_make(CFS_EXTENT_ROOT_MAX),
	};

	memset(inode->root, 0, sizeof(inode->root));
	memcpy(inode->root, &head, sizeof(head));
	memcpy(inode->root + sizeof(head), runs, count * sizeof(*runs));
}

/* A directory whose one block is mapped eight times is not read eight times. */
START_TEST(extents_shared_block)
{
	struct volume *vol = meta_open(1024);
	uint64_t dir = make(vol, CFS_ROOT_INODE, "dir", S_IFDIR | 0755);
	struct cfs_extent runs[8];
	struct inode_info inode;
	struct reader reader;
	uint64_t block;
	int rc;

	make(vol, dir, "one", S_IFREG | 0644);
	IN_TXN(vol, rc, inode_read(vol, &txn, dir, &inode));
	ck_assert_int_eq(rc, 0);
	memcpy(&block, inode.root + 16, sizeof(block));
	for (uint32_t i = 0; i < 8; i++)
		runs[i] = (struct cfs_extent){
			.logical = le32_make(i),
			.length = le32_make(1),
			.block = {block},
		};
	root_plant(&inode, runs, 8);
	IN_TXN(vol, rc, inode_write(vol, &txn, dir, &inode));
	ck_assert_int_eq(rc, 0);
	meta_close(vol);
	tree_read(&reader);
	ck_assert_uint_eq(json_array_size(items), 2);
	ck_assert(damaged(by_path("/dir"), "blocks of another extent"));
	ck_assert_uint_eq(reader.damage, 1);
	json_decref(items);
	reader_close(&reader);
}
END_TEST

/* Seals PAYLOAD into the block that is to be node NUMBER of the chain below. */
static void index_plant(struct volume *vol, uint64_t block, uint64_t ino, uint16_t depth,
			uint64_t child)
{
	struct {
		struct cfs_extent_head head;
		struct cfs_extent_index entries[57];
	} node = {.head = {le16_make(depth), le16_make(57), le16_make(57), {0}}};
	struct block_ref ref = {block, ino, CFS_BLOCK_EXTENT};

	for (uint32_t i = 0; i < 57; i++) {
		node.entries[i].logical = le32_make(i);
		node.entries[i].child = le64_make(child);
	}
	meta_block_plant(vol, &ref, &node, sizeof(node));
}

/* Each node leads 57 times to the next: 57 to the fifth paths, but each node is read once. */
START_TEST(extents_fan)
{
	struct volume *vol = meta_open(1024);
	uint64_t ino = make(vol, CFS_ROOT_INODE, "file", S_IFREG | 0644);
	struct cfs_extent_head head = {
		.depth = le16_make(5), .count = le16_make(1), .max = le16_make(8)};
	struct cfs_extent_index entry = {.logical = le32_make(0)};
	uint64_t blocks[5];
	struct inode_info inode;
	struct reader reader;
	int rc;

	for (int i = 0; i < 5; i++)
		blocks[i] = meta_block_take(vol);
	for (uint16_t i = 0; i < 5; i++)
		index_plant(vol, blocks[i], ino, (uint16_t)(4 - i), blocks[i < 4 ? i + 1 : 0]);
	IN_TXN(vol, rc, inode_read(vol, &txn, ino, &inode));
	ck_assert_int_eq(rc, 0);
	entry.child = le64_make(blocks[0]);
	memcpy(inode.root, &head, sizeof(head));
	memcpy(inode.root + sizeof(head), &entry, sizeof(entry));
	IN_TXN(vol, rc, inode_write(vol, &txn, ino, &inode));
	ck_assert_int_eq(rc, 0);
	meta_close(vol);
	tree_read(&reader);
	ck_assert(damaged(by_path("/file"), "extent"));
	ck_assert_uint_le(length(by_path("/file"), "extent_blocks"), 5 * 57);
	json_decref(items);
	reader_close(&reader);
}
END_TEST

/* Changes some bytes of one metadata block and seals it again. */
static void block_mutate(struct blkdev *dev, const struct super_info *super, struct rng *rng)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint32_t bs = super->block_size, payload = layout_payload(bs);
	uint32_t seed = tag_uuid_seed(super->uuid);
	uint64_t block;
	struct tag_info tag;

	do {
		block = rng_below(rng, super->total_blocks);
		ck_assert_int_eq(blkdev_read(dev, image, bs, block * bs), 0);
	} while (tag_verify(image, bs, super->uuid, seed, block));
	tag_decode(image, &tag);
	tag_open(image, bs);
	for (uint64_t n = rng_below(rng, 4); n < 4; n++) {
		/* The start of a payload is where the structure is. */
		uint32_t at = (uint32_t)rng_below(rng, rng_below(rng, 2) ? payload : 64);

		((uint8_t *)tag_payload(image))[at] =
			(uint8_t)(rng_below(rng, 2) ? rng_next(rng) : 0xff);
	}
	tag_seal(image, bs, seed, &tag);
	ck_assert_int_eq(blkdev_write(dev, image, bs, block * bs), 0);
}

static void everything_dump(struct reader *reader, FILE *sink)
{
	struct output output = {.file = sink, .json = true};

	for (int json = 0; json < 2; json++) {
		output.json = json;
		ck_assert_int_eq(output_object(&output, dump_super(reader)), 0);
		ck_assert_int_eq(output_list_begin(&output), 0);
		ck_assert_int_eq(dump_groups(reader, output_item, &output), 0);
		ck_assert_int_eq(output_list_end(&output), 0);
		ck_assert_int_eq(output_list_begin(&output), 0);
		ck_assert_int_eq(dump_tree(reader, output_name, &output), 0);
		ck_assert_int_eq(output_list_end(&output), 0);
	}
	for (uint64_t ino = 1; ino < 20; ino++)
		json_decref(dump_inode(reader, ino));
	/* All fixed metadata, and some data. */
	for (uint64_t block = 0; block < 32; block++)
		json_decref(dump_block(reader, block));
	for (uint64_t block = 100; block < reader->super.total_blocks; block += 61)
		json_decref(dump_block(reader, block));
}

START_TEST(fuzz)
{
	struct super_info super;
	struct reader reader;
	struct blkdev *dev;
	unsigned opened = 0;
	struct rng rng;
	char *text = NULL;
	size_t len;

	rng_seed(&rng, 31, 0);
	for (unsigned round = 0; round < FUZZ_ROUNDS; round++) {
		FILE *sink;

		if (round % 25 == 0) {
			struct volume *vol;

			super = meta_format_sized(1024, FUZZ_BYTES, 60, 0);
			ck_assert_int_eq(meta_try_open(false, &vol), 0);
			tree_fill(vol);
			meta_close(vol);
		}
		dev = meta_device();
		block_mutate(dev, &super, &rng);
		blkdev_close(dev);
		if (reader_open(&reader, meta_image()))
			continue;
		opened++;
		sink = open_memstream(&text, &len);
		ck_assert_ptr_nonnull(sink);
		everything_dump(&reader, sink);
		fclose(sink);
		ck_assert_uint_gt(len, 1000);
		free(text);
		text = NULL;
		reader_close(&reader);
	}
	ck_assert_uint_gt(opened, FUZZ_ROUNDS / 2);
}
END_TEST

static Suite *dump_suite(void)
{
	Suite *suite = suite_create("dump");
	TCase *whole = tcase_create("whole"), *hostile = tcase_create("hostile");

	tcase_add_unchecked_fixture(whole, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(whole, 30);
	tcase_add_loop_test(whole, tree_whole, 0, META_BLOCK_SIZES);
	suite_add_tcase(suite, whole);

	tcase_add_unchecked_fixture(hostile, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(hostile, 60);
	tcase_add_test(hostile, tree_loop);
	tcase_add_test(hostile, tree_contradictions);
	tcase_add_test(hostile, extents_shared_block);
	tcase_add_test(hostile, extents_fan);
	tcase_add_test(hostile, fuzz);
	suite_add_tcase(suite, hostile);
	return suite;
}

int main(void)
{
	return unit_run(dump_suite());
}
