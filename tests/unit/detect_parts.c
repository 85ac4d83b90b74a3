/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "detect_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char folder[256];
struct workload *workload;
struct rng rng;
struct found found;

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

void find(mode_t type, off_t min_size)
{
	char top[300];

	found_drop();
	found.type = type;
	found.min_size = min_size;
	snprintf(top, sizeof(top), "%s/w00", folder);
	ck_assert_int_eq(nftw(top, entry_find, 16, FTW_PHYS), 0);
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

struct workload_options options_for(int seed)
{
	return (struct workload_options){
		.root = folder,
		.workers = 1,
		.seed = (uint64_t)seed,
		.max_bytes_per_worker = 2u << 20,
		.max_nodes_per_worker = 300,
		.max_ops_per_worker = 600,
	};
}

void begin_with(const struct workload_options *options)
{
	const char *base = getenv("TMPDIR");

	/* In memory, because the many fsync() calls take long on a busy disk. */
	if (!base)
		base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	snprintf(folder, sizeof(folder), "%s/detect-XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	rng_seed(&rng, options->seed, 99);
	ck_assert_int_eq(workload_start(options, &workload), 0);
}

void begin(int seed)
{
	struct workload_options options = options_for(seed);

	begin_with(&options);
}

void wait_ended(void)
{
	struct workload_stats stats;

	do {
		usleep(500);
		workload_stats_get(workload, &stats);
	} while (stats.running);
}

void pause_clean(void)
{
	wait_ended();
	ck_assert_int_eq(workload_stop(workload), 0);
}

size_t find_any(mode_t type, off_t min_size)
{
	find(type, min_size);
	while (!found.count) {
		ck_assert_int_eq(workload_resume(workload), 0);
		pause_clean();
		find(type, min_size);
	}
	return (size_t)rng_below(&rng, found.count);
}

void end(void)
{
	workload_free(workload);
	found_drop();
	nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

void mtime_restore(const char *path, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

void expect_detected(struct workload_failure *failure)
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

void expect_either(ino_t a, ino_t b, const char *detail)
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

void expect_path(const char *path, const char *detail)
{
	struct workload_failure failure;

	expect_detected(&failure);
	ck_assert_str_eq(failure.path, path + strlen(folder) + 1);
	ck_assert_msg(strstr(failure.detail, detail) != NULL, "%s lacks %s", failure.detail,
		      detail);
}
