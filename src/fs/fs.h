/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filesystem operations on inode numbers, as the kernel asks for them. Everything is read from and
 * written to the volume in the course of the call; between calls only reference counts are kept.
 * All calls may be made from several threads at once; no lock is held between two calls.
 *
 * Inode numbers come from fs_lookup(), the calls that create, and the root's number. Each of them
 * counts one reference for the caller, dropped by fs_forget(); so does fs_open(), dropped by
 * fs_release(). Passing a number that is not referenced gives -ESTALE. An inode without names
 * lives on until its last reference goes.
 *
 * Errors are negative errno. -EUCLEAN and -EBADMSG say that the filesystem is damaged.
 * Access rights are the caller's business. Access times change only when set: no write for a read.
 */
#ifndef CHURNFS_FS_FS_H
#define CHURNFS_FS_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "meta/volume.h"

struct fs;

/* An inode that the caller now holds a reference to. */
struct fs_entry {
	uint64_t ino;
	uint64_t generation; /* with INO unique for ever */
	struct stat attr;
};

/* What a new inode is to be. */
struct fs_create {
	uint32_t mode; /* type and permissions, as in stat(2); a missing type means regular file */
	uint32_t uid, gid;
	dev_t rdev;	    /* for device nodes */
	const char *target; /* for symbolic links, else NULL */
};

#define FS_SET_MODE 0x01u
#define FS_SET_UID 0x02u
#define FS_SET_GID 0x04u
#define FS_SET_SIZE 0x08u
#define FS_SET_ATIME 0x10u
#define FS_SET_MTIME 0x20u
#define FS_SET_CTIME 0x40u

struct fs_setattr {
	unsigned set; /* FS_SET_* */
	uint32_t mode;
	uint32_t uid, gid;
	uint64_t size;
	struct timespec atime, mtime, ctime; /* tv_nsec UTIME_NOW: the current time */
};

struct fs_dirent {
	uint64_t ino;
	uint32_t mode;		/* type bits */
	const char *name;	/* terminated; valid during the callback only */
	int64_t next;		/* position behind this entry */
	struct fs_entry *entry; /* with fs_readdir()'s PLUS; NULL for "." and ".." */
};

/*
 * Takes over VOLUME, whether it succeeds or not. Returns 0 or -ENOMEM.
 */
int fs_mount(struct volume *volume, struct fs **fs);

/*
 * Frees inodes that were unlinked and still referenced, closes the volume and frees FS. No other
 * call may be under way. Returns the first error; FS is gone in any case.
 */
int fs_unmount(struct fs *fs);

/* -ENOENT, -ENOTDIR, -ENAMETOOLONG. On success ENTRY counts one reference. */
int fs_lookup(struct fs *fs, uint64_t parent, const char *name, struct fs_entry *entry);

/* Drops COUNT references. Numbers that are not referenced, and the root, are ignored. */
void fs_forget(struct fs *fs, uint64_t ino, uint64_t count);

/* Creates an inode of any type under a name. -EEXIST, -ENOSPC, ... ENTRY counts one reference. */
int fs_create(struct fs *fs, uint64_t parent, const char *name, const struct fs_create *create,
	      struct fs_entry *entry);

/* Gives INO, not a directory, one more name. ENTRY counts one reference. */
int fs_link(struct fs *fs, uint64_t ino, uint64_t parent, const char *name, struct fs_entry *entry);

int fs_unlink(struct fs *fs, uint64_t parent, const char *name);
int fs_rmdir(struct fs *fs, uint64_t parent, const char *name);

/* FLAGS as renameat2(2): 0, RENAME_NOREPLACE or RENAME_EXCHANGE; -EINVAL for others. */
int fs_rename(struct fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
	      const char *new_name, unsigned flags);

int fs_getattr(struct fs *fs, uint64_t ino, struct stat *attr);

/*
 * Changes what SET->set says, then reads ATTR. A change of size or owner clears set-user-ID and
 * set-group-ID of a regular file unless the mode is set in the same call.
 */
int fs_setattr(struct fs *fs, uint64_t ino, const struct fs_setattr *set, struct stat *attr);

/* Copies a symbolic link's target, terminated, into BUF of PATH_MAX bytes. -EINVAL: not a link. */
int fs_readlink(struct fs *fs, uint64_t ino, char *buf);

/* FLAGS as open(2), of which only O_TRUNC has a meaning here. */
int fs_open(struct fs *fs, uint64_t ino, int flags);
void fs_release(struct fs *fs, uint64_t ino);

/* Reads at most LEN bytes at OFFSET; *DONE is less at the end of the file only. */
int fs_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset, size_t *done);

/*
 * Writes LEN bytes at OFFSET; *DONE is less when space ran out on the way, in which case 0 is
 * returned too unless nothing was written. -EFBIG, -ENOSPC. Clears set-user-ID and set-group-ID.
 */
int fs_write(struct fs *fs, uint64_t ino, const void *buf, size_t len, uint64_t offset,
	     size_t *done);

/* WHENCE SEEK_DATA or SEEK_HOLE, as lseek(2): -ENXIO behind the end. */
int fs_seek(struct fs *fs, uint64_t ino, int64_t offset, int whence, int64_t *found);

/* All that was written through FS is on stable storage. */
int fs_sync(struct fs *fs);

/*
 * Calls EMIT for the entries from POSITION on (0: the first, which is ".") until it returns
 * non-zero, which ends the walk without error. EMIT must not call back into FS. With PLUS each
 * entry carries attributes and one reference, which EMIT keeps by returning 0 and which is dropped
 * otherwise.
 */
int fs_readdir(struct fs *fs, uint64_t ino, int64_t position, bool plus,
	       int (*emit)(void *arg, const struct fs_dirent *entry), void *arg);

int fs_statfs(struct fs *fs, struct statvfs *st);

#endif
