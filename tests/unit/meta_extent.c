/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The extent tree against an array: model[logical] is the device block, 0 in a hole. */
#include <stdlib.h>
#include <sys/stat.h>

#include "meta/alloc.h"
#include "meta/extent.h"
#include "meta/extent_node.h"
#include "meta_cases.h"
#include "meta_fixture.h"
#include "util/rng.h"

/* Enough single extents for a tree of depth 2 with the largest nodes (8 * 249 in depth 1). */
#define BLOCKS 5000u

struct tree {
	struct volume *vol;
	uint64_t ino;
	struct inode_info inode;
	uint64_t *model;
	uint64_t mapped, nodes; /* as walked */
};

static void tree_make(struct tree *tree, struct volume *vol)
{
	tree->vol = vol;
	tree->ino = meta_inode_make(vol, S_IFREG | 0600, 1, &tree->inode);
	tree->model = calloc(BLOCKS + 1, sizeof(*tree->model));
	ck_assert_ptr_nonnull(tree->model);
}

static int block_add(struct tree *tree, struct txn *txn, uint32_t logical, uint64_t goal,
		     struct inode_info *inode, uint64_t *block)
{
	struct extent_run run = {.logical = logical};
	int rc = block_alloc(tree->vol, txn, goal, 1, &run.block, &run.length);

	*inode = tree->inode;
	if (rc == 0)
		rc = extent_insert(tree->vol, txn, tree->ino, inode, &run);
	if (rc == 0)
		rc = inode_write(tree->vol, txn, tree->ino, inode);
	*block = run.block;
	return rc;
}

static void tree_add(struct tree *tree, uint32_t logical, uint64_t goal)
{
	struct inode_info inode;
	int rc;

	IN_TXN(tree->vol, rc, block_add(tree, &txn, logical, goal, &inode, &tree->model[logical]));
	ck_assert_int_eq(rc, 0);
	tree->inode = inode;
}

static int node_count(void *arg, const struct block_ref *ref)
{
	struct tree *tree = arg;

	ck_assert_int_eq(ref->type, CFS_BLOCK_EXTENT);
	ck_assert_uint_eq(ref->owner, tree->ino);
	tree->nodes++;
	return 0;
}

static int run_compare(void *arg, const struct extent_run *run)
{
	struct tree *tree = arg;

	for (uint32_t i = 0; i < run->length; i++)
		ck_assert_uint_eq(tree->model[run->logical + i], run->block + i);
	tree->mapped += run->length;
	return 0;
}

/* Compares lookups and the walk with the model. */
static void tree_check(struct tree *tree)
{
	struct extent_visitor visitor = {node_count, run_compare, tree};
	uint64_t mapped = 0;
	struct txn txn;

	txn_begin(&txn, tree->vol->txns);
	for (uint32_t at = 0; at < BLOCKS;) {
		struct extent_run run;

		ck_assert_int_eq(extent_lookup(tree->vol, &txn, tree->ino, &tree->inode, at, &run),
				 0);
		ck_assert_uint_eq(run.logical, at);
		ck_assert_uint_ge(run.length, 1);
		for (uint32_t i = 0; i < run.length && at < BLOCKS; i++, at++) {
			ck_assert_uint_eq(tree->model[at], run.block ? run.block + i : 0);
			mapped += run.block != 0;
		}
	}
	tree->mapped = tree->nodes = 0;
	ck_assert_int_eq(extent_walk(tree->vol, &txn, tree->ino, &tree->inode, &visitor), 0);
	txn_abort(&txn);
	ck_assert_uint_eq(tree->mapped, mapped);
	ck_assert_uint_eq(tree->inode.blocks, tree->mapped + tree->nodes);
}

static int part_cut(struct tree *tree, struct txn *txn, uint32_t from, struct inode_info *inode,
		    bool *done)
{
	int rc;

	*inode = tree->inode;
	rc = extent_truncate(tree->vol, txn, tree->ino, inode, from, done);
	return rc ? rc : inode_write(tree->vol, txn, tree->ino, inode);
}

/* Truncates to FROM; the tree is checked between two transactions now and then. */
static unsigned tree_cut(struct tree *tree, uint32_t from)
{
	unsigned transactions = 0;
	bool done = false;

	while (!done) {
		struct inode_info inode;
		int rc;

		IN_TXN(tree->vol, rc, part_cut(tree, &txn, from, &inode, &done));
		ck_assert_int_eq(rc, 0);
		tree->inode = inode;
		transactions++;
	}
	for (uint32_t at = from; at < BLOCKS; at++)
		tree->model[at] = 0;
	return transactions;
}

static void shuffled_fill(struct tree *tree, struct rng *rng)
{
	uint32_t *order = calloc(BLOCKS, sizeof(*order));

	for (uint32_t i = 0; i < BLOCKS; i++)
		order[i] = i;
	for (uint32_t i = BLOCKS; i; i--) {
		uint32_t pick = (uint32_t)rng_below(rng, i), at = order[pick];

		order[pick] = order[i - 1];
		if (!tree->model[at])
			tree_add(tree, at, 0);
	}
	free(order);
}

START_TEST(blocks_in_random_order)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	struct volume_usage start, end;
	struct tree tree;
	struct rng rng;

	rng_seed(&rng, 3, (uint64_t)_i);
	tree_make(&tree, vol);
	start = meta_usage(vol);
	shuffled_fill(&tree, &rng);
	tree_check(&tree);
	ck_assert_uint_ge(((struct cfs_extent_head *)(void *)tree.inode.root)->depth.raw, 2);
	vol = tree.vol = meta_reopen(vol);
	tree_check(&tree);
	for (uint32_t from = BLOCKS; from;) {
		from = (uint32_t)rng_below(&rng, from);
		tree_cut(&tree, from);
		tree_check(&tree);
		/* Grow again from a truncated tree, too. */
		for (unsigned i = 0; i < 50 && from; i++) {
			uint32_t at = from + (uint32_t)rng_below(&rng, BLOCKS - from);

			if (!tree.model[at])
				tree_add(&tree, at, 0);
		}
	}
	tree_cut(&tree, 0);
	tree_check(&tree);
	ck_assert_uint_eq(tree.inode.blocks, 0);
	end = meta_usage(vol);
	ck_assert_mem_eq(&start, &end, sizeof(end));
	free(tree.model);
	meta_close(meta_reopen(vol));
}
END_TEST

START_TEST(backwards_and_with_holes)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	struct tree tree;

	tree_make(&tree, vol);
	for (uint32_t at = BLOCKS - 1; at > 3; at -= 3)
		tree_add(&tree, at, 0);
	tree_check(&tree);
	/* The tree holds every third block: a truncation needs several transactions, each valid. */
	ck_assert_uint_gt(tree_cut(&tree, 2), META_BLOCK_SIZE(_i) == 1024 ? 1 : 0);
	tree_check(&tree);
	free(tree.model);
	meta_close(meta_reopen(vol));
}
END_TEST

START_TEST(neighbours_are_merged)
{
	struct volume *vol = meta_open(1024);
	uint64_t base = layout_group_data(&vol->super, 1);
	struct extent_run run;
	struct tree tree;
	int rc;

	tree_make(&tree, vol);
	for (uint32_t at = 0; at < 100; at += 2)
		tree_add(&tree, at, base + at);
	for (uint32_t at = 1; at < 100; at += 2)
		tree_add(&tree, at, base + at);
	/* Not contiguous on the device: stays apart. */
	tree_add(&tree, 100, base + 300);
	tree_check(&tree);
	ck_assert_uint_eq(tree.mapped, 101);
	/* Merging does not join leaves, but within them one run is left of each stretch. */
	IN_TXN(vol, rc, extent_lookup(vol, &txn, tree.ino, &tree.inode, 100, &run));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(run.block, base + 300);
	ck_assert_uint_eq(run.length, 1);
	IN_TXN(vol, rc, extent_lookup(vol, &txn, tree.ino, &tree.inode, 5, &run));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_ge(run.length, 10);
	free(tree.model);
	meta_close(meta_reopen(vol));
}
END_TEST

START_TEST(backwards_neighbours_are_merged)
{
	struct volume *vol = meta_open(1024);
	uint64_t base = layout_group_data(&vol->super, 1);
	struct extent_run run;
	struct tree tree;
	int rc;

	tree_make(&tree, vol);
	for (uint32_t at = 60; at; at--)
		tree_add(&tree, at, base + at);
	tree_check(&tree);
	ck_assert_uint_eq(tree.nodes, 0);
	IN_TXN(vol, rc, extent_lookup(vol, &txn, tree.ino, &tree.inode, 1, &run));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(run.length, 60);
	free(tree.model);
	meta_close(meta_reopen(vol));
}
END_TEST

static int run_insert(struct tree *tree, struct txn *txn, uint32_t logical, uint32_t length,
		      uint64_t block)
{
	struct extent_run run = {logical, length, block};
	struct inode_info inode = tree->inode;

	return extent_insert(tree->vol, txn, tree->ino, &inode, &run);
}

START_TEST(the_ends_of_the_range)
{
	struct volume *vol = meta_open(1024);
	uint64_t data = layout_group_data(&vol->super, 1);
	struct extent_run run;
	struct tree tree;
	int rc;

	tree_make(&tree, vol);
	IN_TXN(vol, rc, extent_lookup(vol, &txn, tree.ino, &tree.inode, 0, &run));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(run.block, 0);
	ck_assert_uint_eq(run.length, UINT32_MAX);
	tree_add(&tree, 10, data);
	IN_TXN(vol, rc, run_insert(&tree, &txn, UINT32_MAX, 1, data + 9));
	ck_assert_int_eq(rc, 0);
	IN_TXN(vol, rc, run_insert(&tree, &txn, UINT32_MAX, 2, data + 9));
	ck_assert_int_eq(rc, -EFBIG);
	IN_TXN(vol, rc, run_insert(&tree, &txn, 8, 3, data + 9));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, run_insert(&tree, &txn, 10, 1, data + 9));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, run_insert(&tree, &txn, 20, 1, vol->super.first_block));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, run_insert(&tree, &txn, 20, 0, data + 9));
	ck_assert_int_eq(rc, -EUCLEAN);
	free(tree.model);
	ck_assert_int_eq(volume_close(vol), 0);
}
END_TEST

TCase *meta_extent_case(void)
{
	TCase *tc = tcase_create("extent");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, blocks_in_random_order, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, backwards_and_with_holes, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, neighbours_are_merged);
	tcase_add_test(tc, backwards_neighbours_are_merged);
	tcase_add_test(tc, the_ends_of_the_range);
	return tc;
}
