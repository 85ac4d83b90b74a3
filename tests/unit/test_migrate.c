/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration drivers side by side and in turns, with made-up ones; the log of moves; and, in files
 * of their own, the drivers there are.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "migrate_cases.h"
#include "soak/migrate.h"
#include "soak/movelog.h"
#include "unit.h"
#include "util/clock.h"

#define CYCLE_NS (2 * NS_PER_MS)
/* Longer than a first impression. Who has how much of the time is in test_turns.c. */
#define RUN_S 3

static void sleep_ns(uint64_t ns)
{
	const struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SEC),
				    .tv_nsec = (long)(ns % NS_PER_SEC)};

	nanosleep(&ts, NULL);
}

static int always(char *why, size_t len)
{
	(void)why;
	(void)len;
	return 0;
}

static int start(const struct migrate_target *target, void **state)
{
	(void)target;
	*state = &sleep_ns; /* anything but NULL */
	return 0;
}

static void stop(void *state)
{
	(void)state;
}

static int cycle_good(void *state, struct migrate_cycle *cycle)
{
	(void)state;
	sleep_ns(CYCLE_NS);
	cycle->candidates = cycle->moved = 100;
	return 0;
}

static int cycle_poor(void *state, struct migrate_cycle *cycle)
{
	(void)state;
	sleep_ns(CYCLE_NS);
	cycle->candidates = 100;
	cycle->moved = 1;
	return 0;
}

static int cycle_fails(void *state, struct migrate_cycle *cycle)
{
	(void)state;
	(void)cycle;
	return -EIO;
}

static int start_fails(const struct migrate_target *target, void **state)
{
	(void)target;
	(void)state;
	return -ENOMEM;
}

/* Works, and moves nothing. */
static int cycle_idle(void *state, struct migrate_cycle *cycle)
{
	(void)state;
	sleep_ns(CYCLE_NS);
	cycle->candidates = 100;
	return 0;
}

/* A driver that holds something which others must not meet. */
static int start_holder(const struct migrate_target *target, void **state)
{
	static _Atomic bool held;

	(void)target;
	*state = &held;
	return 0;
}

static int cycle_holds(void *state, struct migrate_cycle *cycle)
{
	*(_Atomic bool *)state = true;
	return cycle_idle(state, cycle);
}

static void pause_holder(void *state)
{
	*(_Atomic bool *)state = false;
}

static int cycle_meets(void *state, struct migrate_cycle *cycle)
{
	return *(_Atomic bool *)state ? -EDEADLK : cycle_idle(state, cycle);
}

static const struct migrate_driver good = {
	.name = "good", .probe = always, .start = start, .cycle = cycle_good, .stop = stop};
static const struct migrate_driver poor = {
	.name = "poor", .probe = always, .start = start, .cycle = cycle_poor, .stop = stop};
static const struct migrate_driver fails = {
	.name = "fails", .probe = always, .start = start, .cycle = cycle_fails, .stop = stop};
static const struct migrate_driver idle = {
	.name = "idle", .probe = always, .start = start, .cycle = cycle_idle, .stop = stop};
/* It has no state that could be paused. */
static const struct migrate_driver unable = {.name = "unable",
					     .probe = always,
					     .start = start_fails,
					     .cycle = cycle_good,
					     .pause = pause_holder,
					     .stop = stop};
static const struct migrate_driver holder = {.name = "holder",
					     .probe = always,
					     .start = start_holder,
					     .cycle = cycle_holds,
					     .pause = pause_holder,
					     .stop = stop};
static const struct migrate_driver meets = {.name = "meets",
					    .probe = always,
					    .start = start_holder,
					    .cycle = cycle_meets,
					    .stop = stop};

/* Runs the selection for a while; STATS gets what each driver did. */
static void run(const struct migrate_selection *selection, struct migrate_stats *stats)
{
	const struct migrate_target target = {.device = ""};
	struct migrator *migrator;
	char why[64] = "";

	ck_assert_int_eq(migrator_start(selection, &target, &migrator, why, sizeof(why)), 0);
	sleep_ns(RUN_S * NS_PER_SEC);
	migrator_stop(migrator);
	for (unsigned i = 0; i < selection->count; i++)
		ck_assert(migrator_stats_get(migrator, i, &stats[i]));
	migrator_free(migrator);
}

/* The first that moves pages is alone; the others do not even start meanwhile. */
START_TEST(first_has_the_turns)
{
	const struct migrate_selection selection = {
		.count = 3, .turns = true, .driver = {&idle, &good, &unable}};
	struct migrate_stats stats[3];

	run(&selection, stats);
	ck_assert_uint_gt(stats[0].attempts, 0);
	ck_assert_uint_gt(stats[1].moved, 0);
	ck_assert_uint_gt(stats[1].ns, stats[0].ns);
	ck_assert_uint_eq(stats[2].attempts, 0);
	ck_assert_int_eq(stats[2].error, 0);
}
END_TEST

START_TEST(one_gives_up)
{
	const struct migrate_selection selection = {
		.count = 2, .turns = true, .driver = {&fails, &good}};
	struct migrate_stats stats[2];

	run(&selection, stats);
	ck_assert_uint_eq(stats[0].attempts, 1);
	ck_assert_int_eq(stats[0].error, -EIO);
	ck_assert_uint_gt(stats[1].ns, RUN_S / 2 * NS_PER_SEC);
}
END_TEST

START_TEST(one_cannot_start)
{
	const struct migrate_selection selection = {
		.count = 2, .turns = true, .driver = {&unable, &good}};
	struct migrate_stats stats[2];

	run(&selection, stats);
	ck_assert_uint_eq(stats[0].attempts, 0);
	ck_assert_int_eq(stats[0].error, -ENOMEM);
	ck_assert_uint_gt(stats[1].ns, RUN_S / 2 * NS_PER_SEC);
}
END_TEST

/* Nobody else runs while the holder holds. */
START_TEST(turns_are_handed_over)
{
	const struct migrate_selection selection = {
		.count = 3, .turns = true, .driver = {&fails, &holder, &meets}};
	struct migrate_stats stats[3];

	run(&selection, stats);
	ck_assert_int_eq(stats[0].error, -EIO);
	ck_assert_uint_gt(stats[1].attempts, 0);
	ck_assert_uint_gt(stats[2].attempts, 0);
	ck_assert_int_eq(stats[2].error, 0);
}
END_TEST

/* Drivers that were named run side by side. */
START_TEST(at_once)
{
	const struct migrate_selection selection = {.count = 2, .driver = {&poor, &good}};
	struct migrate_stats stats[2];

	run(&selection, stats);
	ck_assert_uint_gt(stats[0].ns + stats[1].ns, (RUN_S + 1) * NS_PER_SEC);
}
END_TEST

START_TEST(moves_are_remembered)
{
	struct move move = {.page = 7}, found[4];
	struct movelog *log;

	ck_assert_int_eq(movelog_create(&log), 0);
	ck_assert_uint_eq(movelog_find(log, 7, found, 4), 0);
	for (uint64_t i = 1; i <= 6; i++) {
		move.when_ns = i;
		move.page = 7;
		movelog_add(log, &move, 1);
		move.page = 8;
		movelog_add(log, &move, 1);
	}
	/* The last four of six, oldest first. */
	ck_assert_uint_eq(movelog_find(log, 7, found, 4), 4);
	for (uint64_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(found[i].page, 7);
		ck_assert_uint_eq(found[i].when_ns, i + 3);
	}
	/* Old ones are forgotten. */
	move.page = 9;
	for (unsigned i = 0; i < 100000; i++)
		movelog_add(log, &move, 1);
	ck_assert_uint_eq(movelog_find(log, 7, found, 4), 0);
	ck_assert_uint_eq(movelog_find(log, 9, found, 4), 4);
	movelog_free(log);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate");
	TCase *tc = tcase_create("turns");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, first_has_the_turns);
	tcase_add_test(tc, one_gives_up);
	tcase_add_test(tc, one_cannot_start);
	tcase_add_test(tc, turns_are_handed_over);
	tcase_add_test(tc, at_once);
	tcase_add_test(tc, moves_are_remembered);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, migrate_parts_case());
	suite_add_tcase(suite, migrate_drivers_case());
	suite_add_tcase(suite, migrate_blocks_case());
	return unit_run(suite);
}
