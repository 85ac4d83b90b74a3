/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks and inodes from the groups' bitmaps. Every call changes group header and bitmap of one
 * group within TXN and may return -EDEADLK (see txn.h). A group's header block is its lock: it is
 * got before the bitmaps. No state in memory but hints.
 */
#ifndef CHURNFS_META_ALLOC_H
#define CHURNFS_META_ALLOC_H

#include "meta/volume.h"

/*
 * Takes a run of at most WANT blocks, as near behind GOAL as there is one (GOAL 0: anywhere).
 * All from one group, contiguous. Returns 0 with *BLOCK and *GOT (at least 1), or -ENOSPC.
 */
int block_alloc(struct volume *vol, struct txn *txn, uint64_t goal, uint32_t want, uint64_t *block,
		uint32_t *got);

/*
 * Gives a run within one group back. -EUCLEAN if part of it is not data or was free. Metadata
 * blocks are also to be forgotten (txn_forget()).
 */
int block_free(struct volume *vol, struct txn *txn, uint64_t block, uint32_t count);

/*
 * Takes a free inode number: directories are spread over the groups, files go near PARENT.
 * Returns 0 or -ENOSPC.
 */
int inode_alloc(struct volume *vol, struct txn *txn, uint64_t parent, bool directory,
		uint64_t *ino);

/* Gives the number back. -EUCLEAN if it was free. */
int inode_free(struct volume *vol, struct txn *txn, uint64_t ino, bool directory);

#endif
