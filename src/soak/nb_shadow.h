/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a block that nobody is writing must hold, and checksums of what it held before: enough to
 * tell a lost update from other damage. Owned by one thread.
 */
#ifndef CHURNFS_SOAK_NB_SHADOW_H
#define CHURNFS_SOAK_NB_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
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
	bool rebased;	  /* the image is another block's still */
	uint8_t *image;
	uint8_t *previous;		     /* the version before */
	uint32_t history[NB_SHADOW_HISTORY]; /* crc32c of version v at v modulo its length */
};

/* Returns 0 or -ENOMEM. */
int nb_shadow_init(struct nb_shadow *shadow, enum neighbour_block type, uint64_t block,
		   uint32_t size);
void nb_shadow_free(struct nb_shadow *shadow);

/*
 * What blocks held that were given up, and may come back: so that an older version is known for
 * one when its block has had another owner since. Owned by one thread; all zero at first.
 */
#define NB_PAST_BLOCKS 256u
#define NB_PAST_HISTORY 64u
struct nb_past {
	struct {
		uint64_t block; /* 0: none */
		uint64_t version;
		uint32_t history[NB_PAST_HISTORY]; /* at version modulo its length */
	} life[NB_PAST_BLOCKS];
};

/*
 * Another block takes the place. What was known of the old one is left in PAST, and what PAST knows
 * of the new one is taken up; its image is not known before nb_shadow_set().
 */
void nb_shadow_rebase(struct nb_shadow *shadow, struct nb_past *past, uint64_t block);

/*
 * SHADOWS[0..held) of one file are made those of BLOCKS[0..count), the others given up. Returns 0
 * or -ENOMEM.
 */
int nb_shadows_place(struct nb_shadow *shadows, size_t held, const uint64_t *blocks, size_t count,
		     enum neighbour_block type, uint32_t size, struct nb_past *past);

/* True if it is known what the block must hold. */
bool nb_shadow_known(const struct nb_shadow *shadow);

/* IMAGE is what the block holds by rights. A new version if it differs from the last one. */
void nb_shadow_set(struct nb_shadow *shadow, const void *image);

/*
 * Compares FOUND with the image. Returns FAULT_NONE if they are equal; else the kind, and in
 * *VERSION the version that was found, 0 if none is known.
 */
enum fault_kind nb_shadow_classify(const struct nb_shadow *shadow, const void *found,
				   uint64_t *version);

#endif
