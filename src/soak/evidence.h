/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder that keeps what was found. Nothing in it is ever overwritten. */
#ifndef CHURNFS_SOAK_EVIDENCE_H
#define CHURNFS_SOAK_EVIDENCE_H

#include <stddef.h>

#include "soak/kmsg.h"
#include "soak/movelog.h"
#include "soak/report.h"
#include "soak/target.h"
#include "soak/tracering.h"
#include "soak/workload.h"

/*
 * Prepares the folder named with --output: made if it is not there, refused (-ENOTEMPTY) if it
 * holds anything. Returns 0 or a negative errno with one line in WHY.
 */
int evidence_prepare(const char *path, char *why, size_t len);

/* Where evidence comes from. All but TARGET may be NULL. */
struct evidence_sources {
	const struct target *target;
	struct workload *workload;
	const struct kmsg *kmsg;
	struct movelog *moves;
	struct tracering *ring;
	const char *tasks; /* after a hang: what our threads waited for */
};

/*
 * At the first finding, fault of the kernel or error, before anything else is touched: ends
 * tracing, stops the daemon, keeps the block in all views, where its page lies and lay before, the
 * last events in the kernel, the last operations, counters, the kernel's log and after a hang our
 * threads, each file on stable storage, and lets the daemon go on. REPORT->evidence gets the
 * folder: --output, or a new one in the current folder. Returns 0 or a negative errno.
 */
int evidence_collect(struct report *report, const struct evidence_sources *from);

/*
 * After evidence_collect() for a fault or an error: a block was found or a thread hangs, too.
 * Adds what that tells, and the kernel's log up to now as kernel-log-later.txt.
 */
void evidence_add(const struct report *report, const struct evidence_sources *from);

/* Adds the neighbour's e2fsck log to the folder, if there is one of each. */
void evidence_fsck(const struct report *report, const char *text);

/*
 * After evidence_finish(): 0 if all that belongs to the finding is in the folder and on stable
 * storage, or a negative errno: -ENOENT when something is missing.
 */
int evidence_complete(const struct report *report);

/* Adds what came of the rerun to the folder. */
void evidence_rerun(const struct report *report);

/* Adds the final report, as text and JSON, to the folder, if there is one. */
int evidence_finish(struct report *report);

#endif
