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

/*
 * Of BYTES, and up to ROOM bytes if it is extended. Memory is taken by filler_refill(). Returns 0,
 * -ENOMEM or -EPERM.
 */
int filler_create(uint64_t bytes, uint64_t room, struct filler **filler);
void filler_free(struct filler *filler);

/* Without what it was extended by. */
size_t filler_pages(const struct filler *filler);

/*
 * The next refill takes so much more that PLACES free pages would be used up, as far as there is
 * room: free pages elsewhere, which compaction finds before it finds the steps.
 */
void filler_extend(struct filler *filler, size_t places);

/*
 * Extends it by PLACES, takes them, and takes more until it holds as many pages as were asked for
 * in whole free blocks of the kernel's largest order, or there is no more room. Returns 0,
 * -ECANCELED when *STOP became true, or the errno of reading /proc.
 */
int filler_gather(struct filler *filler, const struct devpages *dp, size_t places,
		  const _Atomic bool *stop);

/*
 * Releases PAGES in such blocks, the lowest ones, and the lowest of them last: the kernel uses
 * first what came back last. After filler_gather().
 */
void filler_open_low(struct filler *filler, size_t pages);

/*
 * Takes the released pages again, finds out where they lie, and plans the steps above the device
 * pages at PFN[0..count) (sorted, none absent): filler below their median stays where it is.
 * Returns 0, -ECANCELED when *STOP became true, or the errno of reading /proc.
 */
int filler_refill(struct filler *filler, const struct devpages *dp, const uint64_t *pfn,
		  size_t count, const _Atomic bool *stop);

/*
 * Releases the next step, about WANT pages in all zones together. Returns the pages released;
 * *TOP is set when no further step of that size is left where most of the device's pages are.
 */
size_t filler_release_step(struct filler *filler, size_t want, bool *top);

/* True when there is less than half of BYTES above three quarters of the device's pages. */
bool filler_sunk(const struct filler *filler);

#endif
