/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/selftest.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/verifier.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/units.h"

#define SEEDS_DEFAULT 16u
#define SEEDS_MAX 1000000u

enum { GOOD = 0, BAD = 1, TROUBLE = 2 };

static void usage(FILE *out)
{
	fprintf(out,
		"usage: churnstress selftest [OPTION...]\n"
		"  --seeds N       each plants every fault once in every view (%u)\n"
		"  --seed N        the first (1)\n"
		"  --no-neighbour  without the faults of the in-kernel filesystem\n"
		"  --json FILE     write the table as JSON, too\n"
		"exit: 0 all were caught and named, and nothing was invented; 1 not so; 2 it could "
		"not run\n",
		SEEDS_DEFAULT);
}

/* For tests of the self-test, and therefore in no help: the views that are looked at. */
static int parse_views(const char *text, unsigned *left_out)
{
	*left_out = (1u << VERIFIER_VIEWS) - 1;
	while (*text) {
		size_t len = strcspn(text, ",");
		unsigned v = 0;

		while (v < VERIFIER_VIEWS &&
		       (strlen(verifier_view_name((enum verifier_view)v)) != len ||
			strncmp(text, verifier_view_name((enum verifier_view)v), len) != 0))
			v++;
		if (v == VERIFIER_VIEWS)
			return -EINVAL;
		*left_out &= ~(1u << v);
		text += len;
		text += *text == ',';
	}
	return 0;
}

static int parse_one(int id, const char *value, struct selftest_options *o)
{
	switch (id) {
	case 'n':
		return number_parse(value, &o->seeds) || !o->seeds || o->seeds > SEEDS_MAX ? -EINVAL
											   : 0;
	case 's':
		return number_parse(value, &o->seed) || o->seed > INT64_MAX - SEEDS_MAX ? -EINVAL
											: 0;
	case 'j':
		o->json = value;
		return 0;
	case 'b':
		o->neighbour = false;
		return 0;
	case 'v':
		return parse_views(value, &o->left_out);
	default:
		return -EINVAL;
	}
}

/* 0; 1 when help was printed; or -EINVAL after a line on stderr. */
static int options_parse(int argc, char **argv, struct selftest_options *o)
{
	static const struct option long_options[] = {
		{"seeds", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},
		{"json", required_argument, NULL, 'j'},
		{"no-neighbour", no_argument, NULL, 'b'},
		{"views", required_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int id, index = 0;

	*o = (struct selftest_options){.seeds = SEEDS_DEFAULT, .seed = 1, .neighbour = true};
	optind = 1;
	while ((id = getopt_long(argc, argv, "h", long_options, &index)) != -1) {
		if (id == 'h') {
			usage(stdout);
			return 1;
		}
		if (id != '?' && parse_one(id, optarg, o) == 0)
			continue;
		if (id != '?')
			log_error("--%s %s: see churnstress selftest --help",
				  long_options[index].name, optarg);
		return -EINVAL;
	}
	if (optind < argc) {
		log_error("unexpected argument '%s': see churnstress selftest --help",
			  argv[optind]);
		return -EINVAL;
	}
	return 0;
}

struct selftest_row *selftest_row_add(struct selftest_result *result, const char *kind,
				      const char *view)
{
	struct selftest_row *row = &result->row[result->rows];

	if (result->rows == SELFTEST_ROWS_MAX)
		return NULL;
	*row = (struct selftest_row){.kind = kind, .view = view};
	row->ns = calloc(result->options->seeds, sizeof(*row->ns));
	if (!row->ns)
		return NULL;
	result->rows++;
	return row;
}

void selftest_wrong(struct selftest_result *result, const char *format, ...)
{
	va_list args;

	if (result->first[0])
		return;
	va_start(args, format);
	vsnprintf(result->first, sizeof(result->first), format, args);
	va_end(args);
}

static int seeds_run(struct selftest_result *result, struct selftest_views *views,
		     struct selftest_nb *nb)
{
	const struct selftest_options *o = result->options;
	int rc = 0;

	for (uint64_t seed = o->seed; seed < o->seed + o->seeds && !rc; seed++) {
		rc = selftest_views_seed(views, seed);
		if (!rc && nb)
			rc = selftest_nb_seed(nb, seed);
	}
	return rc;
}

static int selftest_run(struct selftest_result *result)
{
	struct selftest_views *views = NULL;
	struct selftest_nb *nb = NULL;
	uint64_t start = clock_now_ns();
	int rc;

	/* Its guardian must be forked before there are threads. */
	rc = result->options->neighbour ? selftest_nb_open(result, &nb) : 0;
	if (!rc)
		rc = selftest_views_open(result, &views);
	if (!rc)
		rc = seeds_run(result, views, nb);
	selftest_views_close(views);
	selftest_nb_close(nb);
	result->ns = clock_now_ns() - start;
	if (rc && !result->trouble[0])
		snprintf(result->trouble, sizeof(result->trouble), "%s", strerror(-rc));
	return result->trouble[0] ? TROUBLE : selftest_good(result) ? GOOD : BAD;
}

int selftest_command(int argc, char **argv)
{
	struct selftest_options options;
	struct selftest_result *result;
	int rc = options_parse(argc, argv, &options);

	if (rc)
		return rc > 0 ? GOOD : TROUBLE;
	if (geteuid() != 0) {
		log_error("needs root: it attaches loop devices and mounts; run it with sudo");
		return TROUBLE;
	}
	result = calloc(1, sizeof(*result));
	if (!result) {
		log_error("out of memory");
		return TROUBLE;
	}
	result->options = &options;
	rc = selftest_run(result);
	if (result->trouble[0])
		log_error("%s", result->trouble);
	if (result->ns && (rc != TROUBLE || result->first[0]))
		selftest_print(result, stdout);
	if (options.json && rc != TROUBLE && selftest_json_write(result, options.json)) {
		log_error("cannot write %s", options.json);
		rc = TROUBLE;
	}
	for (unsigned i = 0; i < result->rows; i++)
		free(result->row[i].ns);
	free(result);
	return rc;
}
