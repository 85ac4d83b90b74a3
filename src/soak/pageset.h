/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pages that one cycle of a driver is about: chosen, read back to where free memory is, looked
 * at before and after whatever makes the kernel move them. One thread; no locks.
 */
#ifndef CHURNFS_SOAK_PAGESET_H
#define CHURNFS_SOAK_PAGESET_H

#include "soak/hotpages.h"
#include "soak/migrate.h"

struct pageset {
	const struct migrate_target *target;
	struct devpages dp;
	size_t max, count;
	uint32_t *pages; /* sorted */
	uint64_t *before, *after, *scratch;
	uint8_t *flags;
	void *buf;
	size_t next;  /* first page of the next window of the whole device */
	bool hot_now; /* the present choice is of hot pages */
};

/* For at most MAX pages. Returns 0 or a negative errno. */
int pageset_open(struct pageset *set, const struct migrate_target *target, size_t max);
void pageset_close(struct pageset *set);

/*
 * Chooses by turns the hot pages (see hotpages_choose()) and a window of the whole device, which
 * wanders. Without hot pages, always a window.
 */
void pageset_choose(struct pageset *set);

/* Takes PAGES[0..count) (sorted), as many as there is room for. */
void pageset_take(struct pageset *set, const uint32_t *pages, size_t count);

/*
 * Evicts the pages and reads them back, so that they lie in memory that is free now. The verifiers
 * wait meanwhile. Returns 0, or -ECANCELED when the run ends.
 */
int pageset_reread(struct pageset *set);

/* Evicts all pages that the set may ever hold, as far as they can be. */
void pageset_evict_all(struct pageset *set);

/* Maps the pages and notes where they lie. Returns 0 or a negative errno. */
int pageset_before(struct pageset *set);

/* Adds to CYCLE what has moved since. Returns 0 or a negative errno. */
int pageset_after(struct pageset *set, struct migrate_cycle *cycle);

#endif
