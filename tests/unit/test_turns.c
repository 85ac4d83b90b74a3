/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it is among migration drivers, on a made-up clock. */
#include "soak/turns.h"
#include "unit.h"

#define CYCLE_NS (10 * NS_PER_MS)

/* What a made-up driver does in a cycle. */
struct made_up {
	uint64_t cycle_ns;
	uint64_t moved, moved_neighbour;
	unsigned gives_up_after; /* cycles; 0: never */
	unsigned cycles;	 /* of cycle_play() */
};

/* Drivers of which one is known by each name. */
static const struct made_up numa = {.cycle_ns = CYCLE_NS, .moved = 50, .moved_neighbour = 50};
static const struct made_up good = {.cycle_ns = CYCLE_NS, .moved = 100};
static const struct made_up poor = {.cycle_ns = CYCLE_NS, .moved = 1};
static const struct made_up idle = {.cycle_ns = CYCLE_NS};

static void cycle_play(struct made_up *driver, struct turn *turn, uint64_t *now_ns)
{
	driver->cycles++;
	*now_ns += driver->cycle_ns;
	turn->ns += driver->cycle_ns;
	turn->moved += driver->moved;
	turn->moved_neighbour += driver->moved_neighbour;
	turn->gave_up = driver->cycles == driver->gives_up_after;
}

/* COUNT drivers for SECONDS, or until all gave up. */
static void play(struct made_up *driver, unsigned count, unsigned seconds, struct turns *turns)
{
	uint64_t now_ns = 0;

	*turns = (struct turns){.count = count};
	while (now_ns < seconds * NS_PER_SEC) {
		unsigned next = turns_next(turns, now_ns);

		if (next == TURNS_NONE)
			break;
		ck_assert_uint_lt(next, count);
		ck_assert(!turns->turn[next].gave_up);
		cycle_play(&driver[next], &turns->turn[next], &now_ns);
	}
}

START_TEST(first_is_alone_at_first)
{
	struct made_up driver[] = {numa, good, poor, idle};
	struct turns turns;

	play(driver, 4, 10, &turns);
	ck_assert_uint_eq(turns.turn[0].ns, 10 * NS_PER_SEC);
	play(driver, 4, 11, &turns);
	ck_assert_uint_gt(turns.turn[1].ns, 0);
}
END_TEST

/* Who moves nothing is no first: the next has the machine after a second. */
START_TEST(idle_is_no_first)
{
	struct made_up driver[] = {idle, good, poor};
	struct turns turns;

	play(driver, 3, 11, &turns);
	ck_assert_uint_eq(turns.turn[0].ns, NS_PER_SEC);
	ck_assert_uint_eq(turns.turn[1].ns, 10 * NS_PER_SEC);
	ck_assert_uint_eq(turns.turn[2].ns, 0);
}
END_TEST

START_TEST(all_are_measured)
{
	struct made_up driver[] = {good, poor, idle, poor};
	struct turns turns;

	/* 10 s alone, then five parts in six of the time until the others had 3 + 1 + 3 s. */
	play(driver, 4, 10 + 6 * 7 + 1, &turns);
	ck_assert_uint_ge(turns.turn[1].ns, TURNS_MEASURE_NS);
	ck_assert_uint_ge(turns.turn[2].ns, TURNS_IMPRESSION_NS);
	ck_assert_uint_ge(turns.turn[3].ns, TURNS_MEASURE_NS);
	/* The one of them that moves nothing costs a first impression, and then its share. */
	ck_assert_uint_le(turns.turn[2].ns, turns.turn[0].ns / 20 + CYCLE_NS);
	ck_assert_uint_ge(turns.turn[0].ns, 5 * 7 * NS_PER_SEC);
}
END_TEST

/* While others are measured, the best waits for a cycle of theirs at most. */
START_TEST(best_goes_on)
{
	struct made_up driver[] = {good, poor, idle, poor};
	uint64_t now_ns = 0, away_ns = 0, longest_ns = 0;
	struct turns turns = {.count = 4};

	while (now_ns < 50 * NS_PER_SEC) {
		uint64_t before = now_ns;
		unsigned next = turns_next(&turns, now_ns);

		cycle_play(&driver[next], &turns.turn[next], &now_ns);
		away_ns = next ? away_ns + now_ns - before : 0;
		if (away_ns > longest_ns)
			longest_ns = away_ns;
	}
	ck_assert_uint_eq(longest_ns, CYCLE_NS);
}
END_TEST

/* In the long run each of the others has a 20th of what the best has, whoever was first. */
START_TEST(shares_of_a_long_run)
{
	struct made_up driver[] = {poor, good, idle};
	struct turns turns;

	play(driver, 3, 4000, &turns);
	for (unsigned i = 0; i < 3; i += 2) {
		ck_assert_uint_ge(turns.turn[1].ns, 19 * turns.turn[i].ns);
		ck_assert_uint_le(turns.turn[1].ns, 21 * turns.turn[i].ns);
	}
}
END_TEST

/* A few moves of pages that are looked up are worth more than more moves of others. */
START_TEST(hot_pages_count_more)
{
	struct made_up driver[] = {{.cycle_ns = CYCLE_NS, .moved = 60}, numa};
	struct turns turns;

	driver[1].moved = driver[1].moved_neighbour = 6;
	play(driver, 2, 1000, &turns);
	ck_assert_uint_gt(turns.turn[1].ns, 10 * turns.turn[0].ns);
}
END_TEST

START_TEST(who_gave_up_has_no_turn)
{
	struct made_up driver[] = {good, poor};
	struct turns turns;

	driver[0].gives_up_after = 1500;
	play(driver, 2, 60, &turns);
	ck_assert_uint_eq(driver[0].cycles, 1500);
	ck_assert_uint_eq(turns.turn[1].ns, 60 * NS_PER_SEC - turns.turn[0].ns);
	driver[1].gives_up_after = 1;
	driver[0].cycles = driver[1].cycles = 0;
	play(driver, 2, 600, &turns);
	ck_assert_uint_eq(driver[0].cycles, 1500);
	ck_assert_uint_eq(driver[1].cycles, 1);
	ck_assert_uint_eq(turns_next(&turns, 0), TURNS_NONE);
}
END_TEST

/* One that has to make room is not asked to after every cycle, but its share stays what it is. */
START_TEST(turns_that_last)
{
	struct made_up driver[] = {good, poor};
	unsigned handed_over = 0, last = 0;
	struct turns turns = {.count = 2};
	uint64_t now_ns = 0;

	turns.turn[1].keeps = true;
	while (now_ns < 1000 * NS_PER_SEC) {
		unsigned next = turns_next(&turns, now_ns);

		handed_over += last == 1 && next == 0;
		last = next;
		cycle_play(&driver[next], &turns.turn[next], &now_ns);
	}
	/* About 47 s of its own, in turns of a second. */
	ck_assert_uint_ge(turns.turn[1].ns, 40 * NS_PER_SEC);
	ck_assert_uint_le(turns.turn[1].ns, 55 * NS_PER_SEC);
	ck_assert_uint_ge(handed_over, 40);
	ck_assert_uint_le(handed_over, 55);
}
END_TEST

START_TEST(alone)
{
	struct made_up driver[] = {idle};
	struct turns turns;

	play(driver, 1, 30, &turns);
	ck_assert_uint_eq(turns.turn[0].ns, 30 * NS_PER_SEC);
	turns = (struct turns){0};
	ck_assert_uint_eq(turns_next(&turns, 0), TURNS_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turns");
	TCase *tc = tcase_create("turns");

	tcase_add_test(tc, first_is_alone_at_first);
	tcase_add_test(tc, idle_is_no_first);
	tcase_add_test(tc, all_are_measured);
	tcase_add_test(tc, best_goes_on);
	tcase_add_test(tc, shares_of_a_long_run);
	tcase_add_test(tc, hot_pages_count_more);
	tcase_add_test(tc, who_gave_up_has_no_turn);
	tcase_add_test(tc, turns_that_last);
	tcase_add_test(tc, alone);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
