/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending pages of another process to and fro between two nodes with move_pages(2), many trips in a
 * call: each call first has every CPU empty its lists of pages (lru_cache_disable() in mm/swap.c),
 * which takes longer than to move some pages. So the pages are named again for each trip, with the
 * other node.
 *
 * A page that is busy ends a call: what comes after it is left out, and what has moved together
 * with it is not reported (do_pages_move() in mm/migrate.c). The next call goes on without that
 * page, from where the others are found to be.
 */
#ifndef CHURNFS_SOAK_TRIPS_H
#define CHURNFS_SOAK_TRIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct trips;

/* move_pages(2), numa_move_pages(3) */
typedef long trips_move_fn(pid_t pid, unsigned long count, void **pages, const int *nodes,
			   int *status, int flags);

/* Pages times trips in a call; and no more pages at once. */
#define TRIPS_ENTRIES_MAX 8192u

/* Between the two NODEs. MOVE: what moves pages; NULL: the kernel. Returns 0 or -ENOMEM. */
int trips_open(const int node[2], trips_move_fn *move, struct trips **trips);

struct trips_request {
	pid_t pid;	/* in which the pages are mapped */
	void **address; /* where; read only */
	size_t count;
	unsigned trips;		  /* at most; less where so many do not fit into one call */
	uint64_t ns;		  /* no call begins when so much time has passed */
	const _Atomic bool *stop; /* nor when this is set */
};

/*
 * Sends the pages to and fro. MOVES[i] becomes the number of times that page i was seen on the
 * other node. A page that is busy or gone stays; the others go on. An odd number of trips leaves a
 * page on the other node, if all succeed. Returns 0, -E2BIG, or what move_pages(2) as such failed
 * with.
 */
int trips_make(struct trips *trips, const struct trips_request *request, uint32_t *moves);

/* NULL is ignored. */
void trips_close(struct trips *trips);

#endif
