/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads at work in directories of their own, where they know what every call must say, and in
 * shared ones, where any of a few answers is right. In the end links add up and nothing is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_cases.h"
#include "fs_fixture.h"
#include "util/clock.h"
#include "util/rng.h"

#define WORKERS 4u
#define SHARED_DIRS 3u
#define NAMES 6u
#define RUN_NS (1500 * NS_PER_MS)
#define DATA_MAX 30000u

/*
 * Check is not made for failures in several threads at once, so a worker notes its first one,
 * and the test's own thread fails.
 */
struct worker {
	struct fs *fs;
	pthread_t thread;
	struct rng rng;
	uint64_t home, shared[SHARED_DIRS];
	uint64_t end_ns;
	uint64_t ops;
	char failure[160];
};

#define EXPECT(worker, condition)                                                                  \
	do {                                                                                       \
		if (!(condition) && !(worker)->failure[0])                                         \
			snprintf((worker)->failure, sizeof((worker)->failure), "line %d: %s",      \
				 __LINE__, #condition);                                            \
	} while (0)

static bool is_one_of(int rc, const int *allowed, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rc == allowed[i])
			return true;
	return false;
}

#define EXPECT_ONE_OF(worker, rc, ...)                                                             \
	do {                                                                                       \
		const int allowed_[] = {__VA_ARGS__};                                              \
		EXPECT(worker, is_one_of(rc, allowed_, sizeof(allowed_) / sizeof(allowed_[0])));   \
	} while (0)

/* One file's life in the worker's own directory. */
static void private_work(struct worker *w)
{
	uint8_t data[DATA_MAX], found[DATA_MAX];
	size_t len = rng_below(&w->rng, DATA_MAX), done = 0;
	struct fs_create create = {.mode = S_IFREG | 0600};
	struct fs_entry entry, again;

	EXPECT(w, fs_create(w->fs, w->home, "one", &create, &entry) == 0);
	rng_fill(&w->rng, data, len);
	EXPECT(w, fs_write(w->fs, entry.ino, data, len, 0, &done) == 0 && done == len);
	EXPECT(w, fs_rename(w->fs, w->home, "one", w->home, "two", 0) == 0);
	EXPECT(w, fs_lookup(w->fs, w->home, "one", &again) == -ENOENT);
	EXPECT(w, fs_read(w->fs, entry.ino, found, sizeof(found), 0, &done) == 0 && done == len);
	EXPECT(w, memcmp(found, data, len) == 0);
	EXPECT(w, fs_unlink(w->fs, w->home, "two") == 0);
	EXPECT(w, fs_read(w->fs, entry.ino, found, sizeof(found), 0, &done) == 0 && done == len);
	EXPECT(w, memcmp(found, data, len) == 0);
	fs_forget(w->fs, entry.ino, 1);
}

static uint64_t shared_pick(struct worker *w, char *name, size_t len)
{
	snprintf(name, len, "n%u", (unsigned)rng_below(&w->rng, NAMES));
	return w->shared[rng_below(&w->rng, SHARED_DIRS)];
}

static void shared_create(struct worker *w)
{
	struct fs_create create = {.mode = rng_below(&w->rng, 2) ? S_IFREG : S_IFDIR};
	struct fs_entry entry;
	size_t done;
	char name[16];
	uint64_t dir = shared_pick(w, name, sizeof(name));
	int rc = fs_create(w->fs, dir, name, &create, &entry);

	EXPECT_ONE_OF(w, rc, 0, -EEXIST);
	if (rc)
		return;
	if (S_ISREG(create.mode))
		EXPECT(w, fs_write(w->fs, entry.ino, name, sizeof(name), 5000, &done) == 0);
	fs_forget(w->fs, entry.ino, 1);
}

static void shared_remove(struct worker *w)
{
	char name[16];
	uint64_t dir = shared_pick(w, name, sizeof(name));

	if (rng_below(&w->rng, 2))
		EXPECT_ONE_OF(w, fs_unlink(w->fs, dir, name), 0, -ENOENT, -EISDIR);
	else
		EXPECT_ONE_OF(w, fs_rmdir(w->fs, dir, name), 0, -ENOENT, -ENOTDIR, -ENOTEMPTY);
}

/* Between the shared directories, and of these into and out of directories within them. */
static void shared_rename(struct worker *w)
{
	static const unsigned flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
	char name[16], new_name[16];
	uint64_t from = shared_pick(w, name, sizeof(name));
	uint64_t to = shared_pick(w, new_name, sizeof(new_name));
	struct fs_entry entry = {0};
	int rc;

	if (rng_below(&w->rng, 3) == 0 && fs_lookup(w->fs, to, new_name, &entry) == 0)
		to = entry.ino;
	if (entry.ino && rng_below(&w->rng, 2)) {
		uint64_t swap = from;

		from = to;
		to = swap;
	}
	rc = fs_rename(w->fs, from, name, to, new_name, flags[rng_below(&w->rng, 4)]);
	EXPECT_ONE_OF(w, rc, 0, -ENOENT, -EEXIST, -ENOTDIR, -EISDIR, -ENOTEMPTY, -EINVAL);
	if (entry.ino)
		fs_forget(w->fs, entry.ino, 1);
}

static void shared_link(struct worker *w)
{
	char name[16], new_name[16];
	uint64_t from = shared_pick(w, name, sizeof(name));
	uint64_t to = shared_pick(w, new_name, sizeof(new_name));
	struct fs_entry entry, linked;
	int rc;

	if (fs_lookup(w->fs, from, name, &entry))
		return;
	rc = fs_link(w->fs, entry.ino, to, new_name, &linked);
	EXPECT_ONE_OF(w, rc, 0, -EPERM, -ENOENT, -EEXIST);
	fs_forget(w->fs, entry.ino, rc ? 1 : 2);
}

static void shared_file_work(struct worker *w)
{
	struct fs_setattr set = {.set = FS_SET_SIZE | FS_SET_MODE, .mode = 0640};
	uint8_t data[9000];
	struct fs_entry entry;
	struct stat st;
	size_t done;
	char name[16];
	uint64_t dir = shared_pick(w, name, sizeof(name)), at = rng_below(&w->rng, 20000);

	if (fs_lookup(w->fs, dir, name, &entry))
		return;
	memset(data, (int)at, sizeof(data));
	EXPECT_ONE_OF(w, fs_write(w->fs, entry.ino, data, sizeof(data), at, &done), 0, -EISDIR);
	EXPECT_ONE_OF(w, fs_read(w->fs, entry.ino, data, sizeof(data), at, &done), 0, -EISDIR);
	set.size = at;
	EXPECT_ONE_OF(w, fs_setattr(w->fs, entry.ino, &set, &st), 0, -EISDIR);
	fs_forget(w->fs, entry.ino, 1);
}

static int list_emit(void *arg, const struct fs_dirent *entry)
{
	struct worker *w = arg;

	EXPECT(w, entry->name[0] == '.' || (entry->entry && entry->entry->ino == entry->ino));
	/* Refused, so that no reference has to be given back. */
	return entry->name[0] != '.';
}

static void shared_list(struct worker *w)
{
	char name[16];
	uint64_t dir = shared_pick(w, name, sizeof(name));

	EXPECT(w, fs_readdir(w->fs, dir, 0, true, list_emit, w) == 0);
}

static void *worker_run(void *arg)
{
	static void (*const works[])(struct worker *) = {
		private_work,  shared_create, shared_remove,	shared_rename,
		shared_rename, shared_link,   shared_file_work, shared_list,
	};
	struct worker *w = arg;

	while (!w->failure[0] && clock_now_ns() < w->end_ns) {
		works[rng_below(&w->rng, sizeof(works) / sizeof(works[0]))](w);
		w->ops++;
	}
	return NULL;
}

START_TEST(private_and_shared)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct statvfs before = fsx_statfs(fs), after;
	struct worker workers[WORKERS];
	uint64_t shared[SHARED_DIRS], end_ns = clock_now_ns() + RUN_NS;
	char name[16];

	memset(workers, 0, sizeof(workers));
	for (unsigned i = 0; i < SHARED_DIRS; i++) {
		snprintf(name, sizeof(name), "shared%u", i);
		shared[i] = fsx_dir(fs, ROOT, name);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		snprintf(name, sizeof(name), "home%u", i);
		w->fs = fs;
		w->end_ns = end_ns;
		w->home = fsx_dir(fs, ROOT, name);
		memcpy(w->shared, shared, sizeof(shared));
		rng_seed(&w->rng, 7, i);
		ck_assert_int_eq(pthread_create(&w->thread, NULL, worker_run, w), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_str_eq(workers[i].failure, "");
		ck_assert_uint_gt(workers[i].ops, 10);
		fs_forget(fs, workers[i].home, 1);
	}
	for (unsigned i = 0; i < SHARED_DIRS; i++)
		fs_forget(fs, shared[i], 1);
	fs = fsx_remount(fs);
	fsx_remove_tree(fs, ROOT);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	fsx_unmount(fs);
}
END_TEST

/*
 * Two directories, each with one within: each thread moves its own below the other's inner one. The
 * moves share no inode, so no lock of inodes keeps them apart; if both succeeded, there was a ring.
 */
#define RING_ROUNDS 400

struct ring_end {
	struct fs *fs;
	pthread_barrier_t *barrier;
	uint64_t parent, target;
	const char *name;
	int rc[RING_ROUNDS]; /* of the move down */
	int back;	     /* first error of a move back */
};

static void *ring_run(void *arg)
{
	struct ring_end *end = arg;

	for (int i = 0; i < RING_ROUNDS; i++) {
		int rc;

		pthread_barrier_wait(end->barrier);
		end->rc[i] = fs_rename(end->fs, end->parent, end->name, end->target, "moved", 0);
		pthread_barrier_wait(end->barrier);
		if (end->rc[i])
			continue;
		rc = fs_rename(end->fs, end->target, "moved", end->parent, end->name, 0);
		if (rc && !end->back)
			end->back = rc;
	}
	return NULL;
}

START_TEST(no_rings)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t a = fsx_dir(fs, ROOT, "a"), b = fsx_dir(fs, ROOT, "b");
	uint64_t x = fsx_dir(fs, a, "x"), y = fsx_dir(fs, b, "y");
	uint64_t in_x = fsx_dir(fs, x, "in"), in_y = fsx_dir(fs, y, "in");
	const uint64_t inos[] = {a, b, x, y, in_x, in_y};
	pthread_barrier_t barrier;
	struct ring_end ends[2] = {
		{.fs = fs, .barrier = &barrier, .parent = a, .name = "x", .target = in_y},
		{.fs = fs, .barrier = &barrier, .parent = b, .name = "y", .target = in_x},
	};
	pthread_t threads[2];

	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, 2), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ring_run, &ends[i]), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < RING_ROUNDS; i++) {
		int down = ends[0].rc[i], other = ends[1].rc[i];

		ck_assert_msg((down == 0 && other == -EINVAL) || (down == -EINVAL && other == 0),
			      "round %d: %d and %d", i, down, other);
	}
	ck_assert_int_eq(ends[0].back, 0);
	ck_assert_int_eq(ends[1].back, 0);
	pthread_barrier_destroy(&barrier);
	for (size_t i = 0; i < sizeof(inos) / sizeof(inos[0]); i++)
		fs_forget(fs, inos[i], 1);
	fsx_unmount(fs);
}
END_TEST

TCase *fs_threads_case(void)
{
	TCase *tc = tcase_create("threads");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, private_and_shared, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, no_rings, 0, META_BLOCK_SIZES);
	return tc;
}
