/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory blocks, the units in which memory goes offline (/sys/devices/system/memory). */
#ifndef CHURNFS_SOAK_MEMBLOCK_H
#define CHURNFS_SOAK_MEMBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMBLOCK_PATH_LEN 64

struct memblock {
	uint64_t number;
	uint64_t start, end; /* frames */
	int node;
	char zone[16]; /* "Normal", "Movable", ...; another word if it lies in several */
	bool online, removable;
};

struct memblocks {
	size_t count;
	struct memblock *block;
	uint64_t block_bytes;
};

/* Reads all there are. Returns 0 or a negative errno. Free it with memblocks_free(). */
int memblocks_read(struct memblocks *blocks);
void memblocks_free(struct memblocks *blocks);

/*
 * True if BLOCK is online, can go as far as the kernel says, and lies between others of the same
 * node and zone that stay: a zone that lost its last block, or one at its end, would shrink, and
 * the block could come back to another.
 */
bool memblocks_spare(const struct memblocks *blocks, const struct memblock *block);

/* Two nodes that have blocks which may go; false if there are none. */
bool memblocks_nodes(const struct memblocks *blocks, int node[2]);

/* True if there is free memory for all that a block may hold, and as much again. */
bool memblocks_room(const struct memblocks *blocks);

/* The file with its state. */
void memblock_path(const struct memblock *block, char path[MEMBLOCK_PATH_LEN]);

/* Whether the block of that file is online. */
bool memblock_online(const char *path);

/* What to write to the file so that the block comes back to the kind of zone it was in. */
const char *memblock_online_value(const struct memblock *block);

#endif
