/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes an empty filesystem: the work behind mkfs.churnfs. */
#ifndef CHURNFS_MKFS_FORMAT_H
#define CHURNFS_MKFS_FORMAT_H

#include <stdint.h>

#include "blkdev/blkdev.h"
#include "ondisk/codec.h"

#define MKFS_BLOCK_SIZE_DEFAULT 4096u

/* What is asked for; all zeros asks for the defaults. */
struct mkfs_options {
	uint32_t block_size;	/* 1024, 2048 or 4096; 0: MKFS_BLOCK_SIZE_DEFAULT */
	uint64_t inodes;	/* at least so many; 0: one for every 4 KiB */
	uint64_t reserve_bytes; /* head of the device that is never written */
	char label[33];		/* at most 32 bytes of UTF-8, terminated */
	uint8_t uuid[16];	/* all zero: a random one */
	uint32_t root_mode;	/* permission bits of the root directory; 0: 0755 */
	uint32_t root_uid, root_gid;
};

/*
 * The superblock that mkfs_format() would write, without writing anything. Returns 0, or -EINVAL
 * or -ENOSPC with *WHY a constant string.
 */
int mkfs_plan(const struct blkdev *dev, const struct mkfs_options *options,
	      struct super_info *super, const char **why);

/*
 * Writes an empty filesystem to DEV and syncs it. An older churnfs on DEV is made unfindable first.
 * Superblock copies and locator come behind all else, and the primary superblock last, so that a
 * device whose formatting was cut short does not pass for a filesystem. Nothing is written when
 * mkfs_plan() fails. Returns 0 with the new superblock in *OUT; or a negative errno, with *WHY a
 * constant string. The caller is the only user of DEV.
 */
int mkfs_format(struct blkdev *dev, const struct mkfs_options *options, struct super_info *out,
		const char **why);

#endif
