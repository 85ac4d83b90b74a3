/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker's files, to be changed behind its back. */
#ifndef CHURNFS_TESTS_DETECT_PARTS_H
#define CHURNFS_TESTS_DETECT_PARTS_H

#include <stddef.h>
#include <sys/stat.h>

#include "soak/workload.h"
#include "unit.h"
#include "util/rng.h"

#define FOUND_MAX 2048u

extern char folder[256];
extern struct workload *workload;
extern struct rng rng;

/* Paths found by nftw(), which takes no argument; reset by find(). */
extern struct found {
	char *path[FOUND_MAX];
	struct stat st[FOUND_MAX];
	size_t count;
	mode_t type;
	off_t min_size;
} found;

/* Starts the worker in a new folder. */
void begin(int seed);
struct workload_options options_for(int seed);
void begin_with(const struct workload_options *options);
/* Until it has done all that it may do. */
void wait_ended(void);
/* And has seen nothing. */
void pause_clean(void);
void end(void);

/* Finds the files of a type and a minimal size below the folder of worker 0. */
void find(mode_t type, off_t min_size);

/* A random one of what find() finds; the worker runs until there is one. */
size_t find_any(mode_t type, off_t min_size);

/* What was done is all that may be noticed: times are as before. */
void mtime_restore(const char *path, const struct stat *st);

/* Verifies: something must be found and told. */
void expect_detected(struct workload_failure *failure);

/* The same; the file named must be inode A or B, by whichever of its names, and DETAIL be told. */
void expect_either(ino_t a, ino_t b, const char *detail);
void expect_path(const char *path, const char *detail);

#endif
