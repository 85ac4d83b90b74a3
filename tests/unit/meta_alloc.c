/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta_cases.h"
#include "meta_fixture.h"
#include "util/rng.h"

#define RUNS_MAX 60000u
#define INODES_MAX 8192u
#define THREAD_ROUNDS 1500u
#define THREAD_HELD 40u

struct run {
	uint64_t block;
	uint32_t count;
};

static struct run *runs_swap(struct run *runs, struct rng *rng, unsigned left)
{
	unsigned pick = (unsigned)rng_below(rng, left);
	struct run picked = runs[pick];

	runs[pick] = runs[left - 1];
	runs[left - 1] = picked;
	return &runs[left - 1];
}

START_TEST(blocks_run_out_and_come_back)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	struct volume_usage start = meta_usage(vol), full;
	uint8_t *taken = calloc(1, vol->super.total_blocks);
	struct run *runs = calloc(RUNS_MAX, sizeof(*runs));
	uint64_t sum = 0;
	unsigned n = 0;
	struct rng rng;
	int rc;

	rng_seed(&rng, 1, (uint64_t)_i);
	for (;;) {
		uint32_t want = 1 + (uint32_t)rng_below(&rng, 60);
		uint64_t goal = rng_below(&rng, vol->super.total_blocks);
		struct run *run = &runs[n];

		IN_TXN(vol, rc, block_alloc(vol, &txn, goal, want, &run->block, &run->count));
		if (rc)
			break;
		ck_assert_uint_ge(run->count, 1);
		ck_assert_uint_le(run->count, want);
		ck_assert(layout_data_valid(&vol->super, run->block, run->count));
		for (uint32_t i = 0; i < run->count; i++)
			ck_assert_uint_eq(taken[run->block + i]++, 0);
		sum += run->count;
		ck_assert_uint_lt(++n, RUNS_MAX);
	}
	ck_assert_int_eq(rc, -ENOSPC);
	full = meta_usage(vol);
	ck_assert_uint_eq(full.free_blocks, 0);
	ck_assert_uint_eq(sum, start.free_blocks);
	for (unsigned left = n; left; left--) {
		struct run *run = runs_swap(runs, &rng, left);

		IN_TXN(vol, rc, block_free(vol, &txn, run->block, run->count));
		ck_assert_int_eq(rc, 0);
	}
	full = meta_usage(vol);
	ck_assert_mem_eq(&full, &start, sizeof(start));
	vol = meta_reopen(vol);
	full = meta_usage(vol);
	ck_assert_mem_eq(&full, &start, sizeof(start));
	meta_close(vol);
	free(runs);
	free(taken);
}
END_TEST

START_TEST(a_goal_is_met_where_it_is_free)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	uint64_t goal = layout_group_data(&vol->super, 1) + 17, block;
	uint32_t got;
	int rc;

	IN_TXN(vol, rc, block_alloc(vol, &txn, goal, 8, &block, &got));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(block, goal);
	ck_assert_uint_eq(got, 8);
	IN_TXN(vol, rc, block_alloc(vol, &txn, goal, 8, &block, &got));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(block, goal + 8);
	/* Before the goal lies room that ends where the first run begins. */
	IN_TXN(vol, rc, block_alloc(vol, &txn, goal - 4, 8, &block, &got));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(block, goal - 4);
	ck_assert_uint_eq(got, 4);
	ck_assert_int_eq(volume_close(vol), 0);
}
END_TEST

START_TEST(inodes_run_out_and_come_back)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	struct volume_usage start = meta_usage(vol), now;
	uint8_t *taken = calloc(1, INODES_MAX);
	unsigned n = 0;
	uint64_t ino;
	int rc;

	ck_assert_uint_lt(start.inodes, INODES_MAX);
	for (;; n++) {
		IN_TXN(vol, rc, inode_alloc(vol, &txn, 1 + n, n % 2, &ino));
		if (rc)
			break;
		ck_assert(layout_inode_valid(&vol->super, ino));
		ck_assert_uint_eq(taken[ino], 0);
		taken[ino] = n % 2 ? 2 : 1;
	}
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_eq(n, start.free_inodes);
	now = meta_usage(vol);
	ck_assert_uint_eq(now.free_inodes, 0);
	for (ino = start.inodes; ino; ino--) {
		if (!taken[ino])
			continue;
		IN_TXN(vol, rc, inode_free(vol, &txn, ino, taken[ino] == 2));
		ck_assert_int_eq(rc, 0);
	}
	now = meta_usage(vol);
	ck_assert_mem_eq(&now, &start, sizeof(start));
	meta_close(vol);
	free(taken);
}
END_TEST

START_TEST(freeing_what_is_not_taken_is_refused)
{
	struct volume *vol = meta_open(1024);
	uint64_t block = meta_block_take(vol), header = layout_group_header(&vol->super, 1);
	struct volume_usage before = meta_usage(vol), after;
	int rc;

	IN_TXN(vol, rc, block_free(vol, &txn, block, 2));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, block_free(vol, &txn, header, 1));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, block_free(vol, &txn, vol->super.total_blocks + 5, 1));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, block_free(vol, &txn, vol->super.journal_start, 1));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, inode_free(vol, &txn, 7, false));
	ck_assert_int_eq(rc, -EUCLEAN);
	IN_TXN(vol, rc, inode_free(vol, &txn, 0, false));
	ck_assert_int_eq(rc, -EUCLEAN);
	after = meta_usage(vol);
	ck_assert_mem_eq(&after, &before, sizeof(before));
	IN_TXN(vol, rc, block_free(vol, &txn, block, 1));
	ck_assert_int_eq(rc, 0);
	meta_close(vol);
}
END_TEST

/* Changes the free count in the header of GROUP. */
static int header_count_set(struct volume *vol, struct txn *txn, uint32_t group, uint32_t count)
{
	struct block_ref ref = {layout_group_header(&vol->super, group), group, CFS_BLOCK_GROUP};
	struct cfs_group *header;
	void *image;
	int rc = txn_get(txn, &ref, &image);

	if (rc)
		return rc;
	header = tag_payload(image);
	header->free_blocks = le32_make(count);
	return 0;
}

START_TEST(a_header_that_contradicts_its_bitmap_is_found)
{
	struct volume *vol = meta_open(1024);
	uint64_t goal = layout_group_data(&vol->super, 1), block;
	uint32_t got;
	int rc;

	IN_TXN(vol, rc, header_count_set(vol, &txn, 1, 3));
	ck_assert_int_eq(rc, 0);
	IN_TXN(vol, rc, block_alloc(vol, &txn, goal, 10, &block, &got));
	ck_assert_int_eq(rc, -EUCLEAN);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(false, &vol), -EUCLEAN);
}
END_TEST

START_TEST(a_group_in_use_asks_for_a_repeat)
{
	struct volume *vol = meta_open(1024);
	struct volume_usage start = meta_usage(vol), end;
	uint64_t one = layout_group_data(&vol->super, 1), two = layout_group_data(&vol->super, 2);
	struct txn holder, other;
	uint64_t block;
	uint32_t got;

	/* Group 2's header comes before group 1's in the order of the locks. */
	txn_begin(&holder, vol->txns);
	ck_assert_int_eq(block_alloc(vol, &holder, two, 1, &block, &got), 0);
	txn_begin(&other, vol->txns);
	ck_assert_int_eq(block_alloc(vol, &other, one, 1, &block, &got), 0);
	ck_assert_int_eq(block_alloc(vol, &other, two, 1, &block, &got), -EDEADLK);
	txn_abort(&other);
	txn_abort(&holder);
	txn_backoff(&other);
	txn_begin(&other, vol->txns);
	ck_assert_int_eq(block_alloc(vol, &other, two, 1, &block, &got), 0);
	ck_assert_uint_eq(block, two);
	txn_abort(&other);
	end = meta_usage(vol);
	ck_assert_mem_eq(&end, &start, sizeof(start));
	meta_close(vol);
}
END_TEST

struct worker {
	struct volume *vol;
	uint64_t seed;
	uint64_t inos[THREAD_HELD];
	struct run runs[THREAD_HELD];
	unsigned held;
	int rc;
};

/* Takes groups in the opposite order every other time, so that threads get in each other's way. */
static int pair_take(struct worker *w, struct txn *txn, uint64_t goal)
{
	struct run *run = &w->runs[w->held];
	bool blocks_first = goal % 2;
	int rc = 0;

	if (blocks_first)
		rc = block_alloc(w->vol, txn, goal, 3, &run->block, &run->count);
	if (rc == 0)
		rc = inode_alloc(w->vol, txn, CFS_ROOT_INODE, goal % 3 == 0, &w->inos[w->held]);
	if (rc == 0 && !blocks_first)
		rc = block_alloc(w->vol, txn, goal, 3, &run->block, &run->count);
	return rc;
}

static int pair_give(struct worker *w, struct txn *txn, bool directory)
{
	struct run *run = &w->runs[w->held - 1];
	int rc = block_free(w->vol, txn, run->block, run->count);

	if (rc == 0)
		rc = inode_free(w->vol, txn, w->inos[w->held - 1], directory);
	return rc;
}

static void *worker_run(void *arg)
{
	bool directory[THREAD_HELD];
	struct worker *w = arg;
	struct rng rng;

	rng_seed(&rng, 2, w->seed);
	for (unsigned round = 0; round < THREAD_ROUNDS || w->held; round++) {
		bool take = round < THREAD_ROUNDS && rng_below(&rng, 2);

		if (take && w->held < THREAD_HELD) {
			uint64_t goal = 1 + rng_below(&rng, w->vol->super.total_blocks - 1);

			IN_TXN(w->vol, w->rc, pair_take(w, &txn, goal));
			directory[w->held++] = goal % 3 == 0;
		} else if (w->held) {
			IN_TXN(w->vol, w->rc, pair_give(w, &txn, directory[w->held - 1]));
			w->held--;
		}
		if (w->rc)
			break;
	}
	return NULL;
}

START_TEST(threads_share_the_groups)
{
	struct volume *vol = meta_open(1024);
	struct volume_usage start = meta_usage(vol), end;
	struct worker workers[2] = {{.vol = vol, .seed = 1}, {.vol = vol, .seed = 2}};
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(workers[i].rc, 0);
	}
	end = meta_usage(vol);
	ck_assert_mem_eq(&end, &start, sizeof(start));
	vol = meta_reopen(vol);
	meta_close(vol);
}
END_TEST

TCase *meta_alloc_case(void)
{
	TCase *tc = tcase_create("alloc");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, blocks_run_out_and_come_back, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, a_goal_is_met_where_it_is_free, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, inodes_run_out_and_come_back, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, freeing_what_is_not_taken_is_refused);
	tcase_add_test(tc, a_header_that_contradicts_its_bitmap_is_found);
	tcase_add_test(tc, a_group_in_use_asks_for_a_repeat);
	tcase_add_test(tc, threads_share_the_groups);
	return tc;
}
