/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An older churnfs in the way: libblkid does not know the format, so mkfs looks itself. */
#ifndef CHURNFS_MKFS_OLD_H
#define CHURNFS_MKFS_OLD_H

#include <stdint.h>

#include "blkdev/blkdev.h"
#include "ondisk/codec.h"

/*
 * Looks for a locator at the end of DEV and for a primary superblock at RESERVE_BYTES. Whether
 * their checksums are right does not matter: the data may still be someone's. Returns 1 with the
 * geometry in *FOUND, which may be nonsense; 0 when there is none; or the device's error. Never
 * writes.
 */
int old_find(struct blkdev *dev, uint64_t reserve_bytes, struct locator_info *found);

/*
 * Overwrites with zeros what could lead a tool to an older filesystem: its superblocks, their
 * copies and its locator; also the start and the end of the space behind RESERVE_BYTES, whatever
 * they hold. Nothing before RESERVE_BYTES is written. DEV has room for a filesystem. Synced at the
 * end. Returns 0 or the device's error.
 */
int old_wipe(struct blkdev *dev, uint64_t reserve_bytes);

#endif
