/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plants one fault in a metadata block of the device, behind the daemon's back, so that the
 * detector itself is tested. The daemon is stopped (SIGSTOP) while the block is overwritten, so
 * what was planted is known to the byte.
 */
#ifndef CHURNFS_SOAK_INJECT_H
#define CHURNFS_SOAK_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "integrity/classify.h"
#include "integrity/ledger.h"

struct inject;

struct inject_options {
	enum fault_kind kind; /* stale, torn, misdirected, zeroed or bitflip */
	uint64_t seed;
	const char *device;
	struct ledger *ledger;
	pid_t daemon;
};

/* What was planted. */
struct injection {
	enum fault_kind kind;
	uint32_t type;
	uint64_t block;
	uint64_t expected_generation; /* what the block holds by right */
	uint64_t planted_generation;  /* what its tag says now */
	uint64_t when_ns;	      /* clock_now_ns() */
};

/* True for the kinds that can be planted. */
bool inject_kind_valid(enum fault_kind kind);

int inject_create(const struct inject_options *options, struct inject **inject);
void inject_free(struct inject *inject);

/*
 * Chooses a block and plants. Stale and torn faults need a block that changes meanwhile, which
 * takes part of a second. Returns 0; -EAGAIN when no block would do (try again later); or the
 * error of the device, or of the signal.
 */
int inject_plant(struct inject *inject, struct injection *injection);

/*
 * True if the block was written anew or given up since it was planted: the fault is gone, and if
 * nobody has reported it by then nobody has read it.
 */
bool inject_overwritten(const struct inject *inject);

#endif
