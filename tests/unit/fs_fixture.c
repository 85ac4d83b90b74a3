/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TREE_MAX 8192u

struct fs *fsx_mount(uint32_t block_size)
{
	struct fs *fs;

	ck_assert_int_eq(fs_mount(meta_open(block_size), &fs), 0);
	return fs;
}

/* What the walk of a whole tree finds out. */
struct tree {
	uint64_t dir;		  /* being listed */
	uint64_t inos[TREE_MAX];  /* in the order met */
	uint64_t names[TREE_MAX]; /* of a file: names met; of a directory: 2 and its subdirectories
				   */
	uint64_t links[TREE_MAX];
	bool is_dir[TREE_MAX];
	unsigned count;
};

static unsigned tree_index(struct tree *tree, uint64_t ino)
{
	unsigned i = 0;

	while (i < tree->count && tree->inos[i] != ino)
		i++;
	if (i == tree->count) {
		ck_assert_uint_lt(i, TREE_MAX);
		tree->inos[i] = ino;
		tree->names[i] = 0;
		tree->count++;
	}
	return i;
}

static int tree_emit(void *arg, const struct fs_dirent *entry)
{
	struct tree *tree = arg;
	unsigned parent = tree_index(tree, tree->dir), i;

	if (strcmp(entry->name, ".") == 0) {
		ck_assert_uint_eq(entry->ino, tree->dir);
		return 0;
	}
	if (strcmp(entry->name, "..") == 0)
		return 0;
	ck_assert_ptr_nonnull(entry->entry);
	i = tree_index(tree, entry->ino);
	ck_assert_uint_eq(entry->mode, entry->entry->attr.st_mode & S_IFMT);
	tree->links[i] = entry->entry->attr.st_nlink;
	tree->is_dir[i] = S_ISDIR(entry->mode);
	if (tree->is_dir[i]) {
		ck_assert_msg(tree->names[i] == 0, "directory %s has two names", entry->name);
		tree->names[i] = 2;
		tree->names[parent]++;
	} else {
		tree->names[i]++;
	}
	return 0;
}

static void tree_check(struct fs *fs)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	ck_assert_ptr_nonnull(tree);
	tree_index(tree, ROOT);
	tree->names[0] = 2;
	tree->links[0] = fsx_links(fs, ROOT);
	tree->is_dir[0] = true;
	for (unsigned i = 0; i < tree->count; i++) {
		tree->dir = tree->inos[i];
		if (tree->is_dir[i])
			ck_assert_int_eq(fs_readdir(fs, tree->dir, 0, true, tree_emit, tree), 0);
	}
	for (unsigned i = 0; i < tree->count; i++) {
		ck_assert_msg(tree->names[i] == tree->links[i], "inode %llu: %llu links, not %llu",
			      (unsigned long long)tree->inos[i], (unsigned long long)tree->links[i],
			      (unsigned long long)tree->names[i]);
		if (tree->inos[i] != ROOT)
			fs_forget(fs, tree->inos[i], tree->is_dir[i] ? 1 : tree->names[i]);
	}
	free(tree);
}

void fsx_unmount(struct fs *fs)
{
	struct volume *vol;

	tree_check(fs);
	ck_assert_int_eq(fs_unmount(fs), 0);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	meta_close(vol);
}

struct fs *fsx_remount(struct fs *fs)
{
	struct volume *vol;

	fsx_unmount(fs);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	ck_assert_int_eq(fs_mount(vol, &fs), 0);
	return fs;
}

static uint64_t create(struct fs *fs, uint64_t parent, const char *name, uint32_t mode)
{
	struct fs_create what = {.mode = mode};
	struct fs_entry entry;
	int rc = fs_create(fs, parent, name, &what, &entry);

	ck_assert_msg(rc == 0, "%s: %s", name, strerror(-rc));
	return entry.ino;
}

uint64_t fsx_file(struct fs *fs, uint64_t parent, const char *name)
{
	return create(fs, parent, name, S_IFREG | 0644);
}

uint64_t fsx_dir(struct fs *fs, uint64_t parent, const char *name)
{
	return create(fs, parent, name, S_IFDIR | 0755);
}

int fsx_try_create(struct fs *fs, uint64_t parent, const char *name, uint32_t mode)
{
	struct fs_create what = {.mode = mode};
	struct fs_entry entry;
	int rc = fs_create(fs, parent, name, &what, &entry);

	if (rc == 0)
		fs_forget(fs, entry.ino, 1);
	return rc;
}

uint64_t fsx_find(struct fs *fs, uint64_t parent, const char *name)
{
	struct fs_entry entry;
	int rc = fs_lookup(fs, parent, name, &entry);

	if (rc == -ENOENT)
		return 0;
	ck_assert_int_eq(rc, 0);
	fs_forget(fs, entry.ino, 1);
	return entry.ino;
}

struct stat fsx_stat(struct fs *fs, uint64_t ino)
{
	struct stat st;

	ck_assert_int_eq(fs_getattr(fs, ino, &st), 0);
	return st;
}

uint64_t fsx_links(struct fs *fs, uint64_t ino)
{
	return fsx_stat(fs, ino).st_nlink;
}

void fsx_write(struct fs *fs, uint64_t ino, const void *buf, size_t len, uint64_t offset)
{
	size_t done;

	ck_assert_int_eq(fs_write(fs, ino, buf, len, offset, &done), 0);
	ck_assert_uint_eq(done, len);
}

size_t fsx_read(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t offset)
{
	size_t done;

	ck_assert_int_eq(fs_read(fs, ino, buf, len, offset, &done), 0);
	return done;
}

void fsx_truncate(struct fs *fs, uint64_t ino, uint64_t size)
{
	struct fs_setattr set = {.set = FS_SET_SIZE, .size = size};
	struct stat st;

	ck_assert_int_eq(fs_setattr(fs, ino, &set, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, size);
}

void fsx_assert_bytes(struct fs *fs, uint64_t ino, uint64_t offset, size_t len, int value)
{
	uint8_t *buf = malloc(len);

	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_eq(fsx_read(fs, ino, buf, len, offset), len);
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(buf[i] == value, "byte %llu is %d, not %d",
			      (unsigned long long)(offset + i), buf[i], value);
	free(buf);
}

/* The first entry of a directory, copied. */
struct first {
	char name[CFS_NAME_MAX + 1];
	bool is_dir;
};

static int first_emit(void *arg, const struct fs_dirent *entry)
{
	struct first *first = arg;

	if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
		return 0;
	strcpy(first->name, entry->name);
	first->is_dir = S_ISDIR(entry->mode);
	return 1;
}

void fsx_remove_tree(struct fs *fs, uint64_t dir)
{
	for (;;) {
		struct first first = {.name = ""};
		struct fs_entry entry;

		ck_assert_int_eq(fs_readdir(fs, dir, 0, false, first_emit, &first), 0);
		if (!first.name[0])
			return;
		if (!first.is_dir) {
			ck_assert_int_eq(fs_unlink(fs, dir, first.name), 0);
			continue;
		}
		ck_assert_int_eq(fs_lookup(fs, dir, first.name, &entry), 0);
		fsx_remove_tree(fs, entry.ino);
		ck_assert_int_eq(fs_rmdir(fs, dir, first.name), 0);
		fs_forget(fs, entry.ino, 1);
	}
}

struct statvfs fsx_statfs(struct fs *fs)
{
	struct statvfs st;

	ck_assert_int_eq(fs_statfs(fs, &st), 0);
	return st;
}

void fsx_assert_same_usage(const struct statvfs *a, const struct statvfs *b)
{
	ck_assert_uint_eq(a->f_bfree, b->f_bfree);
	ck_assert_uint_eq(a->f_ffree, b->f_ffree);
}
