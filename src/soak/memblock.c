/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/memblock.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_DIR "/sys/devices/system/memory"
#define FRAME_BYTES 4096u

/* The first word of MEMORY_DIR/NAME/FILE. */
static bool word_read(const char *name, const char *file, char *word, size_t len)
{
	char path[320], line[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", MEMORY_DIR, name, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	(void)!fgets(line, sizeof(line), f);
	fclose(f);
	line[strcspn(line, " \n")] = 0;
	snprintf(word, len, "%.*s", (int)len - 1, line);
	return *word != 0;
}

/* A block has a link to its node. */
static int node_read(const char *name)
{
	char path[300];
	int node = -1;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", MEMORY_DIR, name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "node%d", &node) == 1)
			break;
	if (dir)
		closedir(dir);
	return node;
}

static void block_read(const char *name, uint64_t number, uint64_t bytes, struct memblock *block)
{
	uint64_t frames = bytes / FRAME_BYTES;
	char word[32];

	*block = (struct memblock){
		.number = number,
		.start = number * frames,
		.end = (number + 1) * frames,
		.node = node_read(name),
	};
	block->online = word_read(name, "state", word, sizeof(word)) && !strcmp(word, "online");
	block->removable = !word_read(name, "removable", word, sizeof(word)) || !strcmp(word, "1");
	if (!word_read(name, "valid_zones", block->zone, sizeof(block->zone)))
		strcpy(block->zone, "none");
}

static int blocks_read(DIR *dir, struct memblocks *blocks)
{
	struct dirent *entry;
	size_t room = 0;

	while ((entry = readdir(dir))) {
		unsigned long number;

		if (sscanf(entry->d_name, "memory%lu", &number) != 1)
			continue;
		if (blocks->count == room) {
			struct memblock *more;

			room = room ? 2 * room : 64;
			more = reallocarray(blocks->block, room, sizeof(*more));
			if (!more)
				return -ENOMEM;
			blocks->block = more;
		}
		block_read(entry->d_name, number, blocks->block_bytes,
			   &blocks->block[blocks->count++]);
	}
	return blocks->count ? 0 : -ENOENT;
}

int memblocks_read(struct memblocks *blocks)
{
	char text[32];
	DIR *dir;
	int rc;

	*blocks = (struct memblocks){0};
	if (!word_read(".", "block_size_bytes", text, sizeof(text)))
		return -ENOENT;
	blocks->block_bytes = strtoull(text, NULL, 16);
	if (blocks->block_bytes < FRAME_BYTES)
		return -EINVAL;
	dir = opendir(MEMORY_DIR);
	if (!dir)
		return -errno;
	rc = blocks_read(dir, blocks);
	closedir(dir);
	if (rc)
		memblocks_free(blocks);
	return rc;
}

void memblocks_free(struct memblocks *blocks)
{
	free(blocks->block);
	*blocks = (struct memblocks){0};
}

bool memblocks_spare(const struct memblocks *blocks, const struct memblock *block)
{
	bool below = false, above = false;

	/* Without a zone of its own it cannot go, and without a node nobody knows what stays. */
	if (!block->online || !block->removable || block->node < 0 ||
	    strcmp(block->zone, "none") == 0)
		return false;
	for (size_t i = 0; i < blocks->count; i++) {
		const struct memblock *other = &blocks->block[i];

		if (!other->online || other->node != block->node ||
		    strcmp(other->zone, block->zone) != 0)
			continue;
		below |= other->number < block->number;
		above |= other->number > block->number;
	}
	return below && above;
}

bool memblocks_nodes(const struct memblocks *blocks, int node[2])
{
	unsigned found = 0;

	for (size_t i = 0; i < blocks->count && found < 2; i++) {
		const struct memblock *block = &blocks->block[i];

		if (memblocks_spare(blocks, block) && (!found || block->node != node[0]))
			node[found++] = block->node;
	}
	return found == 2;
}

bool memblocks_room(const struct memblocks *blocks)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	/* What is free in the block itself goes with it. */
	return (uint64_t)kib * 1024 > 2 * blocks->block_bytes;
}

void memblock_path(const struct memblock *block, char path[MEMBLOCK_PATH_LEN])
{
	snprintf(path, MEMBLOCK_PATH_LEN, "%s/memory%llu/state", MEMORY_DIR,
		 (unsigned long long)block->number);
}

bool memblock_online(const char *path)
{
	FILE *file = fopen(path, "re");
	char word[16] = "";

	if (!file)
		return false;
	(void)!fgets(word, sizeof(word), file);
	fclose(file);
	return strncmp(word, "online", 6) == 0;
}

const char *memblock_online_value(const struct memblock *block)
{
	return strcmp(block->zone, "Movable") == 0 ? "online_movable" : "online_kernel";
}
