/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report in KTAP, version 1, as Documentation/dev-tools/ktap.rst of Linux describes it: one flat
 * list, because not every runner that reads it knows nested tests. Diagnostic lines of a test come
 * before its result.
 */
#include <stdlib.h>
#include <string.h>

#include "soak/cases.h"
#include "util/clock.h"
#include "util/units.h"
#include "util/utf8.h"

/* TEXT, which may come from a filesystem or the kernel, on one line and visible. */
static void line_print(FILE *out, const char *before, const char *text, size_t len)
{
	char *escaped = malloc(UTF8_ESCAPED_MAX(len));

	fprintf(out, "%s%s\n", before, escaped ? utf8_escape(text, len, escaped) : "");
	free(escaped);
}

static void lines_print(FILE *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		line_print(out, "# ", text, len);
		text += len + (text[len] == '\n');
	}
}

static void detail_print(const struct report *r, const struct report_case *c, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return;
	report_case_detail_print(r, c, memory);
	if (fclose(memory) == 0)
		lines_print(out, text);
	free(text);
}

static void case_print(const struct report *r, const struct report_case *c, size_t number,
		       FILE *out)
{
	const char *result = c->outcome == CASE_FAILED ? "not ok" : "ok";
	char start[128];

	if (c->outcome != CASE_SKIPPED && c->verdict != VERDICT_ERROR) {
		snprintf(start, sizeof(start), "# %s: ", c->name);
		line_print(out, start, c->why, strlen(c->why));
		detail_print(r, c, out);
		fprintf(out, "%s %zu %s\n", result, number, c->name);
		return;
	}
	snprintf(start, sizeof(start), "%s %zu %s # %s ", result, number, c->name,
		 c->outcome == CASE_SKIPPED ? "SKIP" : "ERROR");
	line_print(out, start, c->why, strlen(c->why));
}

static void head_print(const struct report *r, FILE *out)
{
	char size[32], line[1024];

	snprintf(line, sizeof(line),
		 "churnstress: %s %s, %s on %s, %u-byte blocks, seed %llu, %.1f s%s",
		 r->kernel.sysname, r->kernel.release,
		 size_format(r->device_bytes, size, sizeof(size)),
		 r->device[0] ? r->device : "no device", r->options->block_size,
		 (unsigned long long)r->options->seed, clock_seconds(r->duration_ns),
		 r->interrupted ? " (interrupted)" : "");
	line_print(out, "# ", line, strlen(line));
}

static void tail_print(const struct report *r, FILE *out)
{
	if (r->evidence[0])
		line_print(out, "# evidence: ", r->evidence, strlen(r->evidence));
	if (r->verdict != VERDICT_PASS)
		line_print(out, "# again: ", r->options->command, strlen(r->options->command));
	fprintf(out, "# %s: ", verdict_name(r->verdict));
	line_print(out, "", r->reason, strlen(r->reason));
}

void report_ktap_print(const struct report *r, FILE *out)
{
	struct report_case cases[REPORT_CASES_MAX];
	size_t count = report_cases(r, cases);

	fprintf(out, "KTAP version 1\n1..%zu\n", count);
	head_print(r, out);
	for (size_t i = 0; i < count; i++)
		case_print(r, &cases[i], i + 1, out);
	tail_print(r, out);
}
