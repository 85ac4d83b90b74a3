/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings pages of the device down, for compaction to move them up again (filler.h): they are
 * evicted and read back.
 *
 * Where they come to lie is for the kernel to choose. Pages that user space reads from a block
 * device are of the unmovable kind (GFP_USER, bdev_alloc()): they go into the free places of
 * pageblocks that the kernel has for such memory, wherever in the zone these are, for weeks maybe
 * near its top. Only if there are none does it turn other pageblocks into such: of the largest free
 * blocks, those that were freed last (__rmqueue_fallback() and __free_one_page() in
 * mm/page_alloc.c). So to arrange anew is to take the pages out of the cache, fill such places with
 * the pages of pipes (plug.h), release low large blocks of the filler, and read the pages back;
 * pages of a pipe among them keep these pageblocks as they are, for the evictions that follow.
 * Measured where the pages had come to lie high: 12 times as many moves.
 *
 * One thread calls; the work is done by some of its own. No locks.
 */
#ifndef CHURNFS_SOAK_LOWER_H
#define CHURNFS_SOAK_LOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soak/devpages.h"
#include "soak/filler.h"
#include "soak/migrate.h"

struct plug;

struct lower {
	const struct migrate_target *target;
	const struct devpages *dp;
	struct filler *filler;
	struct plug *plug; /* NULL: not needed so far */
	uint64_t plug_max; /* bytes */
	void *buf;
};

/* TARGET, DP and FILLER stay the caller's. PLUG_MAX: bytes in pipes. Returns 0 or -ENOMEM. */
int lower_open(struct lower *lower, const struct migrate_target *target, const struct devpages *dp,
	       struct filler *filler, uint64_t plug_max);
void lower_close(struct lower *lower);

/* True if the device is so small that arranging anew is done to all of it. */
bool lower_whole(const struct lower *lower);

/*
 * Brings PAGES[0..count) (sorted) down; with ARRANGE, where filler_gather() has just been called,
 * arranges anew first. Verifiers wait meanwhile. Returns 0, -ECANCELED when the run ends, or
 * -ENOMEM.
 */
int lower_pages(struct lower *lower, const uint32_t *pages, size_t count, bool arrange);

#endif
