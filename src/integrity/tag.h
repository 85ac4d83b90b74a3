/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tag of a metadata block: checksum, own number, generation, owner, filesystem. A block is
 * *sealed* as it lies on the device (stamps in every sector, checksum set) and *open* while its
 * payload is used. No I/O, no locks.
 */
#ifndef CHURNFS_INTEGRITY_TAG_H
#define CHURNFS_INTEGRITY_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "ondisk/format.h"

struct tag_info {
	uint64_t block;
	uint64_t generation;
	uint64_t prev_generation;
	uint64_t owner;
	uint32_t type;
	uint8_t uuid[16];
};

/* What follows the tag: block size minus sizeof(struct cfs_tag) bytes. */
static inline void *tag_payload(void *block)
{
	return (char *)block + sizeof(struct cfs_tag);
}

/* CRC-32C of the uuid, with which the checksums of the whole filesystem start. */
uint32_t tag_uuid_seed(const uint8_t uuid[16]);

/* The same with the block's NUMBER: where its own checksum starts. */
uint32_t tag_block_seed(uint32_t uuid_seed, uint64_t number);

/* Checksum that the sealed block of BLOCK_SIZE bytes should carry if its number is NUMBER. */
uint32_t tag_checksum(const void *block, uint32_t block_size, uint32_t uuid_seed, uint64_t number);

/* Writes tag, sector stamps and checksum into an open block. Returns the checksum. */
uint32_t tag_seal(void *block, uint32_t block_size, uint32_t uuid_seed,
		  const struct tag_info *info);

/*
 * Checks magic, checksum, own number and uuid of a sealed block. Returns 0, -EBADMSG when the
 * checksum is wrong, or -EUCLEAN when the block is whole but not this block of this filesystem.
 */
int tag_verify(const void *block, uint32_t block_size, const uint8_t uuid[16], uint32_t uuid_seed,
	       uint64_t number);

/* Puts the bytes under the sector stamps back. The block must have been verified. */
void tag_open(void *block, uint32_t block_size);

/* Reads the tag as it stands, believed or not. */
void tag_decode(const void *block, struct tag_info *info);

/* The stamp of sector SECTOR: low 32 bits of the generation that the sector was written with. */
uint32_t tag_sector_stamp(const void *block, uint32_t sector);

/* "superblock", "group header", ... or "unknown" */
const char *tag_type_name(uint32_t type);

#endif
