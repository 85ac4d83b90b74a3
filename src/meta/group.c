/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/group.h"

#include <errno.h>

#include "integrity/tag.h"
#include "util/log.h"

int group_contradiction(uint32_t group, const char *what)
{
	log_error("group %u contradicts itself: %s", group, what);
	return -EUCLEAN;
}

static struct block_ref header_ref(const struct volume *vol, uint32_t group)
{
	return (struct block_ref){
		.block = layout_group_header(&vol->super, group),
		.owner = group,
		.type = CFS_BLOCK_GROUP,
	};
}

static int header_decode(const struct volume *vol, const void *payload, uint32_t group,
			 struct group_info *info)
{
	const char *why;
	int rc = group_decode(payload, &vol->super, group, info, &why);

	if (rc)
		log_error("the header of group %u in block %llu has a bad %s", group,
			  (unsigned long long)layout_group_header(&vol->super, group), why);
	return rc;
}

int group_peek(struct volume *vol, struct txn *txn, uint32_t group, struct group_info *info)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	struct block_ref ref = header_ref(vol, group);
	int rc = txn_read(txn, &ref, image);

	return rc ? rc : header_decode(vol, tag_payload(image), group, info);
}

int group_get(struct volume *vol, struct txn *txn, uint32_t group, enum cfs_block_type type,
	      struct group_edit *edit)
{
	struct block_ref ref = header_ref(vol, group);
	void *image;
	int rc;

	rc = txn_get(txn, &ref, &image);
	if (rc)
		return rc;
	edit->header = tag_payload(image);
	rc = header_decode(vol, edit->header, group, &edit->info);
	if (rc)
		return rc;
	ref.type = type;
	ref.block =
		type == CFS_BLOCK_BLOCK_BITMAP ? edit->info.block_bitmap : edit->info.inode_bitmap;
	rc = txn_get(txn, &ref, &image);
	if (rc)
		return rc;
	edit->map = tag_payload(image);
	return 0;
}

void group_put(struct group_edit *edit)
{
	group_encode(edit->header, &edit->info);
}
