/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "integrity/classify.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "integrity/tag.h"

/* A damaged block of the right generation with at most this many wrong bits is called a bit flip.
 */
#define BITFLIP_MAX 64u
/* So few wrong bits in a sector are flips even where its stamp is among them. */
#define STAMP_FLIP_MAX 8u

static const char *const kind_names[FAULT_KINDS] = {
	[FAULT_NONE] = "none",	     [FAULT_STALE] = "stale",
	[FAULT_TORN] = "torn",	     [FAULT_MISDIRECTED] = "misdirected",
	[FAULT_ZEROED] = "zeroed",   [FAULT_BITFLIP] = "bitflip",
	[FAULT_FOREIGN] = "foreign", [FAULT_FUTURE] = "future",
	[FAULT_GARBAGE] = "garbage",
};

const char *fault_kind_name(enum fault_kind kind)
{
	return (unsigned)kind < FAULT_KINDS ? kind_names[kind] : "unknown";
}

int fault_kind_parse(const char *name, enum fault_kind *kind)
{
	for (unsigned i = 0; i < FAULT_KINDS; i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*kind = (enum fault_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool all_zero(const uint8_t *p, uint32_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* What the sectors look like beside those that should be there. */
struct sector_census {
	bool clean;	/* a sector is as expected */
	bool damaged;	/* a sector has the expected stamp, but not the content */
	bool mixed;	/* not all stamps are alike */
	bool previous;	/* a stamp is that of an earlier version, for all that is known */
	bool invented;	/* a stamp is none that this block ever had */
	bool stamps;	/* the unexpected stamps are all that is wrong */
	bool older;	/* every unexpected stamp is that of some earlier generation */
	bool repeated;	/* all unexpected stamps are alike, and there are several */
	unsigned other; /* sectors with an unexpected stamp */
};

/* True if the block had a version with this stamp. */
static bool stamp_known(const struct classify_input *in, uint32_t stamp)
{
	for (unsigned i = 0; i < in->history_count; i++)
		if (in->history[i] == stamp)
			return true;
	return in->prev_generation && stamp == (uint32_t)in->prev_generation;
}

/* True if the history reaches back far enough to say that there was no such version. */
static bool stamp_unknown(const struct classify_input *in, uint32_t stamp)
{
	if (stamp_known(in, stamp))
		return false;
	if (in->history_complete)
		return in->history != NULL;
	return in->history_count && (int32_t)(stamp - in->history[in->history_count - 1]) > 0;
}

static void sectors_count(const struct classify_input *in, struct sector_census *census)
{
	uint32_t want = (uint32_t)in->expected_generation, first = 0;
	bool alike = true;

	memset(census, 0, sizeof(*census));
	census->older = true;
	census->stamps = true;
	for (uint32_t i = 0; i < in->block_size / CFS_SECTOR_SIZE; i++) {
		uint32_t stamp = tag_sector_stamp(in->found, i);
		size_t offset = (size_t)i * CFS_SECTOR_SIZE;

		census->mixed |= stamp != tag_sector_stamp(in->found, 0);
		if (stamp == want) {
			bool same =
				memcmp((const char *)in->found + offset,
				       (const char *)in->expected + offset, CFS_SECTOR_SIZE) == 0;

			census->clean |= same;
			census->damaged |= !same;
			continue;
		}
		if (!census->other++)
			first = stamp;
		alike &= stamp == first;
		census->previous |= stamp_known(in, stamp);
		census->invented |= stamp_unknown(in, stamp);
		census->stamps &= memcmp((const char *)in->found + offset,
					 (const char *)in->expected + offset,
					 CFS_SECTOR_SIZE - sizeof(le32)) == 0;
		/* Stamps are the low halves of generations and wrap around. */
		census->older &= (int32_t)(want - stamp) > 0;
	}
	census->repeated = alike && census->other > 1;
}

/* Two of three: one of them may have been hit. */
static bool header_ours(const struct classify_input *in)
{
	const struct cfs_tag *tag = in->found;

	return (le32_get(tag->magic) == CFS_TAG_MAGIC) + (le64_get(tag->block) == in->block) +
		       (memcmp(tag->uuid, in->uuid, sizeof(tag->uuid)) == 0) >=
	       2;
}

/*
 * Sectors of two generations. Flipped bits in a stamp look alike; they are told apart by what the
 * other sectors hold, by being few, and by not making up the generation before.
 */
static bool sectors_torn(const struct classify_input *in, const struct finding *f)
{
	struct sector_census census;

	sectors_count(in, &census);
	if (!census.mixed || census.damaged || !(census.clean || header_ours(in)))
		return false;
	if (census.previous)
		return true;
	if (census.invented)
		return false;
	/* Older than what is remembered: a few wrong bits would hardly meet in a stamp alone. */
	if (census.older)
		return census.repeated || (census.stamps && f->differing_bits > 1) ||
		       f->differing_bits > STAMP_FLIP_MAX;
	return census.clean && f->differing_bits > BITFLIP_MAX;
}

/* Without the expected image, from the stamps alone. */
static enum fault_kind classify_unexpected(const struct classify_input *in)
{
	uint32_t first = tag_sector_stamp(in->found, 0);

	if (!header_ours(in))
		return FAULT_GARBAGE;
	for (uint32_t i = 1; i < in->block_size / CFS_SECTOR_SIZE; i++)
		if (tag_sector_stamp(in->found, i) != first)
			return FAULT_TORN;
	return FAULT_BITFLIP;
}

static void count_differences(const struct classify_input *in, struct finding *f)
{
	const uint8_t *a = in->expected, *b = in->found;

	if (!a)
		return;
	for (uint32_t i = 0; i < in->block_size; i++) {
		f->differing_bytes += a[i] != b[i];
		f->differing_bits += (uint32_t)__builtin_popcount((unsigned)(a[i] ^ b[i]));
	}
}

/* The block's checksum holds for the number that it claims: a whole block, but not the right one.
 */
static enum fault_kind classify_whole(const struct classify_input *in, const struct tag_info *tag)
{
	if (memcmp(tag->uuid, in->uuid, sizeof(tag->uuid)) != 0)
		return FAULT_FOREIGN;
	if (tag->block != in->block)
		return FAULT_MISDIRECTED;
	if (in->expected_generation == 0)
		return FAULT_GARBAGE;
	if (tag->generation < in->expected_generation)
		return FAULT_STALE;
	if (tag->generation > in->expected_generation)
		return FAULT_FUTURE;
	return FAULT_GARBAGE;
}

static enum fault_kind classify_broken(const struct classify_input *in, const struct finding *f)
{
	if (!in->expected)
		return classify_unexpected(in);
	if (sectors_torn(in, f))
		return FAULT_TORN;
	return f->differing_bits <= BITFLIP_MAX ? FAULT_BITFLIP : FAULT_GARBAGE;
}

enum fault_kind classify_block(const struct classify_input *in, struct finding *f)
{
	const struct cfs_tag *head = in->found;
	struct tag_info tag;
	bool whole;

	memset(f, 0, sizeof(*f));
	tag_decode(in->found, &tag);
	f->type = in->type;
	f->block = in->block;
	f->owner = in->owner;
	f->expected_generation = in->expected_generation;
	f->expected_crc = in->expected_crc;
	f->found_generation = tag.generation;
	f->found_block = tag.block;
	f->found_crc = tag_checksum(in->found, in->block_size, in->uuid_seed, in->block);
	count_differences(in, f);

	if (in->expected_generation && f->found_crc == in->expected_crc &&
	    le32_get(head->crc) == in->expected_crc)
		return f->kind = FAULT_NONE;
	if (all_zero(in->found, in->block_size))
		return f->kind = FAULT_ZEROED;
	whole = le32_get(head->magic) == CFS_TAG_MAGIC &&
		le32_get(head->crc) ==
			tag_checksum(in->found, in->block_size, tag_uuid_seed(tag.uuid), tag.block);
	return f->kind = whole ? classify_whole(in, &tag) : classify_broken(in, f);
}
