/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_layout.h"

#include <errno.h>
#include <stdlib.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifdef HAVE_LIBEXT2FS

#include <ext2fs/ext2fs.h>

struct nb_layout {
	ext2_filsys fs;
	struct nb_geometry geometry;
};

static int error_translate(errcode_t err)
{
	if (err == 0)
		return 0;
	/* Codes of the library lie above all errnos; a damaged filesystem is what they tell of. */
	return err > 0 && err < 256 ? -(int)err : -EUCLEAN;
}

static void geometry_read(ext2_filsys fs, struct nb_geometry *g)
{
	*g = (struct nb_geometry){
		.block_size = fs->blocksize,
		.groups = fs->group_desc_count,
		.inode_size = EXT2_INODE_SIZE(fs->super),
		.inodes_per_group = fs->super->s_inodes_per_group,
		.blocks_per_group = fs->super->s_blocks_per_group,
		.first_block = fs->super->s_first_data_block,
		.first_inode = EXT2_FIRST_INODE(fs->super),
		.inodes = fs->super->s_inodes_count,
		.blocks = ext2fs_blocks_count(fs->super),
	};
}

int nb_layout_open(const char *device, struct nb_layout **out)
{
	struct nb_layout *layout = calloc(1, sizeof(*layout));
	errcode_t err;

	if (!layout)
		return -ENOMEM;
	err = ext2fs_open2(device, NULL, EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS, 0, 0,
			   unix_io_manager, &layout->fs);
	/* Without this it would show blocks as they were when first read. */
	if (!err)
		err = io_channel_set_options(layout->fs->io, "cache=off");
	if (err) {
		nb_layout_close(layout);
		return error_translate(err);
	}
	geometry_read(layout->fs, &layout->geometry);
	*out = layout;
	return 0;
}

void nb_layout_close(struct nb_layout *layout)
{
	if (!layout)
		return;
	if (layout->fs)
		ext2fs_free(layout->fs);
	free(layout);
}

int nb_layout_settle(const char *device)
{
	ext2_filsys fs = NULL;
	errcode_t err = ext2fs_open2(device, NULL, EXT2_FLAG_64BITS | EXT2_FLAG_RW, 0, 0,
				     unix_io_manager, &fs);

	if (!err)
		err = ext2fs_read_bitmaps(fs);
	if (!err) {
		for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
			ext2fs_bg_flags_clear(fs, group,
					      EXT2_BG_INODE_UNINIT | EXT2_BG_BLOCK_UNINIT);
			ext2fs_group_desc_csum_set(fs, group);
		}
		ext2fs_mark_bb_dirty(fs);
		ext2fs_mark_ib_dirty(fs);
		ext2fs_mark_super_dirty(fs);
		err = ext2fs_close_free(&fs);
	}
	if (fs)
		ext2fs_free(fs);
	return error_translate(err);
}

const struct nb_geometry *nb_layout_geometry(const struct nb_layout *layout)
{
	return &layout->geometry;
}

uint64_t nb_layout_inode(const struct nb_layout *layout, uint64_t ino)
{
	const struct nb_geometry *g = &layout->geometry;
	uint64_t index = ino - 1;

	if (ino == 0 || ino > g->inodes)
		return 0;
	return ext2fs_inode_table_loc(layout->fs, (dgrp_t)(index / g->inodes_per_group)) *
		       g->block_size +
	       index % g->inodes_per_group * g->inode_size;
}

uint64_t nb_layout_inode_bitmap(const struct nb_layout *layout, uint32_t group)
{
	return ext2fs_inode_bitmap_loc(layout->fs, group);
}

uint64_t nb_layout_block_bitmap(const struct nb_layout *layout, uint32_t group)
{
	return ext2fs_block_bitmap_loc(layout->fs, group);
}

struct gather {
	enum nb_layout_which which;
	uint64_t *blocks;
	size_t max, count;
};

static int gather_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t index, blk64_t ref_block,
			int ref_offset, void *arg)
{
	struct gather *gather = arg;

	(void)fs;
	(void)ref_block;
	(void)ref_offset;
	if ((index < 0) != (gather->which == NB_LAYOUT_MAP))
		return 0;
	if (gather->count < gather->max)
		gather->blocks[gather->count] = *block;
	gather->count++;
	return 0;
}

int nb_layout_blocks(struct nb_layout *layout, uint64_t ino, enum nb_layout_which which,
		     uint64_t *blocks, size_t max, size_t *count)
{
	struct gather gather = {.which = which, .blocks = blocks, .max = max};
	errcode_t err;

	if (ino == 0 || ino > layout->geometry.inodes)
		return -EINVAL;
	err = ext2fs_flush_icache(layout->fs);
	if (!err)
		err = ext2fs_block_iterate3(layout->fs, (ext2_ino_t)ino, BLOCK_FLAG_READ_ONLY, NULL,
					    gather_block, &gather);
	*count = gather.count;
	return error_translate(err);
}

#else /* without libext2fs: every ext neighbour is driven like an unknown filesystem */

int nb_layout_open(const char *device, struct nb_layout **layout)
{
	(void)device;
	(void)layout;
	return -ENOTSUP;
}

void nb_layout_close(struct nb_layout *layout)
{
	(void)layout;
}

int nb_layout_settle(const char *device)
{
	(void)device;
	return -ENOTSUP;
}

const struct nb_geometry *nb_layout_geometry(const struct nb_layout *layout)
{
	(void)layout;
	return NULL;
}

uint64_t nb_layout_inode(const struct nb_layout *layout, uint64_t ino)
{
	(void)layout;
	(void)ino;
	return 0;
}

uint64_t nb_layout_inode_bitmap(const struct nb_layout *layout, uint32_t group)
{
	(void)layout;
	(void)group;
	return 0;
}

uint64_t nb_layout_block_bitmap(const struct nb_layout *layout, uint32_t group)
{
	(void)layout;
	(void)group;
	return 0;
}

int nb_layout_blocks(struct nb_layout *layout, uint64_t ino, enum nb_layout_which which,
		     uint64_t *blocks, size_t max, size_t *count)
{
	(void)layout;
	(void)ino;
	(void)which;
	(void)blocks;
	(void)max;
	*count = 0;
	return -ENOTSUP;
}

#endif
