/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "soak/regular.h"
#include "soak/report.h"
#include "util/log.h"
#include "util/units.h"
#include "util/utf8.h"

#define JSON_BYTES_MAX (1 << 20)
#define TEXT_MAX 512u

struct side {
	json_t *root;
	size_t rank; /* of its verdict, in verdicts[] */
	double duration_s;
};

/* From good news to bad; ERROR is none. */
static const enum verdict verdicts[] = {VERDICT_PASS, VERDICT_INCONCLUSIVE, VERDICT_KERNEL_FAULT,
					VERDICT_CORRUPT};
#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

/* Counts of a report that are shown as so many in a second of the run. */
static const struct {
	const char *label, *section, *key;
} rates[] = {
	{"workload operations", "workload", "ops"},
	{"metadata blocks verified", "verify", "blocks"},
	{"own pages moved", "migration", "pages_moved"},
	{"with buffers attached", "migration", "pages_moved_with_buffers"},
	{"dirty", "migration", "pages_moved_dirty"},
	{"inode updates", "neighbour", "updates"},
	{"buffer lookups", "neighbour", "lookups"},
	{"hot pages moved", "neighbour", "hot_pages_moved"},
};

/* What must be alike for rates to mean the same. */
static const char *const conditions[] = {"command", "device", "block_size"};

/* Opens a regular file, or report.json of a folder. Returns the descriptor or a negative errno. */
static int report_open(const char *path)
{
	int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	uint64_t size;

	if (folder < 0) {
		fd = regular_open(AT_FDCWD, path, 0, &size);
	} else {
		fd = regular_open(folder, "report.json", 0, &size);
		close(folder);
	}
	if (fd < 0 || size <= JSON_BYTES_MAX)
		return fd;
	close(fd);
	return -EINVAL;
}

/* VERDICTS if a run with that verdict judged nothing. */
static size_t rank_of(const char *verdict)
{
	size_t rank = 0;

	while (rank < VERDICTS && strcmp(verdict, verdict_name(verdicts[rank])) != 0)
		rank++;
	return rank;
}

static int side_check(struct side *side, const char *path)
{
	const json_t *schema = json_object_get(side->root, "schema");
	const char *verdict = json_string_value(json_object_get(side->root, "verdict"));

	if (!json_is_integer(schema) || !verdict) {
		log_error("compare: %s: no report of churnstress run --json", path);
		return -EINVAL;
	}
	if (json_integer_value(schema) != REPORT_SCHEMA) {
		log_error(
			"compare: %s: schema %lld, known is %d: use the churnstress that wrote it",
			path, (long long)json_integer_value(schema), REPORT_SCHEMA);
		return -EINVAL;
	}
	side->rank = rank_of(verdict);
	if (side->rank == VERDICTS) {
		log_error("compare: %s: that run judged nothing", path);
		return -EINVAL;
	}
	side->duration_s = json_number_value(json_object_get(side->root, "duration_s"));
	return 0;
}

static int side_load(struct side *side, const char *path)
{
	int fd = report_open(path);

	if (fd < 0) {
		log_error("compare: %s: %s", path,
			  fd == -EINVAL ? "not a regular file of at most 1 MiB" : strerror(-fd));
		return fd;
	}
	side->root = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	return side_check(side, path);
}

/* The value at KEY as text fit for a terminal; "-" if there is none. */
static const char *text_of(const struct side *side, const char *key, char buf[TEXT_MAX])
{
	const json_t *value = json_object_get(side->root, key);
	char escaped[UTF8_ESCAPED_MAX(TEXT_MAX)];

	snprintf(buf, TEXT_MAX, "-");
	if (json_is_integer(value))
		snprintf(buf, TEXT_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_string(value))
		snprintf(buf, TEXT_MAX, "%s",
			 utf8_escape(json_string_value(value),
				     strnlen(json_string_value(value), TEXT_MAX - 1), escaped));
	return buf;
}

static void text_row(const struct side side[2], const char *label, const char *key, FILE *out)
{
	char before[TEXT_MAX], after[TEXT_MAX];

	fprintf(out, "  %-26s %20s %20s\n", label, text_of(&side[0], key, before),
		text_of(&side[1], key, after));
}

/* False if there is no such count. */
static bool rate_of(const struct side *side, const json_t *section, const char *key, double *rate)
{
	const json_t *count = json_object_get(section, key);

	if (!json_is_number(count) || side->duration_s <= 0)
		return false;
	*rate = json_number_value(count) / side->duration_s;
	return *rate >= 0 && *rate < 1e18;
}

static const char *rate_format(bool known, double rate, char buf[TEXT_MAX])
{
	if (!known)
		snprintf(buf, TEXT_MAX, "-");
	else if (rate < 10)
		snprintf(buf, TEXT_MAX, "%.2f", rate);
	else
		count_format((uint64_t)(rate + 0.5), buf, TEXT_MAX);
	return buf;
}

static void rate_row(const struct side side[2], const char *label, const json_t *before,
		     const json_t *after, const char *key, FILE *out)
{
	char text[2][TEXT_MAX], ratio[TEXT_MAX] = "";
	double rate[2];
	bool known[2] = {rate_of(&side[0], before, key, &rate[0]),
			 rate_of(&side[1], after, key, &rate[1])};

	if (!known[0] && !known[1])
		return;
	if (known[0] && known[1] && rate[0] > 0)
		snprintf(ratio, sizeof(ratio), " %8.2f", rate[1] / rate[0]);
	fprintf(out, "  %-26s %20s %20s%s\n", label, rate_format(known[0], rate[0], text[0]),
		rate_format(known[1], rate[1], text[1]), ratio);
}

static const json_t *driver_find(const struct side *side, const char *name)
{
	const json_t *drivers =
		json_object_get(json_object_get(side->root, "migration"), "drivers");
	const json_t *driver;
	size_t i;

	json_array_foreach(drivers, i, driver)
	{
		const char *here = json_string_value(json_object_get(driver, "name"));

		if (here && strcmp(here, name) == 0)
			return driver;
	}
	return NULL;
}

/* Drivers of one side; those that the other one has, too, are shown with the first. */
static void driver_rows(const struct side side[2], unsigned which, FILE *out)
{
	const json_t *drivers =
		json_object_get(json_object_get(side[which].root, "migration"), "drivers");
	const json_t *driver;
	size_t i;

	json_array_foreach(drivers, i, driver)
	{
		const char *name = json_string_value(json_object_get(driver, "name"));
		char escaped[UTF8_ESCAPED_MAX(TEXT_MAX)], label[TEXT_MAX];

		if (!name || (which == 1 && driver_find(&side[0], name)))
			continue;
		snprintf(label, sizeof(label), "moved by %.14s",
			 utf8_escape(name, strnlen(name, TEXT_MAX - 1), escaped));
		rate_row(side, label, driver_find(&side[0], name), driver_find(&side[1], name),
			 "pages_moved", out);
	}
}

static void conditions_print(const struct side side[2], FILE *out)
{
	char before[TEXT_MAX], after[TEXT_MAX];

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		text_of(&side[0], conditions[i], before);
		text_of(&side[1], conditions[i], after);
		if (strcmp(before, after) != 0)
			fprintf(out, "  %s differs:\n    %s\n    %s\n", conditions[i], before,
				after);
	}
}

static void table_print(const struct side side[2], FILE *out)
{
	fprintf(out, "  %-26s %20s %20s    ratio\n", "", "before", "after");
	text_row(side, "kernel", "kernel", out);
	text_row(side, "verdict", "verdict", out);
	fprintf(out, "  %-26s %18.1f s %18.1f s\n", "duration", side[0].duration_s,
		side[1].duration_s);
	fputs("  in a second:\n", out);
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		rate_row(side, rates[i].label, json_object_get(side[0].root, rates[i].section),
			 json_object_get(side[1].root, rates[i].section), rates[i].key, out);
	driver_rows(side, 0, out);
	driver_rows(side, 1, out);
	conditions_print(side, out);
}

static int outcome_print(const struct side side[2], FILE *out)
{
	enum verdict before = verdicts[side[0].rank], after = verdicts[side[1].rank];
	bool worse = side[1].rank > side[0].rank;
	char reason[TEXT_MAX];

	fprintf(out, "%s: %s after %s", worse ? "worse" : "no worse", verdict_name(after),
		verdict_name(before));
	if (worse)
		fprintf(out, ": %s", text_of(&side[1], "reason", reason));
	fputc('\n', out);
	return worse ? (int)after : VERDICT_PASS;
}

int compare_reports(const char *before, const char *after, FILE *out)
{
	struct side side[2] = {{0}};
	int status = VERDICT_ERROR;

	if (side_load(&side[0], before) == 0 && side_load(&side[1], after) == 0) {
		table_print(side, out);
		status = outcome_print(side, out);
		if (fflush(out) || ferror(out)) {
			log_error("compare: cannot write to standard output");
			status = VERDICT_ERROR;
		}
	}
	json_decref(side[0].root);
	json_decref(side[1].root);
	return status;
}
