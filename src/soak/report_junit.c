/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report as the XML that Jenkins calls JUnit's: one suite, a case for each thing that is judged,
 * and the report for people as the suite's output. A case has no time of its own: all are judged
 * throughout the run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "soak/cases.h"
#include "util/clock.h"
#include "util/replacement.h"
#include "util/utf8.h"

/* U+FFFE and U+FFFF are UTF-8 but no characters of XML 1.0. */
static size_t not_xml(const char *text)
{
	return strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0 ? 3
											      : 0;
}

static void escaped_print(FILE *out, const char *text)
{
	while (*text) {
		size_t bad = not_xml(text);

		if (bad)
			fputs("&#xfffd;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else
			fputc(*text, out);
		text += bad ? bad : 1;
	}
}

/* Of a file, or of an attribute. Control characters, which XML does not allow, become visible. */
static void text_print(FILE *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = malloc(UTF8_ESCAPED_MAX(len));

		if (line)
			escaped_print(out, utf8_escape(text, len, line));
		free(line);
		text += len;
		if (*text) {
			fputc('\n', out);
			text++;
		}
	}
}

static void attribute_print(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	text_print(out, value);
	fputc('"', out);
}

static void property_print(FILE *out, const char *name, const char *value)
{
	fputs("      <property", out);
	attribute_print(out, "name", name);
	attribute_print(out, "value", value);
	fputs("/>\n", out);
}

static void properties_print(const struct report *r, FILE *out)
{
	char number[32];

	fputs("    <properties>\n", out);
	property_print(out, "verdict", verdict_name(r->verdict));
	property_print(out, "reason", r->reason);
	property_print(out, "kernel", r->kernel.release);
	property_print(out, "machine", r->kernel.machine);
	property_print(out, "device", r->device);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)r->options->seed);
	property_print(out, "seed", number);
	property_print(out, "command", r->options->command);
	if (r->evidence[0])
		property_print(out, "evidence", r->evidence);
	fputs("    </properties>\n", out);
}

/* What PRINT prints of REPORT, escaped. */
static void captured_print(const struct report *r, const struct report_case *c, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return;
	if (c)
		report_case_detail_print(r, c, memory);
	else
		report_print(r, memory);
	if (fclose(memory) == 0)
		text_print(out, text);
	free(text);
}

static void failure_print(const struct report *r, const struct report_case *c, FILE *out)
{
	const char *element = c->verdict == VERDICT_ERROR ? "error" : "failure";

	fprintf(out, "      <%s", element);
	attribute_print(out, "message", c->why);
	attribute_print(out, "type", verdict_name(c->verdict));
	fputc('>', out);
	text_print(out, c->why);
	fputc('\n', out);
	captured_print(r, c, out);
	fprintf(out, "</%s>\n", element);
}

static void case_print(const struct report *r, const struct report_case *c, FILE *out)
{
	fputs("    <testcase", out);
	attribute_print(out, "classname", "churnstress");
	attribute_print(out, "name", c->name);
	fputs(">\n", out);
	if (c->outcome == CASE_FAILED) {
		failure_print(r, c, out);
	} else if (c->outcome == CASE_SKIPPED) {
		fputs("      <skipped", out);
		attribute_print(out, "message", c->why);
		fputs("/>\n", out);
	} else {
		fputs("      <system-out>", out);
		text_print(out, c->why);
		fputs("</system-out>\n", out);
	}
	fputs("    </testcase>\n", out);
}

static unsigned failures_count(const struct report_case *cases, size_t count, bool errors)
{
	unsigned n = 0;

	for (size_t i = 0; i < count; i++)
		n += cases[i].outcome == CASE_FAILED &&
		     (cases[i].verdict == VERDICT_ERROR) == errors;
	return n;
}

static unsigned skipped_count(const struct report_case *cases, size_t count)
{
	unsigned n = 0;

	for (size_t i = 0; i < count; i++)
		n += cases[i].outcome == CASE_SKIPPED;
	return n;
}

static void suite_print(const struct report *r, const struct report_case *cases, size_t count,
			FILE *out)
{
	time_t start = (time_t)r->start_s;
	char when[32];
	struct tm tm;

	gmtime_r(&start, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	fputs("  <testsuite", out);
	attribute_print(out, "name", "churnstress");
	fprintf(out, " tests=\"%zu\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", count,
		failures_count(cases, count, false), failures_count(cases, count, true),
		skipped_count(cases, count));
	fprintf(out, " time=\"%.3f\"", clock_seconds(r->duration_ns));
	attribute_print(out, "timestamp", when);
	attribute_print(out, "hostname", r->kernel.nodename);
	fputs(">\n", out);
}

int report_junit_print(const struct report *r, FILE *out)
{
	struct report_case *cases = calloc(REPORT_CASES_MAX, sizeof(*cases));
	size_t count;

	if (!cases)
		return -ENOMEM;
	count = report_cases(r, cases);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	suite_print(r, cases, count, out);
	properties_print(r, out);
	for (size_t i = 0; i < count; i++)
		case_print(r, &cases[i], out);
	fputs("    <system-out>", out);
	captured_print(r, NULL, out);
	fputs("</system-out>\n  </testsuite>\n</testsuites>\n", out);
	free(cases);
	return 0;
}

int report_junit_write(const struct report *r, const char *path)
{
	struct replacement file;
	int rc = replacement_begin(&file, path);

	if (rc)
		return rc;
	rc = report_junit_print(r, file.file);
	if (rc) {
		replacement_abandon(&file);
		return rc;
	}
	return replacement_commit(&file);
}
