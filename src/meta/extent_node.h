/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of the extent tree in host form, and the way from the root to a leaf. For the extent_*.c
 * files and the scan. A node is decoded and checked as a whole each time it is read.
 */
#ifndef CHURNFS_META_EXTENT_NODE_H
#define CHURNFS_META_EXTENT_NODE_H

#include "meta/extent.h"

/* File block numbers end here. */
#define EXTENT_LOGICAL_END (1ULL << 32)

#define EXTENT_NODE_MAX ((CFS_BLOCK_SIZE_MAX - 8u) / 16u)

struct extent_node {
	uint32_t depth; /* 0: leaf */
	uint32_t count, max;
	/* Leaf: runs. Else: LOGICAL is the least below, BLOCK the child, LENGTH 0. */
	struct extent_run entries[EXTENT_NODE_MAX];
};

struct extent_step {
	uint64_t block; /* of the node; 0: the root, in the inode */
	uint64_t end;	/* the node maps nothing at or behind this file block */
	uint32_t
		pos; /* index: the entry that was followed; leaf: entries at or before the target */
	struct extent_node node;
};

/* From step[0], the root, to step[depth], a leaf. */
struct extent_path {
	uint32_t depth;
	struct extent_step step[CFS_EXTENT_DEPTH_MAX + 1];
};

/* What an inode's runs map: CFS_BLOCK_DIR, CFS_BLOCK_SYMLINK, or 0 for file data. */
enum cfs_block_type extent_content_type(const struct inode_info *inode);

/* True if inode->root holds an extent tree: files, directories, symlinks that are not inline. */
bool extent_used(const struct inode_info *inode);

/* Decodes the root in INODE. -EUCLEAN, logged. */
int extent_root_decode(const struct volume *vol, uint64_t ino, const struct inode_info *inode,
		       struct extent_node *node);

/*
 * Reads the child that entry POS of PARENT leads to, and checks it against its parent, which maps
 * nothing at or behind END. *CHILD_END is the same bound for the child. -EUCLEAN, logged, or
 * txn_read() errors.
 */
int extent_child_read(struct volume *vol, struct txn *txn, uint64_t ino,
		      const struct extent_node *parent, uint32_t pos, uint64_t end,
		      struct extent_node *child, uint64_t *child_end);

/* Finds the leaf where LOGICAL is or would be. */
int extent_path_find(struct volume *vol, struct txn *txn, uint64_t ino,
		     const struct inode_info *inode, uint32_t logical, struct extent_path *path);

/* Puts a step's node back: into *INODE, or into its block, which is got for writing. */
int extent_step_write(struct txn *txn, uint64_t ino, struct inode_info *inode,
		      const struct extent_step *step);

/* Writes NODE into the open image of an extent block. */
void extent_node_encode(void *payload, const struct extent_node *node);

/* Entries that an extent block holds. */
uint32_t extent_node_capacity(const struct super_info *super);

/* Logs what is wrong with a node of INO (BLOCK 0: the root) and returns -EUCLEAN. */
int extent_bad(uint64_t ino, uint64_t block, const char *what);

static inline uint64_t extent_run_end(const struct extent_run *run)
{
	return (uint64_t)run->logical + run->length;
}

#endif
