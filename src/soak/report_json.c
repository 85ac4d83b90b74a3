/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON form of a report: an interface. Keys may be added, never change meaning. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "integrity/tag.h"
#include "soak/report.h"
#include "util/clock.h"
#include "util/replacement.h"

static json_int_t integer(uint64_t value)
{
	return (json_int_t)value;
}

static json_t *workload_json(const struct report *r)
{
	json_t *kinds = json_object();

	for (int i = 0; i < WORKLOAD_OP_KINDS; i++)
		if (r->workload.ops_by_kind[i])
			json_object_set_new(kinds, workload_op_name((enum workload_op)i),
					    json_integer(integer(r->workload.ops_by_kind[i])));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "ops", integer(r->workload.ops),
			 "bytes_written", integer(r->workload.bytes_written),
			 "bytes_read", integer(r->workload.bytes_read),
			 "verified_objects", integer(r->workload.verified_objects),
			 "verified_bytes", integer(r->workload.verified_bytes),
			 "enospc", integer(r->workload.enospc),
			 "workers", (json_int_t)r->workload.workers,
			 "ops_by_kind", kinds);
}

static json_t *driver_json(const struct migrate_stats *d)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I}",
			 "name", d->name,
			 "attempts", integer(d->attempts),
			 "candidates", integer(d->candidates),
			 "pages_moved", integer(d->moved),
			 "pages_moved_with_buffers", integer(d->moved_with_buffers),
			 "pages_moved_dirty", integer(d->moved_dirty),
			 "pages_moved_metadata", integer(d->moved_metadata),
			 "pages_moved_per_s", clock_per_second(d->moved, d->ns),
			 "time_s", clock_seconds(d->ns),
			 "error", (json_int_t)d->error);
}

static json_t *migration_json(const struct report *r)
{
	json_t *drivers = json_array();

	for (unsigned i = 0; i < r->drivers; i++)
		json_array_append_new(drivers, driver_json(&r->driver[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:o}",
			 "pages_moved", integer(r->migration.moved),
			 "pages_moved_with_buffers", integer(r->migration.moved_with_buffers),
			 "pages_moved_dirty", integer(r->migration.moved_dirty),
			 "pages_moved_metadata", integer(r->migration.moved_metadata),
			 "drivers", drivers);
}

static json_t *verify_json(const struct report *r)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:f}",
			 "blocks", integer(r->verifier.blocks),
			 "bytes", integer(r->verifier.bytes),
			 "mismatches", integer(r->finding.count),
			 "buffered_blocks", integer(r->verifier.view_blocks[VIEW_BUFFERED]),
			 "mapped_blocks", integer(r->verifier.view_blocks[VIEW_MAPPED]),
			 "direct_blocks", integer(r->verifier.view_blocks[VIEW_DIRECT]),
			 "daemon_blocks", integer(r->daemon_reads),
			 "direct", r->verifier.direct,
			 "time_s", clock_seconds(r->verifier.ns));
}

static json_t *block_finding_json(const struct report *r)
{
	const struct finding *f = &r->finding.record.finding;

	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s}",
			 "where", "churnfs",
			 "kind", fault_kind_name(f->kind),
			 "block", integer(f->block),
			 "type", tag_type_name(f->type),
			 "owner", integer(f->owner),
			 "expected_generation", integer(f->expected_generation),
			 "found_generation", integer(f->found_generation),
			 "found_block", integer(f->found_block),
			 "differing_bytes", (json_int_t)f->differing_bytes,
			 "differing_bits", (json_int_t)f->differing_bits,
			 "time_to_detect_s", clock_seconds(r->finding.time_to_detect_ns),
			 "evidence", r->evidence);
}

/* The workload's model disagrees: no block is known, so the keys of a block are null. */
static json_t *workload_finding_json(const struct report *r)
{
	const struct workload_failure *f = &r->failure;

	return json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:s, s:s, s:s, s:s}",
			 "where", "churnfs",
			 "kind", "workload",
			 "block",
			 "expected_generation",
			 "found_generation",
			 "time_to_detect_s",
			 "operation", f->operation,
			 "path", f->path,
			 "detail", f->detail,
			 "evidence", r->evidence);
}

static json_t *neighbour_json(const struct report *r)
{
	const struct neighbour_stats *n = &r->neighbour;

	if (!r->options->neighbour)
		return json_pack("{s:n}", "type");
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:f, s:f, s:f, s:f, s:f}",
			 "type", r->options->profile.text,
			 "apart", r->neighbour_apart,
			 "updates", integer(n->updates),
			 "verified", integer(n->verified),
			 "lookups", integer(n->lookups),
			 "lookups_lru", integer(n->lookups_lru),
			 "dirtied", integer(n->dirtied),
			 "traced", n->traced,
			 "checks", integer(n->checks),
			 "hot_pages_moved", integer(r->migration.moved_neighbour),
			 "updates_per_s", clock_per_second(n->updates, n->ns),
			 "lookups_per_s", clock_per_second(n->lookups, n->ns),
			 "dirtied_per_s", clock_per_second(n->dirtied, n->ns),
			 "hot_pages_moved_per_s", clock_per_second(r->migration.moved_neighbour, n->ns),
			 "time_s", clock_seconds(n->ns));
}

/* From the planting; without one, from the start of migration. */
static json_t *neighbour_time_json(const struct report *r)
{
	uint64_t since = r->nb_injected ? r->nb_injection.when_ns : r->migration_start_ns;
	uint64_t when = r->neighbour_failure.when_ns;

	return since && when >= since ? json_real(clock_seconds(when - since)) : json_null();
}

static json_t *neighbour_finding_json(const struct report *r)
{
	const struct neighbour_failure *f = &r->neighbour_failure;

	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:o, s:s, s:s}",
			 "where", "neighbour",
			 "kind", f->kind == FAULT_NONE ? "neighbour" : fault_kind_name(f->kind),
			 "block", integer(f->block),
			 "type", neighbour_block_name(f->type),
			 "offset", integer(f->offset),
			 "expected_generation", integer(f->expected_generation),
			 "found_generation", integer(f->found_generation),
			 "time_to_detect_s",
			 neighbour_time_json(r),
			 "detail", f->text,
			 "evidence", r->evidence);
}

static json_t *injection_json(const struct report *r)
{
	if (!r->injected)
		return json_pack("{s:s, s:s, s:I, s:s, s:I}",
				 "where", "neighbour",
				 "kind", fault_kind_name(FAULT_STALE),
				 "block", integer(r->nb_injection.block),
				 "type", neighbour_block_name(r->nb_injection.type),
				 "monotonic_ns", integer(r->nb_injection.when_ns));
	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I}",
			 "where", "churnfs",
			 "kind", fault_kind_name(r->injection.kind),
			 "block", integer(r->injection.block),
			 "type", tag_type_name(r->injection.type),
			 "expected_generation", integer(r->injection.expected_generation),
			 "planted_generation", integer(r->injection.planted_generation),
			 "monotonic_ns", integer(r->injection.when_ns));
}

static json_t *rerun_json(const struct report *r)
{
	static const char *const outcomes[] = {
		[RERUN_NONE] = "none",
		[RERUN_CLEAN] = "clean",
		[RERUN_CORRUPT] = "corrupt",
		[RERUN_UNKNOWN] = "unknown",
	};

	return json_pack("{s:s, s:f, s:s}",
			 "outcome", outcomes[r->rerun.outcome],
			 "duration_s", clock_seconds(r->rerun.duration_ns),
			 "reason", r->rerun.why);
}

static json_t *report_json(const struct report *r)
{
	json_t *root = json_pack(
		"{s:i, s:s, s:i, s:s, s:I, s:s, s:s, s:f, s:b, s:s, s:i, s:I}",
		"schema", REPORT_SCHEMA,
		"verdict", verdict_name(r->verdict),
		"exit", (int)r->verdict,
		"reason", r->reason,
		"seed", integer(r->options->seed),
		"command", r->options->command,
		"kernel", r->kernel.release,
		"duration_s", clock_seconds(r->duration_ns),
		"interrupted", r->interrupted,
		"device", r->device,
		"block_size", (int)r->options->block_size,
		"io_errors", integer(r->io_errors));

	if (!root)
		return NULL;
	json_object_set_new(root, "workload", workload_json(r));
	json_object_set_new(root, "migration", migration_json(r));
	json_object_set_new(root, "verify", verify_json(r));
	json_object_set_new(root, "neighbour", neighbour_json(r));
	json_object_set_new(root, "reach",
			    json_pack("{s:b}", "race_2019",
				      report_race_reachable(r)));
	json_object_set_new(root, "minimum",
			    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
				      "pages_moved", integer(r->minimum.pages_moved),
				      "pages_moved_with_buffers",
				      integer(r->minimum.pages_moved_with_buffers),
				      "blocks_verified", integer(r->minimum.blocks_verified),
				      "operations", integer(r->minimum.operations),
				      "lookups", integer(r->minimum.lookups),
				      "hot_pages_moved", integer(r->minimum.moved_neighbour)));
	if (r->injected || r->nb_injected)
		json_object_set_new(root, "injected", injection_json(r));
	if (r->finding.present)
		json_object_set_new(root, "finding", r->finding.workload
							     ? workload_finding_json(r)
							     : block_finding_json(r));
	else if (r->neighbour_failure.failed)
		json_object_set_new(root, "finding", neighbour_finding_json(r));
	if (r->rerun.outcome != RERUN_NONE)
		json_object_set_new(root, "rerun", rerun_json(r));
	if (r->kmsg[0])
		json_object_set_new(root, "kernel_log", json_string(r->kmsg));
	return root;
}

int report_json_write(const struct report *r, const char *path)
{
	json_t *root = report_json(r);
	struct replacement file;
	int rc;

	if (!root)
		return -ENOMEM;
	rc = replacement_begin(&file, path);
	if (!rc) {
		/* An error of the file stays set until the commit sees it. */
		json_dumpf(root, file.file, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		rc = replacement_commit(&file);
	}
	json_decref(root);
	return rc;
}
