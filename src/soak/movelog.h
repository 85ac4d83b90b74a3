/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last moves of the device's pages, so that evidence can say where a page was before. */
#ifndef CHURNFS_SOAK_MOVELOG_H
#define CHURNFS_SOAK_MOVELOG_H

#include <stddef.h>
#include <stdint.h>

struct movelog;

struct move {
	uint64_t when_ns;	/* clock_now_ns(), when it was seen */
	uint64_t page;		/* see devpages.h */
	uint64_t before, after; /* page frame numbers */
};

/* Returns 0 or -ENOMEM. Bounded: old moves are forgotten. */
int movelog_create(struct movelog **log);
void movelog_free(struct movelog *log);

/* Any thread. */
void movelog_add(struct movelog *log, const struct move *moves, size_t count);

/* The last moves of PAGE, oldest first; at most MAX. Returns how many. Any thread. */
size_t movelog_find(struct movelog *log, uint64_t page, struct move *moves, size_t max);

#endif
