/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/prometheus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/replacement.h"
#include "util/utf8.h"

struct label {
	const char *name;
	const char *value;
};

/* One family of metrics at a time; families must not be mixed. */
struct writer {
	FILE *out;
	const char *run;
	const char *name; /* of the family at hand */
};

static void family_begin(struct writer *w, const char *name, const char *type, const char *help)
{
	w->name = name;
	fprintf(w->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value is UTF-8; backslash, quote and line feed are escaped. */
static void label_print(const struct writer *w, const struct label *label)
{
	size_t len = strlen(label->value);
	char *value = malloc(UTF8_ESCAPED_MAX(len));

	fprintf(w->out, "%s=\"", label->name);
	if (value && !utf8_printable(label->value, len))
		utf8_escape(label->value, len, value);
	else if (value)
		strcpy(value, label->value);
	for (const char *p = value; p && *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', w->out);
		fputc(*p, w->out);
	}
	fputc('"', w->out);
	free(value);
}

static void labels_print(const struct writer *w, const struct label *labels, size_t count)
{
	const struct label run = {"run", w->run};

	fprintf(w->out, "%s{", w->name);
	label_print(w, &run);
	for (size_t i = 0; i < count; i++) {
		fputc(',', w->out);
		label_print(w, &labels[i]);
	}
	fputs("} ", w->out);
}

/* NAME may be NULL: no further label. */
static void sample(const struct writer *w, const char *name, const char *value, uint64_t number)
{
	const struct label label = {name, value};

	labels_print(w, &label, name ? 1 : 0);
	fprintf(w->out, "%llu\n", (unsigned long long)number);
}

static void single(struct writer *w, const char *name, const char *type, const char *help,
		   uint64_t number)
{
	family_begin(w, name, type, help);
	sample(w, NULL, NULL, number);
}

static void info_print(struct writer *w, const struct report *r)
{
	const struct label labels[] = {
		{"kernel", r->kernel.release},
		{"machine", r->kernel.machine},
		{"device", r->device},
		{"neighbour", r->options->neighbour ? r->options->profile.text : ""},
	};

	family_begin(w, "churnstress_info", "gauge", "What is tested; always 1.");
	labels_print(w, labels, sizeof(labels) / sizeof(labels[0]));
	fputs("1\n", w->out);
}

static void verdict_print(struct writer *w, const struct moment *m)
{
	static const enum verdict verdicts[] = {VERDICT_PASS, VERDICT_CORRUPT, VERDICT_ERROR,
						VERDICT_INCONCLUSIVE, VERDICT_KERNEL_FAULT};
	const char *now = moment_verdict(m);

	family_begin(w, "churnstress_verdict", "gauge",
		     "1 for the verdict, which is RUNNING while nothing decides it, else 0.");
	sample(w, "verdict", "RUNNING", strcmp(now, "RUNNING") == 0);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		sample(w, "verdict", verdict_name(verdicts[i]),
		       strcmp(now, verdict_name(verdicts[i])) == 0);
}

static void seconds_print(struct writer *w, const char *name, const char *help, uint64_t ns)
{
	family_begin(w, name, "gauge", help);
	labels_print(w, NULL, 0);
	fprintf(w->out, "%.3f\n", clock_seconds(ns));
}

static void moves_print(struct writer *w, const struct report *r)
{
	family_begin(w, "churnstress_pages_moved_total", "counter",
		     "Moves of page-cache pages of the device, by migration driver.");
	for (unsigned i = 0; i < r->drivers; i++)
		sample(w, "driver", r->driver[i].name, r->driver[i].moved);
}

static void work_print(struct writer *w, const struct report *r)
{
	single(w, "churnstress_operations_total", "counter", "Operations of the workload.",
	       r->workload.ops);
	moves_print(w, r);
	single(w, "churnstress_blocks_verified_total", "counter",
	       "Verifications of metadata blocks.", r->verifier.blocks);
	single(w, "churnstress_mismatches_total", "counter",
	       "Blocks found that differ from the ledger.", r->finding.count);
	if (!r->options->neighbour)
		return;
	single(w, "churnstress_buffer_lookups_total", "counter",
	       "Buffer lookups of the in-kernel neighbour, at least.", r->neighbour.lookups);
	single(w, "churnstress_looked_up_pages_moved_total", "counter",
	       "Moves of pages that the neighbour looks up all the time.",
	       r->migration.moved_neighbour);
}

static void memory_print(struct writer *w, const struct moment *m)
{
	family_begin(w, "churnstress_resident_memory_bytes", "gauge",
		     "Resident memory; 0 when the process has ended.");
	sample(w, "process", "churnstress", m->running ? m->own.resident : 0);
	sample(w, "process", "churnfs", m->daemon.resident);
}

void prometheus_print(const struct moment *m, const char *run, FILE *out)
{
	struct writer w = {.out = out, .run = run};

	single(&w, "churnstress_up", "gauge", "1 while the run goes on, 0 after its end.",
	       m->running);
	/* A sample without the device would be another series. */
	if (m->report->device[0])
		info_print(&w, m->report);
	verdict_print(&w, m);
	seconds_print(&w, "churnstress_elapsed_seconds", "How long the run has been at work.",
		      m->elapsed_ns);
	seconds_print(&w, "churnstress_duration_seconds", "How long it was asked to be.",
		      m->report->options->duration_ns);
	work_print(&w, m->report);
	memory_print(&w, m);
	single(&w, "churnstress_start_time_seconds", "gauge", "Start of the run, since 1970.",
	       m->report->start_s);
	single(&w, "churnstress_last_update_time_seconds", "gauge",
	       "When this file was written, since 1970.", m->time_s);
}

/* "/var/lib/node/soak.prom" is the run "soak". */
static void run_name(const char *path, char *name, size_t len)
{
	const char *slash = strrchr(path, '/');
	char *end;

	snprintf(name, len, "%s", slash ? slash + 1 : path);
	end = strrchr(name, '.');
	if (end && end != name && strcmp(end, ".prom") == 0)
		*end = 0;
}

int prometheus_write(const struct moment *m, const char *path)
{
	struct replacement file;
	char run[256];
	int rc = replacement_begin(&file, path);

	if (rc)
		return rc;
	run_name(path, run, sizeof(run));
	prometheus_print(m, run, file.file);
	return replacement_commit(&file);
}
