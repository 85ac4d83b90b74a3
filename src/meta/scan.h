/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scan at mount: reads and verifies every metadata block of the device and enters it in the
 * ledger; checks that no block belongs to two owners and that what is in use is marked so. Runs
 * alone, before anything else uses the volume. Never writes.
 */
#ifndef CHURNFS_META_SCAN_H
#define CHURNFS_META_SCAN_H

#include "meta/volume.h"

/* Inodes that need work after the scan: unlinked ones and ones with CFS_INODE_TRUNCATE. */
struct inode_list {
	uint32_t *inos; /* freed by the caller */
	size_t count, room;
};

/*
 * Returns 0 with *UNFINISHED filled, -EUCLEAN when a block is not what it must be or two
 * structures contradict each other (one line logged), -ENOMEM, or the device's error. A damaged
 * superblock copy is logged and left out.
 */
int volume_scan(struct volume *vol, struct inode_list *unfinished);

#endif
