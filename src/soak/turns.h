/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the drivers that take turns (--migrate auto) is next, from what each has done so far. No
 * clock and no lock of its own: the caller tells the time, and one thread uses it.
 *
 * The first driver that moves a page has the machine for itself at first: most of what a kernel
 * gets wrong shows within seconds, and must not wait until others were tried. Then the others are
 * measured, with the best so far between them; and then the best has nearly all the time.
 */
#ifndef CHURNFS_SOAK_TURNS_H
#define CHURNFS_SOAK_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/clock.h"

#define TURNS_MAX 8u
#define TURNS_NONE UINT32_MAX

/* The first that has moved pages goes on alone until it has had so much time. */
#define TURNS_FIRST_NS (10 * NS_PER_SEC)
/* Before drivers are compared for good, each has so much time. */
#define TURNS_MEASURE_NS (3 * NS_PER_SEC)
/* A first impression. It is all that one gets that has not moved a page in it. */
#define TURNS_IMPRESSION_NS NS_PER_SEC
/* Until all are measured, the best so far has so many parts of the time for one of the others. */
#define TURNS_BEST_SO_FAR 5u
/* Of the time, in parts: for the driver that moves most, and for each of the others. */
#define TURNS_BEST 20u
#define TURNS_OTHERS 1u
/* One that has to make room for others keeps its turn for so long. */
#define TURNS_KEEP_NS NS_PER_SEC
/* A page that the neighbour looks up counts as so many. */
#define TURNS_HOT_WEIGHT 10u

/* One driver. All is the caller's to fill in. */
struct turn {
	uint64_t ns; /* its time so far */
	uint64_t moved, moved_neighbour;
	bool keeps;   /* has to make room for others at the end of a turn */
	bool gave_up; /* has no more turns */
};

/* Zero, then COUNT and the turns set, is a good start. */
struct turns {
	unsigned count;
	struct turn turn[TURNS_MAX];
	/* Of turns_next(): the turn it is, and since when. */
	bool begun;
	unsigned now;
	uint64_t since_ns;
};

/* The driver for the next cycle, at NOW_NS of any clock; TURNS_NONE when all gave up. */
unsigned turns_next(struct turns *turns, uint64_t now_ns);

#endif
