/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The neighbour: an in-kernel filesystem in the head of the device under test. The kernel finds
 * its blocks with __find_get_block() in the very page-cache mapping that churnfs uses, which user
 * space cannot do. Threads drive those lookups as hard as they can and look at once, from outside
 * the filesystem, whether an update was lost.
 *
 * Order of calls: neighbour_profile_parse(), neighbour_format(), neighbour_mount(),
 * neighbour_start(), any number of neighbour_check(), neighbour_stop(), neighbour_finish(),
 * neighbour_free(). They belong to one thread; the *_get() functions to any.
 */
#ifndef CHURNFS_SOAK_NEIGHBOUR_H
#define CHURNFS_SOAK_NEIGHBOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "integrity/classify.h"

#define NEIGHBOUR_PROFILE_DEFAULT "ext4:bs=1024,nojournal"
#define NEIGHBOUR_BLOCK_MAX 4096u
/* Smaller heads hold no filesystem with room for all legs. */
#define NEIGHBOUR_BYTES_MIN (16ULL << 20)
#define NEIGHBOUR_THREADS_MAX 64u

struct neighbour_profile {
	char text[64]; /* as it was given */
	char type[16]; /* for mount(2) */
	bool generic;  /* no knowledge of the format: only what any filesystem must keep */
	uint32_t block_size;
	bool journal;
	bool journal_tiny;
	unsigned commit_s; /* 0: the filesystem's own */
};

/*
 * "ext4:bs=1024,nojournal", "ext2:bs=1024", "ext4:bs=2048,journal=tiny,commit=1", "ext4:bs=4096",
 * "any:TYPE". Returns 0, or -EINVAL with one line in WHY.
 */
int neighbour_profile_parse(const char *text, struct neighbour_profile *profile, char *why,
			    size_t len);

/*
 * Makes the filesystem, exactly BYTES long, at the start of DEVICE. Returns 0 or a negative errno
 * with WHY: -ENOENT without the mkfs, -EIO when it failed, -EINVAL for a head too small.
 */
int neighbour_format(const struct neighbour_profile *profile, const char *device, uint64_t bytes,
		     char *why, size_t len);

/* What is driven. */
enum neighbour_leg {
	NEIGHBOUR_INODES,
	NEIGHBOUR_BITMAPS,
	NEIGHBOUR_DIRS,
	NEIGHBOUR_XATTRS,
	NEIGHBOUR_EXTENTS,
	NEIGHBOUR_REVOKE,
	NEIGHBOUR_LEGS
};
#define NEIGHBOUR_ALL_LEGS ((1u << NEIGHBOUR_LEGS) - 1)

/* "inodes", "bitmaps", ... */
const char *neighbour_leg_name(enum neighbour_leg leg);

struct neighbour_options {
	const char *device;
	struct neighbour_profile profile;
	const char *mount_dir; /* exists, and is noted in the sandbox */
	unsigned threads;      /* that update inodes, each on a CPU; one more does the rest */
	unsigned legs;	       /* bits of enum neighbour_leg */
	uint64_t seed;
	bool alone; /* nobody else writes to the device, so that need not be allowed */
	/*
	 * Threads that update inodes go before other threads, and pause at random after each round:
	 * so they interrupt a migration at random places, also on its own CPU, and meanwhile let it
	 * get on.
	 */
	bool interrupting;
	bool trace; /* count lookups and dirtyings by tracepoints */
};

struct neighbour;
struct watchdog_step;

/*
 * Mounts. The strings of OPTIONS stay the caller's until neighbour_free(). Returns 0 or a negative
 * errno with WHY. -EPERM: this kernel lets nobody else write to a mounted device, so it cannot be
 * shared (CONFIG_BLK_DEV_WRITE_MOUNTED); nothing is left mounted then.
 */
int neighbour_mount(const struct neighbour_options *options, struct neighbour **nb, char *why,
		    size_t len);

/* Makes the files and starts the threads. Returns 0 or a negative errno with WHY. */
int neighbour_start(struct neighbour *nb, char *why, size_t len);

/* Asks the threads to end. Does not wait. Any thread. */
void neighbour_request_stop(struct neighbour *nb);

/* Ends the threads and waits for them. Closes all files. The statistics stay. */
void neighbour_stop(struct neighbour *nb);

/*
 * Between these no thread of the neighbour is in the middle of anything: what the device holds is
 * at rest. They nest with nothing; one thread at a time.
 */
void neighbour_pause(struct neighbour *nb);
void neighbour_resume(struct neighbour *nb);

/*
 * Between these no thread updates inodes, for a short while: their pages can be evicted, which they
 * can hardly be while they are written to all the time. One thread at a time; neighbour_pause() may
 * come in between.
 */
void neighbour_hold_inodes(struct neighbour *nb);
void neighbour_let_inodes(struct neighbour *nb);

/*
 * In the middle of a run: pauses, unmounts, runs e2fsck -fn, mounts and goes on. Returns 0;
 * -EUCLEAN after a recorded failure; another errno when it cannot go on.
 */
int neighbour_check(struct neighbour *nb, char *why, size_t len);

/*
 * After neighbour_stop(): reads the error counters, unmounts, runs e2fsck -fn. Returns 0, -EUCLEAN
 * after a recorded failure, or another errno. Leaves nothing mounted unless it says so. Where the
 * kernel has counted an error, a failure that lacks just the last update becomes
 * NEIGHBOUR_FS_ERROR: ext4 says success to an update that it drops after an error of its own.
 */
int neighbour_finish(struct neighbour *nb, char *why, size_t len);

/* Stops and unmounts what is left, and frees. NULL is ignored. */
void neighbour_free(struct neighbour *nb);

/* The step of a thread that has been going on for longest, for the watchdog. Any thread. */
void neighbour_slowest(struct neighbour *nb, struct watchdog_step *slowest);

/*
 * When an e2fsck began that goes on in the kernel for ever, where SIGKILL does not end it (a
 * failure is recorded, and it is not run again); 0: there is none. What uses the device after that,
 * or waits for an RCU grace period as unmounting does, may never return. The thread that runs the
 * checks.
 */
uint64_t neighbour_stuck_ns(const struct neighbour *nb);

struct neighbour_stats {
	uint64_t updates;		   /* of inodes */
	uint64_t verified;		   /* raw inodes compared after an update */
	uint64_t leg[NEIGHBOUR_LEGS];	   /* operations of each leg */
	uint64_t compared[NEIGHBOUR_LEGS]; /* blocks, names or values compared by each */
	unsigned absent;      /* bits of the legs that this filesystem does not offer */
	bool raw;	      /* blocks are compared through the device */
	bool raw_late;	      /* after an fsync(2) each: this driver writes raw inodes late */
	uint64_t lookups;     /* of buffers: at least so many */
	uint64_t lookups_lru; /* of those, the ones that the per-CPU LRU answered: no race there */
	uint64_t dirtied;     /* buffers; with a journal only when they are checkpointed */
	bool traced;	 /* lookups_lru and dirtied are estimates from samples (trace.h); else 0 */
	uint64_t checks; /* e2fsck runs that found nothing */
	uint64_t ns;	 /* since neighbour_start(), pauses included */
};

void neighbour_stats_get(struct neighbour *nb, struct neighbour_stats *stats);

enum neighbour_fault {
	NEIGHBOUR_CORRUPT = 1, /* a block, a name or a value is not what was written */
	NEIGHBOUR_FSCK,	       /* e2fsck found damage */
	NEIGHBOUR_FS_ERROR,    /* the kernel's filesystem reported an error of its own */
	NEIGHBOUR_TROUBLE,     /* it cannot be used: full, gone, out of memory */
};

enum neighbour_block {
	NEIGHBOUR_BLOCK_NONE, /* no block is known */
	NEIGHBOUR_BLOCK_INODES,
	NEIGHBOUR_BLOCK_INODE_BITMAP,
	NEIGHBOUR_BLOCK_BLOCK_BITMAP,
	NEIGHBOUR_BLOCK_DIRECTORY,
	NEIGHBOUR_BLOCK_XATTR,
	NEIGHBOUR_BLOCK_MAP, /* extent tree or indirect */
	NEIGHBOUR_BLOCKS
};

/* "inode-table", "directory", ... */
const char *neighbour_block_name(enum neighbour_block block);

struct neighbour_failure {
	bool failed;
	enum neighbour_fault fault;
	enum fault_kind kind; /* FAULT_NONE if that cannot be told */
	enum neighbour_block type;
	uint64_t block;	 /* number in the filesystem */
	uint64_t offset; /* bytes on the device */
	uint64_t expected_generation;
	uint64_t found_generation; /* 0 if what was found tells none */
	bool newest_only;	   /* just the last update is missing, see neighbour_finish() */
	uint64_t when_ns;	   /* clock_now_ns() */
	enum neighbour_leg leg;
	char text[512];	 /* one line for people */
	uint32_t length; /* of the images below; 0 if there are none */
	uint8_t expected[NEIGHBOUR_BLOCK_MAX];
	uint8_t found[NEIGHBOUR_BLOCK_MAX];
};

/*
 * The first failure. The threads have ended or are about to. That the filesystem speaks of an error
 * is told once the threads have looked for the damage, after 3 s at most; a damaged block that they
 * find takes its place. Nothing else is overwritten.
 */
void neighbour_failure_get(struct neighbour *nb, struct neighbour_failure *failure);

/* A page of the device whose buffers are looked up all the time. */
struct neighbour_hot_page {
	uint64_t offset; /* bytes on the neighbour's device */
	int cpu;	 /* of the thread that does it; -1: any */
};

/*
 * The inode-table pages that are updated all the time. They never change after neighbour_start().
 * Returns how many there are; at most MAX are stored.
 */
size_t neighbour_hot_pages(const struct neighbour *nb, struct neighbour_hot_page *pages,
			   size_t max);

/*
 * The pages of the blocks that the other legs watched at neighbour_start(): directories, bitmaps,
 * extended attributes and maps. Their buffers are used less often, but for longer at a time: a
 * directory is searched before its entry goes in. Some hold something else later, so they may only
 * be read. *PAGES: offsets in bytes, sorted, valid as long as NB. Returns how many there are.
 */
size_t neighbour_watched_pages(const struct neighbour *nb, const uint64_t **pages);

/* Everything e2fsck said so far; empty before the first check. */
const char *neighbour_fsck_log(const struct neighbour *nb);

#endif
