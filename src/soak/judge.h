/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_JUDGE_H
#define CHURNFS_SOAK_JUDGE_H

#include "soak/report.h"

/*
 * What a run of DURATION_NS must have reached for a PASS. NEIGHBOUR: with one whose buffers are
 * known, so that lookups and moves of its pages count.
 */
void judge_minimum(uint64_t duration_ns, bool neighbour, struct report_minimum *minimum);

/* Fills verdict and reason from what the report holds. Pure. */
void judge_report(struct report *report);

#endif
