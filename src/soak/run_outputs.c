/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a run while it goes on: status, metrics, timeline. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/judge.h"
#include "soak/prometheus.h"
#include "soak/run_private.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/replacement.h"

static void outputs_moment(struct run *run, bool running, uint64_t elapsed, struct moment *moment)
{
	moment_take(run->report, running, elapsed, run->target.daemon, moment);
}

/* A disk that is full for an hour must not fill the log, too: told once until it works again. */
static void result_note(int rc, bool *failed, const char *path)
{
	if (rc && !*failed)
		log_warning("cannot write %s: %s", path, strerror(-rc));
	else if (!rc && *failed)
		log_notice("%s is written again", path);
	*failed = rc != 0;
}

/* Time from a sample at ELAPSED to the next. */
static uint64_t timeline_next(const struct run *run, uint64_t elapsed)
{
	return timeline_period(elapsed * run->options->hurry) / run->options->hurry;
}

static void timeline_step(struct run *run, const char *event, const struct moment *moment)
{
	struct run_outputs *o = &run->outputs;

	result_note(timeline_write(o->timeline, event, moment), &o->timeline_failed,
		    run->options->timeline);
	o->timeline_ns = moment->elapsed_ns + timeline_next(run, moment->elapsed_ns);
}

static void prometheus_step(struct run *run, const struct moment *moment)
{
	struct run_outputs *o = &run->outputs;

	result_note(prometheus_write(moment, run->options->prometheus), &o->prometheus_failed,
		    run->options->prometheus);
	o->prometheus_ns = moment->elapsed_ns + PROMETHEUS_PERIOD_NS / run->options->hurry;
}

static int writable_check(const char *path)
{
	struct replacement file;
	int rc = replacement_begin(&file, path);

	if (!rc)
		replacement_abandon(&file);
	return rc;
}

static int refuse(const char *option, const char *path, int rc, char *why, size_t len)
{
	snprintf(why, len, "--%s %.200s: %s", option, path,
		 rc == -EINVAL ? "not a regular file" : strerror(-rc));
	return rc;
}

static int timeline_begin(struct run *run, const struct moment *moment)
{
	int rc = timeline_open(run->options->timeline, TIMELINE_LIMIT, &run->outputs.timeline);

	run->outputs.timeline_ns = timeline_next(run, 0);
	return rc ? rc : timeline_write(run->outputs.timeline, "start", moment);
}

int run_outputs_begin(struct run *run, char *why, size_t len)
{
	const struct run_options *o = run->options;
	struct moment moment;
	int rc;

	status_init(&run->outputs.status, o->ktap ? stderr : stdout);
	outputs_moment(run, true, 0, &moment);
	rc = o->json ? writable_check(o->json) : 0;
	if (rc)
		return refuse("json", o->json, rc, why, len);
	rc = o->junit ? writable_check(o->junit) : 0;
	if (rc)
		return refuse("junit", o->junit, rc, why, len);
	rc = o->timeline ? timeline_begin(run, &moment) : 0;
	if (rc)
		return refuse("timeline", o->timeline, rc, why, len);
	rc = o->prometheus ? prometheus_write(&moment, o->prometheus) : 0;
	run->outputs.prometheus_failed = rc != 0;
	return rc ? refuse("prometheus", o->prometheus, rc, why, len) : 0;
}

static void status_step(struct run *run, uint64_t elapsed)
{
	const struct report *r = run->report;
	enum verdict verdict = judge_so_far(r);
	const struct status_values values = {
		.elapsed_ns = elapsed,
		.operations = r->workload.ops,
		.pages_moved = r->migration.moved,
		.blocks_verified = r->verifier.blocks,
		.bytes_verified = r->verifier.bytes,
		.verdict = verdict == VERDICT_PASS ? "clean so far" : verdict_name(verdict),
	};

	status_update(&run->outputs.status, &values);
}

void run_outputs_step(struct run *run, uint64_t elapsed)
{
	struct run_outputs *o = &run->outputs;
	bool line = o->timeline && elapsed >= o->timeline_ns;
	bool metrics = run->options->prometheus && elapsed >= o->prometheus_ns;
	struct moment moment;

	status_step(run, elapsed);
	if (!line && !metrics)
		return;
	outputs_moment(run, true, elapsed, &moment);
	if (line)
		timeline_step(run, "sample", &moment);
	if (metrics)
		prometheus_step(run, &moment);
}

void run_outputs_status(struct run *run, uint64_t elapsed)
{
	struct moment moment;
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return;
	outputs_moment(run, true, elapsed, &moment);
	moment_print(&moment, memory);
	/* At once, so that messages of other threads do not come between. */
	if (fclose(memory) == 0)
		(void)!write(STDERR_FILENO, text, len);
	free(text);
}

void run_outputs_end(struct run *run)
{
	struct moment moment;

	outputs_moment(run, false, run->report->duration_ns, &moment);
	if (run->outputs.timeline)
		timeline_step(run, "end", &moment);
	timeline_close(run->outputs.timeline);
	if (run->options->prometheus)
		prometheus_step(run, &moment);
}
