/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inodes as they lie in an ext2 or ext4 inode table: the few fields that an update gives a
 * generation. Pure functions.
 */
#ifndef CHURNFS_SOAK_NB_RAW_H
#define CHURNFS_SOAK_NB_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "integrity/classify.h"

/* Every inode has these bytes; the fields compared beyond them end at NB_RAW_EXTRA_END. */
#define NB_RAW_SIZE_MIN 128u
#define NB_RAW_EXTRA_END 0x8cu

/* What an inode must hold. Each count is one higher after each update of its kind. */
struct nb_inode_model {
	uint32_t times; /* seconds of mtime; gives the nanoseconds too */
	uint32_t modes;
	uint32_t owners;
};

/* The values that belong to a count. */
uint32_t nb_raw_nanoseconds(uint32_t times);
mode_t nb_raw_mode(uint32_t modes); /* permissions only */
uid_t nb_raw_uid(uint32_t owners);
gid_t nb_raw_gid(uint32_t owners);

/* True if this inode stores nanoseconds. RAW: at least NB_RAW_EXTRA_END bytes. */
bool nb_raw_has_nanoseconds(const uint8_t *raw, size_t inode_size);

/* True if RAW is what MODEL says. */
bool nb_raw_matches(const struct nb_inode_model *model, const uint8_t *raw, bool nanoseconds);

/* Makes RAW match. */
void nb_raw_write(const struct nb_inode_model *model, uint8_t *raw, bool nanoseconds);

/*
 * Names what is wrong with an inode that does not match. *GENERATION: updates of all kinds that
 * it has seen, 0 if that cannot be told.
 */
enum fault_kind nb_raw_classify(const struct nb_inode_model *model, const uint8_t *raw,
				size_t inode_size, bool nanoseconds, uint64_t *generation);

/* Updates of all kinds. */
static inline uint64_t nb_raw_generation(const struct nb_inode_model *model)
{
	return (uint64_t)model->times + model->modes + model->owners;
}

#endif
