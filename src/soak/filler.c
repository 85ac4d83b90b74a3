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
/* A free block of the kernel's largest order (MAX_ORDER, 10 where pages have 4 KiB). */
#define LARGEST_PAGES 1024u
/* Taken at once; a run that ends does not wait for the rest. */
#define PIECE_PAGES 4096u

enum fill_state { FILL_FREE, FILL_HELD };

/* A zone as a range of frames: compaction never moves a page out of its zone. */
struct zone {
	uint64_t start, end;
	size_t position, stop; /* the steps that are left, in filler.order */
	size_t device_pages;
};

struct filler {
	struct lockedmem memory;
	size_t base;	 /* pages, where no free places elsewhere are known */
	size_t room;	 /* the most that PAGES can be */
	size_t pages;	 /* held between climbs */
	uint64_t *pfn;	 /* by page of the filler */
	uint32_t *order; /* held pages, by frame number */
	size_t held;	 /* of them, when they were located last */
	uint8_t *state;	 /* enum fill_state, by page of the filler */
	size_t usable;	 /* pages above most of the device's, when steps were planned */
	size_t device_pages;
	unsigned zones;
	struct zone zone[ZONES_MAX];
};

/* Pages that are given back together. */
struct run {
	size_t start, len;
};

int filler_create(uint64_t bytes, uint64_t room, struct filler **out)
{
	struct filler *filler = calloc(1, sizeof(*filler));
	int rc;

	if (!filler)
		return -ENOMEM;
	filler->base = filler->pages = bytes / DEVPAGE_SIZE;
	filler->room = (room > bytes ? room : bytes) / DEVPAGE_SIZE;
	filler->pfn = calloc(filler->room, sizeof(*filler->pfn));
	filler->order = calloc(filler->room, sizeof(*filler->order));
	filler->state = calloc(filler->room, 1);
	rc = filler->pfn && filler->order && filler->state
		     ? lockedmem_create(&filler->memory, filler->room)
		     : -ENOMEM;
	if (rc) {
		filler_free(filler);
		return rc;
	}
	/* Used whole from now on, so that more filler does not make more of this. */
	memset(filler->pfn, 0xff, filler->room * sizeof(*filler->pfn));
	memset(filler->order, 0xff, filler->room * sizeof(*filler->order));
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
	return filler->base;
}

bool filler_sunk(const struct filler *filler)
{
	return filler->usable < filler->base / 2;
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

void filler_extend(struct filler *filler, size_t places)
{
	size_t most = filler->room - filler->pages;

	for (size_t i = 0; i < filler->pages && places; i++)
		places -= filler->state[i] == FILL_FREE;
	filler->pages += places < most ? places : most;
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

/* Where in filler.order the held pages begin that lie above FRAME. */
static size_t order_above(const struct filler *filler, uint64_t frame)
{
	size_t low = 0, high = filler->held;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (filler->pfn[filler->order[middle]] <= frame)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The steps of one zone start above the median of its device pages. */
static void zone_plan(struct filler *filler, struct zone *zone, const uint64_t *pfn, size_t count)
{
	size_t first = 0, last;

	while (first < count && pfn[first] < zone->start)
		first++;
	last = first;
	while (last < count && pfn[last] < zone->end)
		last++;
	zone->device_pages = last - first;
	zone->position = zone->stop = order_above(filler, zone->end - 1);
	if (!zone->device_pages)
		return;
	zone->position = order_above(filler, pfn[first + zone->device_pages / 2]);
	filler->usable += zone->stop - order_above(filler, pfn[first + zone->device_pages * 3 / 4]);
}

/* Takes what is free, and sorts what is held. */
static int take(struct filler *filler, const struct devpages *dp, const _Atomic bool *stop)
{
	int rc = free_pages_take(filler, stop);

	if (!rc)
		rc = devpages_locate_memory(dp, filler->memory.base, filler->pages, filler->pfn);
	if (!rc)
		filler->held = held_sort(filler);
	return rc;
}

int filler_refill(struct filler *filler, const struct devpages *dp, const uint64_t *pfn,
		  size_t count, const _Atomic bool *stop)
{
	int rc = take(filler, dp, stop);

	if (!rc)
		rc = zones_read(filler);
	if (rc)
		return rc;
	filler->device_pages = count;
	filler->usable = 0;
	for (unsigned i = 0; i < filler->zones; i++)
		zone_plan(filler, &filler->zone[i], pfn, count);
	return 0;
}

/* Whether all of a largest block is held that begins at filler.order[AT]. */
static bool whole_at(const struct filler *filler, size_t at)
{
	uint64_t first = filler->pfn[filler->order[at]];

	return first % LARGEST_PAGES == 0 && at + LARGEST_PAGES <= filler->held &&
	       filler->pfn[filler->order[at + LARGEST_PAGES - 1]] == first + LARGEST_PAGES - 1;
}

static size_t whole_pages(const struct filler *filler)
{
	size_t pages = 0;

	for (size_t at = 0; at < filler->held; at++)
		if (whole_at(filler, at))
			pages += LARGEST_PAGES;
	return pages;
}

/* Releases the largest block that begins at filler.order[AT]. */
static void whole_release(struct filler *filler, size_t at)
{
	struct run run = {0};

	for (size_t i = at; i < at + LARGEST_PAGES; i++) {
		filler->state[filler->order[i]] = FILL_FREE;
		run_add(filler, &run, filler->order[i]);
	}
	run_flush(filler, &run);
}

int filler_gather(struct filler *filler, const struct devpages *dp, size_t places,
		  const _Atomic bool *stop)
{
	size_t whole, before;
	int rc;

	filler_extend(filler, places);
	rc = take(filler, dp, stop);
	while (!rc && (whole = whole_pages(filler)) < filler->base) {
		before = filler->pages;
		filler_extend(filler, filler->base - whole);
		if (filler->pages == before)
			break;
		rc = take(filler, dp, stop);
	}
	return rc;
}

void filler_open_low(struct filler *filler, size_t pages)
{
	size_t end = 0, wanted = 0;

	while (end < filler->held && wanted < pages) {
		wanted += whole_at(filler, end) ? LARGEST_PAGES : 0;
		end++;
	}
	while (end--)
		if (whole_at(filler, end))
			whole_release(filler, end);
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
