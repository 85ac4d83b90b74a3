/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA ping-pong: the hot pages alone are sent to and fro between two nodes with move_pages(2) on
 * a shared mapping. Nothing is evicted, and no other page is touched, so this is by far the
 * quickest way to the races of a page that is looked up all the time. Needs two nodes, real or
 * made with numa=fake=2 on the kernel's command line. MPOL_MF_MOVE_ALL, because the verifiers map
 * the pages too.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soak/hotpages.h"
#include "soak/migrate.h"

#define NODES_MAX 1024
#define PAGES_MAX 1024u
/* The set of hot pages changes slowly. */
#define CYCLES_PER_CHOICE 64u
/* Trips to and fro in a cycle. */
#define TRIPS 4u

struct numa_state {
	const struct migrate_target *target;
	struct devpages dp;
	int node[2];
	unsigned side;	 /* node that the pages go to next */
	unsigned cycles; /* until the pages are chosen anew */
	size_t count;
	uint32_t pages[PAGES_MAX];
	void *address[PAGES_MAX];
	int nodes[PAGES_MAX], status[PAGES_MAX];
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

	devpages_close(&s->dp);
	free(s);
}

static int numa_start(const struct migrate_target *target, void **out)
{
	struct numa_state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->target = target;
	rc = devpages_open(&s->dp, target->device, target->bytes);
	if (rc) {
		free(s);
		return rc;
	}
	if (nodes_find(s->node) < 2) {
		numa_stop(s);
		return -ENODEV;
	}
	*out = s;
	return 0;
}

static void pages_choose(struct numa_state *s)
{
	s->count = hotpages_choose(s->target, s->dp.pages, s->pages, PAGES_MAX);
	for (size_t i = 0; i < s->count; i++)
		s->address[i] = s->dp.map + (size_t)s->pages[i] * DEVPAGE_SIZE;
	s->cycles = CYCLES_PER_CHOICE;
}

/* One trip: all pages to the other node. */
static int trip(struct numa_state *s, struct migrate_cycle *cycle)
{
	int rc;

	s->side ^= 1;
	for (size_t i = 0; i < s->count; i++) {
		s->nodes[i] = s->node[s->side];
		/* Mapped again if it was evicted: move_pages(2) goes by page tables. */
		(void)*(volatile char *)s->address[i];
	}
	rc = hotpages_locate(&s->dp, s->pages, s->count, s->before);
	if (rc)
		return rc;
	devpages_flags(&s->dp, s->before, s->count, s->scratch, s->flags);
	/* What is busy stays; only a failure of the call as such counts. */
	if (syscall(SYS_move_pages, 0, s->count, s->address, s->nodes, s->status,
		    MPOL_MF_MOVE_ALL) < 0)
		return -errno;
	rc = hotpages_locate(&s->dp, s->pages, s->count, s->after);
	if (!rc)
		hotpages_count(s->target, s->pages, s->count, s->before, s->after, s->flags, cycle);
	return rc;
}

static int numa_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct numa_state *s = arg;
	int rc = 0;

	if (s->cycles == 0)
		pages_choose(s);
	s->cycles--;
	if (s->count == 0) {
		/* Nothing is hot yet. */
		usleep(10000);
		s->cycles = 0;
		return 0;
	}
	for (unsigned i = 0; i < TRIPS && !rc; i++)
		rc = trip(s, cycle);
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
