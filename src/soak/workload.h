/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded worker threads that change a mounted filesystem all the time and verify everything that
 * they did against a model of their own subtree: names, types, attributes, link counts, contents.
 * What a worker does depends on the seed, its number and the results of its calls only, never on
 * timing, so the same seed does the same again.
 *
 * The functions may be called from any thread; workload_stop(), workload_verify(),
 * workload_resume() and workload_free() by one thread at a time.
 */
#ifndef CHURNFS_SOAK_WORKLOAD_H
#define CHURNFS_SOAK_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WORKLOAD_WORKERS_MAX 64u
#define WORKLOAD_NODES_MIN 16u
#define WORKLOAD_NODES_MAX 60000u
#define WORKLOAD_BYTES_MIN 65536u
#define WORKLOAD_PATH_MAX 2304u /* wNN and 7 names of 255 bytes */
#define WORKLOAD_RECENT 64u	/* operations of each worker that are remembered */

enum workload_op {
	WORKLOAD_OP_CREATE,
	WORKLOAD_OP_MKDIR,
	WORKLOAD_OP_SYMLINK,
	WORKLOAD_OP_LINK,
	WORKLOAD_OP_UNLINK,
	WORKLOAD_OP_RMDIR,
	WORKLOAD_OP_FILL_DIR,
	WORKLOAD_OP_EMPTY_DIR,
	WORKLOAD_OP_RENAME,
	WORKLOAD_OP_RENAME_OVER,
	WORKLOAD_OP_RENAME_NOREPLACE,
	WORKLOAD_OP_RENAME_EXCHANGE,
	WORKLOAD_OP_WRITE,
	WORKLOAD_OP_APPEND,
	WORKLOAD_OP_WRITE_SPARSE,
	WORKLOAD_OP_TRUNCATE,
	WORKLOAD_OP_SYNC,
	WORKLOAD_OP_ORPHAN,
	WORKLOAD_OP_ORPHAN_CLOSE,
	WORKLOAD_OP_CHMOD,
	WORKLOAD_OP_CHOWN,
	WORKLOAD_OP_UTIMES,
	WORKLOAD_OP_CHECK_STAT,
	WORKLOAD_OP_CHECK_DATA,
	WORKLOAD_OP_CHECK_LINK,
	WORKLOAD_OP_CHECK_DIR,
	WORKLOAD_OP_CHECK_ABSENT,
	WORKLOAD_OP_CHECK_ERROR,
	WORKLOAD_OP_VERIFY_ALL, /* the verification of a whole subtree; not chosen at random */
	WORKLOAD_OP_KINDS
};

struct workload_options {
	const char *root; /* existing folder; each worker makes wNN in it, which must not exist */
	unsigned workers; /* 1 to WORKLOAD_WORKERS_MAX */
	uint64_t seed;
	uint64_t max_bytes_per_worker; /* of file contents, at least WORKLOAD_BYTES_MIN */
	unsigned max_nodes_per_worker; /* names, WORKLOAD_NODES_MIN to _MAX */
	uint64_t max_ops_per_worker;   /* a worker ends after so many; 0: when it is stopped */
	bool keep_going;	       /* a failure ends only the worker that met it */
};

struct workload_worker_stats {
	uint64_t ops;
	uint64_t last_progress_ns; /* clock_now_ns() when an operation last began or ended */
	uint64_t trace;		   /* hash over every operation so far with its result */
	bool running;
};

struct workload_stats {
	uint64_t ops;
	uint64_t ops_by_kind[WORKLOAD_OP_KINDS];
	uint64_t bytes_written;
	uint64_t bytes_read;
	uint64_t verified_objects; /* attributes, directories, link targets and absences compared */
	uint64_t verified_bytes;   /* of file contents, holes included */
	uint64_t enospc;	   /* calls that failed legally for lack of space */
	unsigned workers;
	unsigned running; /* workers that have not ended yet */
	struct workload_worker_stats worker[WORKLOAD_WORKERS_MAX];
};

enum workload_failure_kind {
	/* Names, attributes or contents differ from the model; ENOENT of a file that must be is
	   one. */
	WORKLOAD_MISMATCH = 1,
	WORKLOAD_ERROR, /* a call failed that must not fail */
};

struct workload_failure {
	bool failed;
	enum workload_failure_kind kind;
	unsigned worker;
	uint64_t op_index; /* counted from 0 in each worker */
	int error;	   /* positive errno if a call failed, else 0; ENOTCONN: the daemon died */
	char operation[256];
	char path[WORKLOAD_PATH_MAX]; /* relative to the root of the workload */
	char detail[512];	      /* what was expected and what was found, in words */
	uint64_t when_ns;	      /* clock_now_ns() */
};

struct workload;

/*
 * Makes the folders and starts the workers. Returns 0; -EINVAL for options out of range; -EEXIST
 * when a folder wNN is there already; -ENOMEM; what opening or making a folder says.
 */
int workload_start(const struct workload_options *options, struct workload **out);

/* Asks the workers to end after the operation at hand. Does not wait. */
void workload_request_stop(struct workload *workload);

/* Ends the workers and waits for them, as workload_stop(), but verifies nothing. */
void workload_join(struct workload *workload);

/*
 * Ends the workers, waits for them, and verifies all subtrees unless something failed. Leaves the
 * files as they are and keeps nothing of the filesystem open. Waits as long as the filesystem lets
 * a call hang: a watchdog is the caller's. Returns 0, or what workload_verify() returns.
 */
int workload_stop(struct workload *workload);

/*
 * Compares every name, attribute and byte with the model, in the calling thread; the filesystem
 * may have been mounted anew. Only after workload_stop(). Returns 0; -EUCLEAN after a mismatch,
 * the negative errno after an error, be it new or old (see workload_failure_get()).
 */
int workload_verify(struct workload *workload);

/*
 * Lets the workers go on after workload_stop(), from where they were; max_ops_per_worker counts
 * anew. Returns 0; -EBUSY when they run; the code of a failure; what starting threads says.
 */
int workload_resume(struct workload *workload);

/* Frees a stopped workload. NULL is ignored. Removes no file. */
void workload_free(struct workload *workload);

void workload_stats_get(struct workload *workload, struct workload_stats *stats);

/* The first failure of all workers, which is never overwritten; failure->failed says if any. */
void workload_failure_get(struct workload *workload, struct workload_failure *failure);

/* Prints the last WORKLOAD_RECENT operations of every worker, the one at hand included. */
void workload_recent_dump(struct workload *workload, FILE *out);

/* A short name such as "rename-over" for statistics. */
const char *workload_op_name(enum workload_op op);

#endif
