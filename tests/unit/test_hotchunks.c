/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To which chunks a verifier returns in the middle of a pass, and when. */
#include <string.h>

#include "soak/hotchunks.h"
#include "unit.h"

#define NOW (1000 * NS_PER_SEC)

static bool has(const struct hotchunks *hot, uint64_t first)
{
	for (unsigned i = 0; i < hot->count; i++)
		if (hot->first[i] == first)
			return true;
	return false;
}

START_TEST(written_lately)
{
	struct hotchunks hot = {0};

	hotchunks_note(&hot, 16, NOW - HOTCHUNKS_AGE_NS, NOW);
	hotchunks_note(&hot, 32, 0, NOW);
	ck_assert_uint_eq(hot.count, 0);
	ck_assert(!hotchunks_due(&hot, NOW));
	hotchunks_note(&hot, 16, NOW - HOTCHUNKS_AGE_NS + 1, NOW);
	hotchunks_note(&hot, 48, NOW, NOW);
	hotchunks_note(&hot, 48, NOW, NOW);
	ck_assert_uint_eq(hot.count, 2);
	ck_assert(has(&hot, 16) && has(&hot, 48));
	ck_assert(hotchunks_due(&hot, NOW));
}
END_TEST

/* Whether it was the first, the last or neither. */
START_TEST(cools_down)
{
	struct hotchunks hot = {0};

	for (uint64_t first = 0; first < 3; first++)
		hotchunks_note(&hot, first, NOW, NOW);
	hotchunks_note(&hot, (uint64_t)_i, NOW, NOW + HOTCHUNKS_AGE_NS);
	ck_assert_uint_eq(hot.count, 2);
	for (uint64_t first = 0; first < 3; first++)
		ck_assert_int_eq(has(&hot, first), first != (uint64_t)_i);
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
	struct hotchunks hot = {0};

	for (uint64_t first = 0; first < HOTCHUNKS_MAX + 5; first++)
		hotchunks_note(&hot, first, NOW, NOW);
	ck_assert_uint_eq(hot.count, HOTCHUNKS_MAX);
	ck_assert(!has(&hot, HOTCHUNKS_MAX));
	hotchunks_note(&hot, 7, 0, NOW);
	hotchunks_note(&hot, HOTCHUNKS_MAX, NOW, NOW);
	ck_assert_uint_eq(hot.count, HOTCHUNKS_MAX);
	ck_assert(has(&hot, HOTCHUNKS_MAX));
}
END_TEST

START_TEST(when_they_are_due)
{
	struct hotchunks hot = {0};
	uint64_t short_ns = NS_PER_MS, long_ns = NS_PER_SEC;

	hotchunks_note(&hot, 1, NOW, NOW);
	hotchunks_done(&hot, NOW, NOW + short_ns);
	ck_assert(!hotchunks_due(&hot, NOW + HOTCHUNKS_PERIOD_NS - 1));
	ck_assert(hotchunks_due(&hot, NOW + HOTCHUNKS_PERIOD_NS));
	/* On a machine on which that takes long: a third of the time. */
	hotchunks_done(&hot, NOW, NOW + long_ns);
	ck_assert(!hotchunks_due(&hot, NOW + HOTCHUNKS_SHARE * long_ns - 1));
	ck_assert(hotchunks_due(&hot, NOW + HOTCHUNKS_SHARE * long_ns));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hotchunks");
	TCase *tc = tcase_create("hot chunks");

	tcase_add_test(tc, written_lately);
	tcase_add_loop_test(tc, cools_down, 0, 3);
	tcase_add_test(tc, more_than_there_is_room_for);
	tcase_add_test(tc, when_they_are_due);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
