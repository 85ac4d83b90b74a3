/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/stat.h>

#include "fs/core.h"
#include "meta/inode.h"
#include "meta/symlink.h"
#include "meta/wallclock.h"

#define PERMISSIONS 07777u
#define SET_OTHERS                                                                                 \
	(FS_SET_MODE | FS_SET_UID | FS_SET_GID | FS_SET_ATIME | FS_SET_MTIME | FS_SET_CTIME)

int fs_getattr(struct fs *fs, uint64_t ino, struct stat *attr)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	struct inode_info info;
	struct txn txn;
	int rc;

	if (!inode)
		return -ESTALE;
	pthread_rwlock_rdlock(&inode->lock);
	txn_begin(&txn, fs->vol->txns);
	rc = inode_fetch(fs, &txn, ino, &info);
	txn_abort(&txn);
	pthread_rwlock_unlock(&inode->lock);
	if (!rc)
		attr_fill(fs, ino, &info, attr);
	inode_unpin(fs, inode);
	return rc;
}

int fs_readlink(struct fs *fs, uint64_t ino, char *buf)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	struct inode_info info;
	struct txn txn;
	int rc;

	if (!inode)
		return -ESTALE;
	pthread_rwlock_rdlock(&inode->lock);
	txn_begin(&txn, fs->vol->txns);
	rc = inode_fetch(fs, &txn, ino, &info);
	if (!rc && !S_ISLNK(info.mode))
		rc = -EINVAL;
	if (!rc)
		rc = symlink_read(fs->vol, &txn, ino, &info, buf);
	txn_abort(&txn);
	pthread_rwlock_unlock(&inode->lock);
	inode_unpin(fs, inode);
	return rc;
}

static void attr_apply(const struct fs_setattr *set, struct inode_info *info)
{
	if (set->set & (FS_SET_UID | FS_SET_GID))
		inode_drop_suid(info);
	if (set->set & FS_SET_MODE)
		info->mode = (info->mode & S_IFMT) | (set->mode & PERMISSIONS);
	if (set->set & FS_SET_UID)
		info->uid = set->uid;
	if (set->set & FS_SET_GID)
		info->gid = set->gid;
	if (set->set & FS_SET_ATIME)
		info->atime_ns = time_from_timespec(&set->atime);
	if (set->set & FS_SET_MTIME)
		info->mtime_ns = time_from_timespec(&set->mtime);
	info->ctime_ns =
		set->set & FS_SET_CTIME ? time_from_timespec(&set->ctime) : wallclock_now_ns();
}

static int attr_step(struct fs *fs, struct txn *txn, uint64_t ino, const struct fs_setattr *set,
		     struct inode_info *info)
{
	int rc = inode_fetch(fs, txn, ino, info);

	if (rc || !(set->set & SET_OTHERS))
		return rc;
	attr_apply(set, info);
	return inode_write(fs->vol, txn, ino, info);
}

int fs_setattr(struct fs *fs, uint64_t ino, const struct fs_setattr *set, struct stat *attr)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	struct inode_info info;
	struct txn txn;
	int rc = 0;

	if (!inode)
		return -ESTALE;
	pthread_rwlock_wrlock(&inode->lock);
	if (set->set & FS_SET_SIZE)
		rc = file_resize(fs, inode, set->size);
	if (rc)
		goto out;
	do {
		txn_begin(&txn, fs->vol->txns);
		rc = attr_step(fs, &txn, ino, set, &info);
	} while (txn_finish(&txn, &rc));
	if (!rc)
		attr_fill(fs, ino, &info, attr);
out:
	pthread_rwlock_unlock(&inode->lock);
	inode_unpin(fs, inode);
	return rc;
}
