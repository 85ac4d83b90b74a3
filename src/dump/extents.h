/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The extent tree of an inode as it lies on the device, however damaged. Each node must lie in
 * its parent's range of file blocks and hold something, so a walk of a crafted tree ends: no block
 * can be a node twice.
 */
#ifndef CHURNFS_DUMP_EXTENTS_H
#define CHURNFS_DUMP_EXTENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "dump/reader.h"

struct extents {
	struct cfs_extent *runs; /* in the order of the file */
	size_t count;
	uint64_t *nodes; /* extent blocks */
	size_t node_count;
	bool overlap; /* a block of the device is mapped twice */
};

/*
 * Collects what is whole. Faults are counted in READER and appended to "damage" of OBJECT. An
 * inode that has no extents (a device, an inline symlink) gives none. The caller ends with
 * extents_free().
 */
void extents_collect(struct reader *reader, uint64_t ino, const struct inode_info *inode,
		     json_t *object, struct extents *extents);

void extents_free(struct extents *extents);

/* Block of the device that holds block LOGICAL of the file, or 0 for a hole. */
uint64_t extents_find(const struct extents *extents, uint32_t logical);

/* Adds "extents", an array of objects, and "extent_blocks" to OBJECT. */
void extents_put(const struct extents *extents, json_t *object);

#endif
