/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/moment.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak/judge.h"
#include "util/clock.h"
#include "util/units.h"

/* Anonymous memory that is not locked; 0 where the kernel does not tell. See proc_pid_smaps(5). */
static uint64_t unlocked_read(pid_t pid)
{
	unsigned long long kib, mapping = 0, sum = 0;
	char path[64], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Anonymous: %llu kB", &kib) == 1)
			mapping = kib;
		else if (strncmp(line, "VmFlags:", 8) == 0 && !strstr(line, " lo "))
			sum += mapping;
	}
	fclose(file);
	return (uint64_t)sum << 10;
}

static void memory_read(pid_t pid, struct memory_use *use)
{
	char path[64], line[128];
	unsigned long long kib;
	FILE *file;

	memset(use, 0, sizeof(*use));
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %llu kB", &kib) == 1)
			use->resident = kib << 10;
		else if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
			use->anonymous = kib << 10;
	}
	fclose(file);
	use->unlocked = unlocked_read(pid);
}

void moment_take(const struct report *r, bool running, uint64_t elapsed_ns, pid_t daemon,
		 struct moment *m)
{
	*m = (struct moment){
		.report = r,
		.running = running,
		.verdict = running ? judge_so_far(r) : r->verdict,
		.elapsed_ns = elapsed_ns,
		.time_s = (uint64_t)time(NULL),
	};
	memory_read(getpid(), &m->own);
	if (daemon)
		memory_read(daemon, &m->daemon);
}

const char *moment_verdict(const struct moment *m)
{
	return m->running && m->verdict == VERDICT_PASS ? "RUNNING" : verdict_name(m->verdict);
}

/* "6 d 3 h", "3 h 12 min", "12 min 5 s" */
static const char *span_format(uint64_t ns, char *buf, size_t len)
{
	unsigned long long s = ns / NS_PER_SEC;

	if (s >= 86400)
		snprintf(buf, len, "%llu d %llu h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buf, len, "%llu h %llu min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, len, "%llu min %llu s", s / 60, s % 60);
	else
		snprintf(buf, len, "%llu s", s);
	return buf;
}

static void moves_print(const struct report *r, FILE *out)
{
	char number[32];

	fprintf(out, "%s pages moved", count_format(r->migration.moved, number, sizeof(number)));
	for (unsigned i = 0; i < r->drivers; i++)
		fprintf(out, "%s%s %s", i ? ", " : " (", r->driver[i].name,
			count_format(r->driver[i].moved, number, sizeof(number)));
	fputs(r->drivers ? "), " : ", ", out);
}

void moment_print(const struct moment *m, FILE *out)
{
	const struct report *r = m->report;
	char done[48], all[48], a[32], b[32];

	fprintf(out, "churnstress: %s of %s on %s, %s. ",
		span_format(m->elapsed_ns, done, sizeof(done)),
		span_format(r->options->duration_ns, all, sizeof(all)), r->kernel.release,
		m->verdict == VERDICT_PASS ? "clean so far" : verdict_name(m->verdict));
	fprintf(out, "%s operations, ", count_format(r->workload.ops, a, sizeof(a)));
	moves_print(r, out);
	fprintf(out, "%s blocks verified, %s mismatches",
		count_format(r->verifier.blocks, a, sizeof(a)),
		count_format(r->finding.count, b, sizeof(b)));
	if (r->options->neighbour)
		fprintf(out, "; neighbour: %s buffer lookups, %s looked-up pages moved",
			count_format(r->neighbour.lookups, a, sizeof(a)),
			count_format(r->migration.moved_neighbour, b, sizeof(b)));
	fprintf(out, "; resident memory %s, of the daemon %s; seed %llu\n",
		size_format(m->own.resident, a, sizeof(a)),
		size_format(m->daemon.resident, b, sizeof(b)),
		(unsigned long long)r->options->seed);
}
