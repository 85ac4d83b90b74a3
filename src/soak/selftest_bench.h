/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where faults are planted for the self-test: a loop device over memory, full of sealed blocks, a
 * ledger of them, and their writer, which is the calling thread. One set-up serves any number of
 * plantings.
 */
#ifndef CHURNFS_SOAK_SELFTEST_BENCH_H
#define CHURNFS_SOAK_SELFTEST_BENCH_H

#include <stdint.h>

#include "integrity/ledger.h"
#include "ondisk/format.h"
#include "soak/verifier.h"
#include "util/rng.h"

#define BENCH_BLOCKS 128u
#define BENCH_PAGE 4096u

struct bench {
	int image_fd;	 /* what the loop device lies on */
	int attached_fd; /* keeps the loop device */
	int fd;		 /* the loop device, through its page cache */
	char device[64];
	void *pin; /* keeps the device's pages in the cache */
	struct ledger *ledger;
	struct ledger_geometry geometry;
	uint32_t uuid_seed;
	uint64_t generation; /* the last one given out */
	struct rng rng;
	uint64_t held, held_count; /* blocks that bench_update() leaves alone */
	uint8_t now[BENCH_BLOCKS][CFS_BLOCK_SIZE_MAX];
};

/* Attaches the device. Returns 0 or a negative errno. */
int bench_open(struct bench *bench);
void bench_close(struct bench *bench);

/*
 * Starts anew: another filesystem, with blocks of BLOCK_SIZE bytes, all written and rewritten some
 * times, and a ledger of its own. No verifier may run on the old one. Returns 0 or negative errno.
 */
int bench_renew(struct bench *bench, uint64_t seed, uint32_t block_size);

/* Writes a new version of BLOCK. Returns 0 or a negative errno. */
int bench_rewrite(struct bench *bench, uint64_t block);

/* The same for some block that is not held. Returns 0 or a negative errno. */
int bench_update(struct bench *bench);

/* Which view is to show the fault, and the images. */
struct bench_planting {
	enum verifier_view view;
	uint64_t block;
	const uint8_t *good, *bad;
};

/* Makes the next version of BLOCK in bench->now, and nowhere else. */
void bench_next(struct bench *bench, uint64_t block);

/*
 * Writes the good image so that one view alone shows the bad one, as a kernel's mistake would:
 *
 *   buffered  the page in the cache is bad, but clean; the device below is good, and page tables
 *             lead to a good page
 *   mapped    page tables lead to a bad page; the cache and the device are good
 *   direct    the device below is bad; the cache is good
 *
 * To the ledger it is one write, so nobody judges the block before all is in place. The block's
 * page must be held, and DEVICE is where the verifier maps it. Returns 0 or a negative errno.
 */
int bench_plant(struct bench *bench, const struct verifier_device *device,
		const struct bench_planting *planting);

#endif
