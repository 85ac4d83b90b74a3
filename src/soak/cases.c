/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/cases.h"

#include <stdarg.h>
#include <string.h>

#include "soak/judge.h"
#include "util/clock.h"
#include "util/units.h"

#define METADATA_CASE "metadata-blocks"

__attribute__((format(printf, 4, 0))) static void outcome_set(struct report_case *c,
							      enum case_outcome outcome,
							      enum verdict verdict,
							      const char *format, va_list args)
{
	c->outcome = outcome;
	c->verdict = verdict;
	vsnprintf(c->why, sizeof(c->why), format, args);
}

__attribute__((format(printf, 2, 3))) static void passed(struct report_case *c, const char *format,
							 ...)
{
	va_list args;

	va_start(args, format);
	outcome_set(c, CASE_OK, VERDICT_PASS, format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void skipped(struct report_case *c, const char *format,
							  ...)
{
	va_list args;

	va_start(args, format);
	outcome_set(c, CASE_SKIPPED, VERDICT_PASS, format, args);
	va_end(args);
}

__attribute__((format(printf, 3, 4))) static void
failed(struct report_case *c, enum verdict verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	outcome_set(c, CASE_FAILED, verdict, format, args);
	va_end(args);
}

static void metadata_judge(const struct report *r, unsigned which, struct report_case *c)
{
	char blocks[32], reads[32];

	(void)which;
	if (r->finding.present && !r->finding.workload)
		failed(c, VERDICT_CORRUPT, "%s", r->reason);
	else if (!r->verifier.blocks && !r->daemon_reads)
		skipped(c, "no block was verified");
	else
		passed(c, "%s blocks verified, %s more by the daemon",
		       count_format(r->verifier.blocks, blocks, sizeof(blocks)),
		       count_format(r->daemon_reads, reads, sizeof(reads)));
}

static void workload_judge(const struct report *r, unsigned which, struct report_case *c)
{
	const struct workload_failure *f = &r->failure;
	char objects[32], bytes[32];

	(void)which;
	if (judge_workload_corrupt(r))
		failed(c, VERDICT_CORRUPT, "%.255s of %.255s: %s", f->operation, f->path,
		       f->detail);
	else if (f->failed)
		skipped(c, "cut short: %.255s: %s", f->operation, f->detail);
	else if (!r->workload.verified_objects)
		skipped(c, "nothing was compared");
	else
		passed(c, "%s names and attributes and %s of contents compared",
		       count_format(r->workload.verified_objects, objects, sizeof(objects)),
		       size_format(r->workload.verified_bytes, bytes, sizeof(bytes)));
}

static void leg_judge(const struct report *r, unsigned leg, struct report_case *c)
{
	const struct neighbour_failure *f = &r->neighbour_failure;
	const struct neighbour_stats *n = &r->neighbour;
	char operations[32], compared[32];

	if (f->failed && f->fault == NEIGHBOUR_CORRUPT && (unsigned)f->leg == leg)
		failed(c, VERDICT_CORRUPT, "%s", f->text);
	else if (!r->options->neighbour)
		skipped(c, "no neighbour was asked for");
	else if (n->absent & (1u << leg))
		skipped(c, "%s does not offer it", r->options->profile.text);
	else if (!n->leg[leg])
		skipped(c, "nothing was done");
	else
		passed(c, "%s operations, %s comparisons",
		       count_format(n->leg[leg], operations, sizeof(operations)),
		       count_format(n->compared[leg], compared, sizeof(compared)));
}

static void fsck_judge(const struct report *r, unsigned which, struct report_case *c)
{
	const struct neighbour_failure *f = &r->neighbour_failure;

	(void)which;
	if (f->failed && f->fault == NEIGHBOUR_FSCK)
		failed(c, VERDICT_CORRUPT, "%s", f->text);
	else if (!r->options->neighbour)
		skipped(c, "no neighbour was asked for");
	else if (!r->neighbour.checks)
		skipped(c, "the filesystem was not checked");
	else
		passed(c, "e2fsck clean %llu times", (unsigned long long)r->neighbour.checks);
}

static void kernel_judge(const struct report *r, unsigned which, struct report_case *c)
{
	const struct neighbour_failure *f = &r->neighbour_failure;

	(void)which;
	if (f->failed && f->fault == NEIGHBOUR_FS_ERROR)
		failed(c, VERDICT_KERNEL_FAULT, "%s", f->text);
	else if (r->hung)
		failed(c, VERDICT_KERNEL_FAULT, "%s", r->trouble);
	else if (r->kernel_fault)
		failed(c, VERDICT_KERNEL_FAULT, "%s", r->kmsg);
	else if (!r->kmsg_watched)
		skipped(c, "the kernel's log could not be read");
	else
		passed(c, "no fault was logged");
}

/* Nothing but the run's own end, or what it found, may have ended it. */
static void completion_judge(const struct report *r, unsigned which, struct report_case *c)
{
	(void)which;
	if (r->trouble[0] && !r->hung)
		failed(c, VERDICT_ERROR, "%s", r->trouble);
	else if (r->failure.failed && !judge_workload_corrupt(r))
		failed(c, VERDICT_ERROR, "%.255s: %s", r->failure.operation, r->failure.detail);
	else if (judge_so_far(r) != VERDICT_PASS)
		skipped(c, "ended by what was found after %.1f s", clock_seconds(r->duration_ns));
	else if (r->interrupted)
		failed(c, VERDICT_INCONCLUSIVE, "interrupted after %.1f s",
		       clock_seconds(r->duration_ns));
	else
		passed(c, "reached its end after %.1f s", clock_seconds(r->duration_ns));
}

static void exercise_judge(const struct report *r, unsigned which, struct report_case *c)
{
	struct judge_exercise exercises[JUDGE_EXERCISES];
	const struct judge_exercise *e = &exercises[which];
	char reached[32], needed[32];

	judge_exercises(r, exercises);
	count_format(e->reached, reached, sizeof(reached));
	count_format(e->needed, needed, sizeof(needed));
	if (!e->needed)
		skipped(c, "nothing is asked for in this run");
	else if (e->reached >= e->needed)
		passed(c, "%s %s, at least %s needed", reached, e->what, needed);
	else if (judge_so_far(r) != VERDICT_PASS || r->interrupted)
		skipped(c, "the run ended early: %s %s", reached, e->what);
	else
		failed(c, VERDICT_INCONCLUSIVE, "only %s %s, at least %s needed", reached, e->what,
		       needed);
}

static void planted_judge(const struct report *r, unsigned which, struct report_case *c)
{
	(void)which;
	if (r->options->inject == FAULT_NONE && r->options->nb_inject == NEIGHBOUR_BLOCK_NONE)
		skipped(c, "none was asked for");
	else if (judge_so_far(r) == VERDICT_CORRUPT)
		passed(c, "found");
	else
		failed(c, VERDICT_INCONCLUSIVE, "%s",
		       r->injected || r->nb_injected ? "not found" : "none could be planted");
}

static const struct {
	const char *name;
	void (*judge)(const struct report *r, unsigned which, struct report_case *c);
	unsigned which;
} table[] = {
	{METADATA_CASE, metadata_judge, 0},
	{"workload", workload_judge, 0},
	{"neighbour-inodes", leg_judge, NEIGHBOUR_INODES},
	{"neighbour-bitmaps", leg_judge, NEIGHBOUR_BITMAPS},
	{"neighbour-directories", leg_judge, NEIGHBOUR_DIRS},
	{"neighbour-xattrs", leg_judge, NEIGHBOUR_XATTRS},
	{"neighbour-extents", leg_judge, NEIGHBOUR_EXTENTS},
	{"neighbour-revokes", leg_judge, NEIGHBOUR_REVOKE},
	{"neighbour-fsck", fsck_judge, 0},
	{"kernel-log", kernel_judge, 0},
	{"completion", completion_judge, 0},
	{"exercise-pages-moved", exercise_judge, JUDGE_PAGES_MOVED},
	{"exercise-pages-moved-with-buffers", exercise_judge, JUDGE_PAGES_MOVED_WITH_BUFFERS},
	{"exercise-blocks-verified", exercise_judge, JUDGE_BLOCKS_VERIFIED},
	{"exercise-operations", exercise_judge, JUDGE_OPERATIONS},
	{"exercise-neighbour-lookups", exercise_judge, JUDGE_LOOKUPS},
	{"exercise-neighbour-pages-moved", exercise_judge, JUDGE_MOVED_NEIGHBOUR},
	{"planted-fault", planted_judge, 0},
};

_Static_assert(sizeof(table) / sizeof(table[0]) <= REPORT_CASES_MAX, "room for all cases");

size_t report_cases(const struct report *r, struct report_case cases[REPORT_CASES_MAX])
{
	const size_t count = sizeof(table) / sizeof(table[0]);

	for (size_t i = 0; i < count; i++) {
		struct report_case *c = &cases[i];

		c->name = table[i].name;
		/* A run that could not be set up has judged nothing, and says so once. */
		if (!r->duration_ns && judge_so_far(r) == VERDICT_ERROR &&
		    table[i].judge != completion_judge)
			skipped(c, "the run did not start");
		else
			table[i].judge(r, table[i].which, c);
	}
	return count;
}

void report_case_detail_print(const struct report *r, const struct report_case *c, FILE *out)
{
	if (c->outcome == CASE_FAILED && strcmp(c->name, METADATA_CASE) == 0)
		report_finding_print(r, out);
}
