/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory blocks taken offline and put back: the kernel must move everything out of the block that
 * holds most of the device's pages. One block at a time, never one at the end of its node and
 * zone, and never where there is no room for what it holds. It comes back also if the run is killed
 * meanwhile (offblock.h).
 *
 * A block in which there is memory that the kernel cannot move does not go, so the pages are first
 * brought out from among such (carry.h).
 *
 * Not part of "auto": a block comes back only if the kernel finds memory for that, and other
 * programs may fail meanwhile. Nothing that can be probed tells that this will not happen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/carry.h"
#include "soak/memblock.h"
#include "soak/migrate.h"
#include "soak/offblock.h"
#include "soak/pageset.h"

#define PAGES_MAX 4096u
/* Fewer of the device's pages in a block are not worth it. */
#define PAGES_MIN 16u
#define PAUSE_US 100000
/* Attempts without a success, in a row, before the driver gives up. */
#define FAILURES_MAX 256u

struct offline_state {
	const struct migrate_target *target;
	struct pageset set;
	struct carry *carry;
	struct memblocks blocks;
	struct offblock off;
	bool *failed; /* by number: blocks that failed lately are left out */
	size_t numbers;
	unsigned failures;
};

struct attempt {
	struct offline_state *s;
	struct migrate_cycle *cycle;
};

static int offline_probe(char *why, size_t len)
{
	struct memblocks blocks;
	unsigned candidates = 0;
	int rc = memblocks_read(&blocks);

	if (rc) {
		snprintf(why, len, "no memory blocks (CONFIG_MEMORY_HOTREMOVE)");
		return rc;
	}
	for (size_t i = 0; i < blocks.count; i++)
		candidates += memblocks_spare(&blocks, &blocks.block[i]);
	snprintf(why, len, "%u of %zu blocks may go for a moment", candidates, blocks.count);
	if (!candidates)
		snprintf(why, len, "none of %zu memory blocks may go", blocks.count);
	memblocks_free(&blocks);
	return candidates ? 0 : -ENODEV;
}

static int offline_automatic(char *why, size_t len)
{
	snprintf(why, len, "memory that went offline may fail to come back");
	return -EPERM;
}

static void offline_stop(void *arg)
{
	struct offline_state *s = arg;

	offblock_close(&s->off);
	carry_close(s->carry);
	memblocks_free(&s->blocks);
	pageset_close(&s->set);
	free(s->failed);
	free(s);
}

static int carry_begin(struct offline_state *s)
{
	int node[2], rc = memblocks_read(&s->blocks);

	if (rc)
		return rc;
	return carry_open(&s->set, memblocks_nodes(&s->blocks, node) ? node : NULL, &s->carry);
}

static int offline_start(const struct migrate_target *target, void **out)
{
	struct offline_state *s;
	int rc;

	/* A block that nobody would put back. */
	if (!target->sandbox)
		return -ENOTSUP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->target = target;
	offblock_open(&s->off, target->sandbox);
	rc = pageset_open(&s->set, target, PAGES_MAX);
	if (rc) {
		free(s);
		return rc;
	}
	rc = carry_begin(s);
	if (rc) {
		offline_stop(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* Room to remember which blocks failed: some may have come since. */
static int failed_extend(struct offline_state *s)
{
	size_t numbers = 0;
	bool *failed;

	for (size_t i = 0; i < s->blocks.count; i++)
		if (s->blocks.block[i].number >= numbers)
			numbers = s->blocks.block[i].number + 1;
	if (numbers <= s->numbers)
		return 0;
	failed = reallocarray(s->failed, numbers, sizeof(*failed));
	if (!failed)
		return -ENOMEM;
	memset(failed + s->numbers, 0, (numbers - s->numbers) * sizeof(*failed));
	s->failed = failed;
	s->numbers = numbers;
	return 0;
}

static bool lies_in(const struct memblock *block, uint64_t frame)
{
	return frame >= block->start && frame < block->end;
}

/* The block with most of the set's pages among those that may go; NULL: none is worth it. */
static const struct memblock *block_choose(struct offline_state *s)
{
	const struct memblock *best = NULL;
	size_t most = PAGES_MIN - 1;

	for (size_t i = 0; i < s->blocks.count; i++) {
		const struct memblock *block = &s->blocks.block[i];
		size_t pages = 0;

		if (s->failed[block->number] || !memblocks_spare(&s->blocks, block))
			continue;
		for (size_t p = 0; p < s->set.count; p++)
			pages += lies_in(block, s->set.before[p]);
		if (pages > most) {
			most = pages;
			best = block;
		}
	}
	return best;
}

/* What lies elsewhere, others may move. */
static void set_narrow(struct offline_state *s, const struct memblock *block)
{
	for (size_t p = 0; p < s->set.count; p++)
		if (!lies_in(block, s->set.before[p]))
			s->set.before[p] = DEVPAGE_ABSENT;
}

static int count_moved(void *arg)
{
	struct attempt *attempt = arg;

	return pageset_after(&attempt->s->set, attempt->cycle);
}

/* Off and on again; in between, CYCLE gets what has moved. */
static int block_cycle(struct offline_state *s, const struct memblock *block,
		       struct migrate_cycle *cycle)
{
	struct attempt attempt = {s, cycle};
	int went = -ECANCELED, rc;

	set_narrow(s, block);
	rc = offblock_trip(&s->off, block, count_moved, &attempt, &went);
	s->failures = went ? s->failures + 1 : 0;
	s->failed[block->number] = went;
	return rc;
}

/* The pages of the next attempt, and where they lie, in which blocks. */
static int attempt_prepare(struct offline_state *s)
{
	int rc = carry_pages(s->carry);

	if (rc)
		return rc;
	memblocks_free(&s->blocks);
	rc = memblocks_read(&s->blocks);
	if (!rc)
		rc = failed_extend(s);
	return rc ? rc : pageset_before(&s->set);
}

static int offline_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct offline_state *s = arg;
	const struct memblock *block;
	int rc;

	if (s->failures >= FAILURES_MAX)
		return -EBUSY;
	rc = attempt_prepare(s);
	if (rc)
		return rc;
	block = memblocks_room(&s->blocks) ? block_choose(s) : NULL;
	if (block)
		return block_cycle(s, block, cycle);
	/* Too little is free, or there are no pages worth it; those that failed get another chance.
	 */
	memset(s->failed, 0, s->numbers * sizeof(*s->failed));
	usleep(PAUSE_US);
	return 0;
}

const struct migrate_driver migrate_offline = {
	.name = "offline",
	.what = "memory blocks offline and online",
	.probe = offline_probe,
	.automatic = offline_automatic,
	.start = offline_start,
	.cycle = offline_cycle,
	.stop = offline_stop,
};
