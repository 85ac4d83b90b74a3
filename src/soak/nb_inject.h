/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plants a lost update in the neighbour: an older copy of one of its blocks is written back
 * through the device, behind the kernel's filesystem, so that the detectors themselves are tested.
 * The neighbour is paused meanwhile, so what was planted is known to the byte.
 */
#ifndef CHURNFS_SOAK_NB_INJECT_H
#define CHURNFS_SOAK_NB_INJECT_H

#include "soak/neighbour.h"

struct nb_injection {
	enum neighbour_block type;
	uint64_t block;
	uint64_t offset; /* bytes on the device */
	uint32_t length;
	uint64_t when_ns;		       /* clock_now_ns() */
	uint8_t expected[NEIGHBOUR_BLOCK_MAX]; /* what the block held by rights */
	uint8_t planted[NEIGHBOUR_BLOCK_MAX];
};

/*
 * Parses "nb-stale-inode-table", "nb-stale-directory", ... (see neighbour_block_name()). Returns 0
 * or -EINVAL.
 */
int nb_inject_parse(const char *name, enum neighbour_block *type);

/*
 * Keeps copies of all blocks of TYPE, waits until some have changed, and plants one. Takes part of
 * a second. SEED chooses the block and the wait. Returns 0; -EAGAIN when no block has changed (try
 * again); -EOPNOTSUPP when no blocks of that type are watched; or another negative errno.
 */
int nb_inject_plant(struct neighbour *nb, enum neighbour_block type, uint64_t seed,
		    struct nb_injection *injection);

#endif
