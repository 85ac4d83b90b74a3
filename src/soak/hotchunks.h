/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks of the device that were written a short time ago, to which a verifier returns in the
 * middle of a pass: a lost update is seen only until the block is written again, and on a slow
 * machine a pass lasts longer than that. One verifier's own: no lock, no clock.
 */
#ifndef CHURNFS_SOAK_HOTCHUNKS_H
#define CHURNFS_SOAK_HOTCHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/clock.h"

#define HOTCHUNKS_MAX 64u
/* A chunk is hot if a block in it was written so recently. */
#define HOTCHUNKS_AGE_NS (5 * NS_PER_SEC)
/* They are looked at so often, and one part in so many of the time at most is spent on them. */
#define HOTCHUNKS_PERIOD_NS (100 * NS_PER_MS)
#define HOTCHUNKS_SHARE 3u

/* Zero is a good start. */
struct hotchunks {
	unsigned count;
	uint64_t first[HOTCHUNKS_MAX]; /* block at which each begins */
	uint64_t due_ns;
};

/*
 * The chunk that begins with block FIRST was last written at WRITTEN_NS: it is taken in, stays or
 * goes. A new one for which there is no room is left out.
 */
void hotchunks_note(struct hotchunks *hot, uint64_t first, uint64_t written_ns, uint64_t now_ns);

/* True when it is time to look at them again, and there are any. */
bool hotchunks_due(const struct hotchunks *hot, uint64_t now_ns);

/* They were looked at from START_NS to END_NS. */
void hotchunks_done(struct hotchunks *hot, uint64_t start_ns, uint64_t end_ns);

#endif
