/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this layer share. Order of locks: rename_lock, then inodes in ascending order
 * (struct lock_set), then blocks (journal/txn.h). A shard's lock of the inode cache is innermost.
 */
#ifndef CHURNFS_FS_CORE_H
#define CHURNFS_FS_CORE_H

#include "fs/fs.h"
#include "fs/icache.h"
#include "meta/retry.h"

struct fs {
	struct volume *vol;
	struct icache icache;
	struct inode *root; /* pinned while mounted */
	/*
	 * Held by renames that move a directory to another parent, and by these alone. That a
	 * directory does not move below itself is seen from the chain of its new parents, which
	 * no lock of single inodes keeps still: two moves could each look and then close a ring
	 * together. Linux has one such mutex per filesystem as well (s_vfs_rename_mutex).
	 */
	pthread_mutex_t rename_lock;
	uint64_t max_size; /* of a regular file, bytes */
};

/* Drops a pin (icache_put()), and frees the inode on the device if that was the last of it. No
 * lock held, but possibly a directory's. */
void inode_unpin(struct fs *fs, struct inode *inode);

/*
 * Reads a referenced inode: inode_read(), but -EUCLEAN when the number is free, and for a regular
 * file longer than any can be.
 */
int inode_fetch(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info);

/* As inode_fetch(), -ENOTDIR unless a directory. */
int dir_fetch(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info);

/* As dir_fetch() for adding and removing names: -ENOENT when the directory was removed. */
int dir_fetch_live(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info);

/* As inode_fetch() for file contents: -EISDIR, and -EINVAL for other types. */
int file_fetch(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info);

/* Reads the inode that a directory entry leads to. -EUCLEAN unless it exists and is of TYPE. */
int entry_fetch(struct fs *fs, struct txn *txn, uint64_t ino, uint8_t type,
		struct inode_info *info);

/*
 * Makes *ENTRY of INFO, and counts a reference. The inode cannot go meanwhile: a name leads to it
 * whose directory is locked. -ENOMEM.
 */
int entry_make(struct fs *fs, uint64_t ino, const struct inode_info *info, struct fs_entry *entry);

/* Length of a name that a directory may hold: -ENAMETOOLONG, -EINVAL. */
int name_check(const char *name, size_t *len);

/*
 * Looks NAME up and pins what it leads to; DIR is read-locked for that only, so the caller locks
 * both and looks again (name_confirm()). -ENOENT.
 */
int child_pin(struct fs *fs, struct inode *dir, const char *name, size_t len, struct inode **child,
	      uint8_t *type);

/* 0 while NAME still leads to CHILD (NULL: to nothing), else -EAGAIN: look again. Locks held. */
int name_confirm(struct fs *fs, struct txn *txn, const struct inode *dir,
		 const struct inode_info *info, const char *name, size_t len,
		 const struct inode *child);

/* One link more (-EMLINK) or less (-EUCLEAN when there is none). */
int link_add(struct inode_info *info);
int link_drop(struct inode_info *info);

/* Clamped to what the format holds; UTIME_NOW is the current time. */
int64_t time_from_timespec(const struct timespec *ts);

/* Modification and change time become the current time. */
void inode_touch(struct inode_info *info);

/* Clears set-user-ID, and set-group-ID where it is no mandatory-lock mark, of a regular file. */
void inode_drop_suid(struct inode_info *info);

void attr_fill(const struct fs *fs, uint64_t ino, const struct inode_info *info, struct stat *attr);

/*
 * Gives a regular file a new size. Blocks beyond are freed in as many transactions as it takes.
 * INODE is locked for writing. -EISDIR, -EINVAL, -EFBIG.
 */
int file_resize(struct fs *fs, struct inode *inode, uint64_t size);

/* Frees what a truncation that failed half way has left behind the end. INODE as above. */
int file_finish_truncate(struct fs *fs, struct inode *inode, const struct inode_info *info);

/*
 * Zeroes what the block that holds the end of file has behind it, up to TO: the file is about to
 * grow over it. INODE as above.
 */
int file_zero_tail(struct fs *fs, struct inode *inode, const struct inode_info *info, uint64_t to);

/* Frees an inode without names or references, and all its blocks. */
int inode_reap(struct fs *fs, uint64_t ino);

#endif
