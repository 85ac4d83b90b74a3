/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and reading files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs/core.h"
#include "meta/data.h"
#include "meta/extent.h"

int fs_open(struct fs *fs, uint64_t ino, int flags)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	int rc = 0;

	if (!inode)
		return -ESTALE;
	if (flags & O_TRUNC) {
		pthread_rwlock_wrlock(&inode->lock);
		rc = file_resize(fs, inode, 0);
		pthread_rwlock_unlock(&inode->lock);
	}
	if (!rc)
		icache_hold(&fs->icache, inode, ICACHE_OPEN);
	inode_unpin(fs, inode);
	return rc;
}

void fs_release(struct fs *fs, uint64_t ino)
{
	struct inode *inode = icache_find(&fs->icache, ino);

	if (!inode)
		return;
	icache_release(&fs->icache, inode, ICACHE_OPEN, 1);
	inode_unpin(fs, inode);
}

/* Reads at most LEN bytes that lie in one run; the result in *LEN. */
static int run_read(struct fs *fs, struct txn *txn, uint64_t ino, const struct inode_info *info,
		    void *buf, uint64_t pos, size_t *len)
{
	uint32_t bs = fs->vol->super.block_size;
	struct extent_run run;
	uint64_t avail;
	int rc = extent_lookup(fs->vol, txn, ino, info, (uint32_t)(pos / bs), &run);

	if (rc)
		return rc;
	avail = (uint64_t)run.length * bs - pos % bs;
	if (*len > avail)
		*len = (size_t)avail;
	if (run.block)
		return data_read(fs->vol, buf, *len, run.block * bs + pos % bs);
	memset(buf, 0, *len);
	return 0;
}

static int locked_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset,
		       size_t *done)
{
	struct inode_info info;
	struct txn txn;
	int rc;

	txn_begin(&txn, fs->vol->txns);
	rc = file_fetch(fs, &txn, ino, &info);
	if (!rc && offset >= info.size)
		len = 0;
	else if (!rc && len > info.size - offset)
		len = (size_t)(info.size - offset);
	while (!rc && *done < len) {
		size_t n = len - *done;

		rc = run_read(fs, &txn, ino, &info, (char *)buf + *done, offset + *done, &n);
		if (!rc)
			*done += n;
	}
	txn_abort(&txn);
	return rc;
}

int fs_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset, size_t *done)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	int rc;

	*done = 0;
	if (!inode)
		return -ESTALE;
	pthread_rwlock_rdlock(&inode->lock);
	rc = locked_read(fs, ino, buf, len, offset, done);
	pthread_rwlock_unlock(&inode->lock);
	inode_unpin(fs, inode);
	return rc;
}

/* Goes on from *POS until data, or a hole, begins or the file ends. */
static int run_seek(struct fs *fs, struct txn *txn, uint64_t ino, const struct inode_info *info,
		    bool data, uint64_t *pos)
{
	uint32_t bs = fs->vol->super.block_size;

	while (*pos < info->size) {
		struct extent_run run;
		int rc = extent_lookup(fs->vol, txn, ino, info, (uint32_t)(*pos / bs), &run);

		if (rc)
			return rc;
		if ((run.block != 0) == data)
			return 0;
		*pos = ((uint64_t)run.logical + run.length) * bs;
	}
	*pos = info->size;
	return data ? -ENXIO : 0;
}

int fs_seek(struct fs *fs, uint64_t ino, int64_t offset, int whence, int64_t *found)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	struct inode_info info;
	uint64_t pos = (uint64_t)offset;
	struct txn txn;
	int rc;

	if (!inode)
		return -ESTALE;
	pthread_rwlock_rdlock(&inode->lock);
	txn_begin(&txn, fs->vol->txns);
	rc = file_fetch(fs, &txn, inode->ino, &info);
	if (!rc && whence != SEEK_DATA && whence != SEEK_HOLE)
		rc = -EINVAL;
	if (!rc && (offset < 0 || pos >= info.size))
		rc = -ENXIO;
	if (!rc)
		rc = run_seek(fs, &txn, ino, &info, whence == SEEK_DATA, &pos);
	if (!rc)
		*found = (int64_t)pos;
	txn_abort(&txn);
	pthread_rwlock_unlock(&inode->lock);
	inode_unpin(fs, inode);
	return rc;
}

int fs_sync(struct fs *fs)
{
	return volume_sync(fs->vol);
}

int fs_statfs(struct fs *fs, struct statvfs *st)
{
	struct volume_usage usage;
	int rc = volume_usage(fs->vol, &usage);

	if (rc)
		return rc;
	memset(st, 0, sizeof(*st));
	st->f_bsize = st->f_frsize = fs->vol->super.block_size;
	st->f_blocks = usage.blocks;
	st->f_bfree = st->f_bavail = usage.free_blocks;
	st->f_files = usage.inodes;
	st->f_ffree = st->f_favail = usage.free_inodes;
	st->f_namemax = CFS_NAME_MAX;
	return 0;
}
