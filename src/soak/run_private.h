/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run at work, shared by the files run*.c. All of it belongs to the main thread. */
#ifndef CHURNFS_SOAK_RUN_PRIVATE_H
#define CHURNFS_SOAK_RUN_PRIVATE_H

#include <pthread.h>

#include "soak/inject.h"
#include "soak/kmsg.h"
#include "soak/movelog.h"
#include "soak/nb_inject.h"
#include "soak/neighbour.h"
#include "soak/run.h"
#include "soak/sandbox.h"
#include "soak/status.h"
#include "soak/target.h"
#include "soak/timeline.h"
#include "soak/tracering.h"
#include "soak/watchdog.h"

/* A fault is planted when workers have made something to damage. */
#define RUN_INJECT_AFTER_NS (500ULL * 1000 * 1000)
#define RUN_HOT_PAGES_MAX 4096u

/* What is told of a run while it goes on; when next, in time since its start. */
struct run_outputs {
	struct status status;
	struct timeline *timeline;
	uint64_t timeline_ns;
	uint64_t prometheus_ns;
	bool timeline_failed, prometheus_failed; /* and has been told */
};

/* What the folder of evidence has. */
enum run_evidence_state {
	RUN_EVIDENCE_NONE,
	RUN_EVIDENCE_BUSY,  /* a thread is at it */
	RUN_EVIDENCE_FAULT, /* of a fault or an error: a finding or hang may be added */
	RUN_EVIDENCE_WHOLE,
};

struct run {
	const struct run_options *options;
	struct report *report;
	struct migrate_selection selection;
	struct sandbox *sandbox;
	struct target target;
	struct kmsg *kmsg;
	struct verifier *verifier;
	struct workload *workload;
	struct migrator *migrator;
	struct movelog *moves;
	struct tracering *ring; /* NULL: not traced */
	struct migrate_target migrate_target;
	struct inject *inject;
	struct run_outputs outputs;
	uint64_t start_ns;
	struct neighbour *neighbour;
	char neighbour_dir[256];
	struct neighbour_hot_page hot[RUN_HOT_PAGES_MAX];
	size_t hot_count;
	const uint64_t *watched; /* owned by the neighbour, like the pages themselves */
	size_t watched_count;
	uint64_t damaged_ns;   /* when the kernel's log spoke of damage first */
	uint64_t checked_ns;   /* when e2fsck was run last */
	_Atomic bool stopping; /* for the migration drivers */
	_Atomic enum run_evidence_state evidence;
	const struct run_way_out *way_out;
	struct watchdog *watchdog;
	/*
	 * The watchdog's thread uses workload, verifier, migrator, moves, ring and neighbour under
	 * it: set by RUN_PART_SET() only, to NULL before one is freed.
	 */
	pthread_mutex_t parts_lock;
	_Atomic uint64_t progress_ns; /* when the main thread got on last */
	_Atomic uint64_t stuck_ns;    /* neighbour_stuck_ns() */
	_Atomic bool dumped;	      /* the kernel's tasks, and ours: */
	char *tasks;		      /* see tasks.h; NULL: no hang, or no memory */
};

#define RUN_PART_SET(run, part, value)                                                             \
	do {                                                                                       \
		pthread_mutex_lock(&(run)->parts_lock);                                            \
		(run)->part = (value);                                                             \
		pthread_mutex_unlock(&(run)->parts_lock);                                          \
	} while (0)

/*
 * Sets up all that the options ask for, under the watchdog as soon as there is something to leave
 * behind. Returns 0 or a negative errno (noted); what was started by then is for the end of the
 * run.
 */
int run_start(struct run *run);

/* Keeps the evidence of the first finding or hang, or adds it to that of a fault. */
void run_evidence(struct run *run);

/* Notes what keeps the run from its end. The first cause counts; the rest follows from it. */
void run_trouble(struct run *run, const char *text);

/* Starts the watchdog over all that runs. Returns 0 or a negative errno (noted). */
int run_hang_start(struct run *run);

/* From the main loop: takes a hang over, with the kernel's tasks. True if there was one. */
bool run_hang_watch(struct run *run);

/* The main thread gets on. */
void run_hang_progress(struct run *run);

/* Ends the watchdog, at the very end. Does not return if it is leaving already. */
void run_hang_end(struct run *run);

/* Mounts and starts the neighbour, if one was asked for. Returns 0 or a negative errno (noted). */
int run_neighbour_begin(struct run *run);

/* From the main loop: plants a fault if one was asked for, and runs e2fsck at times. */
void run_neighbour_step(struct run *run, uint64_t elapsed);

/*
 * The kernel's log speaks of a damaged filesystem. True once those who watch its blocks have had
 * the time to say which.
 */
bool run_neighbour_damaged(struct run *run);

/* Stops, checks and unmounts it, and takes its statistics over. */
void run_neighbour_end(struct run *run);

/*
 * Begins with the files that tell of the run, all that were asked for. Returns 0, or a negative
 * errno with WHY if one cannot be written: better now than after weeks.
 */
int run_outputs_begin(struct run *run, char *why, size_t len);

/* From the main loop, after statistics were collected: tells what is due. */
void run_outputs_step(struct run *run, uint64_t elapsed);

/* SIGUSR1: prints the status on standard error. */
void run_outputs_status(struct run *run, uint64_t elapsed);

/* After the verdict: the last word in the files. */
void run_outputs_end(struct run *run);

#endif
