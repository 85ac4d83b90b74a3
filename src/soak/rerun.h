/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a finding: the same seed once more, without migration. What is found then, too, is no fault
 * of migration.
 */
#ifndef CHURNFS_SOAK_RERUN_H
#define CHURNFS_SOAK_RERUN_H

#include "soak/run.h"

/*
 * Runs again if FIRST, which is complete, asks for it and found corruption, and fills
 * FIRST->rerun. Nothing is run before all evidence of FIRST is on stable storage: nothing at all if
 * it is incomplete, for with --device the rest of it is overwritten. The evidence of the second run
 * goes into a folder of its own in that of FIRST. The verdict of FIRST stays. As run_execute(),
 * this must be called when there are no threads; should the second run be unable to return,
 * WAY_OUT is taken with FIRST.
 */
void rerun_execute(struct report *first, const struct run_way_out *way_out);

/*
 * How long the second run takes: three times what FIRST took, from the start of migration, to its
 * finding; at least 10 seconds, at most the duration that was asked for. Nanoseconds.
 */
uint64_t rerun_duration(const struct report *first);

/* What SECOND, which had no migration, says. Pure. */
void rerun_judge(const struct report *second, struct report_rerun *rerun);

#endif
