/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report at one moment of its run: what is told of a run that goes on for weeks. */
#ifndef CHURNFS_SOAK_MOMENT_H
#define CHURNFS_SOAK_MOMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "soak/report.h"

/* Bytes of memory that a process holds; 0 if there is no such process. */
struct memory_use {
	uint64_t resident;  /* pages of the device that it has mapped are part of it */
	uint64_t anonymous; /* of that, its own; with churnstress, the filler */
	uint64_t unlocked;  /* of that, not locked: without the filler */
};

struct moment {
	const struct report *report;
	bool running;
	enum verdict verdict; /* so far, see judge_so_far(); final when not running */
	uint64_t elapsed_ns;
	uint64_t time_s; /* seconds since 1970 */
	struct memory_use own, daemon;
};

/* DAEMON: its process, or 0. */
void moment_take(const struct report *report, bool running, uint64_t elapsed_ns, pid_t daemon,
		 struct moment *moment);

/* "RUNNING" while nothing is known that decides it, else the verdict's name. */
const char *moment_verdict(const struct moment *moment);

/* Prints all that people ask of a run that goes on, in one paragraph. */
void moment_print(const struct moment *moment, FILE *out);

#endif
