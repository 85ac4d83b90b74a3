/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that stands above the device's pages like a staircase, so that compaction has a step to
 * move them to, time and again.
 *
 * Compaction takes movable pages from the bottom of a zone and fills free pages in partly used
 * pageblocks from its top; a wholly free pageblock is no target. The filler is memory that it does
 * not move (lockedmem.h), released a band at a time from the bottom up, with one page kept in each
 * pageblock: each band is the next step. Measured: no other way of using compact_memory moves a
 * tenth as much.
 *
 * One thread; no locks.
 */
#ifndef CHURNFS_SOAK_FILLER_H
#define CHURNFS_SOAK_FILLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soak/devpages.h"
#include "soak/lockedmem.h"

struct filler;

/* BYTES of address space; memory is taken by filler_refill(). Returns 0, -ENOMEM or -EPERM. */
int filler_create(uint64_t bytes, struct filler **filler);
void filler_free(struct filler *filler);

size_t filler_pages(const struct filler *filler);

/* Gives all memory back: the next refill places it anew. */
void filler_release_all(struct filler *filler);

/*
 * Takes the released pages again, finds out where they lie, and plans the steps above the device
 * pages at PFN[0..count) (sorted, none absent): filler below their median is given back for good.
 * Returns 0, -ECANCELED when *STOP became true, or the errno of reading /proc.
 */
int filler_refill(struct filler *filler, const struct devpages *dp, const uint64_t *pfn,
		  size_t count, const _Atomic bool *stop);

/*
 * Releases the next step, about WANT pages in all zones together. Returns the pages released;
 * *TOP is set when no further step of that size is left where most of the device's pages are.
 */
size_t filler_release_step(struct filler *filler, size_t want, bool *top);

/* True when less than a quarter of the filler lies where it is of use. */
bool filler_sunk(const struct filler *filler);

#endif
