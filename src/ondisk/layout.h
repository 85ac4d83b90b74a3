/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things lie, computed from the superblock's geometry alone. No I/O, no locks.
 *
 * first_block        group 0: superblock, group header, block bitmap, inode bitmap,
 *                    inode table, journal room, data
 * + blocks_per_group group 1: superblock copy, ...
 * total_blocks - 1   locator
 */
#ifndef CHURNFS_ONDISK_LAYOUT_H
#define CHURNFS_ONDISK_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "ondisk/codec.h"

/* What mkfs is asked for. */
struct layout_request {
	uint64_t device_bytes;
	uint64_t reserve_bytes; /* head of the device that belongs to someone else */
	uint32_t block_size;
	uint64_t inodes; /* 0: one for every 4 KiB */
};

/*
 * Fills the geometry of *SUPER (not uuid, label, times). Returns 0, -EINVAL when a value is not
 * allowed, or -ENOSPC when the device is too small; *WHY then says so in words.
 */
int layout_plan(const struct layout_request *request, struct super_info *super, const char **why);

/* Least size of a device for this block size, head not counted, in bytes. */
uint64_t layout_min_bytes(uint32_t block_size);

/* Bytes and bits of a metadata block's payload. */
static inline uint32_t layout_payload(uint32_t block_size)
{
	return block_size - (uint32_t)sizeof(struct cfs_tag);
}

static inline uint32_t layout_inodes_per_block(const struct super_info *super)
{
	return layout_payload(super->block_size) / CFS_INODE_SIZE;
}

static inline uint64_t layout_inode_count(const struct super_info *super)
{
	return (uint64_t)super->group_count * super->inodes_per_group;
}

/* Copies of the superblock: in groups 0, 1 and the powers of 3. */
bool layout_group_has_super(uint32_t group);

uint64_t layout_group_start(const struct super_info *super, uint32_t group);

/* Blocks of the group: blocks_per_group, fewer in the last. */
uint32_t layout_group_blocks(const struct super_info *super, uint32_t group);

uint64_t layout_group_header(const struct super_info *super, uint32_t group);
uint64_t layout_block_bitmap(const struct super_info *super, uint32_t group);
uint64_t layout_inode_bitmap(const struct super_info *super, uint32_t group);
uint64_t layout_inode_table(const struct super_info *super, uint32_t group);

/* First block of the group behind its fixed metadata (journal room not skipped). */
uint64_t layout_group_data(const struct super_info *super, uint32_t group);

/* Group of a block of the data area, or UINT32_MAX when BLOCK is in none. */
uint32_t layout_block_group(const struct super_info *super, uint64_t block);

/* True if INO is a number that this filesystem can have. */
bool layout_inode_valid(const struct super_info *super, uint64_t ino);

/* Group, table block and slot within the block of inode INO (which must be valid). */
uint32_t layout_inode_group(const struct super_info *super, uint64_t ino);
uint64_t layout_inode_block(const struct super_info *super, uint64_t ino, uint32_t *slot);

/* True if [block, block + count) lies within one group's data area, clear of the journal room. */
bool layout_data_valid(const struct super_info *super, uint64_t block, uint64_t count);

/*
 * What the layout alone says of BLOCK: the type of fixed metadata, CFS_BLOCK_JOURNAL for the
 * journal's room, or 0 for data, the reserved head and unused tails.
 */
enum cfs_block_type layout_block_type(const struct super_info *super, uint64_t block);

/* Tag owner of a fixed metadata block: the group number (0 for superblock 0 and locator). */
uint64_t layout_block_owner(const struct super_info *super, uint64_t block);

#endif
