/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mkfs/old.h"

#include <string.h>

#include "integrity/tag.h"
#include "ondisk/layout.h"

/* Sectors never hold a stamp where these two structures lie, so sealed blocks can be decoded. */
static_assert(sizeof(struct cfs_tag) + sizeof(struct cfs_super) <= CFS_SECTOR_SIZE - sizeof(le32),
	      "superblock lies before the first stamp");

static int super_try(struct blkdev *dev, uint64_t offset, struct locator_info *found)
{
	uint8_t image[CFS_SECTOR_SIZE];
	const struct cfs_super *disk = tag_payload(image);
	int rc;

	if (offset > dev->size || dev->size - offset < sizeof(image))
		return 0;
	rc = blkdev_read(dev, image, sizeof(image), offset);
	if (rc)
		return rc;
	if (memcmp(disk->magic, CFS_SUPER_MAGIC, sizeof(disk->magic)) != 0)
		return 0;
	found->version = le32_get(disk->version);
	found->block_size = le32_get(disk->block_size);
	found->first_block = le64_get(disk->first_block);
	found->total_blocks = le64_get(disk->total_blocks);
	found->blocks_per_group = le32_get(disk->blocks_per_group);
	found->group_count = le32_get(disk->group_count);
	return 1;
}

static int locator_try(struct blkdev *dev, uint32_t block_size, struct locator_info *found)
{
	uint8_t image[CFS_SECTOR_SIZE];
	uint64_t blocks = dev->size / block_size;
	int rc;

	if (blocks == 0)
		return 0;
	rc = blkdev_read(dev, image, sizeof(image), (blocks - 1) * block_size);
	if (rc)
		return rc;
	return locator_decode(tag_payload(image), found, NULL) == 0;
}

int old_find(struct blkdev *dev, uint64_t reserve_bytes, struct locator_info *found)
{
	int rc = 0;

	for (uint32_t size = CFS_BLOCK_SIZE_MIN; !rc && size <= CFS_BLOCK_SIZE_MAX; size *= 2)
		rc = locator_try(dev, size, found);
	return rc ? rc : super_try(dev, reserve_bytes, found);
}

static int range_zero(struct blkdev *dev, uint64_t reserve_bytes, uint64_t offset, uint32_t len)
{
	static const uint8_t zeros[2 * CFS_BLOCK_SIZE_MAX];
	uint64_t end = offset + len;

	if (offset < reserve_bytes)
		offset = reserve_bytes;
	if (end > dev->size)
		end = dev->size;
	return offset < end ? blkdev_write(dev, zeros, end - offset, offset) : 0;
}

static int supers_zero(struct blkdev *dev, uint64_t reserve_bytes, const struct locator_info *old)
{
	uint32_t size = old->block_size;
	int rc = 0;

	if ((size != 1024 && size != 2048 && size != 4096) || old->blocks_per_group == 0)
		return 0;
	for (uint32_t group = 0; !rc && group < old->group_count; group++) {
		uint64_t block = old->first_block + (uint64_t)group * old->blocks_per_group;

		if (block >= dev->size / size)
			break;
		if (layout_group_has_super(group))
			rc = range_zero(dev, reserve_bytes, block * size, size);
	}
	return rc;
}

int old_wipe(struct blkdev *dev, uint64_t reserve_bytes)
{
	const uint64_t largest = CFS_BLOCK_SIZE_MAX;
	struct locator_info old;
	int rc = old_find(dev, reserve_bytes, &old);

	if (rc < 0)
		return rc;
	if (rc) {
		rc = supers_zero(dev, reserve_bytes, &old);
		if (rc)
			return rc;
	}
	rc = range_zero(dev, reserve_bytes, reserve_bytes, (uint32_t)largest);
	if (rc)
		return rc;
	/* The last whole block, whatever the old block size was. */
	rc = range_zero(dev, reserve_bytes, dev->size / largest * largest - largest,
			2 * (uint32_t)largest);
	return rc ? rc : blkdev_sync(dev);
}
