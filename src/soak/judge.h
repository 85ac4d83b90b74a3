/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_JUDGE_H
#define CHURNFS_SOAK_JUDGE_H

#include "soak/report.h"

/*
 * What a run of DURATION_NS must have reached for a PASS. NEIGHBOUR: with one whose buffers are
 * known, so that lookups and moves of its pages count.
 */
void judge_minimum(uint64_t duration_ns, bool neighbour, struct report_minimum *minimum);

enum {
	JUDGE_PAGES_MOVED,
	JUDGE_PAGES_MOVED_WITH_BUFFERS,
	JUDGE_BLOCKS_VERIFIED,
	JUDGE_OPERATIONS,
	JUDGE_LOOKUPS,
	JUDGE_MOVED_NEIGHBOUR,
	JUDGE_EXERCISES
};

/* What a run has reached of something that a PASS needs. */
struct judge_exercise {
	const char *what; /* for people, after a number */
	uint64_t reached, needed;
};

/* Fills all of EXERCISES; needed is 0 where nothing is asked for. Pure. */
void judge_exercises(const struct report *report, struct judge_exercise exercises[JUDGE_EXERCISES]);

/* True if the failure of the workload speaks of its data, and not of its surroundings. Pure. */
bool judge_workload_corrupt(const struct report *report);

/*
 * The verdict of a run that would end now, as far as something was found: PASS means that nothing
 * speaks against it, whatever was exercised. Pure.
 */
enum verdict judge_so_far(const struct report *report);

/* Fills verdict and reason from what the report holds. Pure. */
void judge_report(struct report *report);

#endif
