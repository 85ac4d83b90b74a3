/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listing directories, in pieces and while they change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_cases.h"
#include "fs_fixture.h"

#define FILES 700u

struct listing {
	unsigned seen[FILES];
	unsigned dots, others;
	unsigned left; /* entries until the walk is stopped */
	int64_t next;  /* position behind the last entry taken */
	bool ended;    /* false: stopped */
};

static int listing_emit(void *arg, const struct fs_dirent *entry)
{
	struct listing *ls = arg;
	unsigned n;

	if (ls->left == 0) {
		ls->ended = false;
		return 1;
	}
	ls->left--;
	ls->next = entry->next;
	if (entry->name[0] == '.')
		ls->dots++;
	else if (sscanf(entry->name, "file-%u", &n) == 1 && n < FILES)
		ls->seen[n]++;
	else
		ls->others++;
	return 0;
}

/* Takes at most COUNT entries more. */
static void listing_go(struct fs *fs, struct listing *ls, uint64_t dir, unsigned count)
{
	ls->left = count;
	ls->ended = true;
	ck_assert_int_eq(fs_readdir(fs, dir, ls->next, false, listing_emit, ls), 0);
}

static void name_of(char *name, size_t len, unsigned n)
{
	/* Long names, so that there are several blocks. */
	snprintf(name, len, "file-%u-%0*u", n, (int)(n % 90) + 1, n);
}

static uint64_t dir_fill(struct fs *fs)
{
	uint64_t dir = fsx_dir(fs, ROOT, "dir");
	char name[128];

	for (unsigned n = 0; n < FILES; n++) {
		name_of(name, sizeof(name), n);
		ck_assert_int_eq(fsx_try_create(fs, dir, name, S_IFREG), 0);
	}
	return dir;
}

START_TEST(in_pieces)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	const unsigned pieces[] = {1, 7, FILES + 3};
	uint64_t dir = dir_fill(fs);

	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		struct listing ls = {.ended = false};

		while (!ls.ended)
			listing_go(fs, &ls, dir, pieces[p]);
		ck_assert_uint_eq(ls.dots, 2);
		ck_assert_uint_eq(ls.others, 0);
		for (unsigned n = 0; n < FILES; n++)
			ck_assert_uint_eq(ls.seen[n], 1);
	}
	fsx_unmount(fs);
}
END_TEST

/* What stays is seen once, whatever goes and comes meanwhile; what is new, at most once. */
START_TEST(while_it_changes)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t dir = dir_fill(fs);
	struct listing ls = {.ended = false};
	char name[128], fresh[32];

	for (unsigned n = 0; !ls.ended; n++) {
		listing_go(fs, &ls, dir, 5);
		if (2 * n + 1 < FILES) {
			name_of(name, sizeof(name), 2 * n + 1);
			ck_assert_int_eq(fs_unlink(fs, dir, name), 0);
		}
		snprintf(fresh, sizeof(fresh), "new-%u", n);
		ck_assert_int_eq(fsx_try_create(fs, dir, fresh, S_IFREG), 0);
		ck_assert_uint_le(ls.others, n + 1);
	}
	for (unsigned n = 0; n < FILES; n++) {
		if (n % 2 == 0)
			ck_assert_uint_eq(ls.seen[n], 1);
		else
			ck_assert_uint_le(ls.seen[n], 1);
	}
	fsx_remove_tree(fs, dir);
	ck_assert_int_eq(fs_rmdir(fs, ROOT, "dir"), 0);
	fsx_unmount(fs);
}
END_TEST

static int plus_emit(void *arg, const struct fs_dirent *entry)
{
	unsigned *count = arg;

	if (entry->name[0] == '.') {
		ck_assert_ptr_null(entry->entry);
		return 0;
	}
	ck_assert_uint_eq(entry->entry->ino, entry->ino);
	ck_assert_uint_eq(entry->entry->attr.st_mode, S_IFREG | 0644);
	/* The first is kept, the second refused. */
	return (*count)++ != 0;
}

START_TEST(with_attributes)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t first = fsx_file(fs, ROOT, "a"), second = fsx_file(fs, ROOT, "b");
	unsigned count = 0;
	struct stat st;

	fs_forget(fs, first, 1);
	fs_forget(fs, second, 1);
	ck_assert_int_eq(fs_readdir(fs, ROOT, 0, true, plus_emit, &count), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(fs_getattr(fs, first, &st), 0);
	ck_assert_int_eq(fs_getattr(fs, second, &st), -ESTALE);
	fs_forget(fs, first, 1);
	ck_assert_int_eq(fs_getattr(fs, first, &st), -ESTALE);
	fsx_unmount(fs);
}
END_TEST

START_TEST(bad_positions)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	const int64_t positions[] = {3, 1000, 1 << 20, INT64_MAX};
	uint64_t dir = dir_fill(fs), file = fsx_file(fs, ROOT, "file");
	struct listing ls = {.left = 10000};

	ck_assert_int_eq(fs_readdir(fs, dir, -1, false, listing_emit, &ls), -EINVAL);
	ck_assert_int_eq(fs_readdir(fs, file, 0, false, listing_emit, &ls), -ENOTDIR);
	/* Any position may come from lseek(2): no entry is made up, none comes twice. */
	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		ls = (struct listing){.left = 10000};
		ck_assert_int_eq(fs_readdir(fs, dir, positions[i], false, listing_emit, &ls), 0);
		ck_assert_uint_eq(ls.others + ls.dots, 0);
		for (unsigned n = 0; n < FILES; n++)
			ck_assert_uint_le(ls.seen[n], 1);
	}
	fsx_unmount(fs);
}
END_TEST

TCase *fs_dirs_case(void)
{
	TCase *tc = tcase_create("directories");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, in_pieces, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, while_it_changes, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, with_attributes, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, bad_positions, 0, META_BLOCK_SIZES);
	return tc;
}
