/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One worker of the workload: its state, and what operations (op_*.c) and checks share. An
 * operation returns 0, or a negative errno after it has recorded a failure with worker_mismatch()
 * or worker_error(); a legal refusal such as ENOSPC is a success.
 */
#ifndef CHURNFS_SOAK_WORKER_H
#define CHURNFS_SOAK_WORKER_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "soak/model.h"
#include "soak/pattern.h"
#include "soak/workload.h"
#include "util/rng.h"

#define WORKER_BUFFER (256u * 1024)
#define WORKER_ORPHANS 8u
#define WORKER_DIR_SIZE 8u /* "w00" and its end, with room to spare */

/* What a call gave, or its negative errno; interrupted calls are repeated. */
#define CALL(expression) call_result(TEMP_FAILURE_RETRY(expression))

static inline int64_t call_result(long rc)
{
	return rc < 0 ? -errno : rc;
}

/* What the filesystem at hand does where filesystems may differ. Found out by worker_probe(). */
struct worker_features {
	bool dir_links;	 /* a directory has 2 + subdirectories links; else the count is not told */
	bool dir_types;	 /* readdir() gives types */
	bool privileged; /* may chown, and modes do not keep us out */
	bool rename_flags;   /* RENAME_NOREPLACE and RENAME_EXCHANGE */
	bool seconds;	     /* times are kept in whole seconds */
	mode_t create_mask;  /* mode bits that new files and directories may have */
	uint32_t target_max; /* longest symlink target */
};

/* A file without a name that is still open. */
struct orphan {
	struct node *node;
	int fd;
};

struct recent {
	uint64_t index;
	enum workload_op op;
	bool pending; /* still running */
	int64_t result;
	char operation[256];
	char path[256];
};

/* What all workers share. */
struct worker_shared {
	struct workload_options options;
	char *root;
	atomic_bool stop;
	pthread_mutex_t lock;
	struct workload_failure failure; /* lock */
};

/* Written by the worker, read by anybody. */
struct worker_counters {
	_Atomic uint64_t ops, by_kind[WORKLOAD_OP_KINDS];
	_Atomic uint64_t bytes_written, bytes_read, objects, verified_bytes, enospc;
	_Atomic uint64_t progress_ns, trace;
	atomic_bool running;
};

struct worker {
	struct worker_shared *shared;
	unsigned index;
	char dir[WORKER_DIR_SIZE]; /* below the root */
	int dirfd;		   /* -1 while stopped */
	struct worker_features features;
	struct rng rng;
	struct model *model;
	struct orphan orphans[WORKER_ORPHANS];
	unsigned orphan_count;
	struct pattern pattern; /* of the last write */
	unsigned pressure;	/* operations to go during which only deletions are wise */
	uint64_t op_index;
	uint64_t op_end;
	uint8_t *buffer; /* WORKER_BUFFER bytes */
	struct worker_counters count;
	pthread_mutex_t recent_lock;
	struct recent recent[WORKLOAD_RECENT]; /* recent_lock; by index modulo its length */
	pthread_t thread;
	bool joinable;
	bool failed; /* the model no longer tells what is there */
};

/* worker.c */

/* Allocates worker INDEX and makes its folder, which must not exist, and opens it. */
int worker_create(struct worker_shared *shared, unsigned index, struct worker **out);
void worker_free(struct worker *worker);

/* Opens the folder if it is not open. Returns 0 or a negative errno. */
int worker_open(struct worker *worker);

/* Thread function: does operations until it is told to stop or fails; leaves nothing open. */
void *worker_run(void *worker);

/* Verifies the whole subtree against the model as one operation; leaves nothing open. */
int worker_verify(struct worker *worker);

/* worker_probe.c: finds out worker->features in the empty folder. Returns 0 or a negative errno. */
int worker_probe(struct worker *worker);

/* worker_record.c */

/* Prints the recent operations. Any thread may call it. */
void worker_recent_dump(struct worker *worker, FILE *out);

/* Enclose one operation. */
void worker_op_begin(struct worker *worker, enum workload_op op);
void worker_op_end(struct worker *worker);

static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* Tells watchdogs that the worker lives. */
void worker_progress(struct worker *worker);

/* Says what the operation at hand is about to do, for failures and worker_recent_dump(). */
void worker_note(struct worker *worker, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets the result that worker_recent_dump() shows for the operation at hand. */
void worker_result(struct worker *worker, int64_t result);

/* Records that PATH is not as the model says. Returns -EUCLEAN. */
int worker_mismatch(struct worker *worker, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Records that a call for PATH failed with ERROR (negative), which it must not. Errors that speak
 * of names and types, such as ENOENT, are mismatches. Returns ERROR or -EUCLEAN.
 */
int worker_error(struct worker *worker, const char *path, int64_t error);

/*
 * Judges the result of a call that needs space: 0 for success, 1 for lack of space (counted; the
 * call must have changed nothing), else a recorded failure.
 */
int worker_grown(struct worker *worker, const char *path, int64_t result);

/* Judges the result of a call that must fail with one of two (negative) errors. */
int worker_refused(struct worker *worker, const char *path, int64_t result, int expected,
		   int other);

/* True once in N times on average. */
static inline bool worker_chance(struct worker *worker, unsigned n)
{
	return rng_below(&worker->rng, n) == 0;
}

/* checks.c: comparisons with the model. PATH is relative to the worker's folder. */

struct stat;

/* Compares type, mode, owner, links, size and mtime; learns mtime and inode if not yet known. */
int check_stat(struct worker *worker, struct node *node, const char *path, const struct stat *st);

/* lstat()s and compares; for an open file through FD. */
int check_path(struct worker *worker, struct node *node, const char *path);
int check_fd(struct worker *worker, struct node *node, const char *path, int fd);

/* That lstat() finds nothing at PATH. */
int check_absent(struct worker *worker, const char *path);

/* Compares the target of a symlink. */
int check_target(struct worker *worker, const struct node *node, const char *path);

/* Compares names and types in a directory with the model. */
int check_dir(struct worker *worker, struct node *dir, const char *path);

/* check_data.c */

/* Compares LENGTH bytes from OFFSET on, which may reach beyond the end of the file. */
int check_range(struct worker *worker, const struct node *node, const char *path, int fd,
		uint64_t offset, uint64_t length);

/* Compares all data, and the holes at least where they begin and end. */
int check_contents(struct worker *worker, const struct node *node, const char *path, int fd);

#endif
