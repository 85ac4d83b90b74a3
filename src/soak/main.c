/* SPDX-License-Identifier: GPL-2.0-or-later */
/* churnstress: parses the subcommand and tells the result. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "soak/command_run.h"
#include "soak/compare.h"
#include "soak/evidence_mail.h"
#include "soak/probe.h"
#include "soak/report.h"
#include "soak/selftest.h"
#include "util/log.h"

static void usage(FILE *out)
{
	fputs("usage: churnstress probe\n"
	      "       churnstress run [OPTION...]   (see churnstress run --help)\n"
	      "       churnstress report DIR        (prints a folder of evidence for a mail)\n"
	      "       churnstress compare BEFORE AFTER   (two reports of --json, or such folders)\n"
	      "       churnstress selftest [OPTION...]\n",
	      out);
}

static int command_report(int argc, char **argv)
{
	if (argc != 2 || argv[1][0] == '-') {
		log_error("usage: churnstress report DIR");
		return VERDICT_ERROR;
	}
	return evidence_mail(argv[1], stdout) ? VERDICT_ERROR : VERDICT_PASS;
}

static int command_compare(int argc, char **argv)
{
	if (argc != 3 || argv[1][0] == '-' || argv[2][0] == '-') {
		log_error("usage: churnstress compare BEFORE AFTER");
		return VERDICT_ERROR;
	}
	return compare_reports(argv[1], argv[2], stdout);
}

int main(int argc, char **argv)
{
	log_init("churnstress", LOG_LEVEL_NOTICE);
	/* Ignored where it is started from, it would tell nothing of how children end (wait(2)). */
	signal(SIGCHLD, SIG_DFL);
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
	if (strcmp(argv[1], "compare") == 0)
		return command_compare(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	log_error("unknown command '%s'", argv[1]);
	usage(stderr);
	return VERDICT_ERROR;
}
