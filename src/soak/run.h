/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_RUN_H
#define CHURNFS_SOAK_RUN_H

#include "soak/report.h"

/*
 * How a run ends that cannot return, because a thread of it never will: LEAVE tells the report and
 * ends the process. It is called from any thread and does not return.
 */
struct run_way_out {
	void (*leave)(void *arg, const struct report *report);
	void *arg;
};

/*
 * The whole of `churnstress run`: set-up, exercise, verdict, evidence, and everything put back.
 * Fills *REPORT and returns its verdict. Must be called before there are threads. Blocks SIGINT,
 * SIGTERM and SIGHUP and takes them as the end of the run.
 */
enum verdict run_execute(const struct run_options *options, const struct run_way_out *way_out,
			 struct report *report);

#endif
