/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up reports, for tests of what is printed of them. */
#ifndef CHURNFS_TESTS_REPORT_FIXTURE_H
#define CHURNFS_TESTS_REPORT_FIXTURE_H

#include "soak/moment.h"
#include "soak/report.h"
#include "util/rng.h"

/* Text that no format may let through as it is; two lines and more. */
#define HOSTILE_TEXT                                                                               \
	"<a b=\"c\">&amp;]]></a> \\ \x1b[31m \x01 \xff\xfe \xef\xbf\xbf\nnot ok 1 forged\n# TYPE " \
	"x"

/* A report and the options that it points to. */
struct report_fixture {
	struct run_options options;
	struct report report;
};

/* A run that has reached all there is to reach: PASS. */
void report_fixture_good(struct report_fixture *fixture);

/* Every text in it is HOSTILE_TEXT, as far as there is room: CORRUPT. */
void report_fixture_hostile(struct report_fixture *fixture);

/* Anything that may have happened in a run, judged. */
void report_fixture_random(struct report_fixture *fixture, struct rng *rng);

/* What PRINT prints, to be freed. */
char *report_fixture_text(void (*print)(const struct report *report, FILE *out),
			  const struct report *report);

#endif
