/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a block that nobody is writing must hold, and checksums of what it held before: enough to
 * tell a lost update from other damage. Owned by one thread.
 */
#ifndef CHURNFS_SOAK_NB_SHADOW_H
#define CHURNFS_SOAK_NB_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "integrity/classify.h"
#include "soak/neighbour.h"

/* Older versions that are told apart. */
#define NB_SHADOW_HISTORY 1024u
#define NB_SECTOR 512u

struct nb_shadow {
	enum neighbour_block type;
	uint64_t block;
	uint32_t size;
	uint64_t version; /* of the image, from 1; 0: nothing is known yet */
	uint8_t *image;
	uint8_t *previous;		     /* the version before */
	uint32_t history[NB_SHADOW_HISTORY]; /* crc32c of version v at v modulo its length */
};

/* Returns 0 or -ENOMEM. */
int nb_shadow_init(struct nb_shadow *shadow, enum neighbour_block type, uint64_t block,
		   uint32_t size);
void nb_shadow_free(struct nb_shadow *shadow);

/* Another block takes the place; what was known is forgotten. */
void nb_shadow_rebase(struct nb_shadow *shadow, uint64_t block);

/* IMAGE is what the block holds by rights. A new version if it differs from the last one. */
void nb_shadow_set(struct nb_shadow *shadow, const void *image);

/*
 * Compares FOUND with the image. Returns FAULT_NONE if they are equal; else the kind, and in
 * *VERSION the version that was found, 0 if none is known.
 */
enum fault_kind nb_shadow_classify(const struct nb_shadow *shadow, const void *found,
				   uint64_t *version);

#endif
