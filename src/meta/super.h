/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding and writing the superblock. Also used by dump and mkfs. */
#ifndef CHURNFS_META_SUPER_H
#define CHURNFS_META_SUPER_H

#include "blkdev/blkdev.h"
#include "ondisk/codec.h"

/* Where a superblock was found, and what was wrong on the way, for the user. */
struct super_origin {
	uint64_t block;	   /* device block it was read from, in units of its block size */
	uint32_t group;	   /* 0: the primary; else the copy in this group */
	char message[256]; /* one line; empty if all was in order */
};

/*
 * Finds the superblock by the locator in the device's last block, or, without a valid locator, at
 * the device's start and on 1 MiB boundaries up to 4 GiB. A damaged primary is replaced by the
 * first good copy, and ORIGIN->message says so. Returns 0; -EINVAL when there is no churnfs;
 * -ENOSPC when the device is shorter than the filesystem; -EUCLEAN when no copy is whole;
 * -EPROTONOSUPPORT for an unknown incompat bit (named in the message); or the device's error. Never
 * writes.
 */
int super_locate(struct blkdev *dev, struct super_info *super, struct super_origin *origin);

/*
 * Reads and verifies the superblock or copy at BLOCK (in units of BLOCK_SIZE). Returns 0,
 * -EBADMSG, -EUCLEAN, or the device's error.
 */
int super_read_copy(struct blkdev *dev, uint32_t block_size, uint64_t block,
		    const uint8_t *uuid_or_null, struct super_info *super);

struct volume;
/* Writes vol->super to the primary and all copies, in one or more transactions. super_lock held. */
int super_write(struct volume *volume);

#endif
