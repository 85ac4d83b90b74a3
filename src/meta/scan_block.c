/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/scan_block.h"

#include <errno.h>
#include <string.h>

#include "integrity/tag.h"
#include "util/log.h"

/* Names what is wrong with a block that failed verification, for the user and for the ledger. */
static int damage_report(struct scan *scan, const struct block_ref *ref, const void *image)
{
	struct classify_input in = {
		.found = image,
		.block_size = scan->vol->super.block_size,
		.block = ref->block,
		.type = ref->type,
		.owner = ref->owner,
		.uuid = scan->vol->super.uuid,
		.uuid_seed = scan->uuid_seed,
	};
	struct finding finding;

	classify_block(&in, &finding);
	ledger_report(scan->vol->ledger, &finding, 0, NULL, image);
	log_error("block %llu (%s of %llu) is %s: restore the image from a backup",
		  (unsigned long long)ref->block, tag_type_name(ref->type),
		  (unsigned long long)ref->owner, fault_kind_name(finding.kind));
	return -EUCLEAN;
}

int scan_adopt(struct scan *scan, const struct block_ref *ref, void *image)
{
	const struct super_info *super = &scan->vol->super;
	const struct cfs_tag *head = image;
	struct tag_info tag;

	if (tag_verify(image, super->block_size, super->uuid, scan->uuid_seed, ref->block))
		return damage_report(scan, ref, image);
	tag_decode(image, &tag);
	if (tag.type != (uint32_t)ref->type || tag.owner != ref->owner) {
		log_error("block %llu is a %s block of %llu where a %s block of %llu is expected",
			  (unsigned long long)ref->block, tag_type_name(tag.type),
			  (unsigned long long)tag.owner, tag_type_name(ref->type),
			  (unsigned long long)ref->owner);
		return -EUCLEAN;
	}
	/* A later version of such a block would look like an older one. */
	if (tag.generation == 0 || tag.generation >= super->next_generation) {
		log_error(
			"block %llu (%s) has generation %llu, the superblock allows less than %llu",
			(unsigned long long)ref->block, tag_type_name(tag.type),
			(unsigned long long)tag.generation,
			(unsigned long long)super->next_generation);
		return -EUCLEAN;
	}
	ledger_adopt(scan->vol->ledger, ref->block, image, le32_get(head->crc));
	tag_open(image, super->block_size);
	return 0;
}

int scan_read(struct scan *scan, const struct block_ref *ref, void *image)
{
	uint32_t bs = scan->vol->super.block_size;
	int rc = blkdev_read(scan->vol->dev, image, bs, ref->block * bs);

	if (rc) {
		log_error("read of block %llu failed: %s", (unsigned long long)ref->block,
			  strerror(-rc));
		return rc;
	}
	return scan_adopt(scan, ref, image);
}

int scan_claim(struct scan *scan, uint64_t ino, uint64_t block, uint32_t count)
{
	for (uint64_t end = block + count; block < end; block++) {
		uint8_t *byte = &scan->claimed[block / 8];
		uint8_t bit = (uint8_t)(1u << (block % 8));

		if (*byte & bit) {
			log_error("block %llu of inode %llu has another owner, too",
				  (unsigned long long)block, (unsigned long long)ino);
			return -EUCLEAN;
		}
		*byte |= bit;
	}
	return 0;
}
