/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "emudev.h"
#include "integrity/check.h"
#include "integrity/tag.h"
#include "integrity_parts.h"
#include "util/clock.h"

/* One thread rewrites blocks as a commit does, others verify them all the time. */
struct hammer {
	struct blkdev *dev;
	struct ledger *ledger;
	struct checker checker;
	uint32_t block_size;
	atomic_bool stop;
	_Atomic uint64_t verified, mismatches;
};

#define HAMMER_BLOCKS 4u

static void hammer_write(struct hammer *h, uint64_t block, uint64_t generation, uint64_t previous)
{
	_Alignas(8) uint8_t image[CFS_BLOCK_SIZE_MAX];
	uint32_t crc;

	memset(image, (int)(generation & 0xff), h->block_size);
	crc = seal(image, h->block_size, block, generation, previous);
	ledger_write_begin(h->ledger, block);
	unit_assert(blkdev_write(h->dev, image, h->block_size, block * h->block_size) == 0);
	ledger_write_end(h->ledger, block, image, crc);
}

static void *hammer_verify(void *arg)
{
	_Alignas(8) uint8_t image[CFS_BLOCK_SIZE_MAX];
	struct ledger_snapshot snap;
	struct hammer *h = arg;
	struct finding finding;

	for (uint64_t block = 0; !atomic_load(&h->stop); block = (block + 1) % HAMMER_BLOCKS) {
		bool match;

		if (!ledger_snapshot(h->ledger, block, &snap) || !snap.generation) {
			sched_yield();
			continue;
		}
		blkdev_read(h->dev, image, h->block_size, block * h->block_size);
		match = checker_match(&h->checker, block, &snap, image);
		if (!ledger_unchanged(h->ledger, block, &snap))
			continue;
		if (match)
			atomic_fetch_add(&h->verified, 1);
		else if (checker_report(&h->checker, block, &snap, image, &finding))
			atomic_fetch_add(&h->mismatches, 1);
	}
	return NULL;
}

/* Waits until COUNTER, or the machine's patience, is beyond its limit. */
static void wait_beyond(_Atomic uint64_t *counter, uint64_t limit)
{
	uint64_t end = clock_now_ns() + 20 * NS_PER_SEC;

	while (atomic_load(counter) <= limit && clock_now_ns() < end)
		usleep(1000);
}

static void hammer_run(struct hammer *h, bool lose_last)
{
	enum { READERS = 2, WRITES = 20000, VERIFIED = 1000 };
	uint64_t previous[HAMMER_BLOCKS] = {0};
	pthread_t readers[READERS];
	int fd;

	h->ledger = ledger_make(&fd, h->block_size);
	close(fd);
	h->dev = emudev_create((uint64_t)HAMMER_BLOCKS * h->block_size);
	checker_init(&h->checker, h->ledger);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, hammer_verify, h), 0);
	for (uint64_t generation = 1; generation <= WRITES; generation++) {
		uint64_t block = generation % HAMMER_BLOCKS;

		if (lose_last && generation == WRITES)
			emudev_inject(h->dev, EMU_WRITE_DROP, 1, 0);
		hammer_write(h, block, generation, previous[block]);
		previous[block] = generation;
	}
	if (lose_last)
		wait_beyond(&h->mismatches, 0);
	else
		wait_beyond(&h->verified, VERIFIED);
	atomic_store(&h->stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
}

static void hammer_end(struct hammer *h)
{
	blkdev_close(h->dev);
	ledger_detach(h->ledger);
}

START_TEST(hammer_no_false_alarm)
{
	struct hammer h = {.block_size = block_sizes[_i]};

	hammer_run(&h, false);
	ck_assert_uint_eq(atomic_load(&h.mismatches), 0);
	ck_assert_uint_gt(atomic_load(&h.verified), 1000);
	hammer_end(&h);
}
END_TEST

START_TEST(hammer_sees_lost_write)
{
	struct hammer h = {.block_size = block_sizes[_i]};
	const struct ledger_finding *kept;
	const void *a, *b;

	hammer_run(&h, true);
	ck_assert_uint_gt(atomic_load(&h.mismatches), 0);
	kept = ledger_finding_get(h.ledger, 0, &a, &b);
	ck_assert_ptr_nonnull(kept);
	ck_assert_int_eq(kept->finding.kind, FAULT_STALE);
	hammer_end(&h);
}
END_TEST

TCase *integrity_hammer_case(void)
{
	TCase *tc = tcase_create("hammer");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, hammer_no_false_alarm, 0, 3);
	tcase_add_loop_test(tc, hammer_sees_lost_write, 0, 3);
	return tc;
}
