/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every kind of fault in every view. The verifiers are those of a run, with shorter pauses between
 * their passes; the writer goes on all the time, so that they must tell a write from a fault.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "integrity/tag.h"
#include "soak/fault.h"
#include "soak/selftest.h"
#include "soak/selftest_bench.h"
#include "util/clock.h"

#define PERIOD_NS (NS_PER_MS / 2)
/* A pass that had begun may have been past the block already; the next one sees it. */
#define PASSES 2u
/* Not even one pass in so long: the machine cannot be used for this. */
#define STALL_NS (60 * NS_PER_SEC)
/* Versions of the block between the planted one and the right one. */
#define AGE_MAX 60u

static const enum fault_kind kinds[] = {FAULT_STALE,	   FAULT_BITFLIP, FAULT_TORN,
					FAULT_MISDIRECTED, FAULT_ZEROED,  FAULT_FOREIGN};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct selftest_views {
	struct selftest_result *result;
	struct selftest_row *row[KINDS][VERIFIER_VIEWS];
	struct bench bench;
	struct verifier *verifier;
};

/* One planting. */
struct trial {
	enum fault_kind kind;
	enum verifier_view view;
	uint64_t seed, block;
	uint64_t when_ns; /* of the planting */
	uint8_t old[CFS_BLOCK_SIZE_MAX];
	uint8_t bad[CFS_BLOCK_SIZE_MAX];
};

int selftest_views_open(struct selftest_result *result, struct selftest_views **out)
{
	struct selftest_views *views = calloc(1, sizeof(*views));
	int rc;

	if (!views)
		return -ENOMEM;
	views->result = result;
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned v = 0; v < VERIFIER_VIEWS; v++) {
			views->row[k][v] =
				selftest_row_add(result, fault_kind_name(kinds[k]),
						 verifier_view_name((enum verifier_view)v));
			if (!views->row[k][v]) {
				free(views);
				return -ENOMEM;
			}
		}
	rc = bench_open(&views->bench);
	if (rc) {
		snprintf(result->trouble, sizeof(result->trouble),
			 "cannot set up a loop device: %s", strerror(-rc));
		free(views);
		return rc;
	}
	*out = views;
	return 0;
}

void selftest_views_close(struct selftest_views *views)
{
	if (!views)
		return;
	bench_close(&views->bench);
	free(views);
}

static int verifier_begin(struct selftest_views *views)
{
	const struct verifier_options options = {
		.device = views->bench.device,
		.ledger = views->bench.ledger,
		.threads = 1,
		.period_ns = PERIOD_NS,
		.direct_period_ns = PERIOD_NS,
		.left_out = views->result->options->left_out,
		.quiet = true,
	};
	struct verifier_stats stats;
	int rc = verifier_start(&options, &views->verifier);

	if (rc)
		return rc;
	verifier_stats_get(views->verifier, &stats);
	return stats.direct ? 0 : -EOPNOTSUPP;
}

static void verifier_end(struct selftest_views *views)
{
	if (!views->verifier)
		return;
	verifier_stop(views->verifier);
	verifier_free(views->verifier);
	views->verifier = NULL;
}

/* Goes on writing until each view has been looked at PASSES times. */
static int passes_await(struct selftest_views *views)
{
	uint64_t end = clock_now_ns() + STALL_NS;
	struct verifier_stats first, now;
	bool done;

	verifier_stats_get(views->verifier, &first);
	do {
		int rc = bench_update(&views->bench);

		if (rc)
			return rc;
		if (clock_now_ns() > end)
			return -ETIMEDOUT;
		verifier_stats_get(views->verifier, &now);
		if (now.io_errors)
			return -EIO;
		done = true;
		for (unsigned v = 0; v < VERIFIER_VIEWS; v++)
			done &= views->result->options->left_out & 1u << v ||
				now.view_passes[v] - first.view_passes[v] >= PASSES;
	} while (!done);
	return 0;
}

/* Keeps a version of the block, and makes some more, of which the last is not written yet. */
static int versions_make(struct bench *bench, struct trial *t)
{
	uint64_t age = 1 + rng_below(&bench->rng, AGE_MAX);
	int rc = 0;

	memcpy(t->old, bench->now[t->block], bench->geometry.block_size);
	for (uint64_t i = 1; i < age && !rc; i++)
		rc = bench_rewrite(bench, t->block);
	bench_next(bench, t->block);
	return rc;
}

/*
 * A flipped bit in a sector's stamp may make it that of an earlier version. That is what a torn
 * block looks like, and whoever calls it so is not wrong.
 */
static bool looks_torn(const struct bench *bench, const struct trial *t)
{
	uint32_t history[LEDGER_HISTORY_MAX];
	unsigned versions = ledger_history(bench->ledger, t->block, history);
	struct ledger_snapshot snap;

	ledger_snapshot(bench->ledger, t->block, &snap);
	for (uint32_t i = 0; i < bench->geometry.block_size / CFS_SECTOR_SIZE; i++) {
		uint32_t stamp = tag_sector_stamp(t->bad, i);

		if (stamp == (uint32_t)snap.generation)
			return true;
		for (unsigned k = 0; k < versions; k++)
			if (stamp == history[k])
				return true;
	}
	return false;
}

static int fault_choose(struct bench *bench, struct trial *t)
{
	uint32_t bs = bench->geometry.block_size;
	uint64_t other = (t->block + 1 + rng_below(&bench->rng, BENCH_BLOCKS - 1)) % BENCH_BLOCKS;
	const struct fault_source from = {.old = t->old, .other = bench->now[other]};

	do {
		memcpy(t->bad, bench->now[t->block], bs);
		if (!fault_make(t->kind, bs, &from, &bench->rng, t->bad))
			return -EINVAL;
	} while (t->kind == FAULT_BITFLIP && looks_torn(bench, t));
	return 0;
}

/* The verifiers run, and have found nothing so far. */
static int trial_plant(struct selftest_views *views, struct trial *t)
{
	struct bench *bench = &views->bench;
	const struct bench_planting planting = {
		.view = t->view,
		.block = t->block,
		.good = bench->now[t->block],
		.bad = t->bad,
	};
	int rc = fault_choose(bench, t);

	if (rc)
		return rc;
	rc = bench_plant(bench, verifier_device_get(views->verifier), &planting);
	t->when_ns = clock_now_ns();
	return rc;
}

/* What the verifiers have said, against what was done. */
static void trial_judge(struct selftest_views *views, const struct trial *t,
			struct selftest_row *row)
{
	const struct ledger_finding *record;
	const void *expected, *found;
	struct verifier_stats stats;
	uint32_t bs = views->bench.geometry.block_size;
	bool named = true;

	record = ledger_finding_get(views->bench.ledger, 0, &expected, &found);
	if (!record) {
		selftest_wrong(views->result, "seed %llu: %s, shown by the %s view alone: missed",
			       (unsigned long long)t->seed, row->kind, row->view);
		return;
	}
	row->ns[row->caught++] = record->when_ns > t->when_ns ? record->when_ns - t->when_ns : 0;
	verifier_stats_get(views->verifier, &stats);
	for (unsigned v = 0; v < VERIFIER_VIEWS; v++)
		named &= (v == t->view) == (stats.view_mismatches[v] > 0);
	named &= record->finding.kind == t->kind && record->finding.block == t->block &&
		 memcmp(found, t->bad, bs) == 0 &&
		 memcmp(expected, views->bench.now[t->block], bs) == 0;
	row->named += named;
	if (!named)
		selftest_wrong(views->result,
			       "seed %llu: %s in block %llu, shown by the %s view alone: reported "
			       "as %s in block %llu; mismatches: %llu buffered, %llu mapped, %llu "
			       "direct",
			       (unsigned long long)t->seed, row->kind, (unsigned long long)t->block,
			       row->view, fault_kind_name(record->finding.kind),
			       (unsigned long long)record->finding.block,
			       (unsigned long long)stats.view_mismatches[VIEW_BUFFERED],
			       (unsigned long long)stats.view_mismatches[VIEW_MAPPED],
			       (unsigned long long)stats.view_mismatches[VIEW_DIRECT]);
}

static bool anything_reported(struct selftest_views *views)
{
	return ledger_finding_count(views->bench.ledger) > 0;
}

/* A clean round, a planting, and a round to find it in. */
static int trial_rounds(struct selftest_views *views, struct trial *t, struct selftest_row *row)
{
	struct bench *bench = &views->bench;
	uint64_t per_page = BENCH_PAGE / bench->geometry.block_size;
	int rc;

	bench->held = t->block / per_page * per_page;
	bench->held_count = per_page;
	rc = passes_await(views);
	if (rc)
		return rc;
	row->clean_rounds++;
	if (anything_reported(views)) {
		row->false_alarms++;
		selftest_wrong(views->result, "seed %llu: a fault was reported where none was",
			       (unsigned long long)t->seed);
		return 0;
	}
	rc = trial_plant(views, t);
	if (rc)
		return rc;
	row->planted++;
	rc = passes_await(views);
	if (!rc)
		trial_judge(views, t, row);
	return rc;
}

static int trial_run(struct selftest_views *views, struct trial *t, struct selftest_row *row)
{
	int rc;

	t->block = rng_below(&views->bench.rng, BENCH_BLOCKS);
	rc = versions_make(&views->bench, t);
	if (!rc)
		rc = verifier_begin(views);
	if (!rc)
		rc = trial_rounds(views, t, row);
	verifier_end(views);
	return rc;
}

int selftest_views_seed(struct selftest_views *views, uint64_t seed)
{
	static const uint32_t block_sizes[] = {1024, 2048, 4096};
	int rc = 0;

	for (unsigned i = 0; i < KINDS * VERIFIER_VIEWS && !rc; i++) {
		struct trial trial = {
			.kind = kinds[i / VERIFIER_VIEWS],
			.view = (enum verifier_view)(i % VERIFIER_VIEWS),
			.seed = seed,
		};

		rc = bench_renew(&views->bench, seed * KINDS * VERIFIER_VIEWS + i,
				 block_sizes[seed % 3]);
		if (!rc)
			rc = trial_run(views, &trial, views->row[i / VERIFIER_VIEWS][trial.view]);
	}
	if (rc)
		snprintf(views->result->trouble, sizeof(views->result->trouble),
			 "the loop device cannot be used: %s", strerror(-rc));
	return rc;
}
