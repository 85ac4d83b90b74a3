/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts from made-up reports: nothing may be called corrupt that is not, nor the reverse. */
#include <errno.h>
#include <string.h>

#include "soak/judge.h"
#include "soak/rerun.h"
#include "unit.h"
#include "util/clock.h"

#define DURATION_NS (60 * NS_PER_SEC)

static struct run_options options;

/* A run that has reached all there is to reach. */
static void report_good(struct report *r, bool neighbour)
{
	memset(r, 0, sizeof(*r));
	options = (struct run_options){.neighbour = neighbour, .inject = FAULT_NONE};
	r->options = &options;
	r->duration_ns = DURATION_NS;
	judge_minimum(DURATION_NS, neighbour, &r->minimum);
	r->migration.moved = r->minimum.pages_moved;
	r->migration.moved_with_buffers = r->minimum.pages_moved_with_buffers;
	r->migration.moved_neighbour = r->minimum.moved_neighbour;
	r->verifier.blocks = r->minimum.blocks_verified;
	r->workload.ops = r->minimum.operations;
	r->neighbour.lookups = r->minimum.lookups + 5;
	r->neighbour.lookups_lru = 5;
}

static enum verdict judged(struct report *r)
{
	judge_report(r);
	return r->verdict;
}

static void call_failed(struct report *r, int error)
{
	r->failure.failed = true;
	r->failure.kind = WORKLOAD_ERROR;
	r->failure.error = error;
}

START_TEST(pass)
{
	struct report r;

	report_good(&r, _i);
	ck_assert_int_eq(judged(&r), VERDICT_PASS);
	ck_assert_int_eq(report_race_reachable(&r), _i);
}
END_TEST

/* One less of anything than the minimum asks for. */
START_TEST(too_little)
{
	struct report r;
	uint64_t *const value[] = {
		&r.migration.moved,   &r.migration.moved_with_buffers,
		&r.verifier.blocks,   &r.workload.ops,
		&r.neighbour.lookups, &r.migration.moved_neighbour,
	};

	for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
		report_good(&r, true);
		--*value[i];
		ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
		ck_assert_msg(strstr(r.reason, "clean, but only") != NULL, "%s", r.reason);
	}
}
END_TEST

/* Lookups that the LRU answers are no lookups: the race is not there. */
START_TEST(lookups_of_the_lru)
{
	struct report r;

	report_good(&r, true);
	r.neighbour.lookups_lru = r.neighbour.lookups;
	ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
	ck_assert(!report_race_reachable(&r));
}
END_TEST

START_TEST(failed_call)
{
	struct report r;

	report_good(&r, false);
	call_failed(&r, EIO);
	ck_assert_int_eq(judged(&r), VERDICT_CORRUPT);
	call_failed(&r, ENOMEM);
	ck_assert_int_eq(judged(&r), VERDICT_ERROR);
	call_failed(&r, ENOTCONN);
	ck_assert_int_eq(judged(&r), VERDICT_ERROR);
	/* The device failed, and the daemon said so. */
	call_failed(&r, EIO);
	r.io_errors = 1;
	ck_assert_int_eq(judged(&r), VERDICT_ERROR);
}
END_TEST

/* The kernel answers EIO to a request that it was handing to a daemon that was killed. */
START_TEST(daemon_killed)
{
	struct report r;

	report_good(&r, false);
	r.daemon_died = true;
	strcpy(r.trouble, "the daemon was killed");
	call_failed(&r, EIO);
	ck_assert_int_eq(judged(&r), VERDICT_ERROR);
	ck_assert_str_eq(r.reason, r.trouble);
	/* What was read and compared stays a finding. */
	r.failure.kind = WORKLOAD_MISMATCH;
	ck_assert_int_eq(judged(&r), VERDICT_CORRUPT);
}
END_TEST

START_TEST(order_of_causes)
{
	struct report r;

	report_good(&r, true);
	r.interrupted = true;
	ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
	strcpy(r.trouble, "the device is gone");
	ck_assert_int_eq(judged(&r), VERDICT_ERROR);
	r.kernel_fault = true;
	ck_assert_int_eq(judged(&r), VERDICT_KERNEL_FAULT);
	r.neighbour_failure.failed = true;
	r.neighbour_failure.fault = NEIGHBOUR_FSCK;
	ck_assert_int_eq(judged(&r), VERDICT_CORRUPT);
	r.neighbour_failure.fault = NEIGHBOUR_FS_ERROR;
	ck_assert_int_eq(judged(&r), VERDICT_KERNEL_FAULT);
	r.finding.present = true;
	ck_assert_int_eq(judged(&r), VERDICT_CORRUPT);
}
END_TEST

/* A planted fault that nobody saw must not end in PASS. */
START_TEST(planted_and_missed)
{
	struct report r;

	report_good(&r, true);
	options.inject = FAULT_STALE;
	r.injected = true;
	ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
	report_good(&r, true);
	options.nb_inject = NEIGHBOUR_BLOCK_XATTR;
	ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
}
END_TEST

/* Three times what the finding took, within 10 s and the duration that was asked for. */
START_TEST(rerun_lasts_long_enough)
{
	const struct {
		uint64_t found_s, duration_s, wanted_s;
	} cases[] = {{1, 60, 10}, {5, 60, 15}, {30, 60, 60}, {1, 4, 4}, {0, 60, 10}};
	struct report r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned where = 0; where < 3; where++) {
			uint64_t start = 100 * NS_PER_SEC;
			uint64_t when = start + cases[i].found_s * NS_PER_SEC;

			report_good(&r, true);
			options.duration_ns = cases[i].duration_s * NS_PER_SEC;
			r.migration_start_ns = start;
			r.finding.present = where < 2;
			r.finding.workload = where == 1;
			r.neighbour_failure.failed = where == 2;
			r.finding.record.when_ns = where == 0 ? when : 0;
			r.failure.when_ns = where == 1 ? when : 0;
			r.neighbour_failure.when_ns = where == 2 ? when : 0;
			ck_assert_uint_eq(rerun_duration(&r), cases[i].wanted_s * NS_PER_SEC);
		}
}
END_TEST

static enum rerun_outcome rerun_of(const struct report *second)
{
	struct report_rerun rerun;

	rerun_judge(second, &rerun);
	ck_assert_uint_eq(rerun.duration_ns, second->duration_ns);
	/* Whatever is not clean is explained. */
	ck_assert((rerun.outcome == RERUN_CLEAN) == (rerun.why[0] == 0));
	return rerun.outcome;
}

/* A run without migration is INCONCLUSIVE by itself: that is clean here, and nothing else is. */
START_TEST(rerun_says_what_it_saw)
{
	struct report r;

	report_good(&r, true);
	r.migration.moved = 0;
	ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
	ck_assert_int_eq(rerun_of(&r), RERUN_CLEAN);
	r.interrupted = true;
	ck_assert_int_eq(judged(&r), VERDICT_INCONCLUSIVE);
	ck_assert_int_eq(rerun_of(&r), RERUN_UNKNOWN);
	r.interrupted = false;
	options.inject = FAULT_STALE;
	judge_report(&r);
	ck_assert_int_eq(rerun_of(&r), RERUN_UNKNOWN);
	r.injected = true;
	judge_report(&r);
	ck_assert_int_eq(rerun_of(&r), RERUN_CLEAN);
	strcpy(r.trouble, "the daemon went away");
	ck_assert_int_eq(judged(&r), VERDICT_ERROR);
	ck_assert_int_eq(rerun_of(&r), RERUN_UNKNOWN);
	r.hung = true;
	ck_assert_int_eq(judged(&r), VERDICT_KERNEL_FAULT);
	ck_assert_int_eq(rerun_of(&r), RERUN_UNKNOWN);
	r.finding.present = true;
	ck_assert_int_eq(judged(&r), VERDICT_CORRUPT);
	ck_assert_int_eq(rerun_of(&r), RERUN_CORRUPT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("judge");
	TCase *tc = tcase_create("verdicts");

	tcase_add_loop_test(tc, pass, 0, 2);
	tcase_add_test(tc, too_little);
	tcase_add_test(tc, lookups_of_the_lru);
	tcase_add_test(tc, failed_call);
	tcase_add_test(tc, daemon_killed);
	tcase_add_test(tc, order_of_causes);
	tcase_add_test(tc, planted_and_missed);
	tcase_add_test(tc, rerun_lasts_long_enough);
	tcase_add_test(tc, rerun_says_what_it_saw);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
