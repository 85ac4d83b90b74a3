/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices when somebody has been in one step for too long, and sees to it that the run ends even if
 * its own main thread is stuck.
 */
#ifndef CHURNFS_SOAK_WATCHDOG_H
#define CHURNFS_SOAK_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

/* Who has been in one step for longest. */
struct watchdog_step {
	uint64_t since_ns; /* clock_now_ns() when it began; 0: nobody is in one */
	char who[96];	   /* "worker 3", "migration driver compact", ... */
};

/* Puts WHO into STEP if it began earlier. SINCE_NS 0, nobody, is ignored. */
void watchdog_step_older(struct watchdog_step *step, uint64_t since_ns, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct watchdog;

struct watchdog_options {
	uint64_t limit_ns; /* a step that takes longer hangs */
	/* The main thread must have ended so long after that, or EXPIRED is called. */
	uint64_t grace_ns;
	/* Both are called from the watchdog's thread. LOOK uses watchdog_step_older(). */
	void (*look)(void *arg, struct watchdog_step *slowest);
	void (*expired)(void *arg);
	void *arg;
};

/* Returns 0 or a negative errno. */
int watchdog_start(const struct watchdog_options *options, struct watchdog **watchdog);

/* Ends the thread and frees. Waits for EXPIRED if that has begun. NULL is ignored. */
void watchdog_stop(struct watchdog *watchdog);

/*
 * True once a step took too long; *STEP then tells the first of them, for good. Times in which the
 * watchdog itself was not run in time (process stopped, machine suspended, or busy beyond measure)
 * do not count.
 */
bool watchdog_hung(struct watchdog *watchdog, struct watchdog_step *step);

#endif
