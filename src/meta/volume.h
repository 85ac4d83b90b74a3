/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An opened churnfs: device, superblock, transactions, ledger. One per mount; no global object. */
#ifndef CHURNFS_META_VOLUME_H
#define CHURNFS_META_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "journal/txn.h"
#include "ondisk/layout.h"

struct volume {
	struct blkdev *dev;
	struct ledger *ledger;
	struct txn_mgr *txns;
	struct super_info super;    /* geometry never changes; see super_lock for the rest */
	pthread_mutex_t super_lock; /* state, next_generation, times, mount_count of super */
	bool readonly;
	_Atomic uint32_t inode_cursor; /* hint: group to look for a free inode first */
};

struct volume_options {
	struct blkdev_options device;
	bool readonly;
	int ledger_fd; /* descriptor to keep the ledger in, or -1 for a memfd of its own */
};

/*
 * Opens PATH, finds the superblock (see super.h), sets the device's soft block size, reads and
 * verifies every metadata block into the ledger, finishes interrupted truncations and removes
 * orphans (unless readonly), and marks the superblock dirty (unless readonly).
 * On error one line for the user has been logged. Returns 0 or: -EINVAL not a churnfs, -ENOSPC
 * truncated image, -EUCLEAN damaged, -EPROTONOSUPPORT unknown feature, or the device's error.
 */
int volume_open(const char *path, const struct volume_options *options, struct volume **volume);

/*
 * Syncs, and marks the superblock clean unless a commit failed or the volume is readonly. Returns
 * the first error met; the volume is gone in any case.
 */
int volume_close(struct volume *volume);

/* fdatasync of the device: all that was committed is on stable storage. */
int volume_sync(struct volume *volume);

struct volume_usage {
	uint64_t blocks, free_blocks; /* of the groups' data areas */
	uint64_t inodes, free_inodes;
};

/* Adds up the group headers, each read from the device. */
int volume_usage(struct volume *volume, struct volume_usage *usage);

#endif
