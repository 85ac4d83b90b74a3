/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/memzones.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_PART 4u
/* More than a kernel has. */
#define ORDERS_MAX 64u

/* The fields of a zone in /proc/zoneinfo, in their order: its name first, its place last. */
static int zoneinfo_read(FILE *file, struct memzone zone[MEMZONES_MAX])
{
	struct memzone now = {0};
	unsigned long value;
	char line[256];
	int count = 0;

	while (count < (int)MEMZONES_MAX && fgets(line, sizeof(line), file)) {
		unsigned long spanned = now.end;

		if (sscanf(line, "Node %d, zone %15s", &now.node, now.name) == 2)
			now.managed = now.end = 0;
		else if (sscanf(line, " spanned %lu", &value) == 1)
			now.end = value;
		else if (sscanf(line, " managed %lu", &value) == 1)
			now.managed = value;
		else if (sscanf(line, " start_pfn: %lu", &value) == 1 && now.managed &&
			 strcmp(now.name, "DMA") != 0) {
			zone[count] = now;
			zone[count].start = value;
			zone[count++].end = value + spanned;
		}
	}
	return count;
}

/* NUMBERS: free blocks by order. Returns the pages in those of orders [from, end). */
static uint64_t free_pages(const char *numbers, unsigned from, unsigned end)
{
	unsigned long value;
	uint64_t pages = 0;
	int n;

	for (unsigned order = 0; order < end && sscanf(numbers, "%lu %n", &value, &n) == 1;
	     order++) {
		if (order >= from)
			pages += (uint64_t)value << order;
		numbers += n;
	}
	return pages;
}

static void free_set(struct memzone *zone, int zones, const char *line)
{
	char name[16];
	int node, at;

	if (sscanf(line, "Node %d, zone %15s %n", &node, name, &at) != 2)
		return;
	for (int i = 0; i < zones; i++)
		if (zone[i].node == node && strcmp(zone[i].name, name) == 0)
			zone[i].blocks_free =
				free_pages(line + at, MEMZONE_BLOCK_SHIFT, ORDERS_MAX) >>
				MEMZONE_BLOCK_SHIFT;
}

int memzones_read(struct memzone zone[MEMZONES_MAX])
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[512];
	int zones;

	if (!file)
		return -errno;
	zones = zoneinfo_read(file, zone);
	fclose(file);
	if (!zones)
		return -ENODATA;
	file = fopen("/proc/buddyinfo", "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		free_set(zone, zones, line);
	fclose(file);
	return zones;
}

bool memzone_large(const struct memzone *zone, unsigned zones, const struct memzone *which)
{
	uint64_t largest = 0;

	for (unsigned i = 0; i < zones; i++)
		if (zone[i].managed > largest)
			largest = zone[i].managed;
	return which->managed >= largest / LARGE_PART;
}

uint64_t memzones_free_blocks(void)
{
	struct memzone zone[MEMZONES_MAX];
	int zones = memzones_read(zone);
	uint64_t blocks = 0;

	for (int i = 0; i < zones; i++)
		blocks += zone[i].blocks_free;
	return blocks;
}

uint64_t memzones_fragments(const char *type)
{
	FILE *file = fopen(type ? "/proc/pagetypeinfo" : "/proc/buddyinfo", "re");
	char line[512], zone[16], of[16];
	uint64_t pages = 0;

	while (file && fgets(line, sizeof(line), file)) {
		int at = 0;

		if (type)
			(void)sscanf(line, "Node %*d, zone %15[^,], type %15s %n", zone, of, &at);
		else
			(void)sscanf(line, "Node %*d, zone %15s %n", zone, &at);
		if (at && strcmp(zone, "DMA") != 0 && (!type || strcmp(of, type) == 0))
			pages += free_pages(line + at, 0, MEMZONE_BLOCK_SHIFT);
	}
	if (file)
		fclose(file);
	return pages;
}
