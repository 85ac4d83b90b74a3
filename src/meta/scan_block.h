/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the scan that its files share. */
#ifndef CHURNFS_META_SCAN_BLOCK_H
#define CHURNFS_META_SCAN_BLOCK_H

#include "meta/scan.h"

struct scan {
	struct volume *vol;
	uint32_t uuid_seed;
	uint8_t *claimed; /* one bit for each block of the device that has an owner */
	struct inode_list *unfinished;
	uint64_t lost_blocks, lost_inodes; /* marked used, but nothing uses them */
};

/*
 * Verifies the sealed IMAGE that was read from REF->block, enters it in the ledger and opens it.
 * -EUCLEAN, logged, when it is not what REF says.
 */
int scan_adopt(struct scan *scan, const struct block_ref *ref, void *image);

/* Reads REF->block and adopts it; IMAGE is open afterwards. */
int scan_read(struct scan *scan, const struct block_ref *ref, void *image);

/* Gives COUNT blocks from BLOCK on, within the device, to INO. -EUCLEAN if one has an owner. */
int scan_claim(struct scan *scan, uint64_t ino, uint64_t block, uint32_t count);

/* Scans the inode table of GROUP and all that its inodes own (scan_inode.c). */
int scan_group_inodes(struct scan *scan, uint32_t group);

#endif
