/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/crc32c.h"

/* Up to this many wrong bits count as flipped ones; more are a different content. */
#define FLIPPED_BITS_MAX 2u

int nb_shadow_init(struct nb_shadow *shadow, enum neighbour_block type, uint64_t block,
		   uint32_t size)
{
	memset(shadow, 0, sizeof(*shadow));
	shadow->type = type;
	shadow->block = block;
	shadow->size = size;
	shadow->image = calloc(2, size);
	if (!shadow->image)
		return -ENOMEM;
	shadow->previous = shadow->image + size;
	return 0;
}

void nb_shadow_free(struct nb_shadow *shadow)
{
	/* One allocation holds both images; which of them starts it changes. */
	free(shadow->image < shadow->previous ? shadow->image : shadow->previous);
	shadow->image = shadow->previous = NULL;
}

static uint64_t oldest(uint64_t version)
{
	return version < NB_PAST_HISTORY ? 1 : version - NB_PAST_HISTORY + 1;
}

static void past_keep(const struct nb_shadow *shadow, struct nb_past *past)
{
	size_t at = shadow->block % NB_PAST_BLOCKS;

	if (!shadow->block || !shadow->version || shadow->rebased)
		return;
	past->life[at].block = shadow->block;
	past->life[at].version = shadow->version;
	for (uint64_t v = oldest(shadow->version); v <= shadow->version; v++)
		past->life[at].history[v % NB_PAST_HISTORY] =
			shadow->history[v % NB_SHADOW_HISTORY];
}

static void past_take(struct nb_shadow *shadow, const struct nb_past *past)
{
	size_t at = shadow->block % NB_PAST_BLOCKS;

	shadow->version = 0;
	if (past->life[at].block != shadow->block)
		return;
	shadow->version = past->life[at].version;
	memset(shadow->history, 0, sizeof(shadow->history));
	for (uint64_t v = oldest(shadow->version); v <= shadow->version; v++)
		shadow->history[v % NB_SHADOW_HISTORY] =
			past->life[at].history[v % NB_PAST_HISTORY];
}

void nb_shadow_rebase(struct nb_shadow *shadow, struct nb_past *past, uint64_t block)
{
	past_keep(shadow, past);
	shadow->block = block;
	past_take(shadow, past);
	shadow->rebased = true;
}

int nb_shadows_place(struct nb_shadow *shadows, size_t held, const uint64_t *blocks, size_t count,
		     enum neighbour_block type, uint32_t size, struct nb_past *past)
{
	int rc = 0;

	for (size_t i = count; i < held; i++)
		nb_shadow_rebase(&shadows[i], past, 0);
	for (size_t i = 0; i < count && !rc; i++) {
		if (!shadows[i].image)
			rc = nb_shadow_init(&shadows[i], type, 0, size);
		if (!rc && shadows[i].block != blocks[i])
			nb_shadow_rebase(&shadows[i], past, blocks[i]);
	}
	return rc;
}

bool nb_shadow_known(const struct nb_shadow *shadow)
{
	return shadow->version && !shadow->rebased;
}

void nb_shadow_set(struct nb_shadow *shadow, const void *image)
{
	uint8_t *swap = shadow->previous;

	if (nb_shadow_known(shadow) && memcmp(shadow->image, image, shadow->size) == 0)
		return;
	shadow->previous = shadow->image;
	shadow->image = swap;
	memcpy(shadow->image, image, shadow->size);
	shadow->version++;
	shadow->rebased = false;
	shadow->history[shadow->version % NB_SHADOW_HISTORY] = crc32c(0, image, shadow->size);
}

static bool all_zero(const uint8_t *p, uint32_t size)
{
	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

static uint64_t version_find(const struct nb_shadow *shadow, const void *found)
{
	uint32_t crc = crc32c(0, found, shadow->size);

	for (uint64_t back = 1; back < shadow->version && back < NB_SHADOW_HISTORY; back++)
		if (shadow->history[(shadow->version - back) % NB_SHADOW_HISTORY] == crc)
			return shadow->version - back;
	return 0;
}

/* Every sector is of this version or of the one before, and both occur where they differ. */
static bool torn(const struct nb_shadow *shadow, const uint8_t *found)
{
	bool older = false, newer = false;

	if (shadow->version < 2)
		return false;
	for (uint32_t at = 0; at < shadow->size; at += NB_SECTOR) {
		bool is_new = memcmp(found + at, shadow->image + at, NB_SECTOR) == 0;
		bool is_old = memcmp(found + at, shadow->previous + at, NB_SECTOR) == 0;

		if (!is_new && !is_old)
			return false;
		older |= is_old && !is_new;
		newer |= is_new && !is_old;
	}
	return older && newer;
}

static unsigned bits_differing(const uint8_t *a, const uint8_t *b, uint32_t size)
{
	unsigned bits = 0;

	for (uint32_t i = 0; i < size; i++)
		bits += (unsigned)__builtin_popcount(a[i] ^ b[i]);
	return bits;
}

enum fault_kind nb_shadow_classify(const struct nb_shadow *shadow, const void *found,
				   uint64_t *version)
{
	*version = 0;
	if (memcmp(shadow->image, found, shadow->size) == 0) {
		*version = shadow->version;
		return FAULT_NONE;
	}
	*version = version_find(shadow, found);
	if (*version)
		return FAULT_STALE;
	if (all_zero(found, shadow->size))
		return FAULT_ZEROED;
	if (torn(shadow, found)) {
		*version = shadow->version - 1;
		return FAULT_TORN;
	}
	if (bits_differing(shadow->image, found, shadow->size) <= FLIPPED_BITS_MAX)
		return FAULT_BITFLIP;
	return FAULT_GARBAGE;
}
