/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that check every metadata block of the device against the ledger, over and over, while
 * the daemon writes, in three views: buffered reads and a shared mapping (what the page cache
 * holds, through the file's tree of folios and through page tables), and O_DIRECT (what reached the
 * device; the kernel writes dirty pages of the range back first).
 */
#ifndef CHURNFS_SOAK_VERIFIER_H
#define CHURNFS_SOAK_VERIFIER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "integrity/check.h"

/* Bytes read at once. */
#define VERIFIER_CHUNK 65536u

enum verifier_view { VIEW_BUFFERED, VIEW_MAPPED, VIEW_DIRECT, VERIFIER_VIEWS };

struct verifier;
struct watchdog_step;

struct verifier_options {
	const char *device;
	struct ledger *ledger;
	unsigned threads;   /* for the page cache's views, in turn; one more reads directly */
	uint64_t period_ns; /* a pass over all metadata starts this often */
	uint64_t direct_period_ns; /* and a direct one; 0: no direct view */
	unsigned left_out;	   /* bits of views that are not looked at, to test the tests */
	bool quiet;		   /* findings go to the ledger only, not to the log */
};

struct verifier_stats {
	uint64_t blocks; /* verified, all views */
	uint64_t view_blocks[VERIFIER_VIEWS];
	uint64_t view_passes[VERIFIER_VIEWS];
	uint64_t bytes;	  /* read for that */
	uint64_t retried; /* blocks that changed while they were read */
	uint64_t mismatches;
	uint64_t view_mismatches[VERIFIER_VIEWS];
	uint64_t io_errors;
	uint64_t ns; /* time spent in passes, all threads */
	bool direct; /* the device can be read with O_DIRECT */
};

/*
 * Starts the threads. Returns 0 or a negative errno. A device without O_DIRECT is no error; see
 * verifier_stats.direct.
 */
int verifier_start(const struct verifier_options *options, struct verifier **verifier);

/* Joins the threads; the statistics stay. */
void verifier_stop(struct verifier *verifier);
void verifier_free(struct verifier *verifier);

void verifier_stats_get(struct verifier *verifier, struct verifier_stats *stats);

/* The read that has been going on for longest, for the watchdog. Any thread. */
void verifier_slowest(struct verifier *verifier, struct watchdog_step *slowest);

/* One more full pass of each view in the caller's thread, after verifier_stop(). */
int verifier_final_pass(struct verifier *verifier);

/*
 * Takes LENGTH bytes at OFFSET (multiples of a page) out of the mapping, so that they can be
 * evicted unless a thread looks at them just then. Beyond its end: nothing. Any thread.
 */
void verifier_unmap(struct verifier *verifier, uint64_t offset, uint64_t length);

/*
 * Between these no thread reads through the page cache, and the mapping is empty, so that pages can
 * be evicted and are brought back by the caller alone. Any thread; short.
 */
void verifier_pause(struct verifier *verifier);
void verifier_resume(struct verifier *verifier);

/* The device in all views. Opened once, used by many threads. */
struct verifier_device {
	int fd;
	int direct_fd; /* -1 without O_DIRECT */
	const char *map;
	uint64_t map_bytes;
};

/* The device as the threads of VERIFIER see it. */
const struct verifier_device *verifier_device_get(const struct verifier *verifier);

/* "buffered", "mapped", "direct" */
const char *verifier_view_name(enum verifier_view view);

/* Returns 0 or a negative errno. A device without O_DIRECT is no error. */
int verifier_device_open(struct verifier_device *device, const char *path, uint64_t bytes);
void verifier_device_close(struct verifier_device *device);

/* What was found on the way; only ever added to, or later. */
struct verifier_pass {
	uint64_t blocks, bytes, retried, mismatches;
	uint64_t written_ns; /* the latest write of a block that was looked at; see the ledger */
	bool quiet;	     /* set by the caller: findings are not logged */
};

/*
 * Checks the metadata blocks among [first, first + count), at most one chunk, in VIEW. BUF holds
 * VERIFIER_CHUNK bytes, aligned for direct I/O. Returns 0, or the errno of the read. No state of
 * its own: also used by the benchmark.
 */
int verifier_chunk(const struct checker *checker, const struct verifier_device *device,
		   enum verifier_view view, void *buf, uint64_t first, uint64_t count,
		   struct verifier_pass *pass);

#endif
