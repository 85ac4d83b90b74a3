/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report says to machines: cases, KTAP, JUnit, Prometheus. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "report_fixture.h"
#include "soak/cases.h"
#include "soak/judge.h"
#include "soak/prometheus.h"
#include "unit.h"
#include "util/clock.h"
#include "util/utf8.h"
#include "xml_check.h"

#define RANDOM_REPORTS 2000
#define SERIES_MAX 64

static struct report_fixture fixture;

/* Some case fails with the verdict of the run, unless that is PASS; then none does. */
static void cases_agree(const struct report *r)
{
	struct report_case cases[REPORT_CASES_MAX];
	size_t count = report_cases(r, cases), failed = 0, same = 0;

	for (size_t i = 0; i < count; i++) {
		unit_assert((cases[i].outcome == CASE_FAILED) == (cases[i].verdict != 0));
		unit_assert(cases[i].outcome == CASE_OK || cases[i].why[0]);
		failed += cases[i].outcome == CASE_FAILED;
		same += cases[i].verdict == r->verdict;
	}
	if (r->verdict == VERDICT_PASS)
		unit_assert(failed == 0);
	else
		unit_assert(failed > 0 && same > 0);
}

START_TEST(cases_of_any_report)
{
	unsigned seen[VERDICT_KERNEL_FAULT + 1] = {0};
	struct rng rng;

	rng_seed(&rng, 1, 0);
	for (int i = 0; i < RANDOM_REPORTS; i++) {
		report_fixture_random(&fixture, &rng);
		/* So that an empty WHY in a test is one in the code. */
		if (!fixture.report.kmsg[0])
			strcpy(fixture.report.kmsg, "WARNING");
		strcpy(fixture.report.neighbour_failure.text, "lost");
		judge_report(&fixture.report);
		cases_agree(&fixture.report);
		seen[fixture.report.verdict]++;
	}
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		ck_assert_msg(seen[i] > 10, "verdict %zu only %u times", i, seen[i]);
}
END_TEST

static const struct report_case *case_named(struct report_case *cases, const char *name)
{
	size_t count = report_cases(&fixture.report, cases);

	for (size_t i = 0; i < count; i++)
		if (strcmp(cases[i].name, name) == 0)
			return &cases[i];
	ck_abort_msg("no case %s", name);
}

/* Each cause fails its own case and no other aspect's. */
START_TEST(cases_by_cause)
{
	struct report_case cases[REPORT_CASES_MAX];
	struct report *r = &fixture.report;

	report_fixture_good(&fixture);
	r->neighbour_failure.failed = true;
	r->neighbour_failure.fault = NEIGHBOUR_CORRUPT;
	r->neighbour_failure.leg = NEIGHBOUR_REVOKE;
	judge_report(r);
	ck_assert_int_eq(case_named(cases, "neighbour-revokes")->outcome, CASE_FAILED);
	ck_assert_int_eq(case_named(cases, "neighbour-inodes")->outcome, CASE_OK);
	ck_assert_int_eq(case_named(cases, "metadata-blocks")->outcome, CASE_OK);
	ck_assert_int_eq(case_named(cases, "completion")->outcome, CASE_SKIPPED);
	r->neighbour_failure.fault = NEIGHBOUR_FS_ERROR;
	judge_report(r);
	ck_assert_int_eq(case_named(cases, "kernel-log")->outcome, CASE_FAILED);
	ck_assert_int_eq(case_named(cases, "neighbour-revokes")->outcome, CASE_OK);

	report_fixture_good(&fixture);
	r->kmsg_watched = false;
	r->neighbour.absent = 1u << NEIGHBOUR_XATTRS;
	ck_assert_int_eq(case_named(cases, "kernel-log")->outcome, CASE_SKIPPED);
	ck_assert_int_eq(case_named(cases, "neighbour-xattrs")->outcome, CASE_SKIPPED);
}
END_TEST

/* A run that could not be set up has judged nothing: one error, all else skipped. */
START_TEST(cases_without_a_run)
{
	struct report_case cases[REPORT_CASES_MAX];
	struct report *r = &fixture.report;

	report_fixture_good(&fixture);
	r->duration_ns = 0;
	strcpy(r->trouble, "no loop device");
	judge_report(r);
	for (size_t i = 0, count = report_cases(r, cases); i < count; i++)
		ck_assert_int_eq(cases[i].outcome, strcmp(cases[i].name, "completion") == 0
							   ? CASE_FAILED
							   : CASE_SKIPPED);
}
END_TEST

/* Cuts the next line off *TEXT. NULL at its end. */
static char *line_next(char **text)
{
	return strsep(text, "\n");
}

/* "ok 3 name", "not ok 3 name", with " # SKIP why" or " # ERROR why" behind. */
static void ktap_result_check(const char *line, size_t number, const struct report_case *c)
{
	char start[128];

	snprintf(start, sizeof(start), "%s %zu %s", c->outcome == CASE_FAILED ? "not ok" : "ok",
		 number, c->name);
	ck_assert_msg(strncmp(line, start, strlen(start)) == 0, "'%s' is not '%s'", line, start);
	line += strlen(start);
	if (c->outcome == CASE_SKIPPED)
		ck_assert_msg(strncmp(line, " # SKIP ", 8) == 0, "%s", line);
	else if (c->verdict == VERDICT_ERROR)
		ck_assert_msg(strncmp(line, " # ERROR ", 9) == 0, "%s", line);
	else
		ck_assert_str_eq(line, "");
}

/* The grammar of a flat document: version, plan, results in order, diagnostics. */
static void ktap_check(void)
{
	struct report_case cases[REPORT_CASES_MAX];
	size_t count = report_cases(&fixture.report, cases), results = 0;
	char *text = report_fixture_text(report_ktap_print, &fixture.report);
	char *rest = text, *line, plan[16];

	snprintf(plan, sizeof(plan), "1..%zu", count);
	ck_assert_str_eq(line_next(&rest), "KTAP version 1");
	ck_assert_str_eq(line_next(&rest), plan);
	while ((line = line_next(&rest)) && rest) {
		ck_assert_msg(utf8_printable(line, strlen(line)), "%s", line);
		if (strncmp(line, "# ", 2) == 0)
			continue;
		unit_assert(results < count);
		ktap_result_check(line, results + 1, &cases[results]);
		results++;
	}
	ck_assert_uint_eq(results, count);
	free(text);
}

static void junit_print(const struct report *r, FILE *out)
{
	ck_assert_int_eq(report_junit_print(r, out), 0);
}

static void junit_check(void)
{
	struct report_case cases[REPORT_CASES_MAX];
	size_t count = report_cases(&fixture.report, cases);
	size_t failures = 0, errors = 0, skipped = 0;
	char *text = report_fixture_text(junit_print, &fixture.report);
	char numbers[128];
	const char *wrong = xml_check(text);

	ck_assert_msg(!wrong, "%s in\n%s", wrong, text);
	for (size_t i = 0; i < count; i++) {
		bool error = cases[i].verdict == VERDICT_ERROR;

		errors += error;
		failures += cases[i].outcome == CASE_FAILED && !error;
		skipped += cases[i].outcome == CASE_SKIPPED;
	}
	snprintf(numbers, sizeof(numbers),
		 " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", count, failures,
		 errors, skipped);
	ck_assert_msg(strstr(text, numbers) != NULL, "no %s in\n%s", numbers, text);
	ck_assert_uint_eq(xml_count(text, "testcase"), count);
	ck_assert_uint_eq(xml_count(text, "failure"), failures);
	ck_assert_uint_eq(xml_count(text, "error"), errors);
	ck_assert_uint_eq(xml_count(text, "skipped"), skipped);
	free(text);
}

/* A metric's or a label's name. */
static const char *name_skip(const char *at)
{
	unit_assert(islower((unsigned char)*at));
	while (islower((unsigned char)*at) || *at == '_')
		at++;
	return at;
}

/* A quoted value in which backslash, quote and line feed are escaped. */
static const char *label_value_skip(const char *at)
{
	unit_assert(*at == '"');
	for (at++; *at != '"'; at++) {
		unit_assert(*at);
		if (*at == '\\') {
			at++;
			unit_assert(*at == '\\' || *at == '"' || *at == 'n');
		}
	}
	return at + 1;
}

/* "name{label="value",...} number"; returns where the number is. */
static const char *sample_check(const char *line, const char *family)
{
	const char *at = name_skip(line);
	char *end;

	ck_assert_msg(strlen(family) == (size_t)(at - line) &&
			      strncmp(line, family, strlen(family)) == 0,
		      "'%s' is not of %s", line, family);
	unit_assert(*at == '{');
	do {
		at = name_skip(at + 1);
		unit_assert(*at == '=');
		at = label_value_skip(at + 1);
	} while (*at == ',');
	unit_assert(strncmp(at, "} ", 2) == 0);
	strtod(at + 2, &end);
	ck_assert_msg(end != at + 2 && *end == 0, "no number: %s", line);
	return at + 2;
}

static void series_check(const char *line, const char *number, char *series[], size_t *count)
{
	char *name = strndup(line, (size_t)(number - line));

	for (size_t i = 0; i < *count; i++)
		ck_assert_msg(strcmp(series[i], name) != 0, "twice: %s", name);
	unit_assert(*count < SERIES_MAX);
	series[(*count)++] = name;
}

/* HELP and TYPE before the samples of each family; counters are named as such. */
static void prometheus_check(char *text)
{
	char *line, family[128] = "", type[16], *series[SERIES_MAX];
	size_t count = 0;

	while ((line = line_next(&text)) && text) {
		ck_assert_msg(utf8_printable(line, strlen(line)), "%s", line);
		if (sscanf(line, "# HELP %127s", family) == 1) {
			char expected[160];

			line = line_next(&text);
			unit_assert(line && text);
			snprintf(expected, sizeof(expected), "# TYPE %s ", family);
			ck_assert_msg(strncmp(line, expected, strlen(expected)) == 0, "%s", line);
			snprintf(type, sizeof(type), "%s", line + strlen(expected));
			unit_assert(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0);
			unit_assert((strcmp(type, "counter") == 0) ==
				    (strlen(family) > 6 &&
				     strcmp(family + strlen(family) - 6, "_total") == 0));
			continue;
		}
		series_check(line, sample_check(line, family), series, &count);
	}
	ck_assert_uint_gt(count, 15);
	while (count)
		free(series[--count]);
}

static const char *run_label;

static void metrics_print(const struct report *r, FILE *out)
{
	struct moment moment;

	moment_take(r, true, 7 * NS_PER_SEC, 0, &moment);
	prometheus_print(&moment, run_label, out);
}

static void all_check(void)
{
	char *text;

	ktap_check();
	junit_check();
	text = report_fixture_text(metrics_print, &fixture.report);
	prometheus_check(text);
	free(text);
}

START_TEST(formats_of_a_good_report)
{
	run_label = "soak";
	report_fixture_good(&fixture);
	ck_assert_int_eq(fixture.report.verdict, VERDICT_PASS);
	all_check();
}
END_TEST

START_TEST(formats_of_hostile_text)
{
	run_label = HOSTILE_TEXT;
	report_fixture_hostile(&fixture);
	ck_assert_int_eq(fixture.report.verdict, VERDICT_CORRUPT);
	all_check();
	/* Without a neighbour and drivers, families are empty or missing. */
	fixture.options.neighbour = false;
	fixture.report.drivers = 0;
	all_check();
}
END_TEST

START_TEST(formats_of_any_report)
{
	struct rng rng;

	run_label = "soak";
	rng_seed(&rng, 2, 0);
	for (int i = 0; i < 100; i++) {
		report_fixture_random(&fixture, &rng);
		all_check();
	}
}
END_TEST

START_TEST(metrics_of_a_report)
{
	char *text;

	run_label = "a\"b\\c";
	report_fixture_good(&fixture);
	fixture.report.finding.count = 3;
	text = report_fixture_text(metrics_print, &fixture.report);
	ck_assert_ptr_nonnull(strstr(text, "\nchurnstress_up{run=\"a\\\"b\\\\c\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, ",verdict=\"RUNNING\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, ",driver=\"compact\"} 5999\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "churnstress_mismatches_total{run=\"a\\\"b\\\\c\"} 3\n"));
	ck_assert_ptr_nonnull(strstr(text, ",kernel=\"6.1.0-test\","));
	free(text);
	fixture.report.finding.present = true;
	text = report_fixture_text(metrics_print, &fixture.report);
	ck_assert_ptr_nonnull(strstr(text, ",verdict=\"RUNNING\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, ",verdict=\"CORRUPT\"} 1\n"));
	free(text);
}
END_TEST

/* A checker that finds nothing wrong with anything would prove nothing. */
START_TEST(xml_checker)
{
	static const char *const wrong[] = {
		"<a>",	    "<a></b>",	    "<a>&</a>",		  "<a>\x01</a>",
		"<a b=c/>", "<a b=\"<\"/>", "<a b=\"\" b=\"\"/>", "<a/><a/>",
		"<a/>text", "</a>",	    "<a>]]></a>",	  "<a>\xef\xbf\xbf</a>",
	};
	char text[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n%s",
			 wrong[i]);
		ck_assert_msg(xml_check(text) != NULL, "not found: %s", wrong[i]);
	}
	ck_assert_ptr_null(xml_check("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"&lt;\">"
				     "<c/>&amp;</a>\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report formats");
	TCase *tc = tcase_create("formats");

	tcase_add_test(tc, xml_checker);
	tcase_add_test(tc, cases_of_any_report);
	tcase_add_test(tc, cases_by_cause);
	tcase_add_test(tc, cases_without_a_run);
	tcase_add_test(tc, formats_of_a_good_report);
	tcase_add_test(tc, formats_of_hostile_text);
	tcase_add_test(tc, formats_of_any_report);
	tcase_add_test(tc, metrics_of_a_report);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
