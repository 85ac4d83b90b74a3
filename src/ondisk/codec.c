/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ondisk/codec.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "ondisk/layout.h"

static int bad(const char **why, const char *what)
{
	if (why)
		*why = what;
	return -EUCLEAN;
}

static bool block_size_valid(uint32_t size)
{
	return size == 1024 || size == 2048 || size == 4096;
}

void super_encode(struct cfs_super *disk, const struct super_info *info)
{
	memset(disk, 0, sizeof(*disk));
	memcpy(disk->magic, CFS_SUPER_MAGIC, sizeof(disk->magic));
	disk->version = le32_make(info->version);
	disk->block_size = le32_make(info->block_size);
	disk->compat = le32_make(info->compat);
	disk->ro_compat = le32_make(info->ro_compat);
	disk->incompat = le32_make(info->incompat);
	disk->group_count = le32_make(info->group_count);
	disk->total_blocks = le64_make(info->total_blocks);
	disk->first_block = le64_make(info->first_block);
	disk->blocks_per_group = le32_make(info->blocks_per_group);
	disk->inodes_per_group = le32_make(info->inodes_per_group);
	disk->inode_size = le32_make(CFS_INODE_SIZE);
	disk->inode_table_blocks = le32_make(info->inode_table_blocks);
	disk->journal_start = le64_make(info->journal_start);
	disk->journal_blocks = le32_make(info->journal_blocks);
	disk->state = le32_make(info->state);
	disk->next_generation = le64_make(info->next_generation);
	disk->root_inode = le64_make(info->root_inode);
	disk->created_ns = le64_make((uint64_t)info->created_ns);
	disk->mounted_ns = le64_make((uint64_t)info->mounted_ns);
	disk->written_ns = le64_make((uint64_t)info->written_ns);
	disk->mount_count = le32_make(info->mount_count);
	memcpy(disk->uuid, info->uuid, sizeof(disk->uuid));
	memcpy(disk->label, info->label, strnlen(info->label, sizeof(disk->label)));
}

static int super_geometry_check(const struct super_info *info, const char **why)
{
	uint32_t payload = layout_payload(info->block_size);
	uint64_t last_start, group_end, overhead = 4ULL + info->inode_table_blocks;

	if (info->blocks_per_group == 0 || info->blocks_per_group > payload * 8)
		return bad(why, "blocks_per_group");
	if (info->inode_table_blocks == 0 || overhead + 1 >= info->blocks_per_group)
		return bad(why, "inode_table_blocks");
	if (info->inodes_per_group != info->inode_table_blocks * (payload / CFS_INODE_SIZE) ||
	    info->inodes_per_group > payload * 8)
		return bad(why, "inodes_per_group");
	if (info->total_blocks > UINT64_MAX / info->block_size)
		return bad(why, "total_blocks");
	if (info->first_block >= info->total_blocks)
		return bad(why, "first_block");
	if (info->group_count == 0 ||
	    info->group_count > info->total_blocks / info->blocks_per_group + 1)
		return bad(why, "group_count");
	last_start = info->first_block + (uint64_t)(info->group_count - 1) * info->blocks_per_group;
	if (last_start + overhead >= info->total_blocks)
		return bad(why, "group_count");
	if (layout_inode_count(info) > UINT32_MAX)
		return bad(why, "inodes_per_group");
	group_end = info->first_block + layout_group_blocks(info, 0);
	if (info->journal_blocks &&
	    (info->journal_start < layout_group_data(info, 0) || info->journal_start > group_end ||
	     info->journal_blocks > group_end - info->journal_start))
		return bad(why, "journal_start");
	return 0;
}

int super_decode(const struct cfs_super *disk, struct super_info *info, const char **why)
{
	memset(info, 0, sizeof(*info));
	if (memcmp(disk->magic, CFS_SUPER_MAGIC, sizeof(disk->magic)) != 0)
		return bad(why, "magic");
	info->version = le32_get(disk->version);
	info->block_size = le32_get(disk->block_size);
	info->compat = le32_get(disk->compat);
	info->ro_compat = le32_get(disk->ro_compat);
	info->incompat = le32_get(disk->incompat);
	info->group_count = le32_get(disk->group_count);
	info->total_blocks = le64_get(disk->total_blocks);
	info->first_block = le64_get(disk->first_block);
	info->blocks_per_group = le32_get(disk->blocks_per_group);
	info->inodes_per_group = le32_get(disk->inodes_per_group);
	info->inode_table_blocks = le32_get(disk->inode_table_blocks);
	info->journal_start = le64_get(disk->journal_start);
	info->journal_blocks = le32_get(disk->journal_blocks);
	info->state = le32_get(disk->state);
	info->next_generation = le64_get(disk->next_generation);
	info->root_inode = le64_get(disk->root_inode);
	info->created_ns = (int64_t)le64_get(disk->created_ns);
	info->mounted_ns = (int64_t)le64_get(disk->mounted_ns);
	info->written_ns = (int64_t)le64_get(disk->written_ns);
	info->mount_count = le32_get(disk->mount_count);
	memcpy(info->uuid, disk->uuid, sizeof(info->uuid));
	memcpy(info->label, disk->label, sizeof(disk->label));

	if (info->version != CFS_VERSION)
		return bad(why, "version");
	if (!block_size_valid(info->block_size))
		return bad(why, "block_size");
	if (le32_get(disk->inode_size) != CFS_INODE_SIZE)
		return bad(why, "inode_size");
	if (info->state != CFS_STATE_CLEAN && info->state != CFS_STATE_DIRTY)
		return bad(why, "state");
	if (info->root_inode != CFS_ROOT_INODE)
		return bad(why, "root_inode");
	if (info->next_generation == 0)
		return bad(why, "next_generation");
	return super_geometry_check(info, why);
}

void locator_encode(struct cfs_locator *disk, const struct locator_info *info)
{
	memset(disk, 0, sizeof(*disk));
	memcpy(disk->magic, CFS_LOCATOR_MAGIC, sizeof(disk->magic));
	disk->version = le32_make(info->version);
	disk->block_size = le32_make(info->block_size);
	disk->first_block = le64_make(info->first_block);
	disk->total_blocks = le64_make(info->total_blocks);
	disk->blocks_per_group = le32_make(info->blocks_per_group);
	disk->group_count = le32_make(info->group_count);
}

int locator_decode(const struct cfs_locator *disk, struct locator_info *info, const char **why)
{
	memset(info, 0, sizeof(*info));
	if (memcmp(disk->magic, CFS_LOCATOR_MAGIC, sizeof(disk->magic)) != 0)
		return bad(why, "magic");
	info->version = le32_get(disk->version);
	info->block_size = le32_get(disk->block_size);
	info->first_block = le64_get(disk->first_block);
	info->total_blocks = le64_get(disk->total_blocks);
	info->blocks_per_group = le32_get(disk->blocks_per_group);
	info->group_count = le32_get(disk->group_count);
	if (info->version != CFS_VERSION)
		return bad(why, "version");
	if (!block_size_valid(info->block_size))
		return bad(why, "block_size");
	if (info->first_block >= info->total_blocks)
		return bad(why, "first_block");
	return 0;
}

void group_encode(struct cfs_group *disk, const struct group_info *info)
{
	memset(disk, 0, sizeof(*disk));
	disk->group = le32_make(info->group);
	disk->blocks = le32_make(info->blocks);
	disk->free_blocks = le32_make(info->free_blocks);
	disk->free_inodes = le32_make(info->free_inodes);
	disk->used_dirs = le32_make(info->used_dirs);
	disk->block_bitmap = le64_make(info->block_bitmap);
	disk->inode_bitmap = le64_make(info->inode_bitmap);
	disk->inode_table = le64_make(info->inode_table);
}

int group_decode(const struct cfs_group *disk, const struct super_info *super, uint32_t group,
		 struct group_info *info, const char **why)
{
	info->group = le32_get(disk->group);
	info->blocks = le32_get(disk->blocks);
	info->free_blocks = le32_get(disk->free_blocks);
	info->free_inodes = le32_get(disk->free_inodes);
	info->used_dirs = le32_get(disk->used_dirs);
	info->block_bitmap = le64_get(disk->block_bitmap);
	info->inode_bitmap = le64_get(disk->inode_bitmap);
	info->inode_table = le64_get(disk->inode_table);

	if (info->group != group)
		return bad(why, "group");
	if (info->blocks != layout_group_blocks(super, group))
		return bad(why, "blocks");
	if (info->free_blocks > info->blocks)
		return bad(why, "free_blocks");
	if (info->free_inodes > super->inodes_per_group)
		return bad(why, "free_inodes");
	if (info->used_dirs > super->inodes_per_group - info->free_inodes)
		return bad(why, "used_dirs");
	if (info->block_bitmap != layout_block_bitmap(super, group))
		return bad(why, "block_bitmap");
	if (info->inode_bitmap != layout_inode_bitmap(super, group))
		return bad(why, "inode_bitmap");
	if (info->inode_table != layout_inode_table(super, group))
		return bad(why, "inode_table");
	return 0;
}

void inode_encode(struct cfs_inode *disk, const struct inode_info *info)
{
	memset(disk, 0, sizeof(*disk));
	disk->mode = le32_make(info->mode);
	disk->flags = le32_make(info->flags);
	disk->uid = le32_make(info->uid);
	disk->gid = le32_make(info->gid);
	disk->links = le32_make(info->links);
	disk->rdev = le32_make(info->rdev);
	disk->size = le64_make(info->size);
	disk->blocks = le64_make(info->blocks);
	disk->atime_ns = le64_make((uint64_t)info->atime_ns);
	disk->mtime_ns = le64_make((uint64_t)info->mtime_ns);
	disk->ctime_ns = le64_make((uint64_t)info->ctime_ns);
	disk->crtime_ns = le64_make((uint64_t)info->crtime_ns);
	disk->generation = le64_make(info->generation);
	disk->xattr_block = le64_make(info->xattr_block);
	disk->parent = le64_make(info->parent);
	memcpy(disk->root, info->root, sizeof(disk->root));
}

int inode_decode(const struct cfs_inode *disk, struct inode_info *info, const char **why)
{
	info->mode = le32_get(disk->mode);
	info->flags = le32_get(disk->flags);
	info->uid = le32_get(disk->uid);
	info->gid = le32_get(disk->gid);
	info->links = le32_get(disk->links);
	info->rdev = le32_get(disk->rdev);
	info->size = le64_get(disk->size);
	info->blocks = le64_get(disk->blocks);
	info->atime_ns = (int64_t)le64_get(disk->atime_ns);
	info->mtime_ns = (int64_t)le64_get(disk->mtime_ns);
	info->ctime_ns = (int64_t)le64_get(disk->ctime_ns);
	info->crtime_ns = (int64_t)le64_get(disk->crtime_ns);
	info->generation = le64_get(disk->generation);
	info->xattr_block = le64_get(disk->xattr_block);
	info->parent = le64_get(disk->parent);
	memcpy(info->root, disk->root, sizeof(info->root));

	if (info->mode == 0)
		return 0;
	switch (info->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	default:
		return bad(why, "mode");
	}
	if (info->flags & ~(CFS_INODE_INLINE | CFS_INODE_TRUNCATE))
		return bad(why, "flags");
	if ((info->flags & CFS_INODE_INLINE) &&
	    (!S_ISLNK(info->mode) || info->size > CFS_INODE_ROOT_BYTES))
		return bad(why, "size of an inline symlink");
	if (info->size > INT64_MAX)
		return bad(why, "size");
	return 0;
}
