/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "meta/extent_node.h"

void extent_init(struct inode_info *inode)
{
	const struct extent_node empty = {.max = CFS_EXTENT_ROOT_MAX};

	memset(inode->root, 0, sizeof(inode->root));
	extent_node_encode(inode->root, &empty);
}

int extent_lookup(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode,
		  uint32_t logical, struct extent_run *run)
{
	const struct extent_run *entry;
	const struct extent_step *leaf;
	struct extent_path path;
	uint64_t end;
	int rc;

	rc = extent_path_find(vol, txn, ino, inode, logical, &path);
	if (rc)
		return rc;
	leaf = &path.step[path.depth];
	entry = leaf->pos ? &leaf->node.entries[leaf->pos - 1] : NULL;
	run->logical = logical;
	if (entry && logical < extent_run_end(entry)) {
		run->length = (uint32_t)(extent_run_end(entry) - logical);
		run->block = entry->block + (logical - entry->logical);
		return 0;
	}
	end = leaf->pos < leaf->node.count ? leaf->node.entries[leaf->pos].logical : leaf->end;
	/* A hole over the whole range does not fit the field. */
	run->length = end - logical > UINT32_MAX ? UINT32_MAX : (uint32_t)(end - logical);
	run->block = 0;
	return 0;
}

struct walk {
	struct volume *vol;
	struct txn *txn;
	uint64_t ino;
	const struct extent_visitor *visitor;
};

static int node_walk(const struct walk *walk, const struct extent_node *node, uint64_t end)
{
	const struct extent_visitor *visitor = walk->visitor;
	struct extent_node child;
	uint64_t child_end;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < node->count; i++) {
		struct block_ref ref = {node->entries[i].block, walk->ino, CFS_BLOCK_EXTENT};

		if (node->depth == 0) {
			rc = visitor->run ? visitor->run(visitor->arg, &node->entries[i]) : 0;
			continue;
		}
		if (visitor->node)
			rc = visitor->node(visitor->arg, &ref);
		if (rc == 0)
			rc = extent_child_read(walk->vol, walk->txn, walk->ino, node, i, end,
					       &child, &child_end);
		/* The depth falls by one each time, so this ends. */
		if (rc == 0)
			rc = node_walk(walk, &child, child_end);
	}
	return rc;
}

int extent_walk(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode,
		const struct extent_visitor *visitor)
{
	const struct walk walk = {vol, txn, ino, visitor};
	struct extent_node root;
	int rc = extent_root_decode(vol, ino, inode, &root);

	return rc ? rc : node_walk(&walk, &root, EXTENT_LOGICAL_END);
}
