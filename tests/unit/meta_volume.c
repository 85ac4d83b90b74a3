/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open, close, and what the scan and the recovery at mount find. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "meta/alloc.h"
#include "meta/dir.h"
#include "meta/extent.h"
#include "meta/super.h"
#include "meta_cases.h"
#include "meta_fixture.h"

#define FILE_BLOCKS 3000u

/* Maps every other block from 0 to COUNT, so that no two runs merge. */
static int blocks_map(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		      uint32_t first, uint32_t count)
{
	int rc = inode_read(vol, txn, ino, inode);

	for (uint32_t i = first; rc == 0 && i < first + count; i++) {
		struct extent_run run = {.logical = 2 * i};

		rc = block_alloc(vol, txn, 0, 1, &run.block, &run.length);
		if (rc == 0)
			rc = extent_insert(vol, txn, ino, inode, &run);
	}
	return rc ? rc : inode_write(vol, txn, ino, inode);
}

static void file_fill(struct volume *vol, uint64_t ino, struct inode_info *inode)
{
	int rc;

	for (uint32_t i = 0; i < FILE_BLOCKS; i += 50) {
		IN_TXN(vol, rc, blocks_map(vol, &txn, ino, inode, i, 50));
		ck_assert_int_eq(rc, 0);
	}
}

/* Ends a mount without order: the superblock stays dirty. */
static void volume_crash(struct volume *vol)
{
	vol->readonly = true;
	ck_assert_int_eq(volume_close(vol), 0);
}

START_TEST(state_and_generations)
{
	struct super_info made = meta_format(META_BLOCK_SIZE(_i), 0), super;
	struct super_origin origin;
	struct blkdev *dev = meta_device();
	struct volume *vol;
	uint64_t used;

	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	ck_assert_int_eq(super_locate(dev, &super, &origin), 0);
	ck_assert_uint_eq(super.state, CFS_STATE_DIRTY);
	ck_assert_uint_eq(super.mount_count, made.mount_count + 1);
	ck_assert_uint_ge(super.next_generation, made.next_generation + (1ULL << 40));
	meta_block_take(vol);
	used = txn_mgr_next_generation(vol->txns);
	meta_close(vol);
	ck_assert_int_eq(super_locate(dev, &super, &origin), 0);
	ck_assert_uint_eq(super.state, CFS_STATE_CLEAN);
	ck_assert_uint_eq(super.next_generation, used + 1);

	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	used = txn_mgr_next_generation(vol->txns);
	volume_crash(vol);
	ck_assert_int_eq(super_locate(dev, &super, &origin), 0);
	ck_assert_uint_eq(super.state, CFS_STATE_DIRTY);
	/* Whatever the crashed mount used lies below where the next one begins. */
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	ck_assert_uint_ge(txn_mgr_next_generation(vol->txns), used + (1ULL << 39));
	meta_close(vol);
	blkdev_close(dev);
}
END_TEST

START_TEST(readonly_writes_nothing)
{
	struct super_info super;
	struct super_origin origin;
	struct inode_info inode = {0};
	struct volume *vol;
	struct blkdev *dev;
	int rc;

	meta_format(1024, 0);
	ck_assert_int_eq(meta_try_open(true, &vol), 0);
	ck_assert_uint_gt(meta_usage(vol).free_blocks, 0);
	IN_TXN(vol, rc, inode_write(vol, &txn, 5, &inode));
	ck_assert_int_eq(rc, -EROFS);
	meta_close(vol);
	dev = meta_device();
	ck_assert_int_eq(super_locate(dev, &super, &origin), 0);
	ck_assert_uint_eq(super.state, CFS_STATE_CLEAN);
	ck_assert_uint_eq(super.mount_count, 0);
	blkdev_close(dev);
}
END_TEST

START_TEST(inodes_are_read_back)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	struct inode_info made, found;
	uint64_t ino;
	int rc;

	made = (struct inode_info){0};
	ino = meta_inode_make(vol, S_IFCHR | 0640, 2, &made);
	made.uid = 70000;
	made.gid = 80000;
	made.rdev = 0x103;
	made.atime_ns = -5;
	made.generation = 77;
	IN_TXN(vol, rc, inode_write(vol, &txn, ino, &made));
	ck_assert_int_eq(rc, 0);
	vol = meta_reopen(vol);
	IN_TXN(vol, rc, inode_read(vol, &txn, ino, &found));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(found.uid, 70000);
	ck_assert_uint_eq(found.rdev, 0x103);
	ck_assert_int_eq(found.atime_ns, -5);
	ck_assert_uint_eq(found.generation, 77);
	IN_TXN(vol, rc, inode_read(vol, &txn, ino + 1, &found));
	ck_assert_int_eq(rc, -ENOENT);
	IN_TXN(vol, rc, inode_read(vol, &txn, 0, &found));
	ck_assert_int_eq(rc, -ESTALE);
	IN_TXN(vol, rc, inode_read(vol, &txn, layout_inode_count(&vol->super) + 1, &found));
	ck_assert_int_eq(rc, -ESTALE);
	made.mode = 0170000;
	IN_TXN(vol, rc, inode_write(vol, &txn, ino, &made));
	IN_TXN(vol, rc, inode_read(vol, &txn, ino, &found));
	ck_assert_int_eq(rc, -EUCLEAN);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(false, &vol), -EUCLEAN);
}
END_TEST

static int name_add(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *dir,
		    unsigned n)
{
	char name[CFS_NAME_MAX + 1];
	int rc;

	/* Long names, so that the directory gets more blocks than one transaction can forget. */
	snprintf(name, sizeof(name), "%0255u", n);
	rc = dir_add(vol, txn, ino, dir, name, CFS_NAME_MAX, CFS_ROOT_INODE, DT_DIR);

	return rc ? rc : inode_write(vol, txn, ino, dir);
}

START_TEST(orphans_are_removed)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	struct volume_usage start = meta_usage(vol), end;
	struct inode_info inode;
	uint64_t file, dir;
	int rc;

	file = meta_inode_make(vol, S_IFREG | 0600, 0, &inode);
	file_fill(vol, file, &inode);
	dir = meta_inode_make(vol, S_IFDIR | 0700, 0, &inode);
	for (unsigned n = 0; inode.size < 100ULL * vol->super.block_size; n++) {
		struct inode_info copy;

		IN_TXN(vol, rc, (copy = inode, name_add(vol, &txn, dir, &copy, n)));
		ck_assert_int_eq(rc, 0);
		inode = copy;
	}
	vol = meta_reopen(vol);
	IN_TXN(vol, rc, inode_read(vol, &txn, file, &inode));
	ck_assert_int_eq(rc, -ENOENT);
	IN_TXN(vol, rc, inode_read(vol, &txn, dir, &inode));
	ck_assert_int_eq(rc, -ENOENT);
	end = meta_usage(vol);
	ck_assert_uint_eq(end.free_inodes, start.free_inodes);
	ck_assert_uint_eq(end.free_blocks, start.free_blocks);
	meta_close(meta_reopen(vol));
}
END_TEST

START_TEST(truncations_are_finished)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	uint32_t bs = vol->super.block_size;
	struct inode_info inode;
	struct extent_run run;
	uint64_t ino;
	int rc;

	ino = meta_inode_make(vol, S_IFREG | 0600, 1, &inode);
	file_fill(vol, ino, &inode);
	inode.flags |= CFS_INODE_TRUNCATE;
	inode.size = 100 * bs + 1;
	IN_TXN(vol, rc, inode_write(vol, &txn, ino, &inode));
	ck_assert_int_eq(rc, 0);
	volume_crash(vol);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	IN_TXN(vol, rc, inode_read(vol, &txn, ino, &inode));
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(inode.flags, 0);
	ck_assert_uint_eq(inode.size, 100 * bs + 1);
	IN_TXN(vol, rc, extent_lookup(vol, &txn, ino, &inode, 100, &run));
	ck_assert_uint_ne(run.block, 0);
	IN_TXN(vol, rc, extent_lookup(vol, &txn, ino, &inode, 101, &run));
	ck_assert_uint_eq(run.block, 0);
	ck_assert_uint_ge(run.length, UINT32_MAX - 101);
	meta_close(meta_reopen(vol));
}
END_TEST

static int write_fail(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	(void)dev;
	(void)io;
	(void)count;
	return -EIO;
}

static int sync_fail(struct blkdev *dev)
{
	(void)dev;
	return -EIO;
}

START_TEST(after_a_failed_write_it_stays_dirty)
{
	struct volume *vol = meta_open(1024);
	struct blkdev_ops broken = *vol->dev->ops;
	struct super_origin origin;
	struct super_info super;
	struct blkdev *dev;
	uint64_t block;
	uint32_t got;
	int rc;

	broken.write = write_fail;
	vol->dev->ops = &broken;
	IN_TXN(vol, rc, block_alloc(vol, &txn, 0, 1, &block, &got));
	ck_assert_int_eq(rc, -EIO);
	ck_assert_int_eq(volume_close(vol), -EIO);
	dev = meta_device();
	ck_assert_int_eq(super_locate(dev, &super, &origin), 0);
	ck_assert_uint_eq(super.state, CFS_STATE_DIRTY);
	blkdev_close(dev);
}
END_TEST

START_TEST(a_failed_sync_is_counted)
{
	struct volume *vol = meta_open(1024);
	const struct blkdev_ops *good = vol->dev->ops;
	struct blkdev_ops broken = *good;

	broken.sync = sync_fail;
	vol->dev->ops = &broken;
	ck_assert_int_eq(volume_sync(vol), -EIO);
	ck_assert_uint_eq(atomic_load(&ledger_counters(vol->ledger)->io_errors), 1);
	vol->dev->ops = good;
	meta_close(vol);
}
END_TEST

/* Every kind of fixed block, damaged by one bit, keeps the volume from being opened. */
START_TEST(damage_is_found_at_mount)
{
	struct super_info made = meta_format(1024, 0);
	const uint64_t blocks[] = {
		layout_group_header(&made, 0),
		layout_block_bitmap(&made, 1),
		layout_inode_bitmap(&made, 0),
		layout_inode_table(&made, 1) + 2,
		made.journal_start + made.journal_blocks,
		made.total_blocks - 1,
	};
	struct volume *vol;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		uint64_t offset = blocks[i] * 1024 + 700;

		meta_damage(offset);
		ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);
		meta_damage(offset);
		ck_assert_int_eq(meta_try_open(true, &vol), 0);
		meta_close(vol);
	}
}
END_TEST

/* Two inodes with one block, and a block in use that is marked free. */
START_TEST(contradictions_are_found_at_mount)
{
	struct volume *vol = meta_open(1024);
	struct inode_info one, two;
	struct extent_run run;
	uint64_t a = meta_inode_make(vol, S_IFREG | 0600, 1, &one);
	uint64_t b = meta_inode_make(vol, S_IFREG | 0600, 1, &two);
	int rc;

	IN_TXN(vol, rc, blocks_map(vol, &txn, a, &one, 0, 1));
	ck_assert_int_eq(rc, 0);
	IN_TXN(vol, rc, inode_write(vol, &txn, b, &one));
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);

	vol = meta_open(1024);
	a = meta_inode_make(vol, S_IFREG | 0600, 1, &one);
	IN_TXN(vol, rc, blocks_map(vol, &txn, a, &one, 0, 1));
	IN_TXN(vol, rc, extent_lookup(vol, &txn, a, &one, 0, &run));
	IN_TXN(vol, rc, block_free(vol, &txn, run.block, 1));
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);

	vol = meta_open(1024);
	a = meta_inode_make(vol, S_IFREG | 0600, 1, &one);
	IN_TXN(vol, rc, inode_free(vol, &txn, a, false));
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);

	vol = meta_open(1024);
	a = meta_inode_make(vol, S_IFREG | 0600, 1, &one);
	one.blocks = 3;
	IN_TXN(vol, rc, inode_write(vol, &txn, a, &one));
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);
}
END_TEST

START_TEST(a_block_of_another_kind_is_found_at_mount)
{
	struct volume *vol = meta_open(1024);
	struct block_ref ref = {.block = vol->super.journal_start + vol->super.journal_blocks,
				.owner = CFS_ROOT_INODE,
				.type = CFS_BLOCK_SYMLINK};

	meta_block_plant(vol, &ref, "target", 6);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);
}
END_TEST

START_TEST(a_root_that_is_none_is_found)
{
	struct volume *vol = meta_open(1024);
	struct inode_info root;
	int rc;

	IN_TXN(vol, rc, inode_read(vol, &txn, CFS_ROOT_INODE, &root));
	root.mode = S_IFIFO | 0600;
	root.blocks = 0;
	IN_TXN(vol, rc, inode_write(vol, &txn, CFS_ROOT_INODE, &root));
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(volume_close(vol), 0);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);
}
END_TEST

TCase *meta_volume_case(void)
{
	TCase *tc = tcase_create("volume");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, state_and_generations, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, readonly_writes_nothing);
	tcase_add_loop_test(tc, inodes_are_read_back, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, orphans_are_removed, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, truncations_are_finished, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, after_a_failed_write_it_stays_dirty);
	tcase_add_test(tc, a_failed_sync_is_counted);
	tcase_add_test(tc, damage_is_found_at_mount);
	tcase_add_test(tc, contradictions_are_found_at_mount);
	tcase_add_test(tc, a_block_of_another_kind_is_found_at_mount);
	tcase_add_test(tc, a_root_that_is_none_is_found);
	return tc;
}
