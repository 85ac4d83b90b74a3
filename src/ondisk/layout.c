/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ondisk/layout.h"

#include <errno.h>
#include <string.h>

/* Fixed blocks at a group's start before the inode table: superblock or its place, header, bitmaps.
 */
#define GROUP_FIXED_BLOCKS 4u
#define GROUP_MIN_DATA_BLOCKS 64u
#define JOURNAL_MIN_BLOCKS 64u
#define JOURNAL_MAX_BLOCKS 1024u
#define BYTES_PER_INODE 4096u
#define INODE_TABLE_MIN_BLOCKS 4u

bool layout_group_has_super(uint32_t group)
{
	if (group <= 1)
		return true;
	while (group % 3 == 0)
		group /= 3;
	return group == 1;
}

uint64_t layout_group_start(const struct super_info *super, uint32_t group)
{
	return super->first_block + (uint64_t)group * super->blocks_per_group;
}

uint32_t layout_group_blocks(const struct super_info *super, uint32_t group)
{
	/* The locator's block belongs to no group. */
	uint64_t left = super->total_blocks - 1 - layout_group_start(super, group);

	return left < super->blocks_per_group ? (uint32_t)left : super->blocks_per_group;
}

uint64_t layout_group_header(const struct super_info *super, uint32_t group)
{
	return layout_group_start(super, group) + 1;
}

uint64_t layout_block_bitmap(const struct super_info *super, uint32_t group)
{
	return layout_group_start(super, group) + 2;
}

uint64_t layout_inode_bitmap(const struct super_info *super, uint32_t group)
{
	return layout_group_start(super, group) + 3;
}

uint64_t layout_inode_table(const struct super_info *super, uint32_t group)
{
	return layout_group_start(super, group) + GROUP_FIXED_BLOCKS;
}

uint64_t layout_group_data(const struct super_info *super, uint32_t group)
{
	return layout_inode_table(super, group) + super->inode_table_blocks;
}

uint32_t layout_block_group(const struct super_info *super, uint64_t block)
{
	uint64_t group;

	if (block < super->first_block)
		return UINT32_MAX;
	group = (block - super->first_block) / super->blocks_per_group;
	if (group >= super->group_count)
		return UINT32_MAX;
	if (block - layout_group_start(super, (uint32_t)group) >=
	    layout_group_blocks(super, (uint32_t)group))
		return UINT32_MAX;
	return (uint32_t)group;
}

bool layout_inode_valid(const struct super_info *super, uint64_t ino)
{
	return ino >= 1 && ino <= layout_inode_count(super);
}

uint32_t layout_inode_group(const struct super_info *super, uint64_t ino)
{
	return (uint32_t)((ino - 1) / super->inodes_per_group);
}

uint64_t layout_inode_block(const struct super_info *super, uint64_t ino, uint32_t *slot)
{
	uint32_t index = (uint32_t)((ino - 1) % super->inodes_per_group);
	uint32_t per_block = layout_inodes_per_block(super);

	*slot = index % per_block;
	return layout_inode_table(super, layout_inode_group(super, ino)) + index / per_block;
}

bool layout_data_valid(const struct super_info *super, uint64_t block, uint64_t count)
{
	uint32_t group = layout_block_group(super, block);
	uint64_t end;

	if (group == UINT32_MAX || count == 0 || block < layout_group_data(super, group))
		return false;
	end = layout_group_start(super, group) + layout_group_blocks(super, group);
	if (count > end - block)
		return false;
	return !super->journal_blocks || block + count <= super->journal_start ||
	       block >= super->journal_start + super->journal_blocks;
}

enum cfs_block_type layout_block_type(const struct super_info *super, uint64_t block)
{
	uint32_t group;
	uint64_t index;

	if (block + 1 == super->total_blocks)
		return CFS_BLOCK_LOCATOR;
	if (super->journal_blocks && block >= super->journal_start &&
	    block < super->journal_start + super->journal_blocks)
		return CFS_BLOCK_JOURNAL;
	group = layout_block_group(super, block);
	if (group == UINT32_MAX)
		return 0;
	index = block - layout_group_start(super, group);
	if (index == 0)
		return layout_group_has_super(group) ? CFS_BLOCK_SUPER : 0;
	if (index == 1)
		return CFS_BLOCK_GROUP;
	if (index == 2)
		return CFS_BLOCK_BLOCK_BITMAP;
	if (index == 3)
		return CFS_BLOCK_INODE_BITMAP;
	return block < layout_group_data(super, group) ? CFS_BLOCK_INODE_TABLE : 0;
}

uint64_t layout_block_owner(const struct super_info *super, uint64_t block)
{
	uint32_t group = layout_block_group(super, block);

	return group == UINT32_MAX ? 0 : group;
}

uint64_t layout_min_bytes(uint32_t block_size)
{
	uint64_t blocks = GROUP_FIXED_BLOCKS + INODE_TABLE_MIN_BLOCKS + JOURNAL_MIN_BLOCKS +
			  GROUP_MIN_DATA_BLOCKS + 1;

	return blocks * block_size;
}

/* Most blocks that each group's inode table may have, so that bitmap, journal and data fit too. */
static uint32_t table_blocks_max(const struct super_info *super)
{
	uint32_t per_block = layout_inodes_per_block(super);
	uint64_t space = super->total_blocks - super->first_block - 1;
	uint64_t max = super->blocks_per_group / 2;
	uint64_t least = GROUP_FIXED_BLOCKS + JOURNAL_MIN_BLOCKS + GROUP_MIN_DATA_BLOCKS;

	if (max > layout_payload(super->block_size) * 8 / per_block)
		max = layout_payload(super->block_size) * 8 / per_block;
	if (max > UINT32_MAX / per_block / super->group_count)
		max = UINT32_MAX / per_block / super->group_count;
	if (super->group_count == 1 && max > space - least)
		max = space - least;
	return (uint32_t)max;
}

static int plan_inodes(const struct layout_request *request, struct super_info *super,
		       const char **why)
{
	uint32_t per_block = layout_inodes_per_block(super);
	uint32_t max_blocks = table_blocks_max(super);
	uint64_t inodes = request->inodes, blocks;

	if (inodes > UINT32_MAX) {
		*why = "more inodes than 4294967295";
		return -EINVAL;
	}
	if (!inodes)
		inodes = (super->total_blocks - super->first_block) * super->block_size /
			 BYTES_PER_INODE;
	blocks = (inodes + super->group_count - 1) / super->group_count;
	blocks = (blocks + per_block - 1) / per_block;
	if (blocks < INODE_TABLE_MIN_BLOCKS)
		blocks = INODE_TABLE_MIN_BLOCKS;
	if (blocks > max_blocks && !request->inodes)
		blocks = max_blocks;
	if (blocks > max_blocks) {
		*why = "more inodes than a device of this size can hold";
		return -EINVAL;
	}
	super->inode_table_blocks = (uint32_t)blocks;
	super->inodes_per_group = (uint32_t)blocks * per_block;
	return 0;
}

static void plan_journal(struct super_info *super)
{
	uint64_t data = layout_group_data(super, 0);
	uint64_t room = layout_group_start(super, 0) + layout_group_blocks(super, 0) - data;
	uint64_t want = (super->total_blocks - super->first_block) / 32;

	if (want > JOURNAL_MAX_BLOCKS)
		want = JOURNAL_MAX_BLOCKS;
	if (want < JOURNAL_MIN_BLOCKS)
		want = JOURNAL_MIN_BLOCKS;
	if (want > room / 2)
		want = room / 2;
	super->journal_start = data;
	super->journal_blocks = (uint32_t)want;
}

int layout_plan(const struct layout_request *request, struct super_info *super, const char **why)
{
	uint32_t bs = request->block_size;
	uint64_t blocks, left;
	int rc;

	if (bs != 1024 && bs != 2048 && bs != 4096) {
		*why = "block size must be 1024, 2048 or 4096";
		return -EINVAL;
	}
	if (request->reserve_bytes % CFS_BLOCK_SIZE_MAX) {
		*why = "the reserved head must be a multiple of 4 KiB";
		return -EINVAL;
	}
	if (request->reserve_bytes > request->device_bytes ||
	    request->device_bytes - request->reserve_bytes < layout_min_bytes(bs)) {
		*why = "device too small";
		return -ENOSPC;
	}
	memset(super, 0, sizeof(*super));
	super->version = CFS_VERSION;
	super->block_size = bs;
	super->total_blocks = request->device_bytes / bs;
	super->first_block = request->reserve_bytes / bs;
	super->blocks_per_group = layout_payload(bs) * 8;
	if (super->first_block)
		super->compat |= CFS_COMPAT_RESERVED_HEAD;
	super->state = CFS_STATE_CLEAN;
	super->root_inode = CFS_ROOT_INODE;

	/* The locator's block is taken from the end; a last group with no room for data is left
	 * out. */
	blocks = super->total_blocks - super->first_block - 1;
	left = (blocks + super->blocks_per_group - 1) / super->blocks_per_group;
	if (left > UINT32_MAX / (INODE_TABLE_MIN_BLOCKS * layout_inodes_per_block(super))) {
		*why = "device too large for this block size";
		return -EINVAL;
	}
	super->group_count = (uint32_t)left;
	rc = plan_inodes(request, super, why);
	if (rc)
		return rc;
	left = blocks % super->blocks_per_group;
	if (left && super->group_count > 1 &&
	    left < GROUP_FIXED_BLOCKS + super->inode_table_blocks + GROUP_MIN_DATA_BLOCKS)
		super->group_count--;
	plan_journal(super);
	return 0;
}
