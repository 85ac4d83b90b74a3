/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging a block against the ledger: one crc in the good case, classification and a report in
 * the bad one. Used by the daemon for every metadata read and by churnstress's verifiers.
 */
#ifndef CHURNFS_INTEGRITY_CHECK_H
#define CHURNFS_INTEGRITY_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "integrity/ledger.h"

/* Read-only after checker_init(), so that threads share it. */
struct checker {
	struct ledger *ledger;
	uint32_t block_size;
	uint32_t uuid_seed;
	uint8_t uuid[16];
	/* For checker_match(): what byte I of a block's number adds to the seed for number 0. */
	uint32_t seed_zero;
	uint32_t seed_byte[8][256];
};

void checker_init(struct checker *checker, struct ledger *ledger);

/* True if the sealed IMAGE of BLOCK is what SNAP says. The caller asks ledger_unchanged() next. */
bool checker_match(const struct checker *checker, uint64_t block,
		   const struct ledger_snapshot *snap, const void *image);

/*
 * After checker_match() failed and ledger_unchanged() held: names the fault with the help of the
 * shadow image and reports it in the ledger. SNAP with generation 0 stands for "no metadata
 * known here". Returns true when *FINDING holds a fault, false when the entry moved on while the
 * shadow was read, in which case nothing was judged and the read must be repeated.
 */
bool checker_report(const struct checker *checker, uint64_t block,
		    const struct ledger_snapshot *snap, const void *image, struct finding *finding);

#endif
