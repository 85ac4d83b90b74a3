/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta/extent_node.h"

/* What the steps of an insertion share. */
struct insertion {
	struct volume *vol;
	struct txn *txn;
	uint64_t ino;
	struct inode_info *inode;
	const struct extent_run *run;
	struct extent_path path;
};

static void entry_insert(struct extent_node *node, uint32_t pos, const struct extent_run *entry)
{
	memmove(&node->entries[pos + 1], &node->entries[pos], (node->count - pos) * sizeof(*entry));
	node->entries[pos] = *entry;
	node->count++;
}

static void entry_remove(struct extent_node *node, uint32_t pos)
{
	node->count--;
	memmove(&node->entries[pos], &node->entries[pos + 1],
		(node->count - pos) * sizeof(node->entries[0]));
}

/* Runs that touch on the device lie in one group: between two groups there is metadata. */
static bool runs_touch(const struct extent_run *left, const struct extent_run *right)
{
	return extent_run_end(left) == right->logical && left->block + left->length == right->block;
}

/* Enters RUN before entry POS of a leaf. False when there is no room. */
static bool leaf_enter(struct extent_node *leaf, uint32_t pos, const struct extent_run *run)
{
	struct extent_run *left = pos ? &leaf->entries[pos - 1] : NULL;
	struct extent_run *right = pos < leaf->count ? &leaf->entries[pos] : NULL;
	bool touches_right = right && runs_touch(run, right);

	if (left && runs_touch(left, run)) {
		left->length += run->length;
		if (touches_right) {
			left->length += right->length;
			entry_remove(leaf, pos);
		}
		return true;
	}
	if (touches_right) {
		right->logical = run->logical;
		right->block = run->block;
		right->length += run->length;
		return true;
	}
	if (leaf->count == leaf->max)
		return false;
	entry_insert(leaf, pos, run);
	return true;
}

/* -EUCLEAN when part of the run is mapped, or ends behind what the leaf may map. */
static int hole_check(const struct insertion *in)
{
	const struct extent_step *leaf = &in->path.step[in->path.depth];
	const struct extent_node *node = &leaf->node;
	uint64_t end = extent_run_end(in->run);

	if ((leaf->pos && extent_run_end(&node->entries[leaf->pos - 1]) > in->run->logical) ||
	    (leaf->pos < node->count && node->entries[leaf->pos].logical < end) || leaf->end < end)
		return extent_bad(in->ino, leaf->block, "a new extent overlaps an old one");
	return 0;
}

/* Takes a block for a node and writes NODE to it. */
static int node_create(struct insertion *in, const struct extent_node *node, uint64_t *block)
{
	struct block_ref ref = {.owner = in->ino, .type = CFS_BLOCK_EXTENT};
	uint32_t got;
	void *image;
	int rc;

	rc = block_alloc(in->vol, in->txn, in->run->block, 1, &ref.block, &got);
	if (rc)
		return rc;
	rc = txn_create(in->txn, &ref, &image);
	if (rc)
		return rc;
	extent_node_encode(tag_payload(image), node);
	in->inode->blocks++;
	*block = ref.block;
	return 0;
}

/* Moves the root's entries into a new node, which becomes its only child. */
static int root_grow(struct insertion *in)
{
	struct extent_step *root = &in->path.step[0], *child = &in->path.step[1];
	struct extent_run entry = {0};
	int rc;

	if (root->node.depth == CFS_EXTENT_DEPTH_MAX)
		return -EFBIG;
	child->node = root->node;
	child->node.max = extent_node_capacity(&in->vol->super);
	rc = node_create(in, &child->node, &entry.block);
	if (rc)
		return rc;
	entry.logical = child->node.entries[0].logical;
	root->node.depth++;
	root->node.count = 1;
	root->node.entries[0] = entry;
	return extent_step_write(in->txn, in->ino, in->inode, root);
}

/* Moves the upper part of the full node at LEVEL into a new one behind it. Its parent has room. */
static int node_split(struct insertion *in, uint32_t level)
{
	struct extent_step *step = &in->path.step[level], *parent = step - 1;
	struct extent_node *node = &step->node, upper = {.depth = node->depth, .max = node->max};
	struct extent_run entry = {0};
	bool at_end = step->pos + (node->depth ? 1 : 0) == node->count;
	int rc;

	/* A file that grows at its end leaves full nodes behind. */
	upper.count = at_end ? 1 : node->count / 2;
	node->count -= upper.count;
	memcpy(upper.entries, &node->entries[node->count], upper.count * sizeof(upper.entries[0]));
	rc = node_create(in, &upper, &entry.block);
	if (rc)
		return rc;
	entry.logical = upper.entries[0].logical;
	entry_insert(&parent->node, parent->pos + 1, &entry);
	rc = extent_step_write(in->txn, in->ino, in->inode, step);
	return rc ? rc : extent_step_write(in->txn, in->ino, in->inode, parent);
}

/* One step towards room in the leaf: splits the highest full node whose parent has room. */
static int room_make(struct insertion *in)
{
	uint32_t level = in->path.depth;

	while (level && in->path.step[level - 1].node.count == in->path.step[level - 1].node.max)
		level--;
	return level ? node_split(in, level) : root_grow(in);
}

/* Writes the leaf back, and every index entry on the way that began behind the new run. */
static int path_write(struct insertion *in)
{
	struct extent_path *path = &in->path;
	int rc = extent_step_write(in->txn, in->ino, in->inode, &path->step[path->depth]);

	for (uint32_t level = 0; rc == 0 && level < path->depth; level++) {
		struct extent_step *step = &path->step[level];

		if (step->node.entries[step->pos].logical <= in->run->logical)
			continue;
		step->node.entries[step->pos].logical = in->run->logical;
		rc = extent_step_write(in->txn, in->ino, in->inode, step);
	}
	return rc;
}

int extent_insert(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		  const struct extent_run *run)
{
	struct insertion in = {.vol = vol, .txn = txn, .ino = ino, .inode = inode, .run = run};
	int rc;

	if (run->length == 0 || !layout_data_valid(&vol->super, run->block, run->length))
		return extent_bad(ino, 0, "a new extent lies outside of the data area");
	if (extent_run_end(run) > EXTENT_LOGICAL_END)
		return -EFBIG;
	/* Each round makes a node roomier or the tree higher, so there are few. */
	for (;;) {
		struct extent_step *leaf;

		rc = extent_path_find(vol, txn, ino, inode, run->logical, &in.path);
		if (rc == 0)
			rc = hole_check(&in);
		if (rc)
			return rc;
		leaf = &in.path.step[in.path.depth];
		if (leaf_enter(&leaf->node, leaf->pos, run))
			break;
		rc = room_make(&in);
		if (rc)
			return rc;
	}
	inode->blocks += run->length;
	return path_write(&in);
}
