/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/core.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "meta/dir.h"
#include "meta/inode.h"
#include "meta/wallclock.h"
#include "util/log.h"

#define STAT_UNIT 512u /* of st_blocks */

/* Blocks of a file are numbered with 32 bits; the last number is left out, so that sums fit. */
static uint64_t file_max_size(const struct volume *vol)
{
	return (uint64_t)UINT32_MAX * vol->super.block_size;
}

int fs_mount(struct volume *volume, struct fs **out)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		goto out_volume;
	fs->vol = volume;
	fs->max_size = file_max_size(volume);
	icache_init(&fs->icache);
	fs->root = icache_get(&fs->icache, CFS_ROOT_INODE);
	if (!fs->root)
		goto out_fs;
	pthread_mutex_init(&fs->rename_lock, NULL);
	*out = fs;
	return 0;

out_fs:
	icache_destroy(&fs->icache);
	free(fs);
out_volume:
	volume_close(volume);
	return -ENOMEM;
}

int fs_unmount(struct fs *fs)
{
	struct inode *inode;
	int rc = 0, error;

	while ((inode = icache_take_any(&fs->icache))) {
		error = inode->unlinked ? inode_reap(fs, inode->ino) : 0;
		inode_destroy(inode);
		if (!rc)
			rc = error;
	}
	icache_destroy(&fs->icache);
	pthread_mutex_destroy(&fs->rename_lock);
	error = volume_close(fs->vol);
	free(fs);
	return rc ? rc : error;
}

void inode_unpin(struct fs *fs, struct inode *inode)
{
	int rc = 0;

	inode = icache_put(&fs->icache, inode);
	if (!inode)
		return;
	/* Out of the cache before its number is free: whoever is given the number makes a new one.
	 */
	if (inode->unlinked)
		rc = inode_reap(fs, inode->ino);
	if (rc)
		log_error("inode %llu could not be freed: %s", (unsigned long long)inode->ino,
			  strerror(-rc));
	inode_destroy(inode);
}

void fs_forget(struct fs *fs, uint64_t ino, uint64_t count)
{
	struct inode *inode = icache_find(&fs->icache, ino);

	if (!inode)
		return;
	icache_release(&fs->icache, inode, ICACHE_LOOKUP, count);
	inode_unpin(fs, inode);
}

int inode_fetch(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info)
{
	int rc = inode_read(fs->vol, txn, ino, info);

	if (rc == -ENOENT) {
		log_error("inode %llu is in use and free", (unsigned long long)ino);
		return -EUCLEAN;
	}
	if (!rc && S_ISREG(info->mode) && info->size > fs->max_size) {
		log_error("inode %llu has a bad size", (unsigned long long)ino);
		return -EUCLEAN;
	}
	return rc;
}

int dir_fetch(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info)
{
	int rc = inode_fetch(fs, txn, ino, info);

	if (rc)
		return rc;
	return S_ISDIR(info->mode) ? 0 : -ENOTDIR;
}

int dir_fetch_live(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info)
{
	int rc = dir_fetch(fs, txn, ino, info);

	if (rc)
		return rc;
	return info->links ? 0 : -ENOENT;
}

int file_fetch(struct fs *fs, struct txn *txn, uint64_t ino, struct inode_info *info)
{
	int rc = inode_fetch(fs, txn, ino, info);

	if (rc || S_ISREG(info->mode))
		return rc;
	return S_ISDIR(info->mode) ? -EISDIR : -EINVAL;
}

int entry_fetch(struct fs *fs, struct txn *txn, uint64_t ino, uint8_t type, struct inode_info *info)
{
	int rc = layout_inode_valid(&fs->vol->super, ino) ? inode_fetch(fs, txn, ino, info)
							  : -EUCLEAN;

	if (!rc && IFTODT(info->mode) != type)
		rc = -EUCLEAN;
	if (rc == -EUCLEAN)
		log_error("a directory entry leads to inode %llu, which is not what it says",
			  (unsigned long long)ino);
	return rc;
}

int entry_make(struct fs *fs, uint64_t ino, const struct inode_info *info, struct fs_entry *entry)
{
	struct inode *inode = icache_get(&fs->icache, ino);

	if (!inode)
		return -ENOMEM;
	icache_hold(&fs->icache, inode, ICACHE_LOOKUP);
	inode_unpin(fs, inode);
	entry->ino = ino;
	entry->generation = info->generation;
	attr_fill(fs, ino, info, &entry->attr);
	return 0;
}

int name_check(const char *name, size_t *len)
{
	*len = strlen(name);
	if (*len > CFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (*len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
		return -EINVAL;
	return 0;
}

int child_pin(struct fs *fs, struct inode *dir, const char *name, size_t len, struct inode **child,
	      uint8_t *type)
{
	struct inode_info info;
	struct txn txn;
	uint64_t ino;
	int rc;

	pthread_rwlock_rdlock(&dir->lock);
	txn_begin(&txn, fs->vol->txns);
	rc = dir_fetch(fs, &txn, dir->ino, &info);
	if (!rc)
		rc = dir_lookup(fs->vol, &txn, dir->ino, &info, name, len, &ino, type);
	/* Pinned before the lock goes: from then on the inode stays, whatever becomes of its name.
	 */
	if (!rc && !layout_inode_valid(&fs->vol->super, ino))
		rc = -EUCLEAN;
	if (!rc) {
		*child = icache_get(&fs->icache, ino);
		rc = *child ? 0 : -ENOMEM;
	}
	txn_abort(&txn);
	pthread_rwlock_unlock(&dir->lock);
	return rc;
}

int name_confirm(struct fs *fs, struct txn *txn, const struct inode *dir,
		 const struct inode_info *info, const char *name, size_t len,
		 const struct inode *child)
{
	uint64_t ino;
	uint8_t type;
	int rc = dir_lookup(fs->vol, txn, dir->ino, info, name, len, &ino, &type);

	if (rc == -ENOENT)
		return child ? -EAGAIN : 0;
	if (rc)
		return rc;
	return child && child->ino == ino ? 0 : -EAGAIN;
}

int link_add(struct inode_info *info)
{
	if (info->links == UINT32_MAX)
		return -EMLINK;
	info->links++;
	return 0;
}

int link_drop(struct inode_info *info)
{
	if (info->links == 0)
		return -EUCLEAN;
	info->links--;
	return 0;
}

int64_t time_from_timespec(const struct timespec *ts)
{
	int64_t ns;

	if (ts->tv_nsec == UTIME_NOW)
		return wallclock_now_ns();
	if (__builtin_mul_overflow(ts->tv_sec, (int64_t)NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, ts->tv_nsec, &ns))
		return ts->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static struct timespec time_to_timespec(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / (int64_t)NS_PER_SEC,
			      .tv_nsec = ns % (int64_t)NS_PER_SEC};

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += (int64_t)NS_PER_SEC;
	}
	return ts;
}

void inode_touch(struct inode_info *info)
{
	info->mtime_ns = info->ctime_ns = wallclock_now_ns();
}

void inode_drop_suid(struct inode_info *info)
{
	if (!S_ISREG(info->mode))
		return;
	info->mode &= ~(uint32_t)S_ISUID;
	if (info->mode & S_IXGRP)
		info->mode &= ~(uint32_t)S_ISGID;
}

void attr_fill(const struct fs *fs, uint64_t ino, const struct inode_info *info, struct stat *attr)
{
	uint32_t bs = fs->vol->super.block_size;

	memset(attr, 0, sizeof(*attr));
	attr->st_ino = ino;
	attr->st_mode = info->mode;
	attr->st_nlink = info->links;
	attr->st_uid = info->uid;
	attr->st_gid = info->gid;
	attr->st_rdev = info->rdev;
	attr->st_size = (off_t)info->size;
	attr->st_blksize = bs;
	attr->st_blocks = (blkcnt_t)(info->blocks * (bs / STAT_UNIT));
	attr->st_atim = time_to_timespec(info->atime_ns);
	attr->st_mtim = time_to_timespec(info->mtime_ns);
	attr->st_ctim = time_to_timespec(info->ctime_ns);
}
