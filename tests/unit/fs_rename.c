/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "fs_cases.h"
#include "fs_fixture.h"

/* Two directories with two files each, and a directory in the first. */
struct setting {
	struct fs *fs;
	struct statvfs before;
	uint64_t a, b, a_file, b_file, a_sub;
};

static void setting_make(struct setting *s, int i)
{
	s->fs = fsx_mount(META_BLOCK_SIZE(i));
	s->before = fsx_statfs(s->fs);
	s->a = fsx_dir(s->fs, ROOT, "a");
	s->b = fsx_dir(s->fs, ROOT, "b");
	s->a_file = fsx_file(s->fs, s->a, "file");
	s->b_file = fsx_file(s->fs, s->b, "file");
	s->a_sub = fsx_dir(s->fs, s->a, "sub");
}

/* Everything goes, and no block or inode stays behind. */
static void setting_end(struct setting *s)
{
	const uint64_t inos[] = {s->a, s->b, s->a_file, s->b_file, s->a_sub};
	struct statvfs after;

	for (size_t i = 0; i < sizeof(inos) / sizeof(inos[0]); i++)
		fs_forget(s->fs, inos[i], 1);
	s->fs = fsx_remount(s->fs);
	fsx_remove_tree(s->fs, ROOT);
	after = fsx_statfs(s->fs);
	fsx_assert_same_usage(&s->before, &after);
	fsx_unmount(s->fs);
}

START_TEST(plain)
{
	struct setting s;

	setting_make(&s, _i);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "file", s.a, "other", 0), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "file"), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "other"), s.a_file);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "other", s.b, "moved", 0), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "other"), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "moved"), s.a_file);
	ck_assert_int_eq(fs_rename(s.fs, s.b, "moved", s.b, "moved", 0), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "moved"), s.a_file);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "none", s.b, "x", 0), -ENOENT);
	ck_assert_int_eq(fs_rename(s.fs, s.b, "moved", s.a_file, "x", 0), -ENOTDIR);
	ck_assert_int_eq(fs_rename(s.fs, s.b, "moved", s.a, "x", 1u << 7), -EINVAL);
	ck_assert_int_eq(
		fs_rename(s.fs, s.b, "moved", s.a, "x", RENAME_NOREPLACE | RENAME_EXCHANGE),
		-EINVAL);
	setting_end(&s);
}
END_TEST

START_TEST(replace_file)
{
	struct setting s;
	struct statvfs full, freed;
	struct fs_entry entry;

	setting_make(&s, _i);
	fsx_write(s.fs, s.b_file, "victim", 6, 0);
	full = fsx_statfs(s.fs);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "file", s.b, "file", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "file", s.b, "file", 0), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "file"), s.a_file);
	ck_assert_uint_eq(fsx_links(s.fs, s.b_file), 0);
	fsx_assert_bytes(s.fs, s.b_file, 0, 1, 'v');
	/* Its last reference takes it along at once, not only the next mount. */
	fs_forget(s.fs, s.b_file, 1);
	freed = fsx_statfs(s.fs);
	ck_assert_uint_eq(freed.f_ffree, full.f_ffree + 1);
	ck_assert_uint_eq(freed.f_bfree, full.f_bfree + 1);
	/* Two names of one inode: nothing happens, both stay. */
	ck_assert_int_eq(fs_link(s.fs, s.a_file, s.a, "twin", &entry), 0);
	fs_forget(s.fs, entry.ino, 1);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "twin", s.b, "file", 0), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "twin"), s.a_file);
	ck_assert_uint_eq(fsx_links(s.fs, s.a_file), 2);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "twin", s.b, "new", RENAME_NOREPLACE), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "new"), s.a_file);
	/* A victim with another name loses just one. */
	ck_assert_int_eq(fsx_try_create(s.fs, s.a, "third", S_IFREG), 0);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "third", s.b, "new", 0), 0);
	ck_assert_uint_eq(fsx_links(s.fs, s.a_file), 1);
	setting_end(&s);
}
END_TEST

START_TEST(directories)
{
	struct setting s;
	uint64_t deep;

	setting_make(&s, _i);
	deep = fsx_dir(s.fs, s.a_sub, "deep");
	ck_assert_int_eq(fs_rename(s.fs, s.a, "sub", s.b, "file", 0), -ENOTDIR);
	ck_assert_int_eq(fs_rename(s.fs, s.b, "file", s.a, "sub", 0), -EISDIR);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "sub", s.b, "sub", 0), 0);
	ck_assert_uint_eq(fsx_links(s.fs, s.a), 2);
	ck_assert_uint_eq(fsx_links(s.fs, s.b), 3);
	/* Onto a directory that holds something, then onto an empty one. */
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", s.b, "sub", 0), -ENOTEMPTY);
	ck_assert_int_eq(fs_rmdir(s.fs, s.a_sub, "deep"), 0);
	fs_forget(s.fs, deep, 1);
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", s.b, "sub", 0), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "sub"), s.a);
	ck_assert_uint_eq(fsx_links(s.fs, s.a_sub), 0);
	ck_assert_uint_eq(fsx_links(s.fs, s.b), 3);
	ck_assert_uint_eq(fsx_links(s.fs, ROOT), 3);
	/* Nothing moves into a directory that was removed. */
	ck_assert_int_eq(fs_rename(s.fs, s.b, "file", s.a_sub, "x", 0), -ENOENT);
	setting_end(&s);
}
END_TEST

START_TEST(loops)
{
	struct setting s;
	uint64_t deep;

	setting_make(&s, _i);
	deep = fsx_dir(s.fs, s.a_sub, "deep");
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", s.a, "x", 0), -EINVAL);
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", s.a_sub, "x", 0), -EINVAL);
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", deep, "x", 0), -EINVAL);
	ck_assert_int_eq(fs_rename(s.fs, s.a_sub, "deep", ROOT, "a", 0), -ENOTEMPTY);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "sub", ROOT, "a", 0), -ENOTEMPTY);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "sub", ROOT, "a", RENAME_EXCHANGE), -EINVAL);
	ck_assert_int_eq(fs_rename(s.fs, s.a_sub, "deep", ROOT, "a", RENAME_EXCHANGE), -EINVAL);
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", s.a_sub, "deep", RENAME_EXCHANGE), -EINVAL);
	/* Up is no loop, and what was above may then go below. */
	ck_assert_int_eq(fs_rename(s.fs, s.a, "sub", ROOT, "sub", 0), 0);
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", deep, "a", 0), 0);
	ck_assert_uint_eq(fsx_links(s.fs, deep), 3);
	fs_forget(s.fs, deep, 1);
	setting_end(&s);
}
END_TEST

START_TEST(exchange)
{
	struct setting s;

	setting_make(&s, _i);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "file", s.b, "none", RENAME_EXCHANGE), -ENOENT);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "file", s.b, "file", RENAME_EXCHANGE), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "file"), s.b_file);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "file"), s.a_file);
	/* A directory against a file: links of both parents change. */
	ck_assert_int_eq(fs_rename(s.fs, s.a, "sub", s.b, "file", RENAME_EXCHANGE), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.b, "file"), s.a_sub);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "sub"), s.a_file);
	ck_assert_uint_eq(fsx_links(s.fs, s.a), 2);
	ck_assert_uint_eq(fsx_links(s.fs, s.b), 3);
	/* Within one directory. */
	ck_assert_int_eq(fs_rename(s.fs, ROOT, "a", ROOT, "b", RENAME_EXCHANGE), 0);
	ck_assert_uint_eq(fsx_find(s.fs, ROOT, "a"), s.b);
	ck_assert_uint_eq(fsx_links(s.fs, ROOT), 4);
	/* Two directories of different parents. */
	ck_assert_int_eq(fsx_try_create(s.fs, s.a, "d", S_IFDIR), 0);
	ck_assert_int_eq(fs_rename(s.fs, s.a, "d", s.b, "file", RENAME_EXCHANGE), 0);
	ck_assert_uint_eq(fsx_find(s.fs, s.a, "d"), s.a_sub);
	setting_end(&s);
}
END_TEST

TCase *fs_rename_case(void)
{
	TCase *tc = tcase_create("rename");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, plain, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, replace_file, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, directories, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, loops, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, exchange, 0, META_BLOCK_SIZES);
	return tc;
}
