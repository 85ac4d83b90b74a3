/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder that keeps what was found. Nothing in it is ever overwritten. */
#ifndef CHURNFS_SOAK_EVIDENCE_H
#define CHURNFS_SOAK_EVIDENCE_H

#include <stddef.h>

#include "soak/kmsg.h"
#include "soak/report.h"
#include "soak/target.h"
#include "soak/workload.h"

/*
 * Prepares the folder named with --output: made if it is not there, refused (-ENOTEMPTY) if it
 * holds anything. Returns 0 or a negative errno with one line in WHY.
 */
int evidence_prepare(const char *path, char *why, size_t len);

/*
 * At the first finding, before anything else is touched: stops the daemon, keeps the block in all
 * views, where its page lies, the last operations, counters and the kernel's log, each file on
 * stable storage, and lets the daemon go on. REPORT->evidence gets the folder: --output, or a
 * new one in the current folder. WORKLOAD and KMSG may be NULL. Returns 0 or a negative errno.
 */
int evidence_collect(struct report *report, const struct target *target, struct workload *workload,
		     const struct kmsg *kmsg);

/* Adds the neighbour's e2fsck log to the folder, if there is one of each. */
void evidence_fsck(const struct report *report, const char *text);

/* Adds the final report, as text and JSON, to the folder, if there is one. */
int evidence_finish(struct report *report);

#endif
