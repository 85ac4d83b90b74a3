/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/squeeze.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "soak/cpus.h"
#include "soak/hugepool.h"
#include "soak/lockedmem.h"
#include "soak/memzones.h"
#include "soak/plug.h"
#include "util/clock.h"
#include "util/units.h"

/* Beside busy workers at the same priority, memory is never in pieces. */
#define DRIVER_NICE (-15)
#define PAGES_MAX 16384u
/* Of one cycle, on putting memory in pieces. */
#define ARRANGE_NS (300 * NS_PER_MS)
/* Pageblocks beyond those that the device's pages fill. */
#define BLOCKS_MORE 8u
/* Huge pages asked for beyond those that the device's pages fill: a few are free as it is. */
#define PUSH_MORE 16u
/* Of the memory that may be held, a driver's own huge pages get one at most. */
#define PUSH_PART 3u
#define PUSH_BLOCKS_MAX 256u
/* Of the memory that may be held, anchors and plug get at most one each. */
#define PARTS 16u
/* Cycles that move less than such a part, in a row: there are new gaps. */
#define POOR_PART 8u
#define POOR_MAX 3u
/* Of all memory, one is left alone. */
#define RESERVE_PART 32u
#define AUTO_FREE_MAX (4ULL << 30)

/* What remains beside anchors, plug, and the driver's own huge pages. */
static long ballast_limit(const struct squeeze *s, uint64_t memory_max)
{
	uint64_t others =
		s->anchors_max * ANCHOR_BYTES + s->plug_max + s->push_max * SQUEEZE_BLOCK_BYTES;

	return others < memory_max ? (long)((memory_max - others) / SQUEEZE_BLOCK_BYTES) : 0;
}

int squeeze_open(struct squeeze *s, const struct migrate_target *target)
{
	size_t pages = target->memory_max / 4 / DEVPAGE_SIZE;
	int rc;

	*s = (struct squeeze){0};
	rc = pageset_open(&s->set, target, pages < PAGES_MAX ? pages : PAGES_MAX);
	if (rc)
		return rc;
	s->blocks = (s->set.max >> MEMZONE_BLOCK_SHIFT) * 5 / 4 + BLOCKS_MORE;
	s->push_max = target->memory_max / PUSH_PART / SQUEEZE_BLOCK_BYTES;
	if (s->push_max > PUSH_BLOCKS_MAX)
		s->push_max = PUSH_BLOCKS_MAX;
	s->push = s->blocks + PUSH_MORE < s->push_max ? s->blocks + PUSH_MORE : s->push_max;
	s->plug_max = target->memory_max / PARTS;
	s->anchors_max = target->memory_max / PARTS / ANCHOR_BYTES;
	if (s->plug_max > PLUG_BYTES_MAX)
		s->plug_max = PLUG_BYTES_MAX;
	if (s->anchors_max > ANCHORS_MAX)
		s->anchors_max = ANCHORS_MAX;
	if (target->sandbox && access(HUGEPOOL_2M, W_OK) == 0)
		s->ballast_max = ballast_limit(s, target->memory_max);
	rc = anchors_create(&s->set.dp, s->anchors_max, &s->anchors);
	if (rc) {
		pageset_close(&s->set);
		return rc;
	}
	if (target->sandbox)
		lockedmem_allow(target->sandbox);
	return 0;
}

void squeeze_pause(struct squeeze *s)
{
	anchors_release(s->anchors);
	plug_free(s->plug);
	s->plug = NULL;
	if (s->ballast)
		hugepool_set(s->set.target->sandbox, HUGEPOOL_2M, s->pool);
	s->ballast = 0;
}

void squeeze_close(struct squeeze *s)
{
	squeeze_pause(s);
	anchors_free(s->anchors);
	pageset_close(&s->set);
}

/* So much memory stays with the kernel, in pieces: for everybody, and for pages to move to. */
static size_t reserve_blocks(const struct squeeze *s)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) >> MEMZONE_BLOCK_SHIFT;

	return memory / RESERVE_PART + 2 * s->blocks;
}

/* Takes what is free beyond the pageblocks that are wanted, as far as it may. */
static int ballast_take(struct squeeze *s)
{
	long room = s->ballast_max - s->ballast, now;
	long want = (long)memzones_free_blocks() - 2 * (long)s->blocks;
	int rc;

	if (want > room)
		want = room;
	if (want <= 0)
		return 0;
	if (!s->ballast)
		s->pool = hugepool_size(HUGEPOOL_2M);
	if (s->pool < 0)
		return (int)s->pool;
	rc = hugepool_set(s->set.target->sandbox, HUGEPOOL_2M, s->pool + s->ballast + want);
	now = hugepool_size(HUGEPOOL_2M);
	if (rc || now < 0)
		return rc ? rc : (int)now;
	s->ballast = now > s->pool ? now - s->pool : 0;
	return 0;
}

/* The gaps that the device's pages are in would be filled by them again. */
static int gaps_fill(struct squeeze *s)
{
	plug_free(s->plug);
	s->plug = NULL;
	s->poor = 0;
	pageset_evict_all(&s->set);
	return plug_create(s->plug_max, &s->plug);
}

/* Puts memory in pieces. Returns 1 when done, 0 if it needs more time, or a negative errno. */
static int arrange(struct squeeze *s)
{
	uint64_t end = clock_now_ns() + ARRANGE_NS;
	int rc;

	/* Before the ballast: this comes from where the kernel puts pages first. */
	if (!s->plug) {
		rc = anchors_take(s->anchors, s->blocks, reserve_blocks(s), end);
		if (rc <= 0)
			return rc;
	}
	rc = ballast_take(s);
	if (!rc && !s->plug)
		rc = gaps_fill(s);
	if (rc)
		return rc;
	rc = anchors_take(s->anchors, s->blocks, SIZE_MAX, end);
	if (rc <= 0)
		return rc;
	rc = s->poor >= POOR_MAX ? gaps_fill(s) : 0;
	if (!rc)
		rc = anchors_open(s->anchors, s->blocks);
	return rc ? rc : 1;
}

int squeeze_cycle(struct squeeze *s, int (*push)(void *arg, size_t blocks), void *arg,
		  struct migrate_cycle *cycle)
{
	int rc;

	if (!s->prepared)
		cpus_nice(DRIVER_NICE);
	s->prepared = true;
	rc = arrange(s);
	if (rc <= 0)
		return rc;
	pageset_choose(&s->set);
	rc = pageset_reread(&s->set);
	if (!rc)
		rc = pageset_before(&s->set);
	if (!rc)
		rc = push(arg, s->push);
	if (!rc)
		rc = pageset_after(&s->set, cycle);
	if (cycle->moved >= cycle->candidates / POOR_PART) {
		s->poor = 0;
		return rc;
	}
	/* What others have in memory may be easier to move: more until it is all out of the way. */
	s->poor++;
	s->push = 2 * s->push < s->push_max ? 2 * s->push : s->push_max;
	return rc;
}

int squeeze_automatic(char *why, size_t len)
{
	uint64_t bytes = memzones_free_blocks() * SQUEEZE_BLOCK_BYTES;
	char size[32];

	if (bytes <= AUTO_FREE_MAX)
		return 0;
	snprintf(why, len, "%s of free memory would have to be put in pieces first",
		 size_format(bytes, size, sizeof(size)));
	return -E2BIG;
}
