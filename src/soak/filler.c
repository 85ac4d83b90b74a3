/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/filler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2 MiB, the pageblock of the machines at hand. A smaller one only means more anchors than needed.
 */
#define BLOCK_SHIFT 9u
#define ZONES_MAX 8u
/* Taken at once; a run that ends does not wait for the rest. */
#define PIECE_PAGES 4096u

enum fill_state { FILL_FREE, FILL_HELD, FILL_DROPPED };

/* A zone as a range of frames: compaction never moves a page out of its zone. */
struct zone {
	uint64_t start, end;
	size_t position, stop; /* the steps that are left, in filler.order */
	size_t device_pages;
};

struct filler {
	struct lockedmem memory;
	size_t pages;
	uint64_t *pfn;	 /* by page of the filler */
	uint32_t *order; /* held pages, by frame number */
	uint8_t *state;	 /* enum fill_state, by page of the filler */
	size_t usable;	 /* pages in the steps when they were planned */
	size_t device_pages;
	unsigned zones;
	struct zone zone[ZONES_MAX];
};

/* Pages that are given back together. */
struct run {
	size_t start, len;
};

int filler_create(uint64_t bytes, struct filler **out)
{
	struct filler *filler = calloc(1, sizeof(*filler));
	int rc;

	if (!filler)
		return -ENOMEM;
	filler->pages = bytes / DEVPAGE_SIZE;
	filler->pfn = calloc(filler->pages, sizeof(*filler->pfn));
	filler->order = calloc(filler->pages, sizeof(*filler->order));
	filler->state = calloc(filler->pages, 1);
	rc = filler->pfn && filler->order && filler->state
		     ? lockedmem_create(&filler->memory, filler->pages)
		     : -ENOMEM;
	if (rc) {
		filler_free(filler);
		return rc;
	}
	*out = filler;
	return 0;
}

void filler_free(struct filler *filler)
{
	if (!filler)
		return;
	lockedmem_free(&filler->memory);
	free(filler->pfn);
	free(filler->order);
	free(filler->state);
	free(filler);
}

size_t filler_pages(const struct filler *filler)
{
	return filler->pages;
}

void filler_release_all(struct filler *filler)
{
	lockedmem_release(&filler->memory, 0, filler->pages);
	memset(filler->state, FILL_FREE, filler->pages);
}

bool filler_sunk(const struct filler *filler)
{
	return filler->usable < filler->pages / 4;
}

static void run_flush(struct filler *filler, struct run *run)
{
	if (run->len)
		lockedmem_release(&filler->memory, run->start, run->len);
	run->len = 0;
}

/* Neighbours in memory are often neighbours in the mapping too, upwards or downwards. */
static void run_add(struct filler *filler, struct run *run, size_t page)
{
	if (run->len && page == run->start + run->len) {
		run->len++;
	} else if (run->len && page + 1 == run->start) {
		run->start--;
		run->len++;
	} else {
		run_flush(filler, run);
		run->start = page;
		run->len = 1;
	}
}

/* Gives back for good what lies too low to be a step. */
static void order_drop(struct filler *filler, size_t from, size_t to)
{
	struct run run = {0};

	for (; from < to; from++) {
		filler->state[filler->order[from]] = FILL_DROPPED;
		run_add(filler, &run, filler->order[from]);
	}
	run_flush(filler, &run);
}

static int free_pages_take(struct filler *filler, const _Atomic bool *stop)
{
	size_t next;

	for (size_t i = 0; i < filler->pages; i = next) {
		next = i + 1;
		while (next < filler->pages && next < i + PIECE_PAGES &&
		       filler->state[next] == filler->state[i])
			next++;
		if (filler->state[i] != FILL_FREE)
			continue;
		if (*stop)
			return -ECANCELED;
		lockedmem_take(&filler->memory, i, next - i);
		memset(filler->state + i, FILL_HELD, next - i);
	}
	return 0;
}

static int compare_order(const void *a, const void *b, void *arg)
{
	const uint64_t *pfn = arg;
	uint64_t x = pfn[*(const uint32_t *)a], y = pfn[*(const uint32_t *)b];

	return x < y ? -1 : x > y;
}

static size_t held_sort(struct filler *filler)
{
	size_t held = 0;

	for (size_t i = 0; i < filler->pages; i++)
		if (filler->state[i] == FILL_HELD && filler->pfn[i] != DEVPAGE_ABSENT)
			filler->order[held++] = (uint32_t)i;
	qsort_r(filler->order, held, sizeof(*filler->order), compare_order, filler->pfn);
	return held;
}

static int zones_read(struct filler *filler)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long spanned = 0, value;
	char line[256];

	filler->zones = 0;
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " spanned %lu", &value) == 1)
			spanned = value;
		if (sscanf(line, " start_pfn: %lu", &value) == 1 && spanned &&
		    filler->zones < ZONES_MAX)
			filler->zone[filler->zones++] =
				(struct zone){.start = value, .end = value + spanned};
	}
	fclose(file);
	return 0;
}

/* The steps of one zone start above the median of its device pages. */
static void zone_plan(struct filler *filler, struct zone *zone, const uint64_t *pfn, size_t count,
		      size_t held)
{
	size_t first = 0, last, low = 0, at;
	uint64_t median = zone->end;

	while (first < count && pfn[first] < zone->start)
		first++;
	last = first;
	while (last < count && pfn[last] < zone->end)
		last++;
	zone->device_pages = last - first;
	if (zone->device_pages)
		median = pfn[first + zone->device_pages / 2];
	while (low < held && filler->pfn[filler->order[low]] < zone->start)
		low++;
	at = low;
	while (at < held && filler->pfn[filler->order[at]] <= median &&
	       filler->pfn[filler->order[at]] < zone->end)
		at++;
	order_drop(filler, low, at);
	zone->position = at;
	while (at < held && filler->pfn[filler->order[at]] < zone->end)
		at++;
	zone->stop = at;
	filler->usable += zone->stop - zone->position;
}

int filler_refill(struct filler *filler, const struct devpages *dp, const uint64_t *pfn,
		  size_t count, const _Atomic bool *stop)
{
	size_t held;
	int rc = free_pages_take(filler, stop);

	if (!rc)
		rc = devpages_locate_memory(dp, filler->memory.base, filler->pages, filler->pfn);
	if (!rc)
		rc = zones_read(filler);
	if (rc)
		return rc;
	held = held_sort(filler);
	filler->device_pages = count;
	filler->usable = 0;
	for (unsigned i = 0; i < filler->zones; i++)
		zone_plan(filler, &filler->zone[i], pfn, count, held);
	return 0;
}

/* Where in filler.order the pages end that lie in the pageblock of the one at zone->position. */
static size_t block_end(const struct filler *filler, const struct zone *zone)
{
	uint64_t block = filler->pfn[filler->order[zone->position]] >> BLOCK_SHIFT;
	size_t end = zone->position + 1;

	while (end < zone->stop && filler->pfn[filler->order[end]] >> BLOCK_SHIFT == block)
		end++;
	return end;
}

/*
 * The last page of each pageblock stays. After pageblocks that gave nothing, compaction looks at
 * every 32nd page only (stride in isolate_freepages(), mm/compaction.c): of the next one it finds
 * the half that is free from the beginning, but hardly anything behind a page that is held there.
 */
static size_t zone_release(struct filler *filler, struct zone *zone, size_t want)
{
	struct run run = {0};
	size_t released = 0;

	while (zone->position < zone->stop && released < want) {
		size_t end = block_end(filler, zone);

		for (; zone->position + 1 < end; zone->position++) {
			size_t page = filler->order[zone->position];

			filler->state[page] = FILL_FREE;
			run_add(filler, &run, page);
			released++;
		}
		zone->position = end;
	}
	run_flush(filler, &run);
	return released;
}

size_t filler_release_step(struct filler *filler, size_t want, bool *top)
{
	size_t released = 0;

	*top = false;
	for (unsigned i = 0; i < filler->zones; i++) {
		struct zone *zone = &filler->zone[i];
		size_t share = want * zone->device_pages / (filler->device_pages + 1);

		/* Slack for freed pages that stay in per-CPU lists. */
		if (zone->device_pages)
			released += zone_release(filler, zone, share + share / 16 + 512);
		if (zone->device_pages > filler->device_pages / 4 &&
		    zone->stop - zone->position < share / 2)
			*top = true;
	}
	return released;
}
