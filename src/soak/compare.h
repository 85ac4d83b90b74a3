/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two JSON reports side by side: the same run on two kernels, or before and after a change. Rates
 * are shown as they are, with their ratio, and judged by nobody: machines differ, and are busy.
 * The verdicts are compared.
 */
#ifndef CHURNFS_SOAK_COMPARE_H
#define CHURNFS_SOAK_COMPARE_H

#include <stdio.h>

/*
 * Prints the reports at BEFORE and AFTER, files that --json wrote or folders of evidence, to OUT.
 * Returns the exit status: 0 when AFTER is no worse than BEFORE; else that of AFTER's verdict; 2
 * when one cannot be read, judged nothing, or OUT cannot be written, after one line on standard
 * error.
 */
int compare_reports(const char *before, const char *after, FILE *out);

#endif
