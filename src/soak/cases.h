/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report as a list of test cases, one for each thing that is judged, for the machines that run
 * tests. The list has the same cases in the same order for every run; what a run did not look at
 * is skipped. At least one case has failed unless the verdict is PASS.
 */
#ifndef CHURNFS_SOAK_CASES_H
#define CHURNFS_SOAK_CASES_H

#include "soak/report.h"

enum case_outcome { CASE_OK, CASE_FAILED, CASE_SKIPPED };

struct report_case {
	const char *name; /* letters, digits and hyphens */
	enum case_outcome outcome;
	enum verdict verdict; /* of a run in which it failed; PASS else */
	char why[1024];	      /* what was looked at, what failed, or why it was skipped */
};

#define REPORT_CASES_MAX 24u

/* Fills CASES from a judged report. Returns how many there are. Pure. */
size_t report_cases(const struct report *report, struct report_case cases[REPORT_CASES_MAX]);

/* Prints what is known besides WHY of a case that failed, in lines; nothing for most. */
void report_case_detail_print(const struct report *report, const struct report_case *which,
			      FILE *out);

#endif
