/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One memory block, offline for a moment. What puts it back is noted in the sandbox before it goes,
 * so that its guardian does it when the run is killed meanwhile. One thread; no locks.
 */
#ifndef CHURNFS_SOAK_OFFBLOCK_H
#define CHURNFS_SOAK_OFFBLOCK_H

#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "soak/memblock.h"

struct sandbox;

struct offblock {
	struct sandbox *sandbox;
	timer_t timer;
	struct sigaction old_action;
	bool armed;
};

/* SANDBOX stays the caller's. */
void offblock_open(struct offblock *off, struct sandbox *sandbox);
/* Any thread. */
void offblock_close(struct offblock *off);

/*
 * Takes BLOCK offline, calls AWAY, and puts it back into the kind of zone it was in. The attempt is
 * broken off after two seconds. AWAY is also called where the block did not go, for much of what is
 * in it may have moved: *WENT is 0, or the negative errno that writing "offline" gave. Returns 0;
 * what AWAY returned; or what is wrong with the way back, which is logged. All calls from the
 * same thread. Documentation/admin-guide/mm/memory-hotplug.rst
 */
int offblock_trip(struct offblock *off, const struct memblock *block, int (*away)(void *arg),
		  void *arg, int *went);

#endif
