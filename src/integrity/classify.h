/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a block that does not match, and what was expected, to the name of what went wrong. */
#ifndef CHURNFS_INTEGRITY_CLASSIFY_H
#define CHURNFS_INTEGRITY_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_STALE,	   /* a whole older version: an update was lost */
	FAULT_TORN,	   /* sectors of two generations */
	FAULT_MISDIRECTED, /* a whole block with another block's number */
	FAULT_ZEROED,	   /* nothing but zeros */
	FAULT_BITFLIP,	   /* the right version with a few bits changed */
	FAULT_FOREIGN,	   /* a whole block of another filesystem */
	FAULT_FUTURE,	   /* a whole newer version than was ever written: the ledger is behind */
	FAULT_GARBAGE,	   /* nothing that was ever written here */
	FAULT_KINDS
};

struct finding {
	enum fault_kind kind;
	uint32_t type; /* expected enum cfs_block_type */
	uint64_t block;
	uint64_t owner; /* expected owner */
	uint64_t expected_generation;
	uint64_t found_generation; /* 0 where the block carries none */
	uint64_t found_block;	   /* the number that the block claims to have */
	uint32_t expected_crc;
	uint32_t found_crc;	  /* computed over what was found */
	uint32_t differing_bytes; /* against the expected image; 0 if there is none */
	uint32_t differing_bits;
};

struct classify_input {
	const void *found;    /* sealed block as read */
	const void *expected; /* sealed image that should be there, or NULL */
	uint32_t block_size;
	uint64_t block;
	uint64_t expected_generation; /* 0 if only the tag is known to be wrong */
	uint64_t prev_generation;     /* of the version before the expected one, 0 if none */
	const uint32_t *history;      /* low halves of earlier generations, the latest first */
	unsigned history_count;
	bool history_complete; /* there were no others before */
	uint32_t expected_crc;
	uint32_t type;
	uint64_t owner;
	const uint8_t *uuid;
	uint32_t uuid_seed;
};

/*
 * Names the fault and fills *FINDING. Returns the kind; FAULT_NONE means that the block is
 * exactly what was expected. No I/O, no locks.
 */
enum fault_kind classify_block(const struct classify_input *in, struct finding *finding);

/* "stale", "torn", ... as in reports; and back (-EINVAL for an unknown name). */
const char *fault_kind_name(enum fault_kind kind);
int fault_kind_parse(const char *name, enum fault_kind *kind);

#endif
