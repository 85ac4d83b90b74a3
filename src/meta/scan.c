/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/scan.h"

#include <errno.h>
#include <stdlib.h>

#include "integrity/tag.h"
#include "meta/group.h"
#include "meta/scan_block.h"
#include "util/bitmap.h"
#include "util/log.h"

/* A damaged copy keeps no one from working: it is not adopted, and written again by super_write().
 */
static int super_scan(struct scan *scan, uint32_t group)
{
	const struct super_info *super = &scan->vol->super;
	struct block_ref ref = {layout_group_start(super, group), group, CFS_BLOCK_SUPER};
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint32_t bs = super->block_size;
	struct tag_info tag;
	int rc;

	rc = blkdev_read(scan->vol->dev, image, bs, ref.block * bs);
	if (rc)
		return rc;
	tag_decode(image, &tag);
	if (tag_verify(image, bs, super->uuid, scan->uuid_seed, ref.block) ||
	    tag.type != CFS_BLOCK_SUPER || tag.owner != group ||
	    tag.generation >= super->next_generation) {
		log_warning("the superblock copy in block %llu is damaged%s",
			    (unsigned long long)ref.block,
			    scan->vol->readonly ? "" : "; it is written again");
		return 0;
	}
	return scan_adopt(scan, &ref, image);
}

/* The bitmap's count of clear bits must be the header's. */
static int bitmap_scan(struct scan *scan, uint32_t group, enum cfs_block_type type, uint64_t block,
		       uint32_t bits, uint32_t expected_free)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	struct block_ref ref = {block, group, type};
	uint32_t clear;
	int rc = scan_read(scan, &ref, image);

	if (rc)
		return rc;
	clear = bits - bitmap_count_set(tag_payload(image), bits);
	if (clear == expected_free)
		return 0;
	log_error("group %u: its header counts %u free, its %s %u", group, expected_free,
		  tag_type_name(type), clear);
	return -EUCLEAN;
}

static int group_fixed_scan(struct scan *scan, uint32_t group)
{
	const struct super_info *super = &scan->vol->super;
	struct block_ref ref = {layout_group_header(super, group), group, CFS_BLOCK_GROUP};
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	struct group_info info;
	const char *why;
	int rc = 0;

	if (layout_group_has_super(group))
		rc = super_scan(scan, group);
	if (rc == 0)
		rc = scan_read(scan, &ref, image);
	if (rc)
		return rc;
	rc = group_decode(tag_payload(image), super, group, &info, &why);
	if (rc) {
		log_error("the header of group %u in block %llu has a bad %s", group,
			  (unsigned long long)ref.block, why);
		return rc;
	}
	rc = bitmap_scan(scan, group, CFS_BLOCK_BLOCK_BITMAP, info.block_bitmap, info.blocks,
			 info.free_blocks);
	if (rc)
		return rc;
	return bitmap_scan(scan, group, CFS_BLOCK_INODE_BITMAP, info.inode_bitmap,
			   super->inodes_per_group, info.free_inodes);
}

/* Compares what is marked used in the group with what has an owner. */
static int group_usage_check(struct scan *scan, uint32_t group)
{
	const struct super_info *super = &scan->vol->super;
	struct block_ref ref = {layout_block_bitmap(super, group), group, CFS_BLOCK_BLOCK_BITMAP};
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint64_t start = layout_group_start(super, group);
	const uint8_t *map = tag_payload(image);
	struct txn txn;
	int rc;

	txn_begin(&txn, scan->vol->txns);
	rc = txn_read(&txn, &ref, image);
	txn_abort(&txn);
	for (uint32_t bit = 0; rc == 0 && bit < layout_group_blocks(super, group); bit++) {
		uint64_t block = start + bit;
		bool owned = scan->claimed[block / 8] & (1u << (block % 8));
		bool data = layout_data_valid(super, block, 1), used = bitmap_test(map, bit);

		if (!used && (owned || !data)) {
			log_error("block %llu is in use but group %u marks it as free",
				  (unsigned long long)block, group);
			rc = -EUCLEAN;
		}
		scan->lost_blocks += used && data && !owned;
	}
	return rc;
}

static int locator_scan(struct scan *scan)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	struct block_ref ref = {
		.block = scan->vol->super.total_blocks - 1,
		.type = CFS_BLOCK_LOCATOR,
	};

	return scan_read(scan, &ref, image);
}

static int groups_each(struct scan *scan, int (*step)(struct scan *scan, uint32_t group))
{
	int rc = 0;

	for (uint32_t group = 0; rc == 0 && group < scan->vol->super.group_count; group++)
		rc = step(scan, group);
	return rc;
}

int volume_scan(struct volume *vol, struct inode_list *unfinished)
{
	struct scan scan = {
		.vol = vol,
		.uuid_seed = tag_uuid_seed(vol->super.uuid),
		.unfinished = unfinished,
	};
	int rc;

	scan.claimed = calloc(1, (size_t)(vol->super.total_blocks / 8 + 1));
	if (!scan.claimed)
		return -ENOMEM;
	rc = locator_scan(&scan);
	if (rc == 0)
		rc = groups_each(&scan, group_fixed_scan);
	if (rc == 0)
		rc = groups_each(&scan, scan_group_inodes);
	if (rc == 0)
		rc = groups_each(&scan, group_usage_check);
	free(scan.claimed);
	if (rc == 0 && (scan.lost_blocks || scan.lost_inodes))
		log_warning("%llu blocks and %llu inodes are marked as used but nothing uses them",
			    (unsigned long long)scan.lost_blocks,
			    (unsigned long long)scan.lost_inodes);
	return rc;
}
