/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/anchors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "soak/memzones.h"
#include "util/clock.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define BLOCK_BYTES ((size_t)DEVPAGE_SIZE << MEMZONE_BLOCK_SHIFT)
/* Free pageblocks that are not worth the trouble. */
#define SLACK 8u
/* Taken between two looks at how many are left. */
#define BATCH 32u

struct anchors {
	const struct devpages *dp;
	char *area;   /* a page for each anchor */
	char *window; /* where a huge page is faulted in, in the middle of twice its size */
	void *window_map;
	size_t max, held;
	uint64_t *pfn; /* by anchor; DEVPAGE_ABSENT: none */
	uint32_t *spare;
	uint32_t *order; /* scratch, for sorting */
	bool any;	 /* a huge page was had, ever */
};

static void *reserve(void *at, size_t bytes)
{
	return mmap(at, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
}

int anchors_create(const struct devpages *dp, size_t max, struct anchors **out)
{
	struct anchors *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->dp = dp;
	a->max = max;
	a->area = reserve(NULL, max * DEVPAGE_SIZE);
	a->window_map = reserve(NULL, 2 * BLOCK_BYTES);
	a->pfn = calloc(max, sizeof(*a->pfn));
	a->spare = calloc(max, sizeof(*a->spare));
	a->order = calloc(max, sizeof(*a->order));
	if (a->area == MAP_FAILED || a->window_map == MAP_FAILED || !a->pfn || !a->spare ||
	    !a->order) {
		anchors_free(a);
		return -ENOMEM;
	}
	a->window = (char *)(((uintptr_t)a->window_map + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1));
	for (size_t i = 0; i < max; i++) {
		a->pfn[i] = DEVPAGE_ABSENT;
		a->spare[i] = (uint32_t)(max - 1 - i);
	}
	*out = a;
	return 0;
}

void anchors_free(struct anchors *a)
{
	if (!a)
		return;
	if (a->area != MAP_FAILED)
		munmap(a->area, a->max * DEVPAGE_SIZE);
	if (a->window_map != MAP_FAILED)
		munmap(a->window_map, 2 * BLOCK_BYTES);
	free(a->pfn);
	free(a->spare);
	free(a->order);
	free(a);
}

/* A fresh huge page in the window. Returns 0; -EAGAIN when the kernel gave a small page. */
static int huge_page_take(struct anchors *a, uint64_t *pfn)
{
	uint64_t at[2];
	int rc;

	/* Replaces what was there, so that nobody else's mapping can slip in between. */
	if (mmap(a->window, BLOCK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	if (madvise(a->window, BLOCK_BYTES, MADV_HUGEPAGE))
		return -ENOTSUP;
	*(volatile char *)a->window = 1;
	rc = devpages_locate_memory(a->dp, a->window, 2, at);
	if (rc)
		return rc;
	/* Only the first page was touched: the second is there if it came with it. */
	*pfn = at[0];
	return at[0] != DEVPAGE_ABSENT && at[1] == at[0] + 1 ? 0 : -EAGAIN;
}

/* Puts an anchor into one pageblock that was free. */
static int anchor_add(struct anchors *a)
{
	uint32_t slot = a->spare[a->max - 1 - a->held];
	char *page = a->area + (size_t)slot * DEVPAGE_SIZE;
	uint64_t pfn = DEVPAGE_ABSENT;
	int rc = huge_page_take(a, &pfn);

	if (rc)
		return rc;
	/* Splits it; else its pages would not be free before all of them are. */
	madvise(a->window, DEVPAGE_SIZE, MADV_COLD);
	if (mremap(a->window, DEVPAGE_SIZE, DEVPAGE_SIZE,
		   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, page) == MAP_FAILED)
		return errno == EINVAL ? -ENOTSUP : -errno;
	a->pfn[slot] = pfn;
	a->held++;
	/* Without it, it only costs more moves. */
	(void)mlock(page, DEVPAGE_SIZE);
	return 0;
}

static void anchor_forget(struct anchors *a, uint32_t slot)
{
	a->pfn[slot] = DEVPAGE_ABSENT;
	a->spare[a->max - a->held--] = slot;
}

static void anchor_remove(struct anchors *a, uint32_t slot)
{
	reserve(a->area + (size_t)slot * DEVPAGE_SIZE, DEVPAGE_SIZE);
	anchor_forget(a, slot);
}

void anchors_release(struct anchors *a)
{
	reserve(a->area, a->max * DEVPAGE_SIZE);
	for (uint32_t slot = 0; slot < a->max; slot++)
		if (a->pfn[slot] != DEVPAGE_ABSENT)
			anchor_forget(a, slot);
}

static uint64_t blocks_wanted(const struct memzone *zone, int zones, int which, size_t blocks)
{
	return memzone_large(zone, (unsigned)zones, &zone[which]) ? blocks : 0;
}

/* Pageblocks that are free beyond what is wanted. */
static uint64_t blocks_excess(const struct memzone *zone, int zones, size_t blocks)
{
	uint64_t excess = 0;

	for (int i = 0; i < zones; i++) {
		uint64_t want = blocks_wanted(zone, zones, i, blocks) + SLACK;

		if (zone[i].blocks_free > want)
			excess += zone[i].blocks_free - want;
	}
	return excess;
}

/* Returns 0; 1 when there were fewer, for the kernel keeps some to itself; or an errno. */
static int blocks_take(struct anchors *a, uint64_t count)
{
	int rc = 0;

	while (count-- && !rc) {
		if (a->held == a->max)
			return -ENOSPC;
		rc = anchor_add(a);
		a->any |= rc == 0;
	}
	reserve(a->window, BLOCK_BYTES);
	if (rc == -EAGAIN)
		rc = a->any ? 1 : -ENOTSUP;
	return rc;
}

static int compare_order(const void *x, const void *y, void *arg)
{
	const uint64_t *pfn = arg;
	uint64_t p = pfn[*(const uint32_t *)x], q = pfn[*(const uint32_t *)y];

	return p < q ? -1 : p > q;
}

/* Releases the lowest anchors of each zone that has too few free pageblocks. */
static void lowest_release(struct anchors *a, struct memzone *zone, int zones, size_t blocks)
{
	size_t held = 0;

	for (uint32_t slot = 0; slot < a->max; slot++)
		if (a->pfn[slot] != DEVPAGE_ABSENT)
			a->order[held++] = slot;
	qsort_r(a->order, held, sizeof(*a->order), compare_order, a->pfn);
	for (size_t i = 0; i < held; i++) {
		uint64_t pfn = a->pfn[a->order[i]];

		for (int z = 0; z < zones; z++) {
			if (pfn < zone[z].start || pfn >= zone[z].end)
				continue;
			if (zone[z].blocks_free >= blocks_wanted(zone, zones, z, blocks))
				continue;
			zone[z].blocks_free++;
			anchor_remove(a, a->order[i]);
			break;
		}
	}
}

int anchors_take(struct anchors *a, size_t blocks, size_t enough, uint64_t end_ns)
{
	struct memzone zone[MEMZONES_MAX];
	int rc = 0;

	while (!rc && a->held < enough) {
		int zones = memzones_read(zone);
		uint64_t excess;

		if (zones < 0)
			return zones;
		excess = blocks_excess(zone, zones, blocks);
		if (!excess)
			break;
		if (clock_now_ns() >= end_ns)
			return 0;
		rc = blocks_take(a, excess < BATCH ? excess : BATCH);
	}
	return rc < 0 ? rc : 1;
}

int anchors_open(struct anchors *a, size_t blocks)
{
	struct memzone zone[MEMZONES_MAX];
	int zones = memzones_read(zone);

	if (zones < 0)
		return zones;
	lowest_release(a, zone, zones, blocks);
	return 0;
}
