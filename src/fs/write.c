/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing files. The range is taken run by run: over blocks that the file has, only data is
 * written; into a hole, one transaction takes blocks, fills them and maps them. A transaction
 * commits after its data was written, so no block is ever seen with what it held before.
 */
#include <errno.h>

#include "fs/core.h"
#include "meta/alloc.h"
#include "meta/data.h"
#include "meta/extent.h"
#include "meta/inode.h"

struct write_op {
	struct fs *fs;
	struct inode *inode; /* locked for writing */
	const char *buf;
	size_t len;
	uint64_t offset;
	size_t done;
	bool untold; /* data was written since size and times were */
};

static uint64_t write_pos(const struct write_op *op)
{
	return op->offset + op->done;
}

/* Size and times after WRITTEN bytes from op->offset on. */
static void inode_account(const struct write_op *op, size_t written, struct inode_info *info)
{
	if (info->size < op->offset + written)
		info->size = op->offset + written;
	inode_touch(info);
	inode_drop_suid(info);
}

/* Fills COUNT new blocks: LEN bytes of data from byte HEAD on, zeros around them. */
static int blocks_fill(struct write_op *op, uint64_t block, uint32_t count, uint32_t head,
		       size_t len)
{
	static const uint8_t zeros[CFS_BLOCK_SIZE_MAX];
	uint32_t bs = op->fs->vol->super.block_size;
	uint64_t start = block * bs;
	size_t tail = (size_t)count * bs - head - len;
	struct blkdev_io io[3];
	unsigned n = 0;

	if (head)
		io[n++] = (struct blkdev_io){zeros, head, start};
	io[n++] = (struct blkdev_io){op->buf + op->done, len, start + head};
	if (tail)
		io[n++] = (struct blkdev_io){zeros, tail, start + head + len};
	return data_write(op->fs->vol, io, n);
}

/* Where new blocks had best lie: behind those before them in the file, else near the inode. */
static int goal_find(struct write_op *op, struct txn *txn, const struct inode_info *info,
		     uint32_t logical, uint64_t *goal)
{
	const struct super_info *super = &op->fs->vol->super;
	struct extent_run run = {.block = 0};
	int rc = 0;

	if (logical)
		rc = extent_lookup(op->fs->vol, txn, op->inode->ino, info, logical - 1, &run);
	if (run.block)
		*goal = run.block + 1;
	else
		*goal = layout_group_data(super, layout_inode_group(super, op->inode->ino));
	return rc;
}

/* Maps and fills as much of the hole at the current position as is wanted and contiguous. */
static int hole_step(struct write_op *op, struct txn *txn, const struct extent_run *hole,
		     size_t *filled)
{
	struct volume *vol = op->fs->vol;
	uint32_t bs = vol->super.block_size, head = (uint32_t)(write_pos(op) % bs), want;
	struct extent_run run = {.logical = hole->logical};
	size_t left = op->len - op->done;
	struct inode_info info;
	uint64_t goal, room;
	int rc = file_fetch(op->fs, txn, op->inode->ino, &info);

	if (!rc)
		rc = goal_find(op, txn, &info, run.logical, &goal);
	if (rc)
		return rc;
	want = (uint32_t)((head + left + bs - 1) / bs);
	if (want > hole->length)
		want = hole->length;
	rc = block_alloc(vol, txn, goal, want, &run.block, &run.length);
	if (!rc)
		rc = extent_insert(vol, txn, op->inode->ino, &info, &run);
	if (rc)
		return rc;
	room = (uint64_t)run.length * bs - head;
	*filled = left < room ? left : (size_t)room;
	inode_account(op, op->done + *filled, &info);
	rc = inode_write(vol, txn, op->inode->ino, &info);
	return rc ? rc : blocks_fill(op, run.block, run.length, head, *filled);
}

static int hole_write(struct write_op *op, const struct extent_run *hole)
{
	size_t filled = 0;
	struct txn txn;
	int rc;

	do {
		txn_begin(&txn, op->fs->vol->txns);
		rc = hole_step(op, &txn, hole, &filled);
	} while (txn_finish(&txn, &rc));
	if (rc)
		return rc;
	op->done += filled;
	op->untold = false;
	return 0;
}

static int mapped_write(struct write_op *op, const struct extent_run *run)
{
	uint32_t bs = op->fs->vol->super.block_size, head = (uint32_t)(write_pos(op) % bs);
	uint64_t room = (uint64_t)run->length * bs - head;
	size_t left = op->len - op->done, len = left < room ? left : (size_t)room;
	struct blkdev_io io = {op->buf + op->done, len, run->block * bs + head};
	int rc = data_write(op->fs->vol, &io, 1);

	if (rc)
		return rc;
	op->done += len;
	op->untold = true;
	return 0;
}

static int run_write(struct write_op *op)
{
	uint32_t bs = op->fs->vol->super.block_size;
	struct inode_info info;
	struct extent_run run;
	struct txn txn;
	int rc;

	txn_begin(&txn, op->fs->vol->txns);
	rc = file_fetch(op->fs, &txn, op->inode->ino, &info);
	if (!rc)
		rc = extent_lookup(op->fs->vol, &txn, op->inode->ino, &info,
				   (uint32_t)(write_pos(op) / bs), &run);
	txn_abort(&txn);
	if (rc)
		return rc;
	return run.block ? mapped_write(op, &run) : hole_write(op, &run);
}

static int tell_step(struct write_op *op, struct txn *txn)
{
	struct inode_info info;
	int rc = file_fetch(op->fs, txn, op->inode->ino, &info);

	if (rc)
		return rc;
	inode_account(op, op->done, &info);
	return inode_write(op->fs->vol, txn, op->inode->ino, &info);
}

static int inode_tell(struct write_op *op)
{
	struct txn txn;
	int rc;

	do {
		txn_begin(&txn, op->fs->vol->txns);
		rc = tell_step(op, &txn);
	} while (txn_finish(&txn, &rc));
	return rc;
}

/* Limits the range, and makes the file fit for it. */
static int write_prepare(struct write_op *op)
{
	struct fs *fs = op->fs;
	struct inode_info info;
	struct txn txn;
	int rc;

	txn_begin(&txn, fs->vol->txns);
	rc = file_fetch(fs, &txn, op->inode->ino, &info);
	txn_abort(&txn);
	if (rc || op->len == 0)
		return rc;
	if (op->offset >= fs->max_size)
		return -EFBIG;
	if (op->len > fs->max_size - op->offset)
		op->len = (size_t)(fs->max_size - op->offset);
	rc = file_finish_truncate(fs, op->inode, &info);
	return rc ? rc : file_zero_tail(fs, op->inode, &info, op->offset);
}

static int locked_write(struct write_op *op)
{
	int rc = write_prepare(op);

	while (!rc && op->done < op->len)
		rc = run_write(op);
	/* What is written counts, also when space ran out behind it. */
	if (op->untold) {
		int error = inode_tell(op);

		if (error)
			return error;
	}
	return op->done ? 0 : rc;
}

int fs_write(struct fs *fs, uint64_t ino, const void *buf, size_t len, uint64_t offset,
	     size_t *done)
{
	struct write_op op = {.fs = fs, .buf = buf, .len = len, .offset = offset};
	int rc;

	*done = 0;
	op.inode = icache_find(&fs->icache, ino);
	if (!op.inode)
		return -ESTALE;
	pthread_rwlock_wrlock(&op.inode->lock);
	rc = locked_write(&op);
	pthread_rwlock_unlock(&op.inode->lock);
	inode_unpin(fs, op.inode);
	if (!rc)
		*done = op.done;
	return rc;
}
