/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dump/extents.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dump/field.h"
#include "integrity/tag.h"

struct walk {
	struct reader *reader;
	uint64_t ino;
	json_t *object;
	struct extents *extents;
};

/* File blocks [low, high) that a node may speak of. */
struct range {
	uint64_t low, high;
};

/* Room for one more: the array doubles whenever COUNT is a power of two. */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	array = reallocarray(array, count ? 2 * count : 1, size);
	field_require(array);
	return array;
}

static void damage_note(struct walk *walk, const char *what, uint64_t logical)
{
	walk->reader->damage++;
	field_damage(walk->object, "%s at file block %" PRIu64, what, logical);
}

static void leaf_walk(struct walk *walk, const struct cfs_extent *entries, uint16_t count,
		      struct range range)
{
	struct extents *found = walk->extents;

	for (uint16_t i = 0; i < count; i++) {
		uint64_t logical = le32_get(entries[i].logical);
		uint64_t length = le32_get(entries[i].length);

		if (logical < range.low || length == 0 || length > range.high ||
		    logical > range.high - length) {
			damage_note(walk, "extent out of order or of no length", logical);
			return;
		}
		range.low = logical + length;
		if (!layout_data_valid(&walk->reader->super, le64_get(entries[i].block), length)) {
			damage_note(walk, "extent outside of the data area", logical);
			continue;
		}
		found->runs = grow(found->runs, found->count, sizeof(*found->runs));
		found->runs[found->count++] = entries[i];
	}
}

static void node_walk(struct walk *walk, const void *node, size_t room, int depth,
		      struct range range);

static void child_walk(struct walk *walk, uint64_t block, int depth, struct range range)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint32_t payload = layout_payload(walk->reader->super.block_size);
	struct extents *found = walk->extents;
	const char *why = "extent block outside of the data area";
	int rc = 0;

	if (!layout_data_valid(&walk->reader->super, block, 1)) {
		walk->reader->damage++;
		rc = -EUCLEAN;
	} else {
		rc = reader_block(walk->reader, block, CFS_BLOCK_EXTENT, walk->ino, image, &why);
	}
	if (rc) {
		field_damage(walk->object, "extent block %" PRIu64 ": %s", block, why);
		return;
	}
	found->nodes = grow(found->nodes, found->node_count, sizeof(*found->nodes));
	found->nodes[found->node_count++] = block;
	node_walk(walk, tag_payload(image), payload, depth, range);
}

static void index_walk(struct walk *walk, const struct cfs_extent_index *entries, uint16_t count,
		       int depth, struct range range)
{
	for (uint16_t i = 0; i < count; i++) {
		uint64_t low = le32_get(entries[i].logical);
		uint64_t high = i + 1 < count ? le32_get(entries[i + 1].logical) : range.high;

		if (low < range.low || high <= low || high > range.high) {
			damage_note(walk, "extent index out of order", low);
			return;
		}
		child_walk(walk, le64_get(entries[i].child), depth - 1, (struct range){low, high});
	}
}

/* DEPTH: what the node must have; -1 for the root, which says itself. */
static void node_walk(struct walk *walk, const void *node, size_t room, int depth,
		      struct range range)
{
	const struct cfs_extent_head *head = node;
	const void *entries = head + 1;
	uint16_t count = le16_get(head->count);
	bool root = depth < 0;

	if (root)
		depth = le16_get(head->depth);
	if (le16_get(head->depth) != depth || depth > (int)CFS_EXTENT_DEPTH_MAX ||
	    le16_get(head->max) != (room - sizeof(*head)) / sizeof(struct cfs_extent) ||
	    count > le16_get(head->max) || (count == 0 && (!root || depth > 0))) {
		damage_note(walk, "bad head of an extent node", range.low);
		return;
	}
	if (depth)
		index_walk(walk, entries, count, depth, range);
	else
		leaf_walk(walk, entries, count, range);
}

static int block_compare(const void *a, const void *b)
{
	uint64_t x = le64_get(((const struct cfs_extent *)a)->block);
	uint64_t y = le64_get(((const struct cfs_extent *)b)->block);

	return (x > y) - (x < y);
}

static void overlap_find(struct walk *walk)
{
	struct extents *found = walk->extents;
	struct cfs_extent *sorted;

	if (found->count < 2)
		return;
	sorted = malloc(found->count * sizeof(*sorted));
	field_require(sorted);
	memcpy(sorted, found->runs, found->count * sizeof(*sorted));
	qsort(sorted, found->count, sizeof(*sorted), block_compare);
	for (size_t i = 1; i < found->count && !found->overlap; i++) {
		found->overlap = le64_get(sorted[i - 1].block) + le32_get(sorted[i - 1].length) >
				 le64_get(sorted[i].block);
		if (found->overlap)
			damage_note(walk, "extent on blocks of another extent",
				    le32_get(sorted[i].logical));
	}
	free(sorted);
}

void extents_collect(struct reader *reader, uint64_t ino, const struct inode_info *inode,
		     json_t *object, struct extents *extents)
{
	struct walk walk = {
		.reader = reader,
		.ino = ino,
		.object = object,
		.extents = extents,
	};

	memset(extents, 0, sizeof(*extents));
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode) &&
	    (!S_ISLNK(inode->mode) || (inode->flags & CFS_INODE_INLINE)))
		return;
	node_walk(&walk, inode->root, sizeof(inode->root), -1,
		  (struct range){0, (uint64_t)UINT32_MAX + 1});
	overlap_find(&walk);
}

void extents_free(struct extents *extents)
{
	free(extents->runs);
	free(extents->nodes);
	memset(extents, 0, sizeof(*extents));
}

uint64_t extents_find(const struct extents *extents, uint32_t logical)
{
	size_t low = 0, high = extents->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cfs_extent *run = &extents->runs[middle];

		if (logical < le32_get(run->logical))
			high = middle;
		else if (logical - le32_get(run->logical) >= le32_get(run->length))
			low = middle + 1;
		else
			return le64_get(run->block) + (logical - le32_get(run->logical));
	}
	return 0;
}

void extents_put(const struct extents *extents, json_t *object)
{
	json_t *runs = field_array(), *nodes = field_array();

	for (size_t i = 0; i < extents->count; i++) {
		json_t *run = field_object();

		field_number(run, "logical", le32_get(extents->runs[i].logical));
		field_number(run, "length", le32_get(extents->runs[i].length));
		field_number(run, "block", le64_get(extents->runs[i].block));
		field_append(runs, run);
	}
	for (size_t i = 0; i < extents->node_count; i++)
		field_append(nodes, json_integer((json_int_t)extents->nodes[i]));
	field_put(object, "extents", runs);
	field_put(object, "extent_blocks", nodes);
}
