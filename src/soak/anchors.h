/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Free memory in pieces: one page, the anchor, is held in each pageblock that would be wholly free.
 * Then a huge page is to be had only where the kernel moves pages out of the way, and they go
 * beside anchors. Some megabytes of anchors do for gigabytes of memory: of each free pageblock all
 * but one page is given back at once.
 *
 * Anchors are locked (mlock(2)); with vm.compact_unevictable_allowed at 0 compaction leaves them
 * where they are. One thread; no locks.
 */
#ifndef CHURNFS_SOAK_ANCHORS_H
#define CHURNFS_SOAK_ANCHORS_H

#include <stddef.h>
#include <stdint.h>

#include "soak/devpages.h"

/* Each anchor is a mapping of its own; vm.max_map_count is 65,530. */
#define ANCHORS_MAX 30000u
/* Memory that one costs: itself, its mapping, and its part of page tables. */
#define ANCHOR_BYTES (2u * DEVPAGE_SIZE)

struct anchors;

/* For at most MAX anchors. DP, the caller's, tells where they lie. Returns 0 or -ENOMEM. */
int anchors_create(const struct devpages *dp, size_t max, struct anchors **anchors);
void anchors_free(struct anchors *anchors);

/*
 * Puts anchors into free pageblocks until there are ENOUGH anchors, or hardly more than BLOCKS are
 * free in each large zone, and hardly any elsewhere. Returns 1 when that is reached; 0 when END_NS
 * (of clock_now_ns()) came first: call it again; -ENOSPC when there is more free memory than
 * anchors for it; -ENOTSUP when the kernel gives no huge pages; or another negative errno.
 */
int anchors_take(struct anchors *anchors, size_t blocks, size_t enough, uint64_t end_ns);

/*
 * Releases the lowest anchors of each large zone until BLOCKS pageblocks are free there. Returns 0
 * or a negative errno.
 */
int anchors_open(struct anchors *anchors, size_t blocks);

/* Gives all of them back. */
void anchors_release(struct anchors *anchors);

#endif
