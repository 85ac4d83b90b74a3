/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/command_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/options.h"
#include "soak/rerun.h"
#include "soak/run.h"
#include "soak/supervisor.h"
#include "util/log.h"

/* False if something kept the run from starting: then one line says it all. */
static bool began(const struct report *report)
{
	return report->duration_ns || report->verdict != VERDICT_ERROR;
}

/* What kept a run from starting, maybe this very file, has been told. */
static void written_check(const struct report *report, const char *path, int rc)
{
	if (rc && began(report))
		log_error("cannot write %s: %s", path, strerror(-rc));
}

/* On standard output, and in the files that were asked for. */
static void tell(const struct report *report)
{
	const struct run_options *options = report->options;

	if (!began(report))
		log_error("%s", report->reason);
	if (options->ktap)
		report_ktap_print(report, stdout);
	else if (began(report))
		report_print(report, stdout);
	if (fflush(stdout) || ferror(stdout))
		log_error("cannot write the report to standard output");
	if (options->json)
		written_check(report, options->json, report_json_write(report, options->json));
	if (options->junit)
		written_check(report, options->junit, report_junit_write(report, options->junit));
}

static void leave(void *arg, const struct report *report)
{
	tell(report);
	supervisor_leave(arg, (int)report->verdict);
}

static int run_supervised(struct supervisor *supervisor, void *arg)
{
	const struct run_options *options = arg;
	const struct run_way_out way_out = {.leave = leave, .arg = supervisor};
	struct report *report = calloc(1, sizeof(*report));
	int rc;

	if (!report) {
		log_error("out of memory");
		return VERDICT_ERROR;
	}
	run_execute(options, &way_out, report);
	rerun_execute(report, &way_out);
	tell(report);
	rc = (int)report->verdict;
	free(report);
	return rc;
}

int command_run(int argc, char **argv)
{
	struct run_options options;
	int rc = run_options_parse(argc, argv, &options);

	if (rc)
		return rc > 0 ? 0 : VERDICT_ERROR;
	rc = supervisor_run(run_supervised, &options);
	if (rc >= 0)
		return rc;
	log_error("cannot start a process");
	return VERDICT_ERROR;
}
