/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names come and go, links are counted, unlinked inodes live while they are referenced. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs_cases.h"
#include "fs_fixture.h"

START_TEST(types_and_attributes)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct fs_create chr = {
		.mode = S_IFCHR | 0620, .uid = 7, .gid = 8, .rdev = makedev(200, 70000)};
	struct fs_entry entry;
	struct stat st;

	ck_assert_int_eq(fsx_try_create(fs, ROOT, "fifo", S_IFIFO | 0600), 0);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "sock", S_IFSOCK | 0600), 0);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "untyped", 0640), 0);
	ck_assert_int_eq(fs_create(fs, ROOT, "chr", &chr, &entry), 0);
	fs_forget(fs, entry.ino, 1);
	fs = fsx_remount(fs);
	ck_assert_int_eq(fs_lookup(fs, ROOT, "chr", &entry), 0);
	st = entry.attr;
	ck_assert_uint_eq(st.st_mode, S_IFCHR | 0620);
	ck_assert_uint_eq(st.st_uid, 7);
	ck_assert_uint_eq(st.st_gid, 8);
	ck_assert_uint_eq(st.st_rdev, makedev(200, 70000));
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_gt(st.st_ctim.tv_sec, 1500000000);
	fs_forget(fs, entry.ino, 1);
	ck_assert_int_eq(fs_lookup(fs, ROOT, "untyped", &entry), 0);
	ck_assert_uint_eq(entry.attr.st_mode, S_IFREG | 0640);
	fs_forget(fs, entry.ino, 1);
	fsx_unmount(fs);
}
END_TEST

START_TEST(bad_names)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t file = fsx_file(fs, ROOT, "file");
	char name[300];
	struct fs_entry entry;

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	ck_assert_int_eq(fsx_try_create(fs, ROOT, name, S_IFREG), -ENAMETOOLONG);
	ck_assert_int_eq(fs_lookup(fs, ROOT, name, &entry), -ENAMETOOLONG);
	ck_assert_int_eq(fs_unlink(fs, ROOT, name), -ENAMETOOLONG);
	name[255] = '\0';
	ck_assert_int_eq(fsx_try_create(fs, ROOT, name, S_IFREG), 0);
	ck_assert_uint_ne(fsx_find(fs, ROOT, name), 0);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, name, S_IFREG), -EEXIST);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "file", S_IFDIR), -EEXIST);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "", S_IFREG), -EINVAL);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "..", S_IFREG), -EINVAL);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "a/b", S_IFREG), -EINVAL);
	ck_assert_int_eq(fsx_try_create(fs, file, "x", S_IFREG), -ENOTDIR);
	ck_assert_int_eq(fs_lookup(fs, file, "x", &entry), -ENOTDIR);
	ck_assert_int_eq(fs_lookup(fs, ROOT, "none", &entry), -ENOENT);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "none"), -ENOENT);
	ck_assert_int_eq(fs_lookup(fs, 4711, "x", &entry), -ESTALE);
	fs_forget(fs, file, 1);
	fsx_unmount(fs);
}
END_TEST

START_TEST(directories)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct statvfs before = fsx_statfs(fs), after;
	uint64_t a = fsx_dir(fs, ROOT, "a"), b = fsx_dir(fs, a, "b");

	ck_assert_uint_eq(fsx_links(fs, ROOT), 3);
	ck_assert_uint_eq(fsx_links(fs, a), 3);
	ck_assert_uint_eq(fsx_links(fs, b), 2);
	ck_assert_int_eq(fs_rmdir(fs, ROOT, "a"), -ENOTEMPTY);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "a"), -EISDIR);
	ck_assert_int_eq(fsx_try_create(fs, b, "f", S_IFREG), 0);
	ck_assert_int_eq(fs_rmdir(fs, b, "f"), -ENOTDIR);
	ck_assert_int_eq(fs_rmdir(fs, a, "b"), -ENOTEMPTY);
	ck_assert_int_eq(fs_unlink(fs, b, "f"), 0);
	ck_assert_int_eq(fs_rmdir(fs, a, "b"), 0);
	ck_assert_uint_eq(fsx_links(fs, a), 2);
	ck_assert_uint_eq(fsx_links(fs, b), 0);
	/* Still somebody's current directory, but nothing can be made in it. */
	ck_assert_int_eq(fsx_try_create(fs, b, "late", S_IFREG), -ENOENT);
	ck_assert_int_eq(fsx_try_create(fs, b, "late", S_IFDIR), -ENOENT);
	fs_forget(fs, b, 1);
	ck_assert_int_eq(fs_rmdir(fs, ROOT, "a"), 0);
	fs_forget(fs, a, 1);
	ck_assert_uint_eq(fsx_links(fs, ROOT), 2);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	fsx_unmount(fs);
}
END_TEST

START_TEST(hard_links)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t dir = fsx_dir(fs, ROOT, "dir"), file = fsx_file(fs, ROOT, "file");
	struct fs_entry entry;

	ck_assert_int_eq(fs_link(fs, file, dir, "second", &entry), 0);
	ck_assert_uint_eq(entry.ino, file);
	ck_assert_uint_eq(entry.attr.st_nlink, 2);
	ck_assert_int_eq(fs_link(fs, file, dir, "second", &entry), -EEXIST);
	ck_assert_int_eq(fs_link(fs, dir, ROOT, "dirlink", &entry), -EPERM);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "file"), 0);
	ck_assert_uint_eq(fsx_links(fs, file), 1);
	ck_assert_uint_eq(fsx_find(fs, dir, "second"), file);
	ck_assert_int_eq(fs_unlink(fs, dir, "second"), 0);
	ck_assert_uint_eq(fsx_links(fs, file), 0);
	ck_assert_int_eq(fs_link(fs, file, dir, "third", &entry), -ENOENT);
	fs_forget(fs, file, 2);
	ck_assert_int_eq(fs_getattr(fs, file, &entry.attr), -ESTALE);
	fs_forget(fs, dir, 1);
	fsx_unmount(fs);
}
END_TEST

static int symlink_make(struct fs *fs, const char *name, const char *target)
{
	struct fs_create create = {.mode = S_IFLNK | 0777, .target = target};
	struct fs_entry entry;
	char found[PATH_MAX];
	int rc = fs_create(fs, ROOT, name, &create, &entry);

	if (rc)
		return rc;
	ck_assert_uint_eq((uint64_t)entry.attr.st_size, strlen(target));
	ck_assert_int_eq(fs_readlink(fs, entry.ino, found), 0);
	ck_assert_str_eq(found, target);
	fs_forget(fs, entry.ino, 1);
	return 0;
}

START_TEST(symlinks)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct statvfs before = fsx_statfs(fs), after;
	const size_t lengths[] = {1, CFS_INODE_ROOT_BYTES, CFS_INODE_ROOT_BYTES + 1, 1000, 4095};
	char target[PATH_MAX + 1], name[16], found[PATH_MAX];
	uint64_t file;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(target, 'a' + (int)i, lengths[i]);
		target[lengths[i]] = '\0';
		snprintf(name, sizeof(name), "link%zu", i);
		ck_assert_int_eq(symlink_make(fs, name, target), 0);
	}
	memset(target, 'x', PATH_MAX);
	target[PATH_MAX] = '\0';
	ck_assert_int_eq(symlink_make(fs, "long", target), -ENAMETOOLONG);
	ck_assert_int_eq(symlink_make(fs, "empty", ""), -ENOENT);
	file = fsx_file(fs, ROOT, "file");
	ck_assert_int_eq(fs_readlink(fs, file, found), -EINVAL);
	fs_forget(fs, file, 1);
	fs = fsx_remount(fs);
	fsx_remove_tree(fs, ROOT);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	fsx_unmount(fs);
}
END_TEST

START_TEST(group_inheritance)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct fs_create create = {.mode = S_IFDIR | S_ISGID | 0775, .uid = 1, .gid = 50};
	struct fs_entry dir, entry;

	ck_assert_int_eq(fs_create(fs, ROOT, "dir", &create, &dir), 0);
	create = (struct fs_create){.mode = S_IFREG | 0644, .uid = 2, .gid = 3};
	ck_assert_int_eq(fs_create(fs, dir.ino, "file", &create, &entry), 0);
	ck_assert_uint_eq(entry.attr.st_uid, 2);
	ck_assert_uint_eq(entry.attr.st_gid, 50);
	ck_assert_uint_eq(entry.attr.st_mode, S_IFREG | 0644);
	fs_forget(fs, entry.ino, 1);
	create.mode = S_IFDIR | 0755;
	ck_assert_int_eq(fs_create(fs, dir.ino, "sub", &create, &entry), 0);
	ck_assert_uint_eq(entry.attr.st_gid, 50);
	ck_assert_uint_eq(entry.attr.st_mode, S_IFDIR | S_ISGID | 0755);
	fs_forget(fs, entry.ino, 1);
	fs_forget(fs, dir.ino, 1);
	fsx_unmount(fs);
}
END_TEST

START_TEST(unlinked_but_open)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct statvfs before = fsx_statfs(fs), during, after;
	uint64_t file = fsx_file(fs, ROOT, "file");
	char data[5000];

	memset(data, 7, sizeof(data));
	ck_assert_int_eq(fs_open(fs, file, O_RDWR), 0);
	fsx_write(fs, file, data, sizeof(data), 0);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "file"), 0);
	fs_forget(fs, file, 1);
	fsx_write(fs, file, data, sizeof(data), 5000);
	fsx_assert_bytes(fs, file, 0, 10000, 7);
	ck_assert_uint_eq(fsx_links(fs, file), 0);
	during = fsx_statfs(fs);
	ck_assert_uint_lt(during.f_bfree, before.f_bfree);
	ck_assert_uint_eq(during.f_ffree, before.f_ffree - 1);
	fs_release(fs, file);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	fsx_unmount(fs);
}
END_TEST

START_TEST(unlinked_at_unmount)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct statvfs before = fsx_statfs(fs), after;
	uint64_t file = fsx_file(fs, ROOT, "file");

	ck_assert_int_eq(fs_open(fs, file, O_RDWR), 0);
	fsx_write(fs, file, "data", 4, 100000);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "file"), 0);
	/* Neither released nor forgotten. */
	fs = fsx_remount(fs);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	fsx_unmount(fs);
}
END_TEST

START_TEST(numbers_used_again)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct fs_create create = {.mode = S_IFREG};
	struct fs_entry first, second;

	ck_assert_int_eq(fs_create(fs, ROOT, "a", &create, &first), 0);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "a"), 0);
	fs_forget(fs, first.ino, 1);
	ck_assert_int_eq(fs_create(fs, ROOT, "a", &create, &second), 0);
	ck_assert_uint_eq(first.ino, second.ino);
	ck_assert_uint_ne(first.generation, second.generation);
	/* More than were counted: nothing else must go. */
	fs_forget(fs, second.ino, 1000);
	fs_release(fs, second.ino);
	fs_forget(fs, ROOT, 1000);
	ck_assert_uint_eq(fsx_find(fs, ROOT, "a"), second.ino);
	fsx_unmount(fs);
}
END_TEST

TCase *fs_names_case(void)
{
	TCase *tc = tcase_create("names");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, types_and_attributes, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, bad_names, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, directories, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, hard_links, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, symlinks, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, group_inheritance, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, unlinked_but_open, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, unlinked_at_unmount, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, numbers_used_again, 0, META_BLOCK_SIZES);
	return tc;
}
