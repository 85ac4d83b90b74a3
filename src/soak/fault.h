/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faulty images of a metadata block, as they are planted to test the detector. */
#ifndef CHURNFS_SOAK_FAULT_H
#define CHURNFS_SOAK_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "integrity/classify.h"
#include "util/rng.h"

/* What a fault may be made of besides the block itself: sealed blocks. NULL where not needed. */
struct fault_source {
	const uint8_t *old;   /* an earlier version of the block: stale and torn */
	const uint8_t *other; /* a block with another number: misdirected */
};

/* True for the two kinds that need an earlier version. */
bool fault_needs_old(enum fault_kind kind);

/*
 * Turns IMAGE, a block's present sealed version of BLOCK_SIZE bytes, into a faulty one; RNG chooses
 * where. Returns false for a kind that cannot be made.
 */
bool fault_make(enum fault_kind kind, uint32_t block_size, const struct fault_source *from,
		struct rng *rng, uint8_t *image);

#endif
