/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_RUN_H
#define CHURNFS_SOAK_RUN_H

#include "soak/report.h"

/*
 * The whole of `churnstress run`: set-up, exercise, verdict, evidence, and everything put back.
 * Fills *REPORT and returns its verdict. Must be called before there are threads. Blocks SIGINT,
 * SIGTERM and SIGHUP and takes them as the end of the run.
 */
enum verdict run_execute(const struct run_options *options, struct report *report);

#endif
