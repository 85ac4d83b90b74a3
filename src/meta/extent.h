/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The extent tree of an inode: root in the inode, nodes in tagged blocks. The caller holds the
 * inode's lock, and writes the inode itself (inode_write()) after a call that changed *INODE.
 * Node checks: -EUCLEAN for counts, order or block numbers that the format forbids.
 */
#ifndef CHURNFS_META_EXTENT_H
#define CHURNFS_META_EXTENT_H

#include "meta/volume.h"

/* A stretch of a file: mapped to BLOCK.., or a hole when BLOCK is 0. */
struct extent_run {
	uint32_t logical;
	uint32_t length;
	uint64_t block;
};

/* Empties the root. */
void extent_init(struct inode_info *inode);

/* The run that holds LOGICAL, beginning at LOGICAL; a hole ends before the next extent. */
int extent_lookup(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode,
		  uint32_t logical, struct extent_run *run);

/*
 * Enters RUN where there is a hole; merges with a neighbour where possible; splits nodes as
 * needed (blocks for them come from block_alloc(), counted in inode->blocks; the run's own blocks
 * are counted by this call too). Returns 0, -ENOSPC, -EFBIG when the tree is full or RUN ends
 * behind its range, -EUCLEAN when part of RUN is mapped, or txn errors. After an error *INODE and
 * the transaction are to be dropped.
 */
int extent_insert(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		  const struct extent_run *run);

/*
 * Frees what lies at or behind LOGICAL, from the end of the file backwards, as much as fits this
 * transaction; *DONE says whether all is gone. Adjusts inode->blocks. The caller commits and
 * calls again in a new transaction until done. The tree is valid after each. Blocks of directories
 * and symlinks are forgotten as metadata; an inode without a tree is done at once. Call it with at
 * most 16 blocks in the transaction, or nothing may fit; 8 are left for the caller.
 */
int extent_truncate(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		    uint32_t logical, bool *done);

/*
 * Calls NODE for every extent block, before it is read, and RUN for every run, in order (either may
 * be NULL). A callback's non-zero result ends the walk and is returned.
 */
struct extent_visitor {
	int (*node)(void *arg, const struct block_ref *ref);
	int (*run)(void *arg, const struct extent_run *run);
	void *arg;
};
int extent_walk(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode,
		const struct extent_visitor *visitor);

#endif
