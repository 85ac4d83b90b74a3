/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/judge.h"

#include <errno.h>
#include <string.h>

#include "integrity/tag.h"
#include "util/clock.h"
#include "util/units.h"

/* Per second of the run; and at least what ten seconds ask for. */
#define MOVED_PER_SECOND 100u
#define VERIFIED_PER_SECOND 1000u
#define OPERATIONS_PER_SECOND 10u
/* With a neighbour: lookups past the per-CPU LRU, and moves of pages that are looked up. */
#define LOOKUPS_PER_SECOND 1000u
#define MOVED_NEIGHBOUR_PER_SECOND 1u
#define SECONDS_MIN 10u

void judge_minimum(uint64_t duration_ns, bool neighbour, struct report_minimum *minimum)
{
	uint64_t s = duration_ns / NS_PER_SEC;

	if (s < SECONDS_MIN)
		s = SECONDS_MIN;
	minimum->pages_moved = s * MOVED_PER_SECOND;
	minimum->pages_moved_with_buffers = minimum->pages_moved / 2;
	minimum->blocks_verified = s * VERIFIED_PER_SECOND;
	minimum->operations = s * OPERATIONS_PER_SECOND;
	minimum->lookups = neighbour ? s * LOOKUPS_PER_SECOND : 0;
	minimum->moved_neighbour = neighbour ? s * MOVED_NEIGHBOUR_PER_SECOND : 0;
}

/* An error that says nothing of the data: the daemon is gone, or the machine is short of something.
 */
static bool error_is_environment(const struct report *r)
{
	if (r->daemon_died)
		return true;
	switch (r->failure.error) {
	case ENOTCONN:
	case ECONNABORTED:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return true;
	case EIO:
		/* The daemon answers EIO for a bad block, which it has then reported as a finding.
		 */
		return r->io_errors > 0;
	default:
		return false;
	}
}

bool judge_workload_corrupt(const struct report *r)
{
	return r->failure.failed &&
	       (r->failure.kind == WORKLOAD_MISMATCH || !error_is_environment(r));
}

static bool corrupt(const struct report *r)
{
	if (r->finding.present)
		return true;
	if (r->neighbour_failure.failed && (r->neighbour_failure.fault == NEIGHBOUR_CORRUPT ||
					    r->neighbour_failure.fault == NEIGHBOUR_FSCK))
		return true;
	return judge_workload_corrupt(r);
}

static void reason_corrupt(struct report *r)
{
	const struct finding *f = &r->finding.record.finding;

	if (!r->finding.present && r->neighbour_failure.failed)
		snprintf(r->reason, sizeof(r->reason), "%s", r->neighbour_failure.text);
	else if (r->finding.present && !r->finding.workload)
		snprintf(r->reason, sizeof(r->reason),
			 "%s block %llu is %s: expected generation %llu, found %llu",
			 tag_type_name(f->type), (unsigned long long)f->block,
			 fault_kind_name(f->kind), (unsigned long long)f->expected_generation,
			 (unsigned long long)f->found_generation);
	else
		snprintf(r->reason, sizeof(r->reason), "%.200s of %.100s: %.180s",
			 r->failure.operation, r->failure.path, r->failure.detail);
}

void judge_exercises(const struct report *r, struct judge_exercise exercises[JUDGE_EXERCISES])
{
	const struct judge_exercise all[JUDGE_EXERCISES] = {
		[JUDGE_PAGES_MOVED] = {"of the device's own pages moved", r->migration.moved,
				       r->minimum.pages_moved},
		[JUDGE_PAGES_MOVED_WITH_BUFFERS] = {"of the moved pages carried buffers",
						    r->migration.moved_with_buffers,
						    r->minimum.pages_moved_with_buffers},
		[JUDGE_BLOCKS_VERIFIED] = {"metadata blocks verified", r->verifier.blocks,
					   r->minimum.blocks_verified},
		[JUDGE_OPERATIONS] = {"operations done", r->workload.ops, r->minimum.operations},
		[JUDGE_LOOKUPS] = {"buffer lookups of the neighbour went past the per-CPU LRU",
				   report_lookups_slow(r), r->minimum.lookups},
		[JUDGE_MOVED_NEIGHBOUR] = {"of the neighbour's looked-up pages moved",
					   r->migration.moved_neighbour,
					   r->minimum.moved_neighbour},
	};

	memcpy(exercises, all, sizeof(all));
}

/* The first thing that is missing for a PASS, in words; false when nothing is. */
static bool inconclusive(struct report *r)
{
	struct judge_exercise items[JUDGE_EXERCISES];
	char reached[32], needed[32];

	if (r->interrupted) {
		snprintf(r->reason, sizeof(r->reason), "interrupted after %.1f s; clean until then",
			 clock_seconds(r->duration_ns));
		return true;
	}
	judge_exercises(r, items);
	for (size_t i = 0; i < JUDGE_EXERCISES; i++) {
		if (items[i].reached >= items[i].needed)
			continue;
		snprintf(r->reason, sizeof(r->reason), "clean, but only %s %s (at least %s needed)",
			 count_format(items[i].reached, reached, sizeof(reached)), items[i].what,
			 count_format(items[i].needed, needed, sizeof(needed)));
		return true;
	}
	if (r->options->inject != FAULT_NONE || r->options->nb_inject != NEIGHBOUR_BLOCK_NONE) {
		/* A planted fault that nobody saw, or none planted: the detector was not tested. */
		snprintf(r->reason, sizeof(r->reason),
			 r->injected || r->nb_injected ? "the planted fault was not found"
						       : "no fault could be planted");
		return true;
	}
	return false;
}

static bool filesystem_error(const struct report *r)
{
	return r->neighbour_failure.failed && r->neighbour_failure.fault == NEIGHBOUR_FS_ERROR;
}

enum verdict judge_so_far(const struct report *r)
{
	if (corrupt(r))
		return VERDICT_CORRUPT;
	if (filesystem_error(r) || r->hung || r->kernel_fault)
		return VERDICT_KERNEL_FAULT;
	if (r->trouble[0] || r->failure.failed)
		return VERDICT_ERROR;
	return VERDICT_PASS;
}

static void reason_kernel(struct report *r)
{
	const char *text = r->kmsg;

	if (filesystem_error(r))
		text = r->neighbour_failure.text;
	else if (r->hung)
		text = r->trouble;
	snprintf(r->reason, sizeof(r->reason), "%s", text);
}

static void reason_error(struct report *r)
{
	if (r->trouble[0])
		snprintf(r->reason, sizeof(r->reason), "%s", r->trouble);
	else
		snprintf(r->reason, sizeof(r->reason), "%.200s: %.200s", r->failure.operation,
			 r->failure.detail);
}

void judge_report(struct report *r)
{
	char moved[32], verified[32];

	r->verdict = judge_so_far(r);
	if (r->verdict == VERDICT_CORRUPT)
		reason_corrupt(r);
	else if (r->verdict == VERDICT_KERNEL_FAULT)
		reason_kernel(r);
	else if (r->verdict == VERDICT_ERROR)
		reason_error(r);
	else if (inconclusive(r))
		r->verdict = VERDICT_INCONCLUSIVE;
	else
		snprintf(r->reason, sizeof(r->reason),
			 "%s page moves, %s block verifications, nothing lost",
			 count_format(r->migration.moved, moved, sizeof(moved)),
			 count_format(r->verifier.blocks, verified, sizeof(verified)));
}
