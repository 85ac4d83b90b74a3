/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the self-test is told: a table for people, and JSON. */
#include "soak/selftest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

#define SCHEMA 1

/* Of all rows, or of one. */
struct sums {
	uint64_t planted, caught, named, clean_rounds, false_alarms;
};

static void sums_add(struct sums *sums, const struct selftest_row *row)
{
	sums->planted += row->planted;
	sums->caught += row->caught;
	sums->named += row->named;
	sums->clean_rounds += row->clean_rounds;
	sums->false_alarms += row->false_alarms;
}

static struct sums sums_get(const struct selftest_result *result)
{
	struct sums sums = {0};

	for (unsigned i = 0; i < result->rows; i++)
		sums_add(&sums, &result->row[i]);
	return sums;
}

bool selftest_good(const struct selftest_result *result)
{
	struct sums sums = sums_get(result);

	return sums.planted && sums.caught == sums.planted && sums.named == sums.planted &&
	       !sums.false_alarms;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Milliseconds; 0 where nothing was caught. */
static void times_get(const struct selftest_row *row, double *median, double *longest)
{
	uint64_t *sorted = row->caught ? malloc(row->caught * sizeof(*sorted)) : NULL;

	*median = *longest = 0;
	if (!sorted)
		return;
	memcpy(sorted, row->ns, row->caught * sizeof(*sorted));
	qsort(sorted, row->caught, sizeof(*sorted), compare);
	*median = (double)sorted[row->caught / 2] / (double)NS_PER_MS;
	*longest = (double)sorted[row->caught - 1] / (double)NS_PER_MS;
	free(sorted);
}

static void row_print(const struct selftest_row *row, FILE *out)
{
	double median, longest;

	times_get(row, &median, &longest);
	fprintf(out, "%-14s %-10s %8llu %8llu %8llu %8llu/%-6llu %10.1f %10.1f\n", row->kind,
		row->view, (unsigned long long)row->planted, (unsigned long long)row->caught,
		(unsigned long long)row->named, (unsigned long long)row->false_alarms,
		(unsigned long long)row->clean_rounds, median, longest);
}

void selftest_print(const struct selftest_result *result, FILE *out)
{
	struct sums sums = sums_get(result);

	fprintf(out, "%-14s %-10s %8s %8s %8s %15s %10s %10s\n", "kind", "view", "planted",
		"caught", "named", "false alarms", "median ms", "longest ms");
	for (unsigned i = 0; i < result->rows; i++)
		row_print(&result->row[i], out);
	fprintf(out,
		"seeds %llu to %llu in %.1f s; \"named\": kind, block and view were told rightly;\n"
		"\"false alarms\": clean rounds in which anything was reported, of all before "
		"plantings;\n"
		"kinds of the neighbour: older versions of such blocks of an ext4\n",
		(unsigned long long)result->options->seed,
		(unsigned long long)(result->options->seed + result->options->seeds - 1),
		clock_seconds(result->ns));
	if (result->first[0])
		fprintf(out, "first: %s\n", result->first);
	fprintf(out, "%s: %llu planted, %llu caught, %llu named rightly, %llu false alarms\n",
		selftest_good(result) ? "PASS" : "FAIL", (unsigned long long)sums.planted,
		(unsigned long long)sums.caught, (unsigned long long)sums.named,
		(unsigned long long)sums.false_alarms);
}

static json_int_t integer(uint64_t value)
{
	return (json_int_t)value;
}

static json_t *row_json(const struct selftest_row *row)
{
	double median, longest;

	times_get(row, &median, &longest);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "kind", row->kind, "view",
			 row->view, "planted", integer(row->planted), "caught",
			 integer(row->caught), "named", integer(row->named), "clean_rounds",
			 integer(row->clean_rounds), "false_alarms", integer(row->false_alarms),
			 "median_ms", median, "longest_ms", longest);
}

int selftest_json_write(const struct selftest_result *result, const char *path)
{
	json_t *root, *rows = json_array();
	char temporary[4200];
	int rc = 0;

	for (unsigned i = 0; i < result->rows; i++)
		json_array_append_new(rows, row_json(&result->row[i]));
	root = json_pack("{s:i, s:b, s:I, s:I, s:f, s:s, s:o}", "schema", SCHEMA, "pass",
			 selftest_good(result), "seed", integer(result->options->seed), "seeds",
			 integer(result->options->seeds), "duration_s", clock_seconds(result->ns),
			 "first", result->first, "rows", rows);
	if (!root)
		return -ENOMEM;
	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	if (json_dump_file(root, temporary, JSON_INDENT(2) | JSON_ENSURE_ASCII) ||
	    rename(temporary, path)) {
		rc = errno ? -errno : -EIO;
		unlink(temporary);
	}
	json_decref(root);
	return rc;
}
