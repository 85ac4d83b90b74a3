/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compaction of one node (/sys/devices/system/node/nodeN/compact): the node that holds most of the
 * device's pages. With memory in pieces (squeeze.h) the pages start low and end at its top.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/memzones.h"
#include "soak/migrate.h"
#include "soak/squeeze.h"
#include "util/setting.h"

struct node_state {
	struct squeeze squeeze;
};

static void node_path(int node, char *path, size_t len)
{
	snprintf(path, len, "/sys/devices/system/node/node%d/compact", node);
}

static int node_probe(char *why, size_t len)
{
	struct memzone zone[MEMZONES_MAX];
	int zones = memzones_read(zone);
	char path[64];

	if (zones < 0) {
		snprintf(why, len, "cannot read the memory zones: %s", strerror(-zones));
		return zones;
	}
	node_path(zone[0].node, path, sizeof(path));
	if (access(path, W_OK)) {
		snprintf(why, len, "%s cannot be written (CONFIG_COMPACTION, CONFIG_NUMA)", path);
		return -ENOENT;
	}
	if (access("/proc/kpageflags", R_OK)) {
		snprintf(why, len, "moves cannot be counted: no /proc/kpageflags");
		return -ENOENT;
	}
	snprintf(why, len, "%s and the like", path);
	return 0;
}

/* The node whose zones hold most of the set's pages. */
static int node_choose(const struct pageset *set)
{
	struct memzone zone[MEMZONES_MAX];
	int zones = memzones_read(zone), best = 0;
	size_t held[MEMZONES_MAX] = {0};

	if (zones < 0)
		return zones;
	for (size_t i = 0; i < set->count; i++)
		for (int z = 0; z < zones; z++)
			if (set->before[i] >= zone[z].start && set->before[i] < zone[z].end)
				held[z]++;
	for (int z = 1; z < zones; z++)
		if (held[z] > held[best])
			best = z;
	return zone[best].node;
}

static void node_stop(void *arg)
{
	struct node_state *s = arg;

	squeeze_close(&s->squeeze);
	free(s);
}

static void node_pause(void *arg)
{
	struct node_state *s = arg;

	squeeze_pause(&s->squeeze);
}

static int node_start(const struct migrate_target *target, void **out)
{
	struct node_state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	rc = squeeze_open(&s->squeeze, target);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static int node_push(void *arg, size_t blocks)
{
	struct node_state *s = arg;
	int node = node_choose(&s->squeeze.set);
	char path[64];

	(void)blocks;
	if (node < 0)
		return node;
	node_path(node, path, sizeof(path));
	return setting_write(path, "1");
}

static int node_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct node_state *s = arg;

	return squeeze_cycle(&s->squeeze, node_push, s, cycle);
}

const struct migrate_driver migrate_node = {
	.name = "node",
	.what = "compaction of single nodes",
	.probe = node_probe,
	.automatic = squeeze_automatic,
	.start = node_start,
	.cycle = node_cycle,
	.pause = node_pause,
	.stop = node_stop,
};
