/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "txn_parts.h"
#include "util/rng.h"

static void *hold_block_one(void *arg)
{
	struct block_ref ref = ref_of(1);
	pthread_barrier_t *barrier = arg;
	struct txn txn;
	void *image;

	txn_begin(&txn, mgr);
	if (txn_get(&txn, &ref, &image))
		return arg;
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	txn_abort(&txn);
	return NULL;
}

START_TEST(deadlock_is_refused)
{
	struct block_ref one = ref_of(1), two = ref_of(2);
	pthread_barrier_t barrier;
	pthread_t holder;
	struct txn txn;
	void *image, *failed;

	ck_assert_int_eq(value_write(1, 1, true), 0);
	ck_assert_int_eq(value_write(2, 2, true), 0);
	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&holder, NULL, hold_block_one, &barrier), 0);
	pthread_barrier_wait(&barrier);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &two, &image), 0);
	ck_assert_int_eq(txn_get(&txn, &one, &image), -EDEADLK);
	txn_abort(&txn);
	pthread_barrier_wait(&barrier);
	txn_backoff(&txn);
	pthread_join(holder, &failed);
	ck_assert_ptr_null(failed);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &two, &image), 0);
	ck_assert_int_eq(txn_get(&txn, &one, &image), 0);
	ck_assert_int_eq(txn_commit(&txn), 0);
	pthread_barrier_destroy(&barrier);
}
END_TEST

/* The classic test for lost updates: many threads add to few counters, three at a time. */
#define ADD_THREADS 6u
#define ADD_BLOCKS 8u
#define ADD_ROUNDS 1500u

struct adder {
	uint64_t seed;
	uint64_t added[ADD_BLOCKS];
	int error;
};

static int add_once(const uint64_t *blocks, unsigned count)
{
	struct txn txn;
	int rc = 0;

	txn_begin(&txn, mgr);
	for (unsigned i = 0; i < count && !rc; i++) {
		struct block_ref ref = ref_of(blocks[i]);
		void *image;

		rc = txn_get(&txn, &ref, &image);
		if (!rc)
			image_set(image, image_value(image) + 1);
	}
	if (!rc)
		return txn_commit(&txn);
	txn_abort(&txn);
	if (rc == -EDEADLK)
		txn_backoff(&txn);
	return rc;
}

static void *add_work(void *arg)
{
	struct adder *adder = arg;
	struct rng rng;

	rng_seed(&rng, adder->seed, 0);
	for (unsigned round = 0; round < ADD_ROUNDS && !adder->error; round++) {
		uint64_t blocks[3];
		int rc;

		for (unsigned i = 0; i < 3; i++)
			blocks[i] = rng_below(&rng, ADD_BLOCKS);
		do {
			rc = add_once(blocks, 3);
		} while (rc == -EDEADLK);
		adder->error = rc;
		for (unsigned i = 0; i < 3; i++)
			adder->added[blocks[i]]++;
	}
	return NULL;
}

struct watcher {
	atomic_bool stop;
	uint64_t reads;
	int error;
	bool backwards;
};

static void *watch_work(void *arg)
{
	struct watcher *watcher = arg;
	uint64_t last[ADD_BLOCKS] = {0}, value = 0;

	while (!atomic_load(&watcher->stop) && !watcher->error) {
		uint64_t block = watcher->reads++ % ADD_BLOCKS;

		watcher->error = value_read(block, &value);
		watcher->backwards |= value < last[block];
		last[block] = value;
	}
	return NULL;
}

START_TEST(concurrent_updates_add_up)
{
	struct adder adders[ADD_THREADS] = {{0}};
	pthread_t threads[ADD_THREADS], reader;
	uint64_t want[ADD_BLOCKS] = {0};
	struct watcher watcher = {0};

	for (uint64_t block = 0; block < ADD_BLOCKS; block++)
		ck_assert_int_eq(value_write(block, 0, true), 0);
	ck_assert_int_eq(pthread_create(&reader, NULL, watch_work, &watcher), 0);
	for (unsigned i = 0; i < ADD_THREADS; i++) {
		adders[i].seed = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_work, &adders[i]), 0);
	}
	for (unsigned i = 0; i < ADD_THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(adders[i].error, 0);
		for (unsigned b = 0; b < ADD_BLOCKS; b++)
			want[b] += adders[i].added[b];
	}
	atomic_store(&watcher.stop, true);
	pthread_join(reader, NULL);
	ck_assert_int_eq(watcher.error, 0);
	ck_assert(!watcher.backwards);
	ck_assert_uint_gt(watcher.reads, 0);
	for (uint64_t block = 0; block < ADD_BLOCKS; block++)
		expect_value(block, want[block]);
	ck_assert_uint_eq(ledger_finding_count(ledger), 0);
	ck_assert_uint_eq(txn_mgr_next_generation(mgr),
			  FIRST_GENERATION + ADD_BLOCKS + ADD_THREADS * ADD_ROUNDS);
}
END_TEST

TCase *txn_threads_case(void)
{
	TCase *tc = tcase_create("threads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, deadlock_is_refused);
	tcase_add_test(tc, concurrent_updates_add_up);
	return tc;
}
