/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the neighbour share. Nobody else includes this. */
#ifndef CHURNFS_SOAK_NB_PRIVATE_H
#define CHURNFS_SOAK_NB_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "soak/nb_layout.h"
#include "soak/nb_shadow.h"
#include "soak/neighbour.h"
#include "soak/trace.h"
#include "util/rng.h"

/* Written by one thread each. */
struct nb_counters {
	_Atomic uint64_t ops[NEIGHBOUR_LEGS];
	_Atomic uint64_t compared[NEIGHBOUR_LEGS];
	_Atomic uint64_t verified;
};

/* Told about each block that a leg watches, while the neighbour is paused. */
/* A block that is watched, whole or in part. */
struct nb_watched {
	enum neighbour_block type;
	uint64_t block;
	uint32_t from, length; /* bytes in the block; length 0: all of it */
};

typedef void (*nb_block_visitor)(void *arg, const struct nb_watched *watched);

/*
 * One leg as one thread drives it. Functions return 0 or a negative errno; a leg records its
 * failures itself (nb_fail*), and the code it returns only ends the thread.
 */
struct nb_leg_ops {
	enum neighbour_leg leg;
	/* Makes the files. -EOPNOTSUPP: this filesystem does not offer it. */
	int (*prepare)(struct neighbour *nb, struct nb_counters *count, unsigned index,
		       void **state);
	int (*open)(void *state); /* after each mount; the threads are not running */
	int (*step)(void *state); /* a few milliseconds at most, fsync aside */
	/*
	 * Compares all blocks that must be at rest between steps, after a step that failed, too;
	 * NULL: each step does.
	 */
	int (*sweep)(void *state);
	void (*close)(void *state); /* before each unmount */
	void (*free)(void *state);
	void (*visit)(void *state, nb_block_visitor visitor, void *arg);
};

extern const struct nb_leg_ops nb_inodes, nb_bitmaps, nb_dirs, nb_xattr, nb_extents, nb_revoke;

struct nb_leg {
	const struct nb_leg_ops *ops;
	void *state;
};

struct nb_thread {
	struct neighbour *nb;
	pthread_t thread;
	bool started;
	unsigned index;
	bool roams; /* from CPU to CPU; else it keeps to one */
	bool after; /* migration drivers go before it */
	uint64_t swept_ns;
	uint64_t round_ns;	   /* what the last update of inodes took */
	_Atomic uint64_t since_ns; /* when the present step began; 0: waiting at the gate, or ended
				    */
	unsigned legs;
	struct nb_leg leg[NEIGHBOUR_LEGS];
	struct rng rng;
	struct nb_counters count;
};

struct neighbour {
	struct neighbour_options options;
	bool mounted;
	int device_fd;		  /* for reading raw blocks; opened before mounting */
	struct nb_layout *layout; /* NULL: generic */
	bool native_ext2;    /* inodes reach their blocks late, directories are not in the device's
				cache */
	char errors_dir[96]; /* of /sys/fs/ext4; empty if there is none */
	struct trace *trace;
	_Atomic uint64_t start_ns, end_ns; /* 0: not yet */
	unsigned absent;
	unsigned threads;
	struct nb_thread thread[NEIGHBOUR_THREADS_MAX + 1];
	pthread_t monitor;
	bool monitor_started;
	_Atomic uint64_t monitor_since_ns; /* as of a thread */
	atomic_bool stop;
	atomic_bool gate; /* closed: threads wait in nb_gate() */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned running;		  /* lock; threads that are not waiting at the gate */
	bool inodes_held;		  /* lock; no thread may begin to update inodes */
	unsigned inodes_let;		  /* lock; how often they may again */
	unsigned inodes_busy;		  /* lock; threads that update inodes just now */
	struct neighbour_failure failure; /* lock */
	atomic_bool failed;
	_Atomic uint64_t checks;
	uint64_t stuck_ns; /* see neighbour_stuck_ns() */
	char *fsck_log;
	size_t fsck_log_len;
	uint64_t *watched; /* see neighbour_watched_pages() */
	size_t watched_count;
};

static inline void nb_count(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/*
 * nb_failure.c: each records the first failure of all, tells all threads to end, returns RC. A
 * block found damaged takes the place of the filesystem's word that there is damage.
 */

/* A model or a counter disagrees, or a call failed for a reason that is no block's. */
int nb_fail(struct neighbour *nb, enum neighbour_leg leg, enum neighbour_fault fault, int rc,
	    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Same, with everything known about a block filled in by the caller; sets the rest. -EUCLEAN. */
int nb_fail_block(struct neighbour *nb, const struct neighbour_failure *failure);

/*
 * Fills in what is known of SHADOW's block: its place, and what it should hold. What it does hold is
 * for the caller to read.
 */
void nb_fail_place(struct neighbour_failure *failure, const struct nb_shadow *shadow);

/* A call that must not fail did, with RC. */
int nb_fail_call(struct neighbour *nb, enum neighbour_leg leg, const char *what, int rc);

/*
 * So did reading from the device what the kernel's filesystem had just shown to be right. -EUCLEAN
 * is not its word then, but that of nb_layout_blocks().
 */
int nb_fail_layout(struct neighbour *nb, enum neighbour_leg leg, const char *what, int rc);

/*
 * Reads the block of SHADOW and compares. After a mismatch: records it and returns -EUCLEAN. WHEN
 * ends the sentence "is not what it was ".
 */
int nb_shadow_verify(struct neighbour *nb, enum neighbour_leg leg, struct nb_shadow *shadow,
		     const char *when);

/* Reads the block anew into the shadow: it was changed by rights. Returns 0 or negative errno. */
int nb_shadow_refresh(struct neighbour *nb, struct nb_shadow *shadow);

/* LENGTH bytes of the device at OFFSET, all of them. Returns 0 or a negative errno. */
int nb_read(const struct neighbour *nb, void *buf, size_t length, uint64_t offset);

/* Opens a file or folder below the mount point. Returns the descriptor or a negative errno. */
int nb_open(const struct neighbour *nb, const char *name, int flags);

/*
 * Notes the pages of neighbour_watched_pages(). After nb_threads_open(), before the threads run.
 * Returns 0 or a negative errno.
 */
int nb_pages_note(struct neighbour *nb);

/*
 * Ends a round of the thread that allocates: takes over what its legs did to the bitmaps, whose
 * clear bits must be as many as statfs(2) says are free. nb_bitmaps.c.
 */
int nb_bitmaps_round_end(void *state);

#endif
