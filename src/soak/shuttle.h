/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves the pages that the neighbour looks up all the time, and nearly nothing else, with each
 * write of compact_memory: for a race that is met in one of some thousand moves, what counts is how
 * often these few pages move.
 *
 * Compaction moves pages up, so before each they must come down again, and the places at the top
 * must be free. The driver of compact_memory has a staircase for many pages (filler.h); so few
 * would find room anywhere. Here all free places but some are taken by memory that compaction does
 * not move (lockedmem.h), and what is left goes round. For each CPU whose thread looks pages up:
 *
 *   evict   its pages; their places are the first that this CPU's page allocator gives out again,
 *   plug    so memory that is taken at once lies there.
 *           The neighbour reads its pages back, into the places that the last compaction left.
 *   flush   The plug is given back, and more memory after it: that pushes the plug's places out of
 *           the per-CPU list of free pages, where compaction would not see them.
 *
 * Compaction takes the highest places that it can get, so the plug is the top after a few rounds,
 * whatever places it began with. Measured with 64 pages: more than nine in ten move each time.
 *
 * One thread; no locks.
 */
#ifndef CHURNFS_SOAK_SHUTTLE_H
#define CHURNFS_SOAK_SHUTTLE_H

#include <stdint.h>

#include "soak/devpages.h"
#include "soak/migrate.h"

struct shuttle;

/*
 * For the hot pages of TARGET, taking at most MEMORY bytes. DP, and COMPACT_FD on compact_memory,
 * stay the caller's. Returns 0; -ENODATA when there are too few such pages to be worth it; another
 * negative errno when memory cannot be kept in place.
 */
int shuttle_create(const struct migrate_target *target, const struct devpages *dp, int compact_fd,
		   uint64_t memory, struct shuttle **shuttle);
void shuttle_free(struct shuttle *shuttle);

/* One round, counted in CYCLE. Returns 0, or a negative errno: of /proc, or -ECANCELED. */
int shuttle_cycle(struct shuttle *shuttle, struct migrate_cycle *cycle);

#endif
