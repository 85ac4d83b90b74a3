/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What drivers have in common that make the kernel clear pageblocks. The kernel moves pages out of
 * the way of a huge page only when it has none that is free. So free memory is taken: as a part of
 * the pool of huge pages, which is quick, as much as may be held; what is left is put in pieces
 * (anchors.h), but for some low pageblocks. Then the device's pages are read back and land in
 * these, because gaps elsewhere are plugged (plug.h) and the kernel puts what user space reads
 * where whole pageblocks are free. Last, the driver asks for huge pages, or the like, and the
 * pages must make room. One thread; no locks.
 */
#ifndef CHURNFS_SOAK_SQUEEZE_H
#define CHURNFS_SOAK_SQUEEZE_H

#include "soak/anchors.h"
#include "soak/pageset.h"

struct plug;

#define SQUEEZE_BLOCK_BYTES (2ULL << 20)

struct squeeze {
	struct pageset set;
	struct anchors *anchors;
	struct plug *plug; /* NULL: not yet */
	size_t anchors_max;
	uint64_t plug_max;	   /* bytes */
	long ballast, ballast_max; /* huge pages that are held, and may be held */
	long pool;		   /* size of the pool without them */
	bool prepared;		   /* the thread that runs cycles has its priority */
	unsigned poor;		   /* cycles that moved little, in a row */
	size_t push, push_max;	   /* huge pages that the driver asks for */
	size_t blocks; /* pageblocks that are free when the device's pages are read back */
};

/* Returns 0 or a negative errno. */
int squeeze_open(struct squeeze *squeeze, const struct migrate_target *target);
void squeeze_close(struct squeeze *squeeze);

/*
 * One cycle. PUSH moves the pages and puts memory back as it was; it gets the number of huge
 * pages to ask for, at most squeeze->push_max. While memory is not in pieces yet a cycle works on
 * that, for a fraction of a second, and moves nothing. Returns 0 or a negative errno, as
 * anchors_take() or PUSH.
 */
int squeeze_cycle(struct squeeze *squeeze, int (*push)(void *arg, size_t blocks), void *arg,
		  struct migrate_cycle *cycle);

/* Another driver's turn: leaves memory as it was. */
void squeeze_pause(struct squeeze *squeeze);

/*
 * For migrate_driver.automatic: not where so much memory is free that putting it in pieces takes
 * longer than a turn.
 */
int squeeze_automatic(char *why, size_t len);

#endif
