/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extent nodes that are sealed well and lie: every one gives -EUCLEAN. */
#include <string.h>
#include <sys/stat.h>

#include "meta/extent.h"
#include "meta_cases.h"
#include "meta_fixture.h"

#define LEAF_MAX ((1024 - sizeof(struct cfs_tag) - 8) / 16)

/* What is wrong with the child node of a root that leads to it with logical 100, next entry 200. */
struct lie {
	const char *name;
	uint16_t depth, count, max;
	struct {
		uint32_t logical, length;
		int64_t block; /* counted from a good block */
	} entries[2];
};

static const struct lie child_lies[] = {
	{"same depth as its parent", 1, 1, LEAF_MAX, {{100, 0, 0}}},
	{"deeper than its parent", 4, 1, LEAF_MAX, {{100, 0, 0}}},
	{"too deep", 65535, 1, LEAF_MAX, {{100, 0, 0}}},
	{"empty", 0, 0, LEAF_MAX, {{0}}},
	{"count above max", 0, LEAF_MAX + 1, LEAF_MAX, {{100, 1, 0}}},
	{"max above what fits", 0, 1, LEAF_MAX + 1, {{100, 1, 0}}},
	{"max below what fits", 0, 1, 1, {{100, 1, 0}}},
	{"out of order", 0, 2, LEAF_MAX, {{110, 1, 0}, {105, 1, 1}}},
	{"twice the same", 0, 2, LEAF_MAX, {{110, 1, 0}, {110, 1, 1}}},
	{"overlap", 0, 2, LEAF_MAX, {{110, 5, 0}, {114, 1, 5}}},
	{"length 0", 0, 1, LEAF_MAX, {{110, 0, 0}}},
	{"length wraps", 0, 1, LEAF_MAX, {{110, UINT32_MAX, 0}}},
	{"block in the metadata", 0, 1, LEAF_MAX, {{110, 1, -100000}}},
	{"block beyond the device", 0, 1, LEAF_MAX, {{110, 1, 1 << 30}}},
	{"run leaves its group", 0, 1, LEAF_MAX, {{110, 90, 7400}}},
	{"before its index entry", 0, 1, LEAF_MAX, {{99, 1, 0}}},
	{"into the next index entry", 0, 1, LEAF_MAX, {{199, 2, 0}}},
	{"behind the next index entry", 0, 1, LEAF_MAX, {{300, 1, 0}}},
};

static void node_fill(void *payload, const struct lie *lie, uint64_t good)
{
	struct cfs_extent_head *head = payload;
	struct cfs_extent *entries = (void *)(head + 1);

	head->depth = le16_make(lie->depth);
	head->count = le16_make(lie->count);
	head->max = le16_make(lie->max);
	for (unsigned i = 0; i < 2; i++) {
		entries[i].logical = le32_make(lie->entries[i].logical);
		entries[i].length = le32_make(lie->entries[i].length);
		entries[i].block = le64_make(good + (uint64_t)lie->entries[i].block);
	}
}

/* A root of depth 1 whose two entries both lead to CHILD. */
static void root_fill(struct inode_info *inode, uint64_t child)
{
	struct cfs_extent_head *head = (void *)inode->root;
	struct cfs_extent_index *index = (void *)(head + 1);

	head->depth = le16_make(1);
	head->count = le16_make(2);
	for (unsigned i = 0; i < 2; i++) {
		index[i].logical = le32_make(100 * (i + 1));
		index[i].child = le64_make(child);
	}
}

static int lookup(struct volume *vol, uint64_t ino, const struct inode_info *inode,
		  uint32_t logical)
{
	struct extent_run run;
	struct txn txn;
	int rc;

	txn_begin(&txn, vol->txns);
	rc = extent_lookup(vol, &txn, ino, inode, logical, &run);
	txn_abort(&txn);
	return rc;
}

static int walk(struct volume *vol, uint64_t ino, const struct inode_info *inode)
{
	const struct extent_visitor visitor = {0};
	struct txn txn;
	int rc;

	txn_begin(&txn, vol->txns);
	rc = extent_walk(vol, &txn, ino, inode, &visitor);
	txn_abort(&txn);
	return rc;
}

static int cut(struct volume *vol, uint64_t ino, const struct inode_info *inode)
{
	struct inode_info copy = *inode;
	bool done;
	int rc;

	IN_TXN(vol, rc, extent_truncate(vol, &txn, ino, &copy, 0, &done));
	return rc;
}

START_TEST(a_lying_child_is_refused)
{
	struct volume *vol = meta_open(1024);
	uint64_t child = meta_block_take(vol), good = layout_group_data(&vol->super, 1), ino;
	uint8_t payload[1024 - sizeof(struct cfs_tag)] __attribute__((aligned(8))) = {0};
	struct block_ref ref = {.block = child, .type = CFS_BLOCK_EXTENT};
	struct inode_info inode;
	const struct lie truth = {"", 0, 2, LEAF_MAX, {{100, 5, 0}, {110, 1, 9}}};

	ref.owner = ino = meta_inode_make(vol, S_IFREG | 0600, 1, &inode);
	root_fill(&inode, child);
	node_fill(payload, &truth, good);
	meta_block_plant(vol, &ref, payload, sizeof(payload));
	ck_assert_int_eq(lookup(vol, ino, &inode, 100), 0);
	/* The second entry leads to the same child, which the walk must not follow. */
	ck_assert_int_eq(walk(vol, ino, &inode), -EUCLEAN);

	node_fill(payload, &child_lies[_i], good);
	meta_block_plant(vol, &ref, payload, sizeof(payload));
	ck_assert_msg(lookup(vol, ino, &inode, 100) == -EUCLEAN, "%s", child_lies[_i].name);
	ck_assert_int_eq(walk(vol, ino, &inode), -EUCLEAN);
	ck_assert_int_eq(cut(vol, ino, &inode), -EUCLEAN);
	ck_assert_int_eq(volume_close(vol), 0);
}
END_TEST

START_TEST(a_lying_root_is_refused)
{
	struct volume *vol = meta_open(1024);
	struct inode_info good, inode;
	uint64_t ino = meta_inode_make(vol, S_IFREG | 0600, 1, &good);
	struct cfs_extent_head *head = (void *)inode.root;

	inode = good;
	head->max = le16_make(CFS_EXTENT_ROOT_MAX + 1);
	ck_assert_int_eq(lookup(vol, ino, &inode, 0), -EUCLEAN);
	inode = good;
	head->count = le16_make(CFS_EXTENT_ROOT_MAX + 1);
	ck_assert_int_eq(lookup(vol, ino, &inode, 0), -EUCLEAN);
	inode = good;
	head->depth = le16_make(1);
	ck_assert_int_eq(lookup(vol, ino, &inode, 0), -EUCLEAN);
	inode = good;
	root_fill(&inode, vol->super.first_block);
	ck_assert_int_eq(lookup(vol, ino, &inode, 0), -EUCLEAN);
	meta_close(vol);
}
END_TEST

START_TEST(a_child_of_someone_else_is_refused)
{
	struct volume *vol = meta_open(1024);
	uint8_t payload[1024 - sizeof(struct cfs_tag)] __attribute__((aligned(8))) = {0};
	const struct lie truth = {"", 0, 1, LEAF_MAX, {{100, 5, 0}}};
	struct block_ref ref = {.block = meta_block_take(vol), .type = CFS_BLOCK_EXTENT};
	struct inode_info inode;
	uint64_t ino = meta_inode_make(vol, S_IFREG | 0600, 1, &inode);

	ref.owner = ino + 1;
	node_fill(payload, &truth, layout_group_data(&vol->super, 1));
	meta_block_plant(vol, &ref, payload, sizeof(payload));
	root_fill(&inode, ref.block);
	ck_assert_int_eq(lookup(vol, ino, &inode, 100), -EUCLEAN);
	/* A block that is no metadata at all is a mismatch, and reported as one. */
	root_fill(&inode, meta_block_take(vol));
	ck_assert_int_eq(lookup(vol, ino, &inode, 100), -EBADMSG);
	ck_assert_uint_eq(atomic_load(&ledger_counters(vol->ledger)->mismatches), 1);
	ck_assert_int_eq(volume_close(vol), 0);
}
END_TEST

TCase *meta_extent_hostile_case(void)
{
	TCase *tc = tcase_create("extent_hostile");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_add_loop_test(tc, a_lying_child_is_refused, 0,
			    (int)(sizeof(child_lies) / sizeof(child_lies[0])));
	tcase_add_test(tc, a_lying_root_is_refused);
	tcase_add_test(tc, a_child_of_someone_else_is_refused);
	return tc;
}
