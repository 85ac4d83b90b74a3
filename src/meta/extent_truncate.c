/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "meta/alloc.h"
#include "meta/extent_node.h"

/*
 * What one step may add to the transaction: the nodes of a path, each with header and bitmap of
 * its group when it goes, and header and bitmap of the run's group.
 */
#define STEP_BLOCKS (CFS_EXTENT_DEPTH_MAX * 3 + 2)
/* Left for the caller: the inode's table block, its number's bitmap and header, and some more. */
#define CALLER_BLOCKS 8u

struct cut {
	struct volume *vol;
	struct txn *txn;
	uint64_t ino;
	struct inode_info *inode;
	uint64_t from; /* file block */
	struct extent_path path;
};

static bool room_left(const struct txn *txn)
{
	return txn_room(txn) > STEP_BLOCKS + CALLER_BLOCKS;
}

/* Gives blocks of the inode back; METADATA says that they carry tags. */
static int blocks_release(struct cut *cut, uint64_t block, uint32_t count, bool metadata)
{
	int rc = 0;

	if (count > cut->inode->blocks)
		return extent_bad(cut->ino, 0, "the inode has more blocks than it counts");
	for (uint32_t i = 0; rc == 0 && metadata && i < count; i++)
		rc = txn_forget(cut->txn, block + i);
	if (rc == 0)
		rc = block_free(cut->vol, cut->txn, block, count);
	if (rc == 0)
		cut->inode->blocks -= count;
	return rc;
}

/* Removes as much of the leaf's last run as lies behind cut->from and fits. */
static int run_shorten(struct cut *cut, struct extent_node *leaf)
{
	struct extent_run *last = &leaf->entries[leaf->count - 1];
	uint64_t keep = cut->from > last->logical ? cut->from - last->logical : 0;
	uint32_t count = (uint32_t)(last->length - keep);
	bool metadata = extent_content_type(cut->inode) != 0;
	uint32_t most = txn_room(cut->txn) - STEP_BLOCKS - CALLER_BLOCKS;

	if (metadata && count > most)
		count = most;
	last->length -= count;
	if (last->length == 0)
		leaf->count--;
	return blocks_release(cut, last->block + last->length, count, metadata);
}

/* Writes the path back; a node that became empty goes, with its parent's entry. */
static int path_prune(struct cut *cut)
{
	struct extent_path *path = &cut->path;
	uint32_t level = path->depth;
	int rc = 0;

	while (rc == 0 && level && path->step[level].node.count == 0) {
		rc = blocks_release(cut, path->step[level].block, 1, true);
		path->step[--level].node.count--;
	}
	if (rc)
		return rc;
	if (path->step[level].node.count == 0)
		path->step[level].node.depth = 0;
	return extent_step_write(cut->txn, cut->ino, cut->inode, &path->step[level]);
}

int extent_truncate(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		    uint32_t logical, bool *done)
{
	struct cut cut = {.vol = vol, .txn = txn, .ino = ino, .inode = inode, .from = logical};
	int rc;

	*done = !extent_used(inode);
	while (!*done && room_left(txn)) {
		struct extent_node *leaf;

		rc = extent_path_find(vol, txn, ino, inode, UINT32_MAX, &cut.path);
		if (rc)
			return rc;
		leaf = &cut.path.step[cut.path.depth].node;
		*done = leaf->count == 0 ||
			extent_run_end(&leaf->entries[leaf->count - 1]) <= logical;
		if (*done)
			break;
		rc = run_shorten(&cut, leaf);
		if (rc == 0)
			rc = path_prune(&cut);
		if (rc)
			return rc;
	}
	return 0;
}
