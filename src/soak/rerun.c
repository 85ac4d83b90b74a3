/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/rerun.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/evidence.h"
#include "util/clock.h"
#include "util/log.h"

#define TIMES 3u
#define DURATION_MIN_NS (10 * NS_PER_SEC)

struct rerun {
	struct report *first;
	const struct run_way_out *way_out;
	struct run_options options;
};

static uint64_t found_ns(const struct report *r)
{
	if (r->finding.present && !r->finding.workload)
		return r->finding.record.when_ns;
	if (r->finding.present || !r->neighbour_failure.failed)
		return r->failure.when_ns;
	return r->neighbour_failure.when_ns;
}

uint64_t rerun_duration(const struct report *first)
{
	uint64_t found = found_ns(first), start = first->migration_start_ns;
	uint64_t ns = found > start ? TIMES * (found - start) : 0;

	if (ns < DURATION_MIN_NS)
		ns = DURATION_MIN_NS;
	return ns < first->options->duration_ns ? ns : first->options->duration_ns;
}

/* A planted fault is planted again; without it the second run says nothing. */
static bool not_planted(const struct report *r)
{
	return (r->options->inject != FAULT_NONE && !r->injected) ||
	       (r->options->nb_inject != NEIGHBOUR_BLOCK_NONE && !r->nb_injected);
}

void rerun_judge(const struct report *second, struct report_rerun *rerun)
{
	const char *why = second->reason;

	rerun->duration_ns = second->duration_ns;
	rerun->outcome = RERUN_UNKNOWN;
	if (second->verdict == VERDICT_CORRUPT) {
		rerun->outcome = RERUN_CORRUPT;
	} else if (second->verdict == VERDICT_ERROR || second->verdict == VERDICT_KERNEL_FAULT) {
		;
	} else if (second->interrupted) {
		why = "interrupted";
	} else if (not_planted(second)) {
		why = "no fault could be planted";
	} else {
		rerun->outcome = RERUN_CLEAN;
		why = "";
	}
	snprintf(rerun->why, sizeof(rerun->why), "%s", why);
}

/* The first run's command line without --rerun, with what differs behind it. */
static void command_build(struct run_options *options, const char *first)
{
	static const char word[] = " --rerun";
	const char *at = strstr(first, word);
	size_t head = at ? (size_t)(at - first) : strlen(first);
	const char *rest = at ? at + strlen(word) : "";

	snprintf(options->command, sizeof(options->command),
		 "%.*s%s --migrate none --duration %llus", (int)head, first, rest,
		 (unsigned long long)((options->duration_ns + NS_PER_SEC - 1) / NS_PER_SEC));
}

static void options_make(struct rerun *rerun, const char *folder)
{
	struct run_options *o = &rerun->options;

	*o = *rerun->first->options;
	o->duration_ns = rerun_duration(rerun->first);
	o->migrate = "none";
	o->output = folder;
	o->json = NULL;
	o->rerun = false;
	/* What is on the device now is ours. */
	o->force = true;
	command_build(o, rerun->first->options->command);
}

static void conclude(struct rerun *rerun, const struct report *second)
{
	rerun_judge(second, &rerun->first->rerun);
	evidence_rerun(rerun->first);
}

static void leave(void *arg, const struct report *second)
{
	struct rerun *rerun = arg;

	conclude(rerun, second);
	rerun->way_out->leave(rerun->way_out->arg, rerun->first);
}

static void run_again(struct rerun *rerun)
{
	const struct run_way_out way_out = {.leave = leave, .arg = rerun};
	struct report *second = calloc(1, sizeof(*second));

	if (!second) {
		snprintf(rerun->first->rerun.why, sizeof(rerun->first->rerun.why), "out of memory");
		return;
	}
	log_notice("the same seed again, without migration, for %.0f s",
		   clock_seconds(rerun->options.duration_ns));
	run_execute(&rerun->options, &way_out, second);
	conclude(rerun, second);
	free(second);
}

void rerun_execute(struct report *first, const struct run_way_out *way_out)
{
	struct rerun rerun = {.first = first, .way_out = way_out};
	struct report_rerun *result = &first->rerun;
	char folder[sizeof(first->evidence) + 8];

	if (!first->options->rerun || first->verdict != VERDICT_CORRUPT)
		return;
	result->outcome = RERUN_UNKNOWN;
	if (first->interrupted) {
		snprintf(result->why, sizeof(result->why), "interrupted before it");
	} else if (evidence_complete(first)) {
		snprintf(result->why, sizeof(result->why),
			 "not run: the evidence could not be kept completely");
	} else {
		snprintf(folder, sizeof(folder), "%s/rerun", first->evidence);
		options_make(&rerun, folder);
		run_again(&rerun);
	}
}
