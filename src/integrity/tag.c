/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "integrity/tag.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "util/crc32c.h"

#define STAMP_OFFSET (CFS_SECTOR_SIZE - 4u)

uint32_t tag_uuid_seed(const uint8_t uuid[16])
{
	return crc32c(0, uuid, 16);
}

uint32_t tag_block_seed(uint32_t uuid_seed, uint64_t number)
{
	le64 own = le64_make(number);

	return crc32c(uuid_seed, &own, sizeof(own));
}

uint32_t tag_checksum(const void *block, uint32_t block_size, uint32_t uuid_seed, uint64_t number)
{
	uint32_t seed = tag_block_seed(uuid_seed, number);

	return crc32c(seed, (const char *)block + sizeof(le32), block_size - sizeof(le32));
}

static char *stamp_place(void *block, uint32_t sector)
{
	return (char *)block + sector * CFS_SECTOR_SIZE + STAMP_OFFSET;
}

uint32_t tag_seal(void *block, uint32_t block_size, uint32_t uuid_seed, const struct tag_info *info)
{
	struct cfs_tag *tag = block;
	uint32_t sectors = block_size / CFS_SECTOR_SIZE;
	le32 stamp = le32_make((uint32_t)info->generation);
	uint32_t crc;

	memset(tag, 0, sizeof(*tag));
	tag->magic = le32_make(CFS_TAG_MAGIC);
	tag->block = le64_make(info->block);
	tag->generation = le64_make(info->generation);
	tag->prev_generation = le64_make(info->prev_generation);
	tag->owner = le64_make(info->owner);
	tag->type = le16_make((uint16_t)info->type);
	tag->sectors = le16_make((uint16_t)sectors);
	memcpy(tag->uuid, info->uuid, sizeof(tag->uuid));
	for (uint32_t i = 0; i < sectors; i++) {
		memcpy(&tag->fixup[i], stamp_place(block, i), sizeof(le32));
		memcpy(stamp_place(block, i), &stamp, sizeof(stamp));
	}
	crc = tag_checksum(block, block_size, uuid_seed, info->block);
	tag->crc = le32_make(crc);
	return crc;
}

int tag_verify(const void *block, uint32_t block_size, const uint8_t uuid[16], uint32_t uuid_seed,
	       uint64_t number)
{
	const struct cfs_tag *tag = block;

	if (le32_get(tag->crc) != tag_checksum(block, block_size, uuid_seed, number))
		return -EBADMSG;
	if (le32_get(tag->magic) != CFS_TAG_MAGIC || le64_get(tag->block) != number ||
	    le16_get(tag->sectors) != block_size / CFS_SECTOR_SIZE ||
	    memcmp(tag->uuid, uuid, sizeof(tag->uuid)) != 0)
		return -EUCLEAN;
	return 0;
}

void tag_open(void *block, uint32_t block_size)
{
	struct cfs_tag *tag = block;

	for (uint32_t i = 0; i < block_size / CFS_SECTOR_SIZE; i++)
		memcpy(stamp_place(block, i), &tag->fixup[i], sizeof(le32));
}

void tag_decode(const void *block, struct tag_info *info)
{
	const struct cfs_tag *tag = block;

	info->block = le64_get(tag->block);
	info->generation = le64_get(tag->generation);
	info->prev_generation = le64_get(tag->prev_generation);
	info->owner = le64_get(tag->owner);
	info->type = le16_get(tag->type);
	memcpy(info->uuid, tag->uuid, sizeof(info->uuid));
}

uint32_t tag_sector_stamp(const void *block, uint32_t sector)
{
	le32 stamp;

	memcpy(&stamp, (const char *)block + sector * CFS_SECTOR_SIZE + STAMP_OFFSET,
	       sizeof(stamp));
	return le32_get(stamp);
}

const char *tag_type_name(uint32_t type)
{
	static const char *const names[CFS_BLOCK_TYPES] = {
		[CFS_BLOCK_SUPER] = "superblock",
		[CFS_BLOCK_LOCATOR] = "locator",
		[CFS_BLOCK_GROUP] = "group header",
		[CFS_BLOCK_BLOCK_BITMAP] = "block bitmap",
		[CFS_BLOCK_INODE_BITMAP] = "inode bitmap",
		[CFS_BLOCK_INODE_TABLE] = "inode table",
		[CFS_BLOCK_EXTENT] = "extent node",
		[CFS_BLOCK_DIR] = "directory",
		[CFS_BLOCK_SYMLINK] = "symlink",
		[CFS_BLOCK_JOURNAL] = "journal",
	};

	return type < CFS_BLOCK_TYPES && names[type] ? names[type] : "unknown";
}
