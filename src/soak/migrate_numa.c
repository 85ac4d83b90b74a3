/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA ping-pong: the hot pages alone are sent to and fro between two nodes with move_pages(2) on
 * a shared mapping, the neighbour's several times as often. No other page is touched, so this is by
 * far the quickest way to the races of a page that is looked up all the time. Needs two nodes, real
 * or made with numa=fake=2 on the kernel's command line. MPOL_MF_MOVE_ALL, because the verifiers
 * map the pages too. At times the pages are dropped, dirty as they are.
 *
 * The pages of the neighbour's other blocks go along, some at a time: where a kernel does not look
 * who holds a buffer, the long sections in which a directory is searched and changed are hit sooner
 * than the short ones of an inode.
 *
 * The pages are mapped in a process of its own (mapper.h), and one call makes many trips (trips.h).
 * What moved is told from the nodes that it reports, trip by trip; a page that was evicted and read
 * back meanwhile would not be in those page tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soak/cpus.h"
#include "soak/hotpages.h"
#include "soak/mapper.h"
#include "soak/migrate.h"
#include "soak/trips.h"
#include "soak/verifier.h"
#include "util/clock.h"

#define NODES_MAX 1024
#define PAGES_MAX 1024u
/* The set of hot pages changes slowly, and to find it takes long: so much of the time at most. */
#define CHOICE_NS NS_PER_SEC
#define CHOICE_SHARE 20u
/*
 * Some mistakes show in mappings that have lasted for a while, others when pages are evicted: each
 * time one page in so many is dropped.
 */
#define DROP_NS NS_PER_SEC
#define DROP_TURNS 32u
/*
 * Trips of the neighbour's pages in a series, and series in a cycle. Odd, so that a page ends where
 * it did not begin. Places in between are known from the trace only (trace ring of the evidence).
 */
#define TRIPS_MAX 127u
#define SERIES 4u
/*
 * A series that takes longer ends and makes the next ones shorter, and a cycle that has lasted so
 * long ends: where pages do not move, other pages, and dropping some, may show more than trying
 * again.
 */
#define SERIES_NS (NS_PER_SEC / 2)
#define CYCLE_NS NS_PER_SEC
/* So many of the watched pages go along with each series, once. */
#define WATCHED_PAGES 1024u
#define WATCHED_MAX 4096u

struct numa_state {
	const struct migrate_target *target;
	struct devpages dp; /* its page tables are the mapper's */
	struct mapper *mapper;
	int node[2];
	uint64_t choice_ns; /* when to choose again; 0: not begun */
	uint64_t dropped_ns;
	unsigned drop_turn;
	size_t count;
	size_t hot_first, hot_count; /* those of them that the neighbour looks up */
	uint32_t pages[PAGES_MAX];
	struct trips *trips;
	unsigned hot_trips; /* in the next series */
	size_t watched_count, watched_next;
	uint32_t watched[WATCHED_MAX];
	void *address[PAGES_MAX];
	uint32_t moves[PAGES_MAX];
	uint64_t before[PAGES_MAX], after[PAGES_MAX], scratch[PAGES_MAX];
	uint8_t flags[PAGES_MAX];
};

/* A node without memory takes no pages. */
static bool node_has_memory(int node)
{
	char path[64], line[128];
	unsigned long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Node %*d MemTotal: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib > 0;
}

/* The first two nodes with memory. Returns how many there are, at most 2. */
static unsigned nodes_find(int found[2])
{
	unsigned count = 0;

	for (int node = 0; node < NODES_MAX && count < 2; node++)
		if (node_has_memory(node))
			found[count++] = node;
	return count;
}

static int numa_probe(char *why, size_t len)
{
	int node[2], rc;

	if (nodes_find(node) < 2) {
		snprintf(why, len, "one NUMA node only (try numa=fake=2)");
		return -ENODEV;
	}
	if (syscall(SYS_move_pages, 0, 0UL, NULL, NULL, NULL, MPOL_MF_MOVE_ALL)) {
		rc = -errno;
		snprintf(why, len, "move_pages(2): %s", strerror(-rc));
		return rc;
	}
	if (access("/proc/kpageflags", R_OK)) {
		snprintf(why, len, "moves cannot be counted: no /proc/kpageflags");
		return -ENOENT;
	}
	snprintf(why, len, "between nodes %d and %d", node[0], node[1]);
	return 0;
}

static void numa_stop(void *arg)
{
	struct numa_state *s = arg;

	mapper_stop(s->mapper);
	trips_close(s->trips);
	devpages_close(&s->dp);
	free(s);
}

/* Where pages are is read from that process's page tables, which have the same addresses. */
static int mapper_begin(struct numa_state *s)
{
	size_t bytes = (s->dp.pages + s->dp.apart_pages) * DEVPAGE_SIZE;
	char path[64];
	int fd, rc = mapper_start(s->dp.map, bytes, PAGES_MAX, MIGRATE_NICE, &s->mapper);

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)mapper_pid(s->mapper));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(s->dp.pagemap);
	s->dp.pagemap = fd;
	return 0;
}

static int numa_start(const struct migrate_target *target, void **out)
{
	struct numa_state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->target = target;
	rc = hotpages_open(&s->dp, target);
	if (rc) {
		free(s);
		return rc;
	}
	s->hot_trips = TRIPS_MAX;
	s->watched_count = hotpages_watched(target, &s->dp, s->watched, WATCHED_MAX);
	rc = nodes_find(s->node) < 2 ? -ENODEV : trips_open(s->node, NULL, &s->trips);
	if (!rc)
		rc = mapper_begin(s);
	if (rc) {
		numa_stop(s);
		return rc;
	}
	*out = s;
	return 0;
}

static int pages_drop(struct numa_state *s)
{
	int rc = mapper_set(s->mapper, NULL, 0);

	if (rc)
		return rc;
	s->dropped_ns = clock_now_ns();
	s->drop_turn = (s->drop_turn + 1) % DROP_TURNS;
	for (size_t i = s->drop_turn; i < s->count; i += DROP_TURNS) {
		/* A mapped page cannot be evicted. */
		if (s->target->verifier)
			verifier_unmap(s->target->verifier, (uint64_t)s->pages[i] * DEVPAGE_SIZE,
				       DEVPAGE_SIZE);
		devpages_drop(&s->dp, s->pages[i], 1);
	}
	return 0;
}

/* The neighbour's come first: they are known without a search. */
static void pages_choose(struct numa_state *s)
{
	uint64_t start = clock_now_ns(), took;
	size_t max = s->choice_ns || !s->target->hot_count ? PAGES_MAX : s->target->hot_count;

	s->count = hotpages_choose(s->target, &s->dp, s->pages, max < PAGES_MAX ? max : PAGES_MAX);
	hotpages_of_neighbour(s->target, &s->dp, s->pages, s->count, &s->hot_first, &s->hot_count);
	took = clock_now_ns() - start;
	s->choice_ns =
		start + took + (CHOICE_SHARE * took > CHOICE_NS ? CHOICE_SHARE * took : CHOICE_NS);
}

/* Sends PAGES to and fro. */
static int pages_send(struct numa_state *s, const uint32_t *pages, size_t count, unsigned trips,
		      struct migrate_cycle *cycle)
{
	const struct trips_request request = {.pid = mapper_pid(s->mapper),
					      .address = s->address,
					      .count = count,
					      .trips = trips,
					      .ns = SERIES_NS,
					      .stop = s->target->stop};
	int rc;

	for (size_t i = 0; i < count; i++)
		s->address[i] = s->dp.map + (size_t)pages[i] * DEVPAGE_SIZE;
	/* Anew: a stale mapping that a kernel has left behind names a page that never moves. */
	rc = mapper_set(s->mapper, s->address, count);
	if (rc)
		return rc;
	rc = hotpages_locate(&s->dp, pages, count, s->before);
	if (rc)
		return rc;
	devpages_flags(&s->dp, s->before, count, s->scratch, s->flags);
	rc = trips_make(s->trips, &request, s->moves);
	if (rc)
		return rc;
	rc = hotpages_locate(&s->dp, pages, count, s->after);
	if (rc)
		return rc;
	hotpages_count(s->target, &s->dp, pages, count,
		       &(struct hotpages_seen){.before = s->before,
					       .after = s->after,
					       .flags = s->flags,
					       .moves = s->moves},
		       cycle);
	return 0;
}

/*
 * After a series that began at START; the number stays odd. It grows when twice as many would not
 * have been late, for a series that was late by chance is no reason to stay slow.
 */
static void trips_adapt(struct numa_state *s, uint64_t start)
{
	uint64_t took = clock_now_ns() - start;

	if (took > SERIES_NS)
		s->hot_trips = (s->hot_trips / 2) | 1u;
	else if (took < SERIES_NS / 2 && s->hot_trips < TRIPS_MAX)
		s->hot_trips = s->hot_trips * 2 + 1;
}

/* The next of the watched pages, and all hot ones. */
static int neighbour_send(struct numa_state *s, struct migrate_cycle *cycle)
{
	size_t left = s->watched_count - s->watched_next;
	size_t count = left < WATCHED_PAGES ? left : WATCHED_PAGES;
	uint64_t start;
	int rc = 0;

	if (count)
		rc = pages_send(s, s->watched + s->watched_next, count, 1, cycle);
	s->watched_next = count < left ? s->watched_next + count : 0;
	start = clock_now_ns();
	if (!rc)
		rc = pages_send(s, s->pages + s->hot_first, s->hot_count, s->hot_trips, cycle);
	trips_adapt(s, start);
	return rc;
}

static int numa_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct numa_state *s = arg;
	uint64_t start = clock_now_ns();
	int rc = 0;

	if (!s->choice_ns) {
		cpus_nice(MIGRATE_NICE);
		s->dropped_ns = clock_now_ns();
	}
	if (clock_now_ns() - s->dropped_ns > DROP_NS)
		rc = pages_drop(s);
	if (rc)
		return rc;
	if (clock_now_ns() >= s->choice_ns)
		pages_choose(s);
	if (s->count == 0) {
		/* Nothing is hot yet. */
		usleep(100000);
		s->choice_ns = 1;
		return 0;
	}
	if (s->hot_count < s->count)
		rc = pages_send(s, s->pages, s->count, 1, cycle);
	for (unsigned i = 0; i < SERIES && s->hot_count && !rc && !*s->target->stop; i++) {
		rc = neighbour_send(s, cycle);
		if (clock_now_ns() - start > CYCLE_NS)
			break;
	}
	return rc;
}

const struct migrate_driver migrate_numa = {
	.name = "numa",
	.what = "NUMA ping-pong with move_pages(2)",
	.probe = numa_probe,
	.start = numa_start,
	.cycle = numa_cycle,
	.stop = numa_stop,
};
