/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_META_RECOVER_H
#define CHURNFS_META_RECOVER_H

#include "meta/scan.h"

/*
 * Removes an inode without links, or finishes the truncation of one that has them, in as many
 * transactions as it takes. Nobody else uses the inode. Returns 0, -EUCLEAN or txn errors.
 */
int inode_finish(struct volume *vol, uint64_t ino);

/*
 * After the scan, before anyone else uses the volume: removes the inodes of the list that have no
 * link, and finishes the truncation of the others. Interrupted, it goes on at the next mount.
 * Returns 0, -EUCLEAN or txn errors.
 */
int volume_recover(struct volume *vol, const struct inode_list *unfinished);

#endif
