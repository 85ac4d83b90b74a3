/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The course of a run as a file of JSON objects, one a line, that does not grow beyond a limit
 * however long the run. One thread; no locks.
 */
#ifndef CHURNFS_SOAK_TIMELINE_H
#define CHURNFS_SOAK_TIMELINE_H

#include "soak/moment.h"

/* Of FILE and of FILE.1 each: with a line a minute, more than two weeks. */
#define TIMELINE_LIMIT (16ULL << 20)
#define TIMELINE_LIMIT_MIN (64ULL << 10)

struct timeline;

/*
 * Opens PATH to add to what it holds. When the next line would make it longer than LIMIT bytes, it
 * becomes PATH.1, replacing the one that is there, and PATH starts anew. Returns 0; -EINVAL when it
 * is no regular file or LIMIT is below TIMELINE_LIMIT_MIN; or another negative errno.
 */
int timeline_open(const char *path, uint64_t limit, struct timeline **timeline);

/* Adds a line. EVENT: "start", "sample" or "end". Returns 0, or a negative errno and no line. */
int timeline_write(struct timeline *timeline, const char *event, const struct moment *moment);

/* NULL is ignored. */
void timeline_close(struct timeline *timeline);

/* Time from one sample to the next: 10 s, and after an hour 60 s. Pure. */
uint64_t timeline_period(uint64_t elapsed_ns);

#endif
