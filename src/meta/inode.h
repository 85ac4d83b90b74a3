/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inodes in their table. The caller holds the inode's lock (layer 6). */
#ifndef CHURNFS_META_INODE_H
#define CHURNFS_META_INODE_H

#include "meta/volume.h"

/*
 * -ESTALE when INO is out of range; -ENOENT when it is free (*INODE then still holds what the table
 * does, so its generation); -EUCLEAN, logged; txn_read() errors.
 */
int inode_read(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode);

/* Replaces the inode in its table block. Errors as txn_get(). */
int inode_write(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode);

#endif
