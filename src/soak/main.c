/* SPDX-License-Identifier: GPL-2.0-or-later */
/* churnstress: parses the subcommand and tells the result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/evidence_mail.h"
#include "soak/options.h"
#include "soak/probe.h"
#include "soak/run.h"
#include "soak/selftest.h"
#include "util/log.h"

static void usage(FILE *out)
{
	fputs("usage: churnstress probe\n"
	      "       churnstress run [OPTION...]   (see churnstress run --help)\n"
	      "       churnstress report DIR        (prints a folder of evidence for a mail)\n"
	      "       churnstress selftest [OPTION...]\n",
	      out);
}

/* What kept a run from starting, maybe this very file, has been told. */
static void written_check(const struct report *report, const char *path, int rc)
{
	if (rc && report->duration_ns)
		log_error("cannot write %s: %s", path, strerror(-rc));
}

/* On standard output, and in the files that were asked for. */
static void report_tell(const struct run_options *options, const struct report *report)
{
	if (!report->duration_ns)
		log_error("%s", report->reason);
	if (options->ktap)
		report_ktap_print(report, stdout);
	else if (report->duration_ns)
		report_print(report, stdout);
	if (fflush(stdout) || ferror(stdout))
		log_error("cannot write the report to standard output");
	if (options->json)
		written_check(report, options->json, report_json_write(report, options->json));
	if (options->junit)
		written_check(report, options->junit, report_junit_write(report, options->junit));
}

static int command_run(int argc, char **argv)
{
	struct run_options options;
	struct report *report;
	int rc = run_options_parse(argc, argv, &options);

	if (rc)
		return rc > 0 ? 0 : VERDICT_ERROR;
	report = calloc(1, sizeof(*report));
	if (!report) {
		log_error("out of memory");
		return VERDICT_ERROR;
	}
	run_execute(&options, report);
	report_tell(&options, report);
	rc = (int)report->verdict;
	free(report);
	return rc;
}

static int command_report(int argc, char **argv)
{
	if (argc != 2 || argv[1][0] == '-') {
		log_error("usage: churnstress report DIR");
		return VERDICT_ERROR;
	}
	return evidence_mail(argv[1], stdout) ? VERDICT_ERROR : VERDICT_PASS;
}

int main(int argc, char **argv)
{
	log_init("churnstress", LOG_LEVEL_NOTICE);
	if (argc < 2) {
		usage(stderr);
		return VERDICT_ERROR;
	}
	if (strcmp(argv[1], "run") == 0)
		return command_run(argc - 1, argv + 1);
	if (strcmp(argv[1], "selftest") == 0)
		return selftest_command(argc - 1, argv + 1);
	if (strcmp(argv[1], "probe") == 0 && argc == 2)
		return probe_print(stdout);
	if (strcmp(argv[1], "report") == 0)
		return command_report(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	log_error("unknown command '%s'", argv[1]);
	usage(stderr);
	return VERDICT_ERROR;
}
