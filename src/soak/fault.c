/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/fault.h"

#include <string.h>

#include "integrity/tag.h"

bool fault_needs_old(enum fault_kind kind)
{
	return kind == FAULT_STALE || kind == FAULT_TORN;
}

static void make_torn(uint32_t bs, const uint8_t *old, struct rng *rng, uint8_t *image)
{
	uint32_t sectors = bs / CFS_SECTOR_SIZE;
	uint32_t cut = (1 + (uint32_t)rng_below(rng, sectors - 1)) * CFS_SECTOR_SIZE;

	if (rng_next(rng) & 1)
		memcpy(image, old, cut);
	else
		memcpy(image + cut, old + cut, bs - cut);
}

static void make_bitflip(uint32_t bs, struct rng *rng, uint8_t *image)
{
	uint64_t bit = rng_below(rng, (uint64_t)bs * 8);

	image[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

/* The same block of a filesystem that was here before. */
static void make_foreign(uint32_t bs, struct rng *rng, uint8_t *image)
{
	struct tag_info tag;

	tag_decode(image, &tag);
	rng_fill(rng, tag.uuid, sizeof(tag.uuid));
	tag_open(image, bs);
	tag_seal(image, bs, tag_uuid_seed(tag.uuid), &tag);
}

bool fault_make(enum fault_kind kind, uint32_t bs, const struct fault_source *from, struct rng *rng,
		uint8_t *image)
{
	switch (kind) {
	case FAULT_STALE:
		memcpy(image, from->old, bs);
		return true;
	case FAULT_TORN:
		make_torn(bs, from->old, rng, image);
		return true;
	case FAULT_MISDIRECTED:
		memcpy(image, from->other, bs);
		return true;
	case FAULT_ZEROED:
		memset(image, 0, bs);
		return true;
	case FAULT_BITFLIP:
		make_bitflip(bs, rng, image);
		return true;
	case FAULT_FOREIGN:
		make_foreign(bs, rng, image);
		return true;
	default:
		return false;
	}
}
