/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/super.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "integrity/tag.h"
#include "meta/retry.h"
#include "meta/volume.h"
#include "meta/wallclock.h"
#include "util/log.h"

#define SCAN_STEP (1ULL << 20)
#define SCAN_END (4ULL << 30)

static const uint32_t block_sizes[] = {1024, 2048, 4096};

static void __attribute__((format(printf, 2, 3)))
message_set(struct super_origin *origin, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(origin->message, sizeof(origin->message), fmt, ap);
	va_end(ap);
}

/*
 * Reads block BLOCK as a sealed block of any filesystem (UUID NULL) or of that one, checks that
 * it is of TYPE, and opens it.
 */
static int fixed_read(struct blkdev *dev, uint32_t block_size, uint64_t block, const uint8_t *uuid,
		      enum cfs_block_type type, void *image, struct tag_info *tag)
{
	int rc;

	if (block >= dev->size / block_size)
		return -EUCLEAN;
	rc = blkdev_read(dev, image, block_size, block * block_size);
	if (rc)
		return rc;
	tag_decode(image, tag);
	if (!uuid)
		uuid = tag->uuid;
	rc = tag_verify(image, block_size, uuid, tag_uuid_seed(uuid), block);
	if (rc)
		return rc;
	if (tag->type != (uint32_t)type)
		return -EUCLEAN;
	tag_open(image, block_size);
	return 0;
}

int super_read_copy(struct blkdev *dev, uint32_t block_size, uint64_t block,
		    const uint8_t *uuid_or_null, struct super_info *super)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	struct tag_info tag;
	int rc;

	rc = fixed_read(dev, block_size, block, uuid_or_null, CFS_BLOCK_SUPER, image, &tag);
	if (rc)
		return rc;
	rc = super_decode(tag_payload(image), super, NULL);
	if (rc)
		return rc;
	if (super->block_size != block_size ||
	    memcmp(super->uuid, tag.uuid, sizeof(tag.uuid)) != 0 ||
	    tag.owner >= super->group_count || !layout_group_has_super((uint32_t)tag.owner) ||
	    layout_group_start(super, (uint32_t)tag.owner) != block)
		return -EUCLEAN;
	return 0;
}

static int locator_find(struct blkdev *dev, struct locator_info *locator, uint8_t uuid[16])
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));

	for (size_t i = 0; i < sizeof(block_sizes) / sizeof(block_sizes[0]); i++) {
		uint32_t bs = block_sizes[i];
		uint64_t blocks = dev->size / bs;
		struct tag_info tag;

		if (blocks < 2 ||
		    fixed_read(dev, bs, blocks - 1, NULL, CFS_BLOCK_LOCATOR, image, &tag) ||
		    locator_decode(tag_payload(image), locator, NULL))
			continue;
		if (locator->block_size != bs || locator->total_blocks != blocks)
			continue;
		memcpy(uuid, tag.uuid, sizeof(tag.uuid));
		return 0;
	}
	return -ENOENT;
}

/* The primary that LOCATOR names, else the first whole copy. -EUCLEAN when there is none. */
static int locator_follow(struct blkdev *dev, const struct locator_info *locator,
			  const uint8_t *uuid, struct super_info *super,
			  struct super_origin *origin)
{
	uint64_t block;

	/* A step of 0 would read the same block again and again. */
	for (uint32_t group = 0; group < locator->group_count && locator->blocks_per_group;
	     group++) {
		if (!layout_group_has_super(group))
			continue;
		block = locator->first_block + (uint64_t)group * locator->blocks_per_group;
		if (block >= locator->total_blocks)
			break;
		if (super_read_copy(dev, locator->block_size, block, uuid, super))
			continue;
		if (super->total_blocks != locator->total_blocks ||
		    super->first_block != locator->first_block)
			continue;
		origin->block = block;
		origin->group = group;
		if (group)
			message_set(origin,
				    "the superblock in block %llu is damaged; using its copy in "
				    "block %llu (a writable mount repairs it)",
				    (unsigned long long)locator->first_block,
				    (unsigned long long)block);
		return 0;
	}
	message_set(origin,
		    "the superblock in block %llu and all of its copies are damaged: "
		    "restore the image from a backup",
		    (unsigned long long)locator->first_block);
	return -EUCLEAN;
}

/* True if IMAGE looks like the head of a superblock, whole or not. */
static bool super_resembles(const void *image)
{
	const struct cfs_tag *tag = image;
	const struct cfs_super *super = (const void *)(tag + 1);

	return le32_get(tag->magic) == CFS_TAG_MAGIC &&
	       memcmp(super->magic, CFS_SUPER_MAGIC, sizeof(super->magic)) == 0;
}

/* Looks for a primary superblock where a reserved head could end. */
static int start_scan(struct blkdev *dev, struct super_info *super, struct super_origin *origin)
{
	uint8_t image[CFS_BLOCK_SIZE_MIN] __attribute__((aligned(8)));
	uint64_t at, damaged = UINT64_MAX;
	int rc;

	for (at = 0; at <= SCAN_END && at + sizeof(image) <= dev->size; at += SCAN_STEP) {
		rc = blkdev_read(dev, image, sizeof(image), at);
		if (rc)
			return rc;
		if (!super_resembles(image))
			continue;
		for (size_t i = 0; i < sizeof(block_sizes) / sizeof(block_sizes[0]); i++) {
			uint32_t bs = block_sizes[i];

			if (super_read_copy(dev, bs, at / bs, NULL, super) ||
			    super->first_block != at / bs)
				continue;
			origin->block = at / bs;
			return 0;
		}
		if (damaged == UINT64_MAX)
			damaged = at;
	}
	if (damaged == UINT64_MAX) {
		message_set(origin, "no churnfs found: format the device with mkfs.churnfs, or "
				    "check that it is the right one");
		return -EINVAL;
	}
	message_set(origin,
		    "the superblock at byte %llu is damaged and the locator in the last block "
		    "that leads to its copies is missing: restore the image from a backup",
		    (unsigned long long)damaged);
	return -EUCLEAN;
}

/* What a good superblock says that this program or this device cannot serve. */
static int super_usable(const struct blkdev *dev, const struct super_info *super,
			struct super_origin *origin)
{
	uint32_t unknown = super->incompat & ~CFS_INCOMPAT_KNOWN;

	if (unknown) {
		message_set(origin, "unknown incompat feature 0x%x: use a newer churnfs", unknown);
		return -EPROTONOSUPPORT;
	}
	if (super->total_blocks > dev->size / super->block_size) {
		message_set(origin,
			    "the device has %llu bytes but the filesystem %llu: it was truncated, "
			    "restore the whole image",
			    (unsigned long long)dev->size,
			    (unsigned long long)(super->total_blocks * super->block_size));
		return -ENOSPC;
	}
	return 0;
}

int super_locate(struct blkdev *dev, struct super_info *super, struct super_origin *origin)
{
	struct super_origin by_start = {0};
	struct locator_info locator;
	uint8_t uuid[16];
	int rc;

	memset(origin, 0, sizeof(*origin));
	rc = locator_find(dev, &locator, uuid);
	if (rc == 0)
		rc = locator_follow(dev, &locator, uuid, super, origin);
	if (rc) {
		/* A locator may be left over from another filesystem, or lie elsewhere on a grown
		 * device. */
		rc = start_scan(dev, super, &by_start);
		if (rc == 0 || !origin->message[0])
			*origin = by_start;
		else if (rc == -EINVAL)
			rc = -EUCLEAN;
	}
	return rc ? rc : super_usable(dev, super, origin);
}

static int copy_write(struct volume *vol, struct txn *txn, uint32_t group)
{
	struct block_ref ref = {
		.block = layout_group_start(&vol->super, group),
		.owner = group,
		.type = CFS_BLOCK_SUPER,
	};
	struct ledger_snapshot snap;
	void *image;
	int rc;

	/* The ledger does not know a copy that was damaged when the volume was opened. */
	if (ledger_snapshot(vol->ledger, ref.block, &snap) && snap.generation == 0)
		rc = txn_create(txn, &ref, &image);
	else
		rc = txn_get(txn, &ref, &image);
	if (rc == 0)
		super_encode(tag_payload(image), &vol->super);
	return rc;
}

int super_write(struct volume *vol)
{
	struct txn txn;
	int rc;

	vol->super.written_ns = wallclock_now_ns();
	do {
		txn_begin(&txn, vol->txns);
		rc = 0;
		/* Groups 0, 1 and the powers of 3 below 2^32: 22 blocks at most, one transaction.
		 */
		for (uint32_t group = 0; rc == 0 && group < vol->super.group_count; group++)
			if (layout_group_has_super(group))
				rc = copy_write(vol, &txn, group);
	} while (txn_finish(&txn, &rc));
	if (rc)
		log_error("the superblock could not be written: %s", strerror(-rc));
	return rc;
}
