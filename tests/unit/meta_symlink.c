/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "meta/extent.h"
#include "meta/symlink.h"
#include "meta_cases.h"
#include "meta_fixture.h"

static const size_t lengths[] = {1, 136, 137, 928, 929, 1952, 1953, 4000, 4001, 4095};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void target_make(char *target, size_t len)
{
	for (size_t i = 0; i < len; i++)
		target[i] = (char)('!' + (i * 31 + len) % 90);
}

static int link_write(struct volume *vol, struct txn *txn, uint64_t ino, const char *target,
		      size_t len, struct inode_info *inode)
{
	int rc;

	*inode = (struct inode_info){.mode = S_IFLNK | 0777, .links = 1, .parent = 1};
	rc = symlink_write(vol, txn, ino, inode, target, len);
	return rc ? rc : inode_write(vol, txn, ino, inode);
}

static int link_cut(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode)
{
	bool done;
	int rc = extent_truncate(vol, txn, ino, inode, 0, &done);

	ck_assert(rc || done);
	return rc ? rc : inode_write(vol, txn, ino, inode);
}

START_TEST(targets_of_all_lengths)
{
	struct volume *vol = meta_open(META_BLOCK_SIZE(_i));
	char target[PATH_MAX], found[PATH_MAX];
	struct inode_info inode;
	struct volume_usage start, end;
	uint64_t inos[LENGTHS];
	int rc;

	for (size_t i = 0; i < LENGTHS; i++)
		inos[i] = meta_inode_make(vol, S_IFREG | 0600, 1, &inode);
	start = meta_usage(vol);
	for (size_t i = 0; i < LENGTHS; i++) {
		target_make(target, lengths[i]);
		IN_TXN(vol, rc, link_write(vol, &txn, inos[i], target, lengths[i], &inode));
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(inode.blocks == 0, lengths[i] <= CFS_INODE_ROOT_BYTES);
	}
	vol = meta_reopen(vol);
	for (size_t i = 0; i < LENGTHS; i++) {
		target_make(target, lengths[i]);
		target[lengths[i]] = '\0';
		IN_TXN(vol, rc, inode_read(vol, &txn, inos[i], &inode));
		ck_assert_int_eq(rc, 0);
		IN_TXN(vol, rc, symlink_read(vol, &txn, inos[i], &inode, found));
		ck_assert_int_eq(rc, 0);
		ck_assert_str_eq(found, target);
		IN_TXN(vol, rc, link_cut(vol, &txn, inos[i], &inode));
		ck_assert_int_eq(rc, 0);
	}
	end = meta_usage(vol);
	ck_assert_uint_eq(start.free_blocks, end.free_blocks);
	meta_close(vol);
}
END_TEST

START_TEST(lengths_out_of_range_are_refused)
{
	struct volume *vol = meta_open(1024);
	char target[PATH_MAX], found[PATH_MAX];
	struct inode_info inode, bad;
	uint64_t ino = meta_inode_make(vol, S_IFREG | 0600, 1, &inode);
	int rc;

	target_make(target, PATH_MAX);
	IN_TXN(vol, rc, link_write(vol, &txn, ino, target, PATH_MAX, &inode));
	ck_assert_int_eq(rc, -ENAMETOOLONG);
	IN_TXN(vol, rc, link_write(vol, &txn, ino, target, 0, &inode));
	ck_assert_int_eq(rc, -ENOENT);
	IN_TXN(vol, rc, link_write(vol, &txn, ino, target, 2000, &inode));
	ck_assert_int_eq(rc, 0);

	bad = inode;
	bad.size = PATH_MAX;
	IN_TXN(vol, rc, symlink_read(vol, &txn, ino, &bad, found));
	ck_assert_int_eq(rc, -EUCLEAN);
	bad.size = 0;
	IN_TXN(vol, rc, symlink_read(vol, &txn, ino, &bad, found));
	ck_assert_int_eq(rc, -EUCLEAN);
	/* Longer than what is mapped, and into the zeros behind the target. */
	bad.size = 4000;
	IN_TXN(vol, rc, symlink_read(vol, &txn, ino, &bad, found));
	ck_assert_int_eq(rc, -EUCLEAN);
	bad.size = 2001;
	IN_TXN(vol, rc, symlink_read(vol, &txn, ino, &bad, found));
	ck_assert_int_eq(rc, -EUCLEAN);
	bad = inode;
	bad.flags |= CFS_INODE_INLINE;
	IN_TXN(vol, rc, symlink_read(vol, &txn, ino, &bad, found));
	ck_assert_int_eq(rc, -EUCLEAN);
	meta_close(vol);
}
END_TEST

TCase *meta_symlink_case(void)
{
	TCase *tc = tcase_create("symlink");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_add_loop_test(tc, targets_of_all_lengths, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, lengths_out_of_range_are_refused);
	return tc;
}
