/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's memory zones, and how much of each is wholly free. */
#ifndef CHURNFS_SOAK_MEMZONES_H
#define CHURNFS_SOAK_MEMZONES_H

#include <stdbool.h>
#include <stdint.h>

#define MEMZONES_MAX 32u
/* Pages of a pageblock, log2: a block that is wholly free can become a huge page as it is. */
#define MEMZONE_BLOCK_SHIFT 9u

struct memzone {
	int node;
	char name[16];
	uint64_t start, end;  /* frames */
	uint64_t managed;     /* pages that the kernel's allocator has here */
	uint64_t blocks_free; /* pageblocks that are wholly free */
};

/*
 * Fills ZONE with the zones that have memory, except DMA, which gives none to user space. Returns
 * how many there are, or a negative errno.
 */
int memzones_read(struct memzone zone[MEMZONES_MAX]);

/* True if ZONE is not much smaller than the largest: the device's pages may well lie here. */
bool memzone_large(const struct memzone *zone, unsigned zones, const struct memzone *which);

/* Pageblocks of all zones that are wholly free; 0 if that cannot be read. */
uint64_t memzones_free_blocks(void);

/*
 * Free pages in blocks smaller than a pageblock, of all zones but DMA: what single pages are taken
 * from first, and where compaction moves pages to. TYPE: only in pageblocks of this migrate type,
 * as in /proc/pagetypeinfo ("Movable"), or NULL. 0 if that cannot be read.
 */
uint64_t memzones_fragments(const char *type);

#endif
