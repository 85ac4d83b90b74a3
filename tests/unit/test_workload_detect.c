/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The workload must notice whatever changes behind its back, and name the file. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/workload.h"
#include "unit.h"
#include "util/rng.h"

#define SEEDS 25
#define BLOCK 512u
#define SNAPSHOT_FILES 256u
#define SNAPSHOT_BYTES 16384u
#define FOUND_MAX 2048u

static char folder[256];
static struct workload *workload;
static struct rng rng;

/* Paths found by nftw(), which takes no argument; reset by find(). */
static struct {
	char *path[FOUND_MAX];
	struct stat st[FOUND_MAX];
	size_t count;
	mode_t type;
	off_t min_size;
} found;

static int entry_find(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)type;
	if (ftw->level > 0 && (st->st_mode & S_IFMT) == found.type &&
	    st->st_size >= found.min_size && found.count < FOUND_MAX) {
		found.path[found.count] = strdup(path);
		found.st[found.count++] = *st;
	}
	return 0;
}

static void found_drop(void)
{
	while (found.count)
		free(found.path[--found.count]);
}

/* Finds the files of a type and a minimal size below the folder of worker 0. */
static void find(mode_t type, off_t min_size)
{
	char top[300];

	found_drop();
	found.type = type;
	found.min_size = min_size;
	snprintf(top, sizeof(top), "%s/w00", folder);
	ck_assert_int_eq(nftw(top, entry_find, 16, FTW_PHYS), 0);
}

/* A random one of what find() finds; there must be one. */
static size_t find_any(mode_t type, off_t min_size)
{
	find(type, min_size);
	ck_assert_uint_gt(found.count, 0);
	return (size_t)rng_below(&rng, found.count);
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct workload_options options_for(int seed)
{
	return (struct workload_options){
		.root = folder,
		.workers = 1,
		.seed = (uint64_t)seed,
		.max_bytes_per_worker = 2u << 20,
		.max_nodes_per_worker = 300,
		.max_ops_per_worker = 800,
	};
}

static void begin_with(const struct workload_options *options)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/detect-XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	rng_seed(&rng, options->seed, 99);
	ck_assert_int_eq(workload_start(options, &workload), 0);
}

static void begin(int seed)
{
	struct workload_options options = options_for(seed);

	begin_with(&options);
}

static void wait_ended(void)
{
	struct workload_stats stats;

	do {
		usleep(500);
		workload_stats_get(workload, &stats);
	} while (stats.running);
}

static void pause_clean(void)
{
	wait_ended();
	ck_assert_int_eq(workload_stop(workload), 0);
}

static void end(void)
{
	workload_free(workload);
	found_drop();
	nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* What was done is all that may be noticed: times are as before. */
static void mtime_restore(const char *path, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void expect_detected(struct workload_failure *failure)
{
	ck_assert_int_eq(workload_verify(workload), -EUCLEAN);
	workload_failure_get(workload, failure);
	ck_assert(failure->failed);
	ck_assert_int_eq(failure->kind, WORKLOAD_MISMATCH);
	ck_assert_uint_eq(failure->worker, 0);
	ck_assert_ptr_nonnull(strstr(failure->detail, "expected"));
	/* A later look must not hide what was found. */
	ck_assert_int_eq(workload_verify(workload), -EUCLEAN);
}

/* Verifies; the file named must be inode A or B, by whichever of its names, and DETAIL be told. */
static void expect_either(ino_t a, ino_t b, const char *detail)
{
	struct workload_failure failure;
	char path[sizeof(folder) + WORKLOAD_PATH_MAX];
	struct stat st;

	expect_detected(&failure);
	snprintf(path, sizeof(path), "%s/%s", folder, failure.path);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_msg(st.st_ino == a || st.st_ino == b, "%s: %s", failure.path, failure.detail);
	ck_assert_msg(strstr(failure.detail, detail) != NULL, "%s lacks %s", failure.detail,
		      detail);
}

static void expect_inode(ino_t inode, const char *detail)
{
	expect_either(inode, inode, detail);
}

static void expect_path(const char *path, const char *detail)
{
	struct workload_failure failure;

	expect_detected(&failure);
	ck_assert_str_eq(failure.path, path + strlen(folder) + 1);
	ck_assert_msg(strstr(failure.detail, detail) != NULL, "%s lacks %s", failure.detail,
		      detail);
}

START_TEST(test_flipped_bit)
{
	uint8_t buf[SNAPSHOT_BYTES];
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
	expect_inode(found.st[i].st_ino, "byte ");
	end();
}
END_TEST

struct snapshot {
	ino_t ino;
	uint8_t data[SNAPSHOT_BYTES];
	size_t length;
};

static size_t snapshot_take(struct snapshot *snapshots)
{
	size_t count;

	find(S_IFREG, BLOCK);
	for (count = 0; count < found.count && count < SNAPSHOT_FILES; count++) {
		struct snapshot *snapshot = &snapshots[count];
		int fd = open(found.path[count], O_RDONLY);
		ssize_t n = read(fd, snapshot->data, sizeof(snapshot->data));

		close(fd);
		ck_assert_int_gt(n, 0);
		snapshot->length = (size_t)n;
		snapshot->ino = found.st[count].st_ino;
	}
	return count;
}

static bool block_is_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

/* Puts one block back as it was in SNAPSHOT. Returns whether there is one that has changed since.
 */
static bool block_revert(const struct snapshot *snapshot, const char *path, const struct stat *st)
{
	uint8_t now[SNAPSHOT_BYTES];
	int fd = open(path, O_RDWR);
	ssize_t n = read(fd, now, sizeof(now));
	bool done = false;

	ck_assert_int_ge(n, 0);
	for (size_t at = 0; !done && at + BLOCK <= snapshot->length && at + BLOCK <= (size_t)n;
	     at += BLOCK) {
		if (memcmp(now + at, snapshot->data + at, BLOCK) == 0 ||
		    block_is_zero(snapshot->data + at))
			continue;
		ck_assert_int_eq(pwrite(fd, snapshot->data + at, BLOCK, (off_t)at), BLOCK);
		done = true;
	}
	close(fd);
	mtime_restore(path, st);
	return done;
}

START_TEST(test_older_block)
{
	struct snapshot *snapshots = calloc(SNAPSHOT_FILES, sizeof(*snapshots));
	bool done = false;
	size_t count, i = 0;

	begin(_i);
	pause_clean();
	count = snapshot_take(snapshots);
	while (!done) {
		ck_assert_int_eq(workload_resume(workload), 0);
		pause_clean();
		find(S_IFREG, BLOCK);
		for (i = 0; !done && i < found.count; i++) {
			for (size_t k = 0; !done && k < count; k++) {
				if (snapshots[k].ino == found.st[i].st_ino)
					done = block_revert(&snapshots[k], found.path[i],
							    &found.st[i]);
			}
		}
	}
	expect_inode(found.st[i - 1].st_ino, "found data of write ");
	free(snapshots);
	end();
}
END_TEST

START_TEST(test_swapped_contents)
{
	uint8_t a[BLOCK] = {0}, b[BLOCK] = {0};
	size_t i = 0, k = 0;

	begin(_i);
	pause_clean();
	find(S_IFREG, BLOCK);
	for (int tries = 0; memcmp(a, b, BLOCK) == 0 && tries < 10000; tries++) {
		int fd_a, fd_b;

		i = (size_t)rng_below(&rng, found.count);
		k = (size_t)rng_below(&rng, found.count);
		fd_a = open(found.path[i], O_RDWR);
		fd_b = open(found.path[k], O_RDWR);
		ck_assert_int_eq(pread(fd_a, a, BLOCK, 0), BLOCK);
		ck_assert_int_eq(pread(fd_b, b, BLOCK, 0), BLOCK);
		ck_assert_int_eq(pwrite(fd_a, b, BLOCK, 0), BLOCK);
		ck_assert_int_eq(pwrite(fd_b, a, BLOCK, 0), BLOCK);
		close(fd_a);
		close(fd_b);
		mtime_restore(found.path[i], &found.st[i]);
		mtime_restore(found.path[k], &found.st[k]);
	}
	expect_either(found.st[i].st_ino, found.st[k].st_ino, "found data of write ");
	end();
}
END_TEST

START_TEST(test_removed_name)
{
	size_t i;

	begin(_i);
	pause_clean();
	i = find_any(_i % 2 ? S_IFREG : S_IFLNK, 0);
	ck_assert_int_eq(unlink(found.path[i]), 0);
	expect_path(found.path[i], "the name is missing");
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

START_TEST(test_type)
{
	size_t i;

	begin(_i);
	pause_clean();
	i = find_any(S_IFLNK, 0);
	ck_assert_int_eq(unlink(found.path[i]), 0);
	ck_assert_int_eq(mkdir(found.path[i], 0777), 0);
	expect_path(found.path[i], "readdir: expected d_type");
	end();
}
END_TEST

START_TEST(test_target)
{
	char target[4096];
	ssize_t n;
	size_t i;

	begin(_i);
	pause_clean();
	i = find_any(S_IFLNK, 1);
	n = readlink(found.path[i], target, sizeof(target) - 1);
	ck_assert_int_gt(n, 0);
	target[n] = 0;
	target[rng_below(&rng, (uint64_t)n)] = '!';
	ck_assert_int_eq(unlink(found.path[i]), 0);
	ck_assert_int_eq(symlink(target, found.path[i]), 0);
	if (lchown(found.path[i], found.st[i].st_uid, found.st[i].st_gid))
		ck_assert_int_ne(geteuid(), 0);
	mtime_restore(found.path[i], &found.st[i]);
	/* The new link has another inode, unless the old number is used again. */
	expect_path(found.path[i], ": expected ");
	end();
}
END_TEST

/* Changes of one attribute each; the index chooses attribute and seed. */
struct change {
	const char *detail;
	mode_t type;
	int (*apply)(const char *path, const struct stat *st);
};

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
	{"mode: ", S_IFREG, change_mode},   {"mode: ", S_IFDIR, change_mode},
	{"mtime: ", S_IFREG, change_mtime}, {"mtime: ", S_IFDIR, change_mtime},
	{"mtime: ", S_IFLNK, change_mtime}, {"link count: ", S_IFREG, change_links},
	{"size: ", S_IFREG, change_size},   {"uid: ", S_IFREG, change_owner},
	{"uid: ", S_IFLNK, change_owner},   {"gid: ", S_IFDIR, change_group},
};
#define CHANGES ((int)(sizeof(changes) / sizeof(changes[0])))

static const struct change *change_make(int index, ino_t *ino)
{
	const struct change *change = &changes[index % CHANGES];
	size_t i = find_any(change->type, 0);

	*ino = found.st[i].st_ino;
	if (change->apply(found.path[i], &found.st[i]) == 0)
		return change;
	ck_assert_int_eq(errno, EPERM);
	fprintf(stderr, "skipped: %s needs privileges\n", change->detail);
	return NULL;
}

START_TEST(test_attribute)
{
	const struct change *change;
	ino_t ino;

	begin(_i);
	pause_clean();
	change = change_make(_i, &ino);
	if (change)
		expect_inode(ino, change->detail);
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

/* With keep_going the other workers run to their end, and the first failure is the one told. */
START_TEST(test_keep_going)
{
	struct workload_options options = options_for(_i);
	struct workload_failure failure;
	struct workload_stats stats;
	char path[300], away[300];

	options.workers = 3;
	options.keep_going = _i % 2;
	options.max_ops_per_worker = 20000;
	begin_with(&options);
	snprintf(path, sizeof(path), "%s/w01", folder);
	snprintf(away, sizeof(away), "%s/gone", folder);
	ck_assert_int_eq(rename(path, away), 0);
	/* The worker holds its folder open; the verification looks for it anew. */
	wait_ended();
	ck_assert_int_eq(workload_stop(workload), -EUCLEAN);
	workload_failure_get(workload, &failure);
	workload_stats_get(workload, &stats);
	ck_assert_uint_eq(failure.worker, 1);
	ck_assert_str_eq(failure.path, "w01/.");
	ck_assert_int_eq(failure.error, ENOENT);
	ck_assert_uint_eq(stats.ops_by_kind[WORKLOAD_OP_VERIFY_ALL], options.keep_going ? 3 : 2);
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
	tcase_add_loop_test(tcase, test_removed_name, 0, SEEDS);
	tcase_add_loop_test(tcase, test_added_name, 0, SEEDS);
	tcase_add_loop_test(tcase, test_swapped_names, 0, SEEDS);
	tcase_add_loop_test(tcase, test_type, 0, SEEDS);
	tcase_add_loop_test(tcase, test_target, 0, SEEDS);
	tcase_add_loop_test(tcase, test_attribute, 0, SEEDS * CHANGES);
	tcase_add_loop_test(tcase, test_resumed, 0, SEEDS);
	tcase_add_loop_test(tcase, test_keep_going, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
