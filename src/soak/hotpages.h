/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages of the device matter most, and counting their moves: shared by the drivers. */
#ifndef CHURNFS_SOAK_HOTPAGES_H
#define CHURNFS_SOAK_HOTPAGES_H

#include "soak/devpages.h"
#include "soak/migrate.h"

/* When a metadata block in the page was last written (clock_now_ns()); 0 if it holds none. */
uint64_t hotpages_written(const struct migrate_target *target, size_t page);

/*
 * Opens the target's device, and the neighbour's if it has one of its own. Returns 0 or a negative
 * errno.
 */
int hotpages_open(struct devpages *dp, const struct migrate_target *target);

/*
 * Fills PAGES, sorted, with the neighbour's hot pages and those above its head whose metadata was
 * written in the last seconds; at most MAX. Returns how many.
 */
size_t hotpages_choose(const struct migrate_target *target, const struct devpages *dp,
		       uint32_t *pages, size_t max);

/* Fills PAGES, sorted, with the neighbour's pages that CPU looks up, at most MAX. Returns how many.
 */
size_t hotpages_of_cpu(const struct migrate_target *target, const struct devpages *dp, int cpu,
		       uint32_t *pages, size_t max);

/* Fills PAGES, sorted, with those of neighbour_watched_pages(), at most MAX. Returns how many. */
size_t hotpages_watched(const struct migrate_target *target, const struct devpages *dp,
			uint32_t *pages, size_t max);

/* Where in PAGES (sorted) those of the neighbour lie: COUNT from FIRST on. */
void hotpages_of_neighbour(const struct migrate_target *target, const struct devpages *dp,
			   const uint32_t *pages, size_t total, size_t *first, size_t *count);

/* Frame numbers of PAGES (sorted), see devpages_locate(). */
int hotpages_locate(const struct devpages *dp, const uint32_t *pages, size_t count, uint64_t *pfn);

/* What was seen of some pages, by their place in a list. */
struct hotpages_seen {
	const uint64_t *before, *after; /* see devpages_locate() */
	const uint8_t *flags;		/* before, see devpages_flags() */
	const uint32_t *moves;		/* how often each has moved meanwhile; NULL: once */
};

/*
 * Adds to CYCLE the pages that are mapped before and after, and their moves: as many as SEEN.moves
 * says, and at least one of a page that is at another place.
 */
void hotpages_count(const struct migrate_target *target, const struct devpages *dp,
		    const uint32_t *pages, size_t count, const struct hotpages_seen *seen,
		    struct migrate_cycle *cycle);

#endif
