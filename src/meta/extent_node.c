/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/extent_node.h"

#include <errno.h>
#include <sys/stat.h>

#include "integrity/tag.h"
#include "util/log.h"

static_assert(EXTENT_NODE_MAX >= (CFS_BLOCK_SIZE_MAX - sizeof(struct cfs_tag) -
				  sizeof(struct cfs_extent_head)) /
					 sizeof(struct cfs_extent),
	      "a host node holds the largest node on disk");

int extent_bad(uint64_t ino, uint64_t block, const char *what)
{
	if (block)
		log_error("inode %llu: extent node in block %llu: %s", (unsigned long long)ino,
			  (unsigned long long)block, what);
	else
		log_error("inode %llu: extent root: %s", (unsigned long long)ino, what);
	return -EUCLEAN;
}

enum cfs_block_type extent_content_type(const struct inode_info *inode)
{
	if (S_ISDIR(inode->mode))
		return CFS_BLOCK_DIR;
	return S_ISLNK(inode->mode) ? CFS_BLOCK_SYMLINK : 0;
}

bool extent_used(const struct inode_info *inode)
{
	return S_ISREG(inode->mode) || S_ISDIR(inode->mode) ||
	       (S_ISLNK(inode->mode) && !(inode->flags & CFS_INODE_INLINE));
}

uint32_t extent_node_capacity(const struct super_info *super)
{
	return (layout_payload(super->block_size) - (uint32_t)sizeof(struct cfs_extent_head)) /
	       (uint32_t)sizeof(struct cfs_extent);
}

/* The entries of a leaf: ascending, apart, within the data areas. */
static const char *leaf_decode(const struct super_info *super, const struct cfs_extent *disk,
			       struct extent_node *node)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < node->count; i++) {
		struct extent_run *run = &node->entries[i];

		run->logical = le32_get(disk[i].logical);
		run->length = le32_get(disk[i].length);
		run->block = le64_get(disk[i].block);
		if (run->length == 0 || extent_run_end(run) > EXTENT_LOGICAL_END)
			return "an extent's length is out of range";
		if (run->logical < end)
			return "extents are out of order or overlap";
		if (!layout_data_valid(super, run->block, run->length))
			return "an extent lies outside of the data area";
		end = extent_run_end(run);
	}
	return NULL;
}

static const char *index_decode(const struct super_info *super, const struct cfs_extent_index *disk,
				struct extent_node *node)
{
	for (uint32_t i = 0; i < node->count; i++) {
		struct extent_run *entry = &node->entries[i];

		entry->logical = le32_get(disk[i].logical);
		entry->length = 0;
		entry->block = le64_get(disk[i].child);
		if (i && entry->logical <= node->entries[i - 1].logical)
			return "index entries are out of order";
		if (!layout_data_valid(super, entry->block, 1))
			return "a child lies outside of the data area";
	}
	return NULL;
}

static const char *node_decode(const struct super_info *super, const void *payload,
			       uint32_t capacity, struct extent_node *node)
{
	const struct cfs_extent_head *head = payload;

	node->depth = le16_get(head->depth);
	node->count = le16_get(head->count);
	node->max = le16_get(head->max);
	if (node->depth > CFS_EXTENT_DEPTH_MAX)
		return "too deep";
	if (node->max != capacity)
		return "max is not what fits";
	if (node->count > node->max)
		return "count exceeds max";
	if (node->depth == 0)
		return leaf_decode(super, (const void *)(head + 1), node);
	if (node->count == 0)
		return "an index without entries";
	return index_decode(super, (const void *)(head + 1), node);
}

void extent_node_encode(void *payload, const struct extent_node *node)
{
	struct cfs_extent_head *head = payload;
	struct cfs_extent_index *index = (void *)(head + 1);
	struct cfs_extent *leaf = (void *)(head + 1);

	*head = (struct cfs_extent_head){
		.depth = le16_make((uint16_t)node->depth),
		.count = le16_make((uint16_t)node->count),
		.max = le16_make((uint16_t)node->max),
	};
	for (uint32_t i = 0; i < node->count; i++) {
		const struct extent_run *entry = &node->entries[i];

		if (node->depth)
			index[i] = (struct cfs_extent_index){
				.logical = le32_make(entry->logical),
				.child = le64_make(entry->block),
			};
		else
			leaf[i] = (struct cfs_extent){
				.logical = le32_make(entry->logical),
				.length = le32_make(entry->length),
				.block = le64_make(entry->block),
			};
	}
}

int extent_root_decode(const struct volume *vol, uint64_t ino, const struct inode_info *inode,
		       struct extent_node *node)
{
	const char *why = node_decode(&vol->super, inode->root, CFS_EXTENT_ROOT_MAX, node);

	return why ? extent_bad(ino, 0, why) : 0;
}

int extent_child_read(struct volume *vol, struct txn *txn, uint64_t ino,
		      const struct extent_node *parent, uint32_t pos, uint64_t end,
		      struct extent_node *child, uint64_t *child_end)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct extent_run *entry = &parent->entries[pos], *last;
	struct block_ref ref = {entry->block, ino, CFS_BLOCK_EXTENT};
	const char *why;
	int rc;

	rc = txn_read(txn, &ref, image);
	if (rc)
		return rc;
	why = node_decode(&vol->super, tag_payload(image), extent_node_capacity(&vol->super),
			  child);
	if (why)
		return extent_bad(ino, ref.block, why);
	if (child->depth + 1 != parent->depth)
		return extent_bad(ino, ref.block, "its depth is not its parent's less one");
	if (child->count == 0)
		return extent_bad(ino, ref.block, "empty");
	if (pos + 1 < parent->count)
		end = parent->entries[pos + 1].logical;
	last = &child->entries[child->count - 1];
	/* This also keeps a crafted tree from leading to one node twice. */
	if (child->entries[0].logical < entry->logical || last->logical >= end ||
	    extent_run_end(last) > end)
		return extent_bad(ino, ref.block, "maps what its parent does not lead to");
	*child_end = end;
	return 0;
}

/* Number of entries that begin at or before LOGICAL. */
static uint32_t node_search(const struct extent_node *node, uint32_t logical)
{
	uint32_t low = 0, high = node->count;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (node->entries[mid].logical <= logical)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int extent_path_find(struct volume *vol, struct txn *txn, uint64_t ino,
		     const struct inode_info *inode, uint32_t logical, struct extent_path *path)
{
	struct extent_step *step = &path->step[0], *child;
	int rc;

	step->block = 0;
	step->end = EXTENT_LOGICAL_END;
	rc = extent_root_decode(vol, ino, inode, &step->node);
	path->depth = step->node.depth;
	for (; rc == 0; step = child) {
		step->pos = node_search(&step->node, logical);
		if (step->node.depth == 0)
			break;
		if (step->pos)
			step->pos--;
		child = step + 1;
		child->block = step->node.entries[step->pos].block;
		rc = extent_child_read(vol, txn, ino, &step->node, step->pos, step->end,
				       &child->node, &child->end);
	}
	return rc;
}

int extent_step_write(struct txn *txn, uint64_t ino, struct inode_info *inode,
		      const struct extent_step *step)
{
	struct block_ref ref = {step->block, ino, CFS_BLOCK_EXTENT};
	void *image;
	int rc;

	if (!step->block) {
		extent_node_encode(inode->root, &step->node);
		return 0;
	}
	rc = txn_get(txn, &ref, &image);
	if (rc == 0)
		extent_node_encode(tag_payload(image), &step->node);
	return rc;
}
