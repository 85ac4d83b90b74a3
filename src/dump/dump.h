/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dump.churnfs shows, as JSON values that the caller owns; the keys are an interface, see
 * dump.churnfs(8). Faults are counted in READER and described in place under "damage" or "state".
 */
#ifndef CHURNFS_DUMP_DUMP_H
#define CHURNFS_DUMP_DUMP_H

#include <jansson.h>

#include "dump/reader.h"

/* Superblock, its copies, locator. */
json_t *dump_super(struct reader *reader);

/* One block: tag, decoded payload, hexdump. BLOCK must be less than total_blocks. */
json_t *dump_block(struct reader *reader, uint64_t block);

/* One inode with its extents. INO must be valid. */
json_t *dump_inode(struct reader *reader, uint64_t ino);

/* Receives one item of a list and owns it. Non-zero ends the walk and is returned. */
typedef int (*dump_emit)(void *arg, json_t *item);

/* One item for each block group. */
int dump_groups(struct reader *reader, dump_emit emit, void *arg);

/*
 * One item for each name, directories before what is in them. A directory is entered once, so
 * that a loop ends. Returns 0, EMIT's result, or -ENOMEM.
 */
int dump_tree(struct reader *reader, dump_emit emit, void *arg);

#endif
