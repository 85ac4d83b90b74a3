/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/report.h"

#include <string.h>

#include "integrity/tag.h"
#include "util/clock.h"
#include "util/hexdump.h"
#include "util/units.h"

#define DIFF_LINES_MAX 24

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_PASS] = "PASS",
		[VERDICT_CORRUPT] = "CORRUPT",
		[VERDICT_ERROR] = "ERROR",
		[VERDICT_INCONCLUSIVE] = "INCONCLUSIVE",
		[VERDICT_KERNEL_FAULT] = "KERNEL-FAULT",
	};

	return names[verdict];
}

uint64_t report_lookups_slow(const struct report *r)
{
	return r->neighbour.lookups - r->neighbour.lookups_lru;
}

bool report_race_reachable(const struct report *r)
{
	return report_lookups_slow(r) > 0 && r->migration.moved_neighbour > 0;
}

static void counted_print(FILE *out, const char *label, uint64_t value, uint64_t minimum)
{
	char number[32], least[32];

	fprintf(out, "  %-28s %15s", label, count_format(value, number, sizeof(number)));
	if (minimum)
		fprintf(out, "   at least %s needed", count_format(minimum, least, sizeof(least)));
	fputc('\n', out);
}

static void workload_print(const struct report *r, FILE *out)
{
	char size[32];

	counted_print(out, "workload operations", r->workload.ops, r->minimum.operations);
	counted_print(out, "  objects compared", r->workload.verified_objects, 0);
	fprintf(out, "  %-28s %15s\n", "  contents compared",
		size_format(r->workload.verified_bytes, size, sizeof(size)));
	counted_print(out, "transactions", r->daemon_commits, 0);
	counted_print(out, "metadata blocks written", r->daemon_writes, 0);
}

static void migration_print(const struct report *r, FILE *out)
{
	counted_print(out, "own pages moved", r->migration.moved, r->minimum.pages_moved);
	counted_print(out, "  with buffers attached", r->migration.moved_with_buffers,
		      r->minimum.pages_moved_with_buffers);
	counted_print(out, "  holding metadata", r->migration.moved_metadata, 0);
	counted_print(out, "  dirty", r->migration.moved_dirty, 0);
	for (unsigned i = 0; i < r->drivers; i++) {
		const struct migrate_stats *d = &r->driver[i];
		char number[32];

		fprintf(out, "  %-28s %15s   in %llu rounds, %.0f a second", d->name,
			count_format(d->moved, number, sizeof(number)),
			(unsigned long long)d->attempts, clock_per_second(d->moved, d->ns));
		if (d->error)
			fprintf(out, ", gave up: %s", strerror(-d->error));
		else if (!d->attempts)
			fputs(", had no turn", out);
		fputc('\n', out);
	}
}

static void verify_print(const struct report *r, FILE *out)
{
	char size[32];

	counted_print(out, "metadata blocks verified", r->verifier.blocks,
		      r->minimum.blocks_verified);
	counted_print(out, "  of these by buffered reads", r->verifier.view_blocks[VIEW_BUFFERED],
		      0);
	counted_print(out, "  of these through a mapping", r->verifier.view_blocks[VIEW_MAPPED], 0);
	if (r->verifier.direct)
		counted_print(out, "  of these read O_DIRECT", r->verifier.view_blocks[VIEW_DIRECT],
			      0);
	else
		fputs("  device not readable with O_DIRECT: that view is missing\n", out);
	counted_print(out, "  by the daemon besides", r->daemon_reads, 0);
	fprintf(out, "  %-28s %15s   %.0f MB/s while verifying\n", "  read for that",
		size_format(r->verifier.bytes, size, sizeof(size)),
		clock_per_second(r->verifier.bytes, r->verifier.ns) / 1e6);
	counted_print(out, "mismatches", r->finding.count, 0);
}

static void rate_print(FILE *out, const char *label, uint64_t count, uint64_t ns, uint64_t minimum,
		       const char *remark)
{
	char number[32], least[32];

	fprintf(out, "  %-28s %15s   %.0f a second%s", label,
		count_format(count, number, sizeof(number)), clock_per_second(count, ns), remark);
	if (minimum)
		fprintf(out, ", at least %s needed", count_format(minimum, least, sizeof(least)));
	fputc('\n', out);
}

/* What the in-kernel filesystem brought into reach. */
static void neighbour_print(const struct report *r, FILE *out)
{
	const struct neighbour_stats *n = &r->neighbour;
	char number[32], moved[32];

	if (!r->options->neighbour) {
		fputs("  2019 race                    not reachable: no in-kernel lookups on this "
		      "device\n",
		      out);
		return;
	}
	fprintf(out, "neighbour %s%s, e2fsck clean %llu times\n", r->options->profile.text,
		r->neighbour_apart ? " on a device of its own" : "", (unsigned long long)n->checks);
	rate_print(out, "inode updates", n->updates, n->ns, 0,
		   n->raw ? ", each compared through the device" : "");
	rate_print(out, "buffer lookups", n->lookups, n->ns, 0, n->traced ? "" : " (not traced)");
	rate_print(out, "  past the per-CPU LRU", report_lookups_slow(r), n->ns, r->minimum.lookups,
		   "");
	if (n->traced)
		rate_print(out, "buffers dirtied", n->dirtied, n->ns, 0, " (from samples)");
	rate_print(out, "hot pages moved", r->migration.moved_neighbour, n->ns,
		   r->minimum.moved_neighbour, "");
	if (report_race_reachable(r))
		fprintf(out, "  %-28s reachable: %s lookups, %s moves of looked-up pages\n",
			"2019 race", count_format(n->lookups, number, sizeof(number)),
			count_format(r->migration.moved_neighbour, moved, sizeof(moved)));
	else
		fprintf(out, "  %-28s not reached: no looked-up page was moved\n", "2019 race");
	if (r->neighbour_failure.failed)
		fprintf(out, "neighbour: %s\n", r->neighbour_failure.text);
}

static void injection_print(const struct report *r, FILE *out)
{
	if (r->nb_injected)
		fprintf(out, "planted: an older %s block %llu of the neighbour\n",
			neighbour_block_name(r->options->nb_inject),
			(unsigned long long)r->nb_injection.block);
	if (r->options->inject == FAULT_NONE)
		return;
	if (!r->injected) {
		fprintf(out, "planted: nothing (no block would do for %s)\n",
			fault_kind_name(r->options->inject));
		return;
	}
	fprintf(out, "planted: %s in block %llu (%s): generation %llu where %llu is right\n",
		fault_kind_name(r->injection.kind), (unsigned long long)r->injection.block,
		tag_type_name(r->injection.type),
		(unsigned long long)r->injection.planted_generation,
		(unsigned long long)r->injection.expected_generation);
}

static void failure_print(const struct report *r, FILE *out)
{
	const struct workload_failure *f = &r->failure;

	if (!f->failed)
		return;
	fprintf(out, "worker %u, operation %llu: %s %s\n  %s\n", f->worker,
		(unsigned long long)f->op_index, f->operation, f->path, f->detail);
}

void report_finding_print(const struct report *r, FILE *out)
{
	const struct finding *f = &r->finding.record.finding;

	if (!r->finding.present || r->finding.workload)
		return;
	fprintf(out, "finding: block %llu is %s (where: churnfs)\n", (unsigned long long)f->block,
		fault_kind_name(f->kind));
	fprintf(out, "  type                %s, owner %llu\n", tag_type_name(f->type),
		(unsigned long long)f->owner);
	fprintf(out, "  expected generation %llu, checksum %08x\n",
		(unsigned long long)f->expected_generation, f->expected_crc);
	fprintf(out, "  found generation    %llu, checksum %08x, tag of block %llu\n",
		(unsigned long long)f->found_generation, f->found_crc,
		(unsigned long long)f->found_block);
	fprintf(out, "  seen by             %s, %.3f s after %s\n",
		r->finding.by_daemon ? "the daemon, reading it" : "a verifier",
		clock_seconds(r->finding.time_to_detect_ns),
		r->injected ? "it was planted" : "it was last written");
	fprintf(out, "  difference          %u bytes, %u bits (- expected, + found)\n",
		f->differing_bytes, f->differing_bits);
	hexdump_diff(out, r->finding.expected, r->finding.found, r->options->block_size,
		     DIFF_LINES_MAX);
}

void report_rerun_print(const struct report *r, FILE *out)
{
	static const char start[] = "the same seed without migration:";
	const struct report_rerun *rerun = &r->rerun;

	switch (rerun->outcome) {
	case RERUN_NONE:
		if (r->verdict == VERDICT_CORRUPT && !r->options->rerun && r->migration.moved)
			fputs("add --rerun to see whether the same happens without migration\n",
			      out);
		break;
	case RERUN_CLEAN:
		fprintf(out, "%s clean for %.0f s\n", start, clock_seconds(rerun->duration_ns));
		break;
	case RERUN_CORRUPT:
		fprintf(out, "%s also CORRUPT: not migration's fault (%s)\n", start, rerun->why);
		break;
	case RERUN_UNKNOWN:
		fprintf(out, "%s not known (%s)\n", start, rerun->why);
		break;
	}
}

void report_print(const struct report *r, FILE *out)
{
	char size[32];

	fprintf(out, "churnstress: %s %s, %s on %s, %u-byte blocks, seed %llu, %.1f s%s\n",
		r->kernel.sysname, r->kernel.release,
		size_format(r->device_bytes, size, sizeof(size)), r->device, r->options->block_size,
		(unsigned long long)r->options->seed, clock_seconds(r->duration_ns),
		r->interrupted ? " (interrupted)" : "");
	workload_print(r, out);
	migration_print(r, out);
	verify_print(r, out);
	neighbour_print(r, out);
	injection_print(r, out);
	report_finding_print(r, out);
	failure_print(r, out);
	if (r->kmsg[0])
		fprintf(out, "kernel log: %s\n", r->kmsg);
	if (r->evidence[0])
		fprintf(out, "%s: %s\n", r->verdict == VERDICT_PASS ? "kept in" : "evidence",
			r->evidence);
	if (r->verdict != VERDICT_PASS)
		fprintf(out, "again: %s\n", r->options->command);
	report_rerun_print(r, out);
	fprintf(out, "%s: %s\n", verdict_name(r->verdict), r->reason);
}
