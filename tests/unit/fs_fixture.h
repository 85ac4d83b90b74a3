/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filesystem without FUSE in front, for the tests of layer 6. Functions end the test on failure.
 */
#ifndef CHURNFS_TESTS_FS_FIXTURE_H
#define CHURNFS_TESTS_FS_FIXTURE_H

#include "fs/fs.h"
#include "meta_fixture.h"

#define ROOT CFS_ROOT_INODE

/* Formats and mounts. */
struct fs *fsx_mount(uint32_t block_size);

/* Checks link counts and parents of the whole tree, unmounts, and lets a mount look at it all. */
void fsx_unmount(struct fs *fs);

/* As fsx_unmount(), then mounts again. */
struct fs *fsx_remount(struct fs *fs);

/* Create and return the inode number, with one reference. */
uint64_t fsx_file(struct fs *fs, uint64_t parent, const char *name);
uint64_t fsx_dir(struct fs *fs, uint64_t parent, const char *name);

/* The number that NAME leads to, no reference kept; 0 when there is no such name. */
uint64_t fsx_find(struct fs *fs, uint64_t parent, const char *name);

/* Result of fs_create() for MODE, no reference kept. */
int fsx_try_create(struct fs *fs, uint64_t parent, const char *name, uint32_t mode);

struct stat fsx_stat(struct fs *fs, uint64_t ino);
uint64_t fsx_links(struct fs *fs, uint64_t ino);

void fsx_write(struct fs *fs, uint64_t ino, const void *buf, size_t len, uint64_t offset);

/* Bytes read. */
size_t fsx_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset);
void fsx_truncate(struct fs *fs, uint64_t ino, uint64_t size);

/* LEN bytes at OFFSET are all VALUE. */
void fsx_assert_bytes(struct fs *fs, uint64_t ino, uint64_t offset, size_t len, int value);

/* Removes everything below DIR. */
void fsx_remove_tree(struct fs *fs, uint64_t dir);

struct statvfs fsx_statfs(struct fs *fs);
void fsx_assert_same_usage(const struct statvfs *a, const struct statvfs *b);

#endif
