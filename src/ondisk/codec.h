/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host forms of the on-disk structures. A structure is decoded once, checked while it is
 * decoded, and encoded as a whole; nothing is byte-swapped in place. No I/O, no locks.
 * Decoders return 0 or -EUCLEAN (a value that the format forbids); *WHY, if not NULL, is then
 * a constant string that names the field.
 */
#ifndef CHURNFS_ONDISK_CODEC_H
#define CHURNFS_ONDISK_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "ondisk/format.h"

struct super_info {
	uint32_t version;
	uint32_t block_size;
	uint32_t compat, ro_compat, incompat;
	uint32_t group_count;
	uint64_t total_blocks;
	uint64_t first_block;
	uint32_t blocks_per_group;
	uint32_t inodes_per_group;
	uint32_t inode_table_blocks;
	uint64_t journal_start;
	uint32_t journal_blocks;
	uint32_t state;
	uint64_t next_generation;
	uint64_t root_inode;
	int64_t created_ns, mounted_ns, written_ns;
	uint32_t mount_count;
	uint8_t uuid[16];
	char label[33];
};

struct locator_info {
	uint32_t version;
	uint32_t block_size;
	uint64_t first_block;
	uint64_t total_blocks;
	uint32_t blocks_per_group;
	uint32_t group_count;
};

struct group_info {
	uint32_t group;
	uint32_t blocks;
	uint32_t free_blocks;
	uint32_t free_inodes;
	uint32_t used_dirs;
	uint64_t block_bitmap;
	uint64_t inode_bitmap;
	uint64_t inode_table;
};

struct inode_info {
	uint32_t mode;
	uint32_t flags;
	uint32_t uid, gid;
	uint32_t links;
	uint32_t rdev;
	uint64_t size;
	uint64_t blocks;
	int64_t atime_ns, mtime_ns, ctime_ns, crtime_ns;
	uint64_t generation;
	uint64_t xattr_block;
	uint64_t parent;
	uint8_t root[CFS_INODE_ROOT_BYTES] __attribute__((aligned(8)));
};

void super_encode(struct cfs_super *disk, const struct super_info *info);

/* Checks every field against the others. Unknown feature bits are not an error here. */
int super_decode(const struct cfs_super *disk, struct super_info *info, const char **why);

void locator_encode(struct cfs_locator *disk, const struct locator_info *info);
int locator_decode(const struct cfs_locator *disk, struct locator_info *info, const char **why);

void group_encode(struct cfs_group *disk, const struct group_info *info);

/* Checks against the layout that SUPER gives to group GROUP. */
int group_decode(const struct cfs_group *disk, const struct super_info *super, uint32_t group,
		 struct group_info *info, const char **why);

void inode_encode(struct cfs_inode *disk, const struct inode_info *info);

/* A free inode (mode 0) decodes without error. */
int inode_decode(const struct cfs_inode *disk, struct inode_info *info, const char **why);

#endif
