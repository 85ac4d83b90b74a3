/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_raw.h"

#include <string.h>
#include <sys/stat.h>

/* Offsets of struct ext2_inode_large, little-endian. */
enum raw_field {
	RAW_MODE = 0x00,     /* 16 bits */
	RAW_UID = 0x02,	     /* 16 */
	RAW_MTIME = 0x10,    /* 32 */
	RAW_GID = 0x18,	     /* 16 */
	RAW_UID_HIGH = 0x78, /* 16 */
	RAW_GID_HIGH = 0x7a, /* 16 */
	RAW_EXTRA = 0x80,    /* 16: bytes in use from here on */
	RAW_MTIME_NS = 0x88, /* 32: nanoseconds from bit 2 on */
};

/* No id needs its high half, and none is root. */
#define OWNERS 60000u
/* How many counts back an older mode or owner is still recognised. */
#define LOOK_BACK 256u
#define FLIPPED_BITS_MAX 2

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value);
	put16(p + 2, value >> 16);
}

uint32_t nb_raw_nanoseconds(uint32_t times)
{
	return times * 2654435761u % 1000000000u;
}

mode_t nb_raw_mode(uint32_t modes)
{
	return modes & 0777;
}

uid_t nb_raw_uid(uint32_t owners)
{
	return 1 + owners % OWNERS;
}

gid_t nb_raw_gid(uint32_t owners)
{
	return 1 + (owners + OWNERS / 2) % OWNERS;
}

bool nb_raw_has_nanoseconds(const uint8_t *raw, size_t inode_size)
{
	return inode_size >= NB_RAW_EXTRA_END &&
	       get16(raw + RAW_EXTRA) >= NB_RAW_EXTRA_END - RAW_EXTRA;
}

static bool times_match(uint32_t times, const uint8_t *raw, bool nanoseconds)
{
	return get32(raw + RAW_MTIME) == times &&
	       (!nanoseconds || get32(raw + RAW_MTIME_NS) >> 2 == nb_raw_nanoseconds(times));
}

static bool mode_matches(uint32_t modes, const uint8_t *raw)
{
	return get16(raw + RAW_MODE) == (S_IFREG | nb_raw_mode(modes));
}

static bool owner_matches(uint32_t owners, const uint8_t *raw)
{
	return get16(raw + RAW_UID) == nb_raw_uid(owners) &&
	       get16(raw + RAW_GID) == nb_raw_gid(owners) && get16(raw + RAW_UID_HIGH) == 0 &&
	       get16(raw + RAW_GID_HIGH) == 0;
}

bool nb_raw_matches(const struct nb_inode_model *model, const uint8_t *raw, bool nanoseconds)
{
	return times_match(model->times, raw, nanoseconds) && mode_matches(model->modes, raw) &&
	       owner_matches(model->owners, raw);
}

void nb_raw_write(const struct nb_inode_model *model, uint8_t *raw, bool nanoseconds)
{
	put32(raw + RAW_MTIME, model->times);
	if (nanoseconds)
		put32(raw + RAW_MTIME_NS, nb_raw_nanoseconds(model->times) << 2);
	put16(raw + RAW_MODE, S_IFREG | nb_raw_mode(model->modes));
	put16(raw + RAW_UID, nb_raw_uid(model->owners));
	put16(raw + RAW_GID, nb_raw_gid(model->owners));
	put16(raw + RAW_UID_HIGH, 0);
	put16(raw + RAW_GID_HIGH, 0);
}

static bool all_zero(const uint8_t *raw, size_t size)
{
	return raw[0] == 0 && memcmp(raw, raw + 1, size - 1) == 0;
}

/* The counts that RAW had; false if some field is of no version. */
static bool model_recover(const struct nb_inode_model *now, const uint8_t *raw, bool nanoseconds,
			  struct nb_inode_model *old)
{
	uint32_t back;

	old->times = get32(raw + RAW_MTIME);
	if (old->times > now->times || !times_match(old->times, raw, nanoseconds))
		return false;
	for (back = 0; back < LOOK_BACK && back <= now->modes; back++)
		if (mode_matches(now->modes - back, raw))
			break;
	if (back == LOOK_BACK || back > now->modes)
		return false;
	old->modes = now->modes - back;
	for (back = 0; back <= now->owners && back < OWNERS; back++)
		if (owner_matches(now->owners - back, raw))
			break;
	if (back > now->owners || back == OWNERS)
		return false;
	old->owners = now->owners - back;
	return true;
}

/* How many counts back from NOW the value FOUND was made by VALUE_OF; LOOK_BACK: by none. */
static uint32_t back_find(uint32_t now, uint32_t found, uint32_t (*value_of)(uint32_t))
{
	uint32_t back = 0;

	while (back < LOOK_BACK && back <= now && value_of(now - back) != found)
		back++;
	return back > now ? LOOK_BACK : back;
}

/* In WHOLE, the times are made those of the older half. False if a half is of no version. */
static bool times_join(uint32_t now, uint8_t *whole)
{
	uint32_t seconds = get32(whole + RAW_MTIME);
	uint32_t back = back_find(now, get32(whole + RAW_MTIME_NS) >> 2, nb_raw_nanoseconds);

	if (back == LOOK_BACK || seconds > now)
		return false;
	if (seconds > now - back)
		put32(whole + RAW_MTIME, now - back);
	else
		put32(whole + RAW_MTIME_NS, nb_raw_nanoseconds(seconds) << 2);
	return true;
}

/* The same for the owners. */
static bool owners_join(uint32_t now, uint8_t *whole)
{
	uint32_t user = back_find(now, get16(whole + RAW_UID), nb_raw_uid);
	uint32_t group = back_find(now, get16(whole + RAW_GID), nb_raw_gid);
	uint32_t older = user > group ? user : group;

	if (older == LOOK_BACK)
		return false;
	put16(whole + RAW_UID, nb_raw_uid(now - older));
	put16(whole + RAW_GID, nb_raw_gid(now - older));
	return true;
}

/* Each field by itself is of some version, if not all of the same: an update was half lost. */
static bool halves_recover(const struct nb_inode_model *now, const uint8_t *raw, size_t size,
			   bool nanoseconds, struct nb_inode_model *old)
{
	uint8_t whole[NB_RAW_EXTRA_END] = {0};

	memcpy(whole, raw, size < sizeof(whole) ? size : sizeof(whole));
	return (!nanoseconds || times_join(now->times, whole)) && owners_join(now->owners, whole) &&
	       model_recover(now, whole, nanoseconds, old);
}

/* True if the fields that carry a generation are all of this model, but for a few bits. */
static bool few_bits(const struct nb_inode_model *model, const uint8_t *raw, size_t size,
		     bool nanoseconds)
{
	uint8_t right[NB_RAW_EXTRA_END];
	int bits = 0;

	if (size > sizeof(right))
		size = sizeof(right);
	memcpy(right, raw, size);
	nb_raw_write(model, right, nanoseconds);
	for (size_t i = 0; i < size; i++)
		bits += __builtin_popcount((unsigned)(right[i] ^ raw[i]));
	return bits <= FLIPPED_BITS_MAX;
}

enum fault_kind nb_raw_classify(const struct nb_inode_model *model, const uint8_t *raw,
				size_t inode_size, bool nanoseconds, uint64_t *generation)
{
	struct nb_inode_model old;

	*generation = 0;
	if (nb_raw_matches(model, raw, nanoseconds)) {
		*generation = nb_raw_generation(model);
		return FAULT_NONE;
	}
	if (all_zero(raw, inode_size))
		return FAULT_ZEROED;
	if (model_recover(model, raw, nanoseconds, &old)) {
		*generation = nb_raw_generation(&old);
		return FAULT_STALE;
	}
	if (halves_recover(model, raw, inode_size, nanoseconds, &old)) {
		*generation = nb_raw_generation(&old);
		return FAULT_TORN;
	}
	return few_bits(model, raw, inode_size, nanoseconds) ? FAULT_BITFLIP : FAULT_GARBAGE;
}
