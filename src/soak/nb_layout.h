/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an ext2 or ext4 filesystem keeps things on its device, told by libext2fs. Reads through
 * the device's page cache, so it sees what the mounted filesystem has in its buffers.
 */
#ifndef CHURNFS_SOAK_NB_LAYOUT_H
#define CHURNFS_SOAK_NB_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nb_layout;

struct nb_geometry {
	uint32_t block_size;
	uint32_t groups;
	uint32_t inode_size;
	uint32_t inodes_per_group;
	uint32_t blocks_per_group;
	uint32_t first_block; /* where group 0 starts */
	uint32_t first_inode; /* that is not reserved */
	uint32_t inodes;
	uint64_t blocks;
};

/*
 * Opens the filesystem on DEVICE for reading; it may be mounted. Returns 0; -ENOTSUP in a build
 * without libext2fs; -EUCLEAN when it is no such filesystem; or another negative errno.
 */
int nb_layout_open(const char *device, struct nb_layout **layout);
void nb_layout_close(struct nb_layout *layout);

/*
 * For a fresh filesystem that is not mounted: writes all bitmaps to the device, so that none are
 * left to be made up when a group is first used. Errors as above.
 */
int nb_layout_settle(const char *device);

const struct nb_geometry *nb_layout_geometry(const struct nb_layout *layout);

/* Byte offset of an inode on the device; 0 for a number out of range. Any thread. */
uint64_t nb_layout_inode(const struct nb_layout *layout, uint64_t ino);

/* Block numbers of the bitmaps of GROUP. Any thread. */
uint64_t nb_layout_inode_bitmap(const struct nb_layout *layout, uint32_t group);
uint64_t nb_layout_block_bitmap(const struct nb_layout *layout, uint32_t group);

enum nb_layout_which {
	NB_LAYOUT_DATA, /* contents, such as those of a directory */
	NB_LAYOUT_MAP,	/* extent tree or indirect blocks */
};

/*
 * Block numbers that belong to inode INO, in the order met. At most MAX are stored; *COUNT gets
 * how many there are. Returns 0 or a negative errno. One thread at a time.
 */
int nb_layout_blocks(struct nb_layout *layout, uint64_t ino, enum nb_layout_which which,
		     uint64_t *blocks, size_t max, size_t *count);

#endif
