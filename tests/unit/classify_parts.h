/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks whose past is known, to be damaged and named. */
#ifndef CHURNFS_TESTS_CLASSIFY_PARTS_H
#define CHURNFS_TESTS_CLASSIFY_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "integrity/classify.h"
#include "integrity/tag.h"
#include "unit.h"
#include "util/rng.h"

#define VERSIONS 3

/* Three versions of one block, the last of which should be on the device. */
struct history {
	uint32_t block_size;
	uint32_t sectors;
	uint32_t uuid_seed;
	struct tag_info tag[VERSIONS];
	uint32_t crc[VERSIONS];
	_Alignas(8) uint8_t image[VERSIONS][CFS_BLOCK_SIZE_MAX];
};

enum change { CHANGE_NOTHING, CHANGE_FEW_BYTES, CHANGE_ALL, CHANGES };

/* GENERATIONS rises. */
void history_make(struct history *h, struct rng *rng, uint32_t block_size,
		  const uint64_t generations[VERSIONS], enum change change);

/* Generations near the interesting places of 64 and of 32 bits, with small and large steps. */
void history_random(struct history *h, struct rng *rng, uint32_t block_size);

/* Names FOUND where version EXPECTED should be. */
enum fault_kind judge(const struct history *h, int expected, const void *found,
		      struct finding *finding);

/* The same where the last version should be: it must be WANT. */
void expect(const struct history *h, const void *found, enum fault_kind want,
	    struct finding *finding);

/* True if the block cannot be told from one with a sector of the version before. */
bool has_previous_stamp(const struct history *h, const void *found);

void bit_flip(uint8_t *block, uint64_t bit);

/* The last version; sectors of which bit is set in MASK come from version OLD. */
void torn_make(const struct history *h, int old, uint32_t mask, uint8_t *found);

#endif
