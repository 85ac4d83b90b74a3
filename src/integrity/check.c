/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "integrity/check.h"

#include <string.h>

#include "integrity/tag.h"
#include "util/crc32c.h"

/*
 * A block's checksum leaves out the first four bytes, its own field, and begins with the block's
 * number: ISA-L is several times as fast for a multiple of 256 bytes. So the whole block is
 * summed up, from the seed that leads to where the checksum begins.
 */
static uint32_t seed_make(const struct checker *checker, uint64_t block)
{
	return crc32c_before(tag_block_seed(checker->uuid_seed, block), 0);
}

static uint32_t seed_of(const struct checker *checker, uint64_t block)
{
	uint32_t seed = checker->seed_zero;

	/* A byte that is 0 adds nothing. */
	for (unsigned i = 0; block; i++, block >>= 8)
		seed ^= checker->seed_byte[i][block & 0xff];
	return seed;
}

static void seeds_init(struct checker *checker)
{
	checker->seed_zero = seed_make(checker, 0);
	for (unsigned i = 0; i < 8; i++)
		for (uint64_t value = 0; value < 256; value++)
			checker->seed_byte[i][value] =
				seed_make(checker, value << 8 * i) ^ checker->seed_zero;
}

void checker_init(struct checker *checker, struct ledger *ledger)
{
	struct ledger_geometry geometry;

	ledger_geometry_get(ledger, &geometry);
	checker->ledger = ledger;
	checker->block_size = geometry.block_size;
	checker->uuid_seed = tag_uuid_seed(geometry.uuid);
	memcpy(checker->uuid, geometry.uuid, sizeof(checker->uuid));
	seeds_init(checker);
}

bool checker_match(const struct checker *checker, uint64_t block,
		   const struct ledger_snapshot *snap, const void *image)
{
	const struct cfs_tag *tag = image;

	/* The checksum covers number, generation, owner and uuid: equal means the very version. */
	return le32_get(tag->crc) == snap->crc &&
	       crc32c(seed_of(checker, block) ^ snap->crc, image, checker->block_size) == snap->crc;
}

bool checker_report(const struct checker *checker, uint64_t block,
		    const struct ledger_snapshot *snap, const void *image, struct finding *finding)
{
	uint8_t expected[CFS_BLOCK_SIZE_MAX];
	uint32_t history[LEDGER_HISTORY_MAX];
	unsigned versions = ledger_history(checker->ledger, block, history);
	bool known = snap->generation && ledger_shadow(checker->ledger, block, snap, expected);
	struct classify_input in = {
		.found = image,
		.expected = known ? expected : NULL,
		.block_size = checker->block_size,
		.block = block,
		.expected_generation = snap->generation,
		.prev_generation = snap->prev_generation,
		.history = history,
		.history_count = versions,
		.history_complete = versions < LEDGER_HISTORY_MAX,
		.expected_crc = snap->crc,
		.type = snap->type,
		.owner = snap->owner,
		.uuid = checker->uuid,
		.uuid_seed = checker->uuid_seed,
	};

	if (!ledger_unchanged(checker->ledger, block, snap))
		return false;
	if (classify_block(&in, finding) == FAULT_NONE)
		return false;
	ledger_report(checker->ledger, finding, snap->written_ns, in.expected, image);
	return true;
}
