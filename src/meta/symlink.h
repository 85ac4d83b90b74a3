/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets of symbolic links: in the inode up to CFS_INODE_ROOT_BYTES, else in tagged blocks. */
#ifndef CHURNFS_META_SYMLINK_H
#define CHURNFS_META_SYMLINK_H

#include "meta/volume.h"

/*
 * Stores TARGET (1 to 4095 bytes: -ENOENT, -ENAMETOOLONG) in a new inode and sets size, flags and
 * root of *INODE, which the caller writes. -ENOSPC, txn errors.
 */
int symlink_write(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		  const char *target, size_t len);

/* Copies the target, terminated, into BUF of PATH_MAX bytes. -EUCLEAN for one that cannot be. */
int symlink_read(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode,
		 char *buf);

#endif
