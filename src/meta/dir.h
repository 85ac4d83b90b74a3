/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories: unsorted entries in tagged blocks; "." and ".." are not stored (inode.parent says
 * where ".." leads). The caller holds the directory's lock, for writing where it changes, and
 * writes *DIR (inode_write()) after a call that changed it. Entries never move between two calls of
 * dir_iterate(), so cookies stay valid while entries come and go. Each block is checked as a whole
 * whenever it is read; one that lies gives -EUCLEAN and a line in the log.
 */
#ifndef CHURNFS_META_DIR_H
#define CHURNFS_META_DIR_H

#include "meta/volume.h"

struct dir_entry {
	uint64_t ino;
	uint8_t type; /* DT_* */
	uint8_t name_len;
	const char *name; /* not terminated; valid during the callback only */
	uint64_t next;	  /* cookie of the entry behind this one */
};

/* -ENOENT when there is no such name. *INO and *TYPE are set else. */
int dir_lookup(struct volume *vol, struct txn *txn, uint64_t dir_ino, const struct inode_info *dir,
	       const char *name, size_t len, uint64_t *ino, uint8_t *type);

/*
 * Adds a name that is not there (the caller has looked). May grow the directory. -ENOSPC, -EFBIG.
 */
int dir_add(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
	    const char *name, size_t len, uint64_t ino, uint8_t type);

/* Removes a name. -ENOENT. */
int dir_remove(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
	       const char *name, size_t len);

/* Lets an existing name lead to another inode. -ENOENT. */
int dir_replace(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
		const char *name, size_t len, uint64_t ino, uint8_t type);

/* 0 when the directory holds no name, -ENOTEMPTY when it does. */
int dir_empty(struct volume *vol, struct txn *txn, uint64_t dir_ino, const struct inode_info *dir);

/*
 * Calls EMIT for each entry from COOKIE on (0, or the NEXT of an entry, which may be gone by now)
 * until it returns non-zero, which ends the walk without error. Cookies rise from entry to entry
 * and stay below 1 << 45.
 */
int dir_iterate(struct volume *vol, struct txn *txn, uint64_t dir_ino, const struct inode_info *dir,
		uint64_t cookie, int (*emit)(void *arg, const struct dir_entry *entry), void *arg);

/* Checks one open directory block: 0 or -EUCLEAN, with *WHY. Pure. */
int dir_block_check(const void *image, uint32_t block_size, const struct super_info *super,
		    const char **why);

#endif
