/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/trips.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/clock.h"

/* Not reached: no error of move_pages(2). */
#define STATUS_NONE (-ECANCELED)

struct page {
	int node; /* where it was last; negative: not known */
	bool stays;
};

struct trips {
	trips_move_fn *move;
	int node[2];
	struct page page[TRIPS_ENTRIES_MAX]; /* in the order of the request */
	/* For one call that moves. */
	size_t entries;
	uint32_t index[TRIPS_ENTRIES_MAX]; /* which page it is */
	void *address[TRIPS_ENTRIES_MAX];
	int target[TRIPS_ENTRIES_MAX];
	int status[TRIPS_ENTRIES_MAX]; /* of one that asks, too */
};

static long kernel_move(pid_t pid, unsigned long count, void **pages, const int *nodes, int *status,
			int flags)
{
	return syscall(SYS_move_pages, pid, count, pages, nodes, status, flags) < 0 ? -errno : 0;
}

int trips_open(const int node[2], trips_move_fn *move, struct trips **out)
{
	struct trips *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->move = move ? move : kernel_move;
	t->node[0] = node[0];
	t->node[1] = node[1];
	*out = t;
	return 0;
}

void trips_close(struct trips *t)
{
	free(t);
}

/* PAGE is on NODE now: returns whether that is news. */
static bool page_seen(struct page *page, int node)
{
	bool moved = page->node >= 0 && node >= 0 && node != page->node;

	page->node = node;
	return moved;
}

/* Asks where all pages are. One that is elsewhere than last has moved unreported. */
static int pages_find(struct trips *t, const struct trips_request *request, uint32_t *moves)
{
	long rc = t->move(request->pid, request->count, request->address, NULL, t->status, 0);

	if (rc < 0)
		return (int)rc;
	for (size_t i = 0; i < request->count; i++)
		moves[i] += page_seen(&t->page[i], t->status[i]);
	return 0;
}

/* Lists the pages that go along: to the node where they are not, back, and so on. */
static void list_make(struct trips *t, const struct trips_request *request, unsigned trips)
{
	t->entries = 0;
	for (unsigned trip = 0; trip < trips; trip++) {
		for (size_t i = 0; i < request->count; i++) {
			size_t at = t->entries;
			unsigned side = t->page[i].node == t->node[0];

			if (t->page[i].stays)
				continue;
			t->index[at] = (uint32_t)i;
			t->address[at] = request->address[i];
			t->target[at] = t->node[(side + trip) % 2];
			t->status[at] = STATUS_NONE;
			t->entries++;
		}
	}
}

/* Adds to MOVES what the kernel reports. Returns how many entries it has got to. */
static size_t list_count(struct trips *t, uint32_t *moves)
{
	size_t at;

	for (at = 0; at < t->entries && t->status[at] != STATUS_NONE; at++) {
		uint32_t i = t->index[at];

		if (t->status[at] >= 0)
			moves[i] += page_seen(&t->page[i], t->status[at]);
	}
	return at;
}

/*
 * The call ended in front of entry AT. The kernel moves pages together that are listed one after
 * the other for the same node: which of them are not there?
 */
static void stays_find(struct trips *t, size_t at)
{
	int target = t->target[at];

	for (; at < t->entries && t->target[at] == target; at++) {
		struct page *page = &t->page[t->index[at]];

		page->stays = page->stays || page->node != target;
	}
}

static size_t count_going(const struct trips *t, size_t count)
{
	size_t going = 0;

	for (size_t i = 0; i < count; i++)
		going += !t->page[i].stays;
	return going;
}

/* One call and what became of it. Returns how many trips were begun, or a negative errno. */
static int call_make(struct trips *t, const struct trips_request *request, unsigned trips,
		     uint32_t *moves)
{
	size_t going = count_going(t, request->count), reached;
	int rc;

	if (going == 0)
		return (int)trips;
	list_make(t, request, trips);
	/* What is busy stays; only a failure of the call as such counts. */
	rc = (int)t->move(request->pid, t->entries, t->address, t->target, t->status,
			  MPOL_MF_MOVE_ALL);
	if (rc < 0)
		return rc;
	reached = list_count(t, moves);
	if (reached == t->entries)
		return (int)trips;
	rc = pages_find(t, request, moves);
	if (rc)
		return rc;
	stays_find(t, reached);
	return (int)(reached / going + 1);
}

int trips_make(struct trips *t, const struct trips_request *request, uint32_t *moves)
{
	uint64_t start = clock_now_ns();
	unsigned left = request->trips;
	int rc;

	if (request->count > TRIPS_ENTRIES_MAX)
		return -E2BIG;
	if (request->count == 0)
		return 0;
	if (left > TRIPS_ENTRIES_MAX / request->count)
		left = (unsigned)(TRIPS_ENTRIES_MAX / request->count - 1) | 1u;
	for (size_t i = 0; i < request->count; i++) {
		t->page[i] = (struct page){.node = -1};
		moves[i] = 0;
	}
	rc = pages_find(t, request, moves);
	while (rc >= 0 && left && clock_now_ns() - start < request->ns &&
	       !atomic_load(request->stop)) {
		rc = call_make(t, request, left, moves);
		if (rc > 0)
			left -= (unsigned)rc;
	}
	return rc < 0 ? rc : 0;
}
