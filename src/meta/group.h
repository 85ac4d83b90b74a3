/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A group header and one of its bitmaps, for alloc.c: got together, changed together. */
#ifndef CHURNFS_META_GROUP_H
#define CHURNFS_META_GROUP_H

#include "meta/volume.h"

/* A group whose header and one bitmap are locked in a transaction. */
struct group_edit {
	struct group_info info;
	struct cfs_group *header; /* both point into the transaction's images */
	uint8_t *map;
};

/* Reads group GROUP's header without locking it: what it says may be old a moment later. */
int group_peek(struct volume *vol, struct txn *txn, uint32_t group, struct group_info *info);

/*
 * Locks the header, then the bitmap TYPE (CFS_BLOCK_BLOCK_BITMAP or CFS_BLOCK_INODE_BITMAP).
 * Errors as txn_get(), and -EUCLEAN.
 */
int group_get(struct volume *vol, struct txn *txn, uint32_t group, enum cfs_block_type type,
	      struct group_edit *edit);

/* Writes edit->info back into the header's image. */
void group_put(struct group_edit *edit);

/* Logs that group GROUP contradicts itself (WHAT) and returns -EUCLEAN. */
int group_contradiction(uint32_t group, const char *what);

#endif
