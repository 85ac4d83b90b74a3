/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving a file another size, and freeing what it had. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/core.h"
#include "meta/data.h"
#include "meta/extent.h"
#include "meta/inode.h"
#include "meta/recover.h"

/* Frees blocks behind SIZE as far as one transaction goes; the flag tells a mount to go on. */
static int shrink_step(struct fs *fs, struct txn *txn, uint64_t ino, uint64_t size, bool *done)
{
	uint32_t bs = fs->vol->super.block_size;
	struct inode_info info;
	int rc = file_fetch(fs, txn, ino, &info);

	if (rc)
		return rc;
	info.size = size;
	inode_touch(&info);
	inode_drop_suid(&info);
	rc = extent_truncate(fs->vol, txn, ino, &info, (uint32_t)((size + bs - 1) / bs), done);
	if (rc)
		return rc;
	if (*done)
		info.flags &= ~CFS_INODE_TRUNCATE;
	else
		info.flags |= CFS_INODE_TRUNCATE;
	return inode_write(fs->vol, txn, ino, &info);
}

static int file_shrink(struct fs *fs, uint64_t ino, uint64_t size)
{
	struct txn txn;
	bool done;
	int rc;

	do {
		do {
			txn_begin(&txn, fs->vol->txns);
			rc = shrink_step(fs, &txn, ino, size, &done);
		} while (txn_finish(&txn, &rc));
	} while (!rc && !done);
	return rc;
}

static int grow_step(struct fs *fs, struct txn *txn, uint64_t ino, uint64_t size)
{
	struct inode_info info;
	int rc = file_fetch(fs, txn, ino, &info);

	if (rc)
		return rc;
	info.size = size;
	inode_touch(&info);
	inode_drop_suid(&info);
	return inode_write(fs->vol, txn, ino, &info);
}

static int file_grow(struct fs *fs, uint64_t ino, uint64_t size)
{
	struct txn txn;
	int rc;

	do {
		txn_begin(&txn, fs->vol->txns);
		rc = grow_step(fs, &txn, ino, size);
	} while (txn_finish(&txn, &rc));
	return rc;
}

int file_finish_truncate(struct fs *fs, struct inode *inode, const struct inode_info *info)
{
	if (!(info->flags & CFS_INODE_TRUNCATE))
		return 0;
	return file_shrink(fs, inode->ino, info->size);
}

int file_zero_tail(struct fs *fs, struct inode *inode, const struct inode_info *info, uint64_t to)
{
	static const uint8_t zeros[CFS_BLOCK_SIZE_MAX];
	uint32_t bs = fs->vol->super.block_size;
	uint64_t used = info->size % bs, len = bs - used;
	struct extent_run run;
	struct blkdev_io io;
	struct txn txn;
	int rc;

	if (used == 0 || to <= info->size)
		return 0;
	if (len > to - info->size)
		len = to - info->size;
	txn_begin(&txn, fs->vol->txns);
	rc = extent_lookup(fs->vol, &txn, inode->ino, info, (uint32_t)(info->size / bs), &run);
	txn_abort(&txn);
	if (rc || run.block == 0)
		return rc;
	io = (struct blkdev_io){zeros, (size_t)len, run.block * bs + used};
	return data_write(fs->vol, &io, 1);
}

int file_resize(struct fs *fs, struct inode *inode, uint64_t size)
{
	struct inode_info info;
	struct txn txn;
	int rc;

	txn_begin(&txn, fs->vol->txns);
	rc = file_fetch(fs, &txn, inode->ino, &info);
	txn_abort(&txn);
	if (rc)
		return rc;
	if (size > fs->max_size)
		return -EFBIG;
	if (size <= info.size)
		return file_shrink(fs, inode->ino, size);
	rc = file_finish_truncate(fs, inode, &info);
	/*
	 * What a block holds behind the end of file is not kept zero: it is zeroed here, when it
	 * comes into view, which is right after a crash as well.
	 */
	if (!rc)
		rc = file_zero_tail(fs, inode, &info, size);
	return rc ? rc : file_grow(fs, inode->ino, size);
}

int inode_reap(struct fs *fs, uint64_t ino)
{
	return inode_finish(fs->vol, ino);
}
