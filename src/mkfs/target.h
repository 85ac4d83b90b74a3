/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May this device be overwritten? What mkfs.churnfs asks before it writes a byte. */
#ifndef CHURNFS_MKFS_TARGET_H
#define CHURNFS_MKFS_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkdev/blkdev.h"

/*
 * Opens PATH for formatting, exclusively. Refuses what is in use: a mounted or claimed block
 * device, an image file behind a loop device, what a churnfs daemon serves. Unless FORCE, also
 * refuses what holds a signature behind RESERVE_BYTES, one of libblkid's or of a churnfs. Nothing
 * is written. Returns 0 with *DEV for the caller to close; -EBUSY (in use), -EEXIST (signature), or
 * what opening or reading says. WHY then holds what is wrong and what to do, as the end of a
 * sentence about PATH.
 */
int target_open(const char *path, uint64_t reserve_bytes, bool force, struct blkdev **dev,
		char *why, size_t len);

/*
 * Erases the signatures that libblkid finds behind RESERVE_BYTES, so that the new filesystem is
 * not taken for an old one. Returns 0 or a negative errno.
 */
int target_wipe(struct blkdev *dev, uint64_t reserve_bytes);

#endif
