/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The workload must notice whatever changes behind its back, and name the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detect_parts.h"

#define SEEDS 15
#define BLOCK 512u

START_TEST(test_flipped_bit)
{
	uint8_t buf[16384];
	ssize_t n = 0;
	size_t i, at;
	int fd;

	begin(_i);
	pause_clean();
	i = find_any(S_IFREG, 1);
	fd = open(found.path[i], O_RDWR);
	ck_assert_int_ge(fd, 0);
	n = pread(fd, buf, sizeof(buf), 0);
	ck_assert_int_gt(n, 0);
	at = (size_t)rng_below(&rng, (uint64_t)n);
	buf[at] ^= (uint8_t)(1u << rng_below(&rng, 8));
	ck_assert_int_eq(pwrite(fd, buf + at, 1, (off_t)at), 1);
	close(fd);
	mtime_restore(found.path[i], &found.st[i]);
	expect_either(found.st[i].st_ino, found.st[i].st_ino, "byte ");
	end();
}
END_TEST

/* The first block of a file, so that it can be put back. Returns whether it is all data. */
static bool block_read(const char *path, uint8_t *block)
{
	int fd = open(path, O_RDONLY);
	size_t zeros = 0;

	ck_assert_int_eq(pread(fd, block, BLOCK, 0), BLOCK);
	close(fd);
	for (size_t i = 0; i < BLOCK; i++)
		zeros += block[i] == 0;
	return zeros < 16;
}

static void block_write(const char *path, const struct stat *st, const uint8_t *block)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, block, BLOCK, 0), BLOCK);
	close(fd);
	mtime_restore(path, st);
}

/* Of a change of a few bytes nobody can say which write they came from. */
static bool block_has_changed(const uint8_t *before, const uint8_t *now)
{
	size_t differing = 0;

	for (size_t i = 0; i < BLOCK; i++)
		differing += now[i] != before[i];
	return differing > BLOCK / 2;
}

struct first_block {
	ino_t ino;
	uint8_t data[BLOCK];
};

static size_t blocks_remember(struct first_block *blocks, size_t max)
{
	size_t count = 0;

	find(S_IFREG, BLOCK);
	for (size_t i = 0; i < found.count && count < max; i++) {
		blocks[count].ino = found.st[i].st_ino;
		count += block_read(found.path[i], blocks[count].data);
	}
	return count;
}

/* Puts back one block that has changed since. Returns the index of its file, or -1. */
static ssize_t block_revert(const struct first_block *blocks, size_t count)
{
	uint8_t now[BLOCK];

	find(S_IFREG, BLOCK);
	for (size_t i = 0; i < found.count; i++) {
		for (size_t k = 0; k < count; k++) {
			if (blocks[k].ino != found.st[i].st_ino ||
			    !block_read(found.path[i], now) ||
			    !block_has_changed(blocks[k].data, now))
				continue;
			block_write(found.path[i], &found.st[i], blocks[k].data);
			return (ssize_t)i;
		}
	}
	return -1;
}

START_TEST(test_older_block)
{
	struct workload_options options = options_for(_i);
	struct first_block blocks[300];
	ssize_t i = -1;

	options.max_ops_per_worker = 400;
	begin_with(&options);
	pause_clean();
	for (int tries = 0; i < 0; tries++) {
		size_t count = blocks_remember(blocks, 300);

		ck_assert_int_lt(tries, 100);
		ck_assert_int_eq(workload_resume(workload), 0);
		pause_clean();
		i = block_revert(blocks, count);
	}
	expect_either(found.st[i].st_ino, found.st[i].st_ino, "found data of write ");
	end();
}
END_TEST

START_TEST(test_swapped_contents)
{
	uint8_t a[BLOCK], b[BLOCK];
	bool differ = false;
	size_t i, k;

	begin(_i);
	pause_clean();
	do {
		i = find_any(S_IFREG, BLOCK);
		k = (size_t)rng_below(&rng, found.count);
		differ = block_read(found.path[i], a) && block_read(found.path[k], b) &&
			 block_has_changed(a, b);
	} while (!differ);
	block_write(found.path[i], &found.st[i], b);
	block_write(found.path[k], &found.st[k], a);
	expect_either(found.st[i].st_ino, found.st[k].st_ino, "found data of write ");
	end();
}
END_TEST

START_TEST(test_added_name)
{
	char path[8192];
	size_t i;

	begin(_i);
	pause_clean();
	i = find_any(S_IFDIR, 0);
	snprintf(path, sizeof(path), "%s/%s", found.path[i], _i % 2 ? "stranger" : "n9999999999");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_path(path, "expected no such name");
	end();
}
END_TEST

/* Two names lead to each other's inode: what a misplaced directory update looks like. */
START_TEST(test_swapped_names)
{
	struct workload_failure failure;
	size_t i, k;

	begin(_i);
	pause_clean();
	i = find_any(S_IFREG, 0);
	k = (i + 1) % found.count;
	while (found.st[k].st_ino == found.st[i].st_ino)
		k = (k + 1) % found.count;
	ck_assert_int_eq(
		renameat2(AT_FDCWD, found.path[i], AT_FDCWD, found.path[k], RENAME_EXCHANGE), 0);
	expect_detected(&failure);
	ck_assert(strcmp(failure.path, found.path[i] + strlen(folder) + 1) == 0 ||
		  strcmp(failure.path, found.path[k] + strlen(folder) + 1) == 0 ||
		  strstr(failure.detail, "mtime"));
	end();
}
END_TEST

/* Changes of one thing each; the index of a test chooses the change and the seed. */
struct change {
	const char *detail;
	mode_t type;
	int (*apply)(const char *path, const struct stat *st);
	bool by_path; /* the very name is told, not only some name of the inode */
};

static int change_remove(const char *path, const struct stat *st)
{
	(void)st;
	return unlink(path);
}

static int change_type(const char *path, const struct stat *st)
{
	return change_remove(path, st) ? -1 : mkdir(path, 0777);
}

static int change_target(const char *path, const struct stat *st)
{
	char target[4096], parent[8192];
	struct stat parent_st;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	ck_assert_int_gt(n, 0);
	target[n] = 0;
	target[rng_below(&rng, (uint64_t)n)] = '!';
	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = 0;
	ck_assert_int_eq(stat(parent, &parent_st), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(target, path), 0);
	mtime_restore(path, st);
	mtime_restore(parent, &parent_st);
	return geteuid() ? 0 : lchown(path, st->st_uid, st->st_gid);
}

static int change_mode(const char *path, const struct stat *st)
{
	return chmod(path, (st->st_mode ^ 1u << rng_below(&rng, 6)) & 07777);
}

static int change_mtime(const char *path, const struct stat *st)
{
	struct stat other = *st;

	other.st_mtim.tv_nsec = other.st_mtim.tv_nsec ? other.st_mtim.tv_nsec - 1 : 1;
	mtime_restore(path, &other);
	return 0;
}

static int change_links(const char *path, const struct stat *st)
{
	char outside[300];

	(void)st;
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	return link(path, outside);
}

static int change_size(const char *path, const struct stat *st)
{
	int rc = truncate(path, st->st_size ? st->st_size - 1 : 1);

	mtime_restore(path, st);
	return rc;
}

static int change_owner(const char *path, const struct stat *st)
{
	return lchown(path, st->st_uid + 1, (gid_t)-1);
}

static int change_group(const char *path, const struct stat *st)
{
	return lchown(path, (uid_t)-1, st->st_gid + 1);
}

static const struct change changes[] = {
	{"the name is missing", S_IFREG, change_remove, true},
	{"the name is missing", S_IFLNK, change_remove, true},
	{"readdir: expected d_type", S_IFLNK, change_type, true},
	/* The new link has another inode, unless the number is used again at once. */
	{": expected ", S_IFLNK, change_target, true},
	{"mode: ", S_IFREG, change_mode, false},
	{"mode: ", S_IFDIR, change_mode, false},
	{"mtime: ", S_IFREG, change_mtime, false},
	{"mtime: ", S_IFDIR, change_mtime, false},
	{"mtime: ", S_IFLNK, change_mtime, false},
	{"link count: ", S_IFREG, change_links, false},
	{"size: ", S_IFREG, change_size, false},
	{"uid: ", S_IFREG, change_owner, false},
	{"uid: ", S_IFLNK, change_owner, false},
	{"gid: ", S_IFDIR, change_group, false},
};
#define CHANGES ((int)(sizeof(changes) / sizeof(changes[0])))

START_TEST(test_change)
{
	const struct change *change = &changes[_i % CHANGES];
	size_t i;

	begin(_i);
	pause_clean();
	i = find_any(change->type, 0);
	if (change->apply(found.path[i], &found.st[i])) {
		ck_assert_int_eq(errno, EPERM);
		fprintf(stderr, "skipped: %s needs privileges\n", change->detail);
	} else if (change->by_path) {
		expect_path(found.path[i], change->detail);
	} else {
		expect_either(found.st[i].st_ino, found.st[i].st_ino, change->detail);
	}
	end();
}
END_TEST

/* The same while a worker runs on: an operation, or the verification at the end, must notice. */
START_TEST(test_resumed)
{
	struct workload_failure failure;

	begin(_i);
	pause_clean();
	find_any(_i % 2 ? S_IFDIR : S_IFREG, 0);
	/* All of them: a single change may rightly be gone before the worker comes by. */
	for (size_t i = 0; i < found.count; i++) {
		char path[8192];

		snprintf(path, sizeof(path), "%s/stranger", found.path[i]);
		ck_assert_int_eq(_i % 2 ? mkdir(path, 0700) : unlink(found.path[i]), 0);
	}
	ck_assert_int_eq(workload_resume(workload), 0);
	wait_ended();
	ck_assert_int_eq(workload_stop(workload), -EUCLEAN);
	workload_failure_get(workload, &failure);
	ck_assert_int_eq(failure.kind, WORKLOAD_MISMATCH);
	ck_assert_int_eq(workload_resume(workload), -EUCLEAN);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workload-detect");
	TCase *tcase = tcase_create("detect");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_flipped_bit, 0, SEEDS);
	tcase_add_loop_test(tcase, test_older_block, 0, SEEDS);
	tcase_add_loop_test(tcase, test_swapped_contents, 0, SEEDS);
	tcase_add_loop_test(tcase, test_added_name, 0, SEEDS);
	tcase_add_loop_test(tcase, test_swapped_names, 0, SEEDS);
	tcase_add_loop_test(tcase, test_change, 0, SEEDS * CHANGES);
	tcase_add_loop_test(tcase, test_resumed, 0, SEEDS);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
