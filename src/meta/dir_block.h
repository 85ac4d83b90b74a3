/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries within the payload of one directory block, which has passed dir_block_check(). Offsets
 * count from the start of the payload. No I/O, no locks.
 */
#ifndef CHURNFS_META_DIR_BLOCK_H
#define CHURNFS_META_DIR_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ondisk/format.h"

#define DIR_BLOCK_NONE UINT32_MAX

static inline struct cfs_dirent *dir_block_entry(void *payload, uint32_t offset)
{
	return (struct cfs_dirent *)(void *)((char *)payload + offset);
}

/* One entry without a name over the whole payload. */
void dir_block_init(void *payload, uint32_t payload_size);

/* Offset of the entry NAME, or DIR_BLOCK_NONE. */
uint32_t dir_block_find(const void *payload, uint32_t payload_size, const char *name, size_t len);

/* Offset of an entry that has room for a new one of LEN bytes, or DIR_BLOCK_NONE. */
uint32_t dir_block_room(const void *payload, uint32_t payload_size, size_t len);

/* Puts an entry into the room at OFFSET that dir_block_room() found. No other entry moves. */
void dir_block_insert(void *payload, uint32_t offset, const char *name, size_t len, uint64_t ino,
		      uint8_t type);

/* Removes the entry at OFFSET; its bytes go to the one before it, if there is one. */
void dir_block_remove(void *payload, uint32_t offset);

#endif
