/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "classify_parts.h"

#include <string.h>

static void payload_change(struct rng *rng, uint8_t *open, uint32_t block_size, enum change change)
{
	uint32_t head = sizeof(struct cfs_tag), len = block_size - head;

	if (change == CHANGE_ALL)
		rng_fill(rng, open + head, len);
	if (change == CHANGE_FEW_BYTES)
		for (uint64_t n = 1 + rng_below(rng, 20); n; n--)
			open[head + rng_below(rng, len)] = (uint8_t)rng_next(rng);
}

void history_make(struct history *h, struct rng *rng, uint32_t block_size,
		  const uint64_t generations[VERSIONS], enum change change)
{
	_Alignas(8) uint8_t open[CFS_BLOCK_SIZE_MAX] = {0};
	struct tag_info info = {
		.block = rng_below(rng, 1 << 20),
		.owner = rng_below(rng, 1000),
		.type = 1 + (uint32_t)rng_below(rng, CFS_BLOCK_TYPES - 1),
	};

	memset(h, 0, sizeof(*h));
	rng_fill(rng, info.uuid, sizeof(info.uuid));
	h->block_size = block_size;
	h->sectors = block_size / CFS_SECTOR_SIZE;
	h->uuid_seed = tag_uuid_seed(info.uuid);
	payload_change(rng, open, block_size, CHANGE_ALL);
	for (int v = 0; v < VERSIONS; v++) {
		info.prev_generation = info.generation;
		info.generation = generations[v];
		if (v)
			payload_change(rng, open, block_size, change);
		memcpy(h->image[v], open, block_size);
		h->crc[v] = tag_seal(h->image[v], block_size, h->uuid_seed, &info);
		h->tag[v] = info;
	}
}

void history_random(struct history *h, struct rng *rng, uint32_t block_size)
{
	static const uint64_t starts[] = {1, 1000, 0xfffffffe, 0x100000000, 0x123456789abcdef};
	uint64_t generations[VERSIONS];

	generations[0] = starts[rng_below(rng, 5)] + rng_below(rng, 3);
	for (int v = 1; v < VERSIONS; v++)
		generations[v] = generations[v - 1] + 1 + rng_below(rng, v % 2 ? 3 : 100000);
	history_make(h, rng, block_size, generations, (enum change)rng_below(rng, CHANGES));
}

enum fault_kind judge(const struct history *h, int expected, const void *found,
		      struct finding *finding)
{
	const struct tag_info *tag = &h->tag[expected];
	uint32_t history[VERSIONS];
	struct classify_input in = {
		.found = found,
		.expected = h->image[expected],
		.block_size = h->block_size,
		.block = tag->block,
		.expected_generation = tag->generation,
		.prev_generation = tag->prev_generation,
		.history = history,
		.history_count = (unsigned)expected,
		.history_complete = true,
		.expected_crc = h->crc[expected],
		.type = tag->type,
		.owner = tag->owner,
		.uuid = tag->uuid,
		.uuid_seed = h->uuid_seed,
	};
	enum fault_kind kind;

	for (int v = 0; v < expected; v++)
		history[v] = (uint32_t)h->tag[expected - 1 - v].generation;
	kind = classify_block(&in, finding);

	unit_assert(kind == finding->kind);
	unit_assert(finding->block == tag->block);
	unit_assert(finding->owner == tag->owner);
	unit_assert(finding->type == tag->type);
	unit_assert(finding->expected_generation == tag->generation);
	unit_assert(finding->expected_crc == h->crc[expected]);
	return kind;
}

void expect(const struct history *h, const void *found, enum fault_kind want,
	    struct finding *finding)
{
	enum fault_kind kind = judge(h, VERSIONS - 1, found, finding);

	if (kind != want)
		ck_abort_msg("%s instead of %s, %u bits, generation %llu after %llu",
			     fault_kind_name(kind), fault_kind_name(want), finding->differing_bits,
			     (unsigned long long)h->tag[2].generation,
			     (unsigned long long)h->tag[2].prev_generation);
}

bool has_previous_stamp(const struct history *h, const void *found)
{
	for (uint32_t i = 0; i < h->sectors; i++)
		if (tag_sector_stamp(found, i) == (uint32_t)h->tag[1].generation)
			return true;
	return false;
}

void bit_flip(uint8_t *block, uint64_t bit)
{
	block[bit / 8] = (uint8_t)(block[bit / 8] ^ (1u << (bit % 8)));
}

void torn_make(const struct history *h, int old, uint32_t mask, uint8_t *found)
{
	memcpy(found, h->image[2], h->block_size);
	for (uint32_t s = 0; s < h->sectors; s++)
		if (mask >> s & 1)
			memcpy(found + s * CFS_SECTOR_SIZE, h->image[old] + s * CFS_SECTOR_SIZE,
			       CFS_SECTOR_SIZE);
}
