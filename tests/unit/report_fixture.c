/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "soak/judge.h"
#include "unit.h"
#include "util/clock.h"

#define DURATION_NS (60 * NS_PER_SEC)

static void driver_add(struct report *r, const char *name, uint64_t moved)
{
	r->driver[r->drivers++] = (struct migrate_stats){
		.name = name, .attempts = 10, .moved = moved, .ns = 5 * NS_PER_SEC};
}

void report_fixture_good(struct report_fixture *f)
{
	struct report *r = &f->report;

	memset(f, 0, sizeof(*f));
	f->options = (struct run_options){
		.neighbour = true,
		.inject = FAULT_NONE,
		.duration_ns = DURATION_NS,
		.block_size = 1024,
		.seed = 42,
		.profile.text = "ext4:bs=1024,nojournal",
		.command = "churnstress run --seed 42",
	};
	r->options = &f->options;
	r->duration_ns = DURATION_NS;
	r->start_s = 1700000000;
	r->kmsg_watched = true;
	strcpy(r->kernel.sysname, "Linux");
	strcpy(r->kernel.release, "6.1.0-test");
	strcpy(r->kernel.machine, "x86_64");
	strcpy(r->kernel.nodename, "node");
	strcpy(r->device, "/dev/loop7");
	judge_minimum(DURATION_NS, true, &r->minimum);
	r->migration.moved = r->minimum.pages_moved;
	r->migration.moved_with_buffers = r->minimum.pages_moved_with_buffers;
	r->migration.moved_neighbour = r->minimum.moved_neighbour;
	r->verifier.blocks = r->minimum.blocks_verified;
	r->workload.ops = r->minimum.operations;
	r->workload.verified_objects = 5;
	r->neighbour.lookups = r->minimum.lookups + 5;
	r->neighbour.lookups_lru = 5;
	r->neighbour.checks = 1;
	for (unsigned leg = 0; leg < NEIGHBOUR_LEGS; leg++)
		r->neighbour.leg[leg] = 10;
	driver_add(r, "compact", r->migration.moved - 1);
	driver_add(r, "numa", 1);
	judge_report(r);
}

static void hostile_set(char *text, size_t len)
{
	snprintf(text, len, "%s", HOSTILE_TEXT);
}

void report_fixture_hostile(struct report_fixture *f)
{
	struct report *r = &f->report;

	report_fixture_good(f);
	hostile_set(f->options.command, sizeof(f->options.command));
	hostile_set(f->options.profile.text, sizeof(f->options.profile.text));
	hostile_set(r->kernel.release, sizeof(r->kernel.release));
	hostile_set(r->kernel.nodename, sizeof(r->kernel.nodename));
	hostile_set(r->device, sizeof(r->device));
	hostile_set(r->evidence, sizeof(r->evidence));
	hostile_set(r->kmsg, sizeof(r->kmsg));
	hostile_set(r->trouble, sizeof(r->trouble));
	r->kernel_fault = true;
	r->failure.failed = true;
	r->failure.kind = WORKLOAD_MISMATCH;
	hostile_set(r->failure.operation, sizeof(r->failure.operation));
	hostile_set(r->failure.path, sizeof(r->failure.path));
	hostile_set(r->failure.detail, sizeof(r->failure.detail));
	r->neighbour_failure.failed = true;
	r->neighbour_failure.fault = NEIGHBOUR_CORRUPT;
	r->neighbour_failure.leg = NEIGHBOUR_XATTRS;
	hostile_set(r->neighbour_failure.text, sizeof(r->neighbour_failure.text));
	r->finding.present = true;
	memset(r->finding.found, '<', sizeof(r->finding.found));
	judge_report(r);
}

static bool once_in(struct rng *rng, uint64_t n)
{
	return rng_below(rng, n) == 0;
}

static void random_failures(struct report *r, struct rng *rng)
{
	static const int errors[] = {EIO, ENOMEM, ENOTCONN, ENOSPC};

	r->finding.present = once_in(rng, 8);
	r->finding.workload = once_in(rng, 2);
	r->failure.failed = r->finding.workload || once_in(rng, 8);
	r->failure.kind =
		r->finding.workload || once_in(rng, 2) ? WORKLOAD_MISMATCH : WORKLOAD_ERROR;
	r->failure.error = errors[rng_below(rng, sizeof(errors) / sizeof(errors[0]))];
	r->io_errors = once_in(rng, 4);
	r->neighbour_failure.failed = r->options->neighbour && once_in(rng, 8);
	r->neighbour_failure.fault = (enum neighbour_fault)(NEIGHBOUR_CORRUPT + rng_below(rng, 4));
	r->neighbour_failure.leg = (enum neighbour_leg)rng_below(rng, NEIGHBOUR_LEGS);
	r->kernel_fault = once_in(rng, 8);
	r->hung = once_in(rng, 16);
	r->daemon_died = once_in(rng, 16);
	if (r->hung || r->daemon_died || once_in(rng, 8) ||
	    (r->neighbour_failure.failed && r->neighbour_failure.fault == NEIGHBOUR_TROUBLE))
		strcpy(r->trouble, "trouble");
}

void report_fixture_random(struct report_fixture *f, struct rng *rng)
{
	struct report *r = &f->report;
	uint64_t *const reached[] = {&r->migration.moved,
				     &r->migration.moved_with_buffers,
				     &r->migration.moved_neighbour,
				     &r->verifier.blocks,
				     &r->workload.ops,
				     &r->neighbour.lookups};

	report_fixture_good(f);
	r->kmsg_watched = !once_in(rng, 4);
	if (once_in(rng, 4)) {
		f->options.neighbour = false;
		r->minimum.lookups = r->minimum.moved_neighbour = 0;
	}
	random_failures(r, rng);
	r->interrupted = once_in(rng, 8);
	for (size_t i = 0; i < sizeof(reached) / sizeof(reached[0]); i++)
		if (once_in(rng, 16))
			*reached[i] = i == 5 ? r->neighbour.lookups_lru : 0;
	if (once_in(rng, 8))
		f->options.inject = FAULT_STALE;
	r->injected = once_in(rng, 2);
	if (r->trouble[0] && once_in(rng, 4))
		r->duration_ns = 0;
	judge_report(r);
}

char *report_fixture_text(void (*print)(const struct report *report, FILE *out),
			  const struct report *report)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(memory);
	print(report, memory);
	ck_assert_int_eq(fclose(memory), 0);
	ck_assert_uint_eq(strlen(text), len);
	return text;
}
