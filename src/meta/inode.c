/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/inode.h"

#include <errno.h>

#include "integrity/tag.h"
#include "util/log.h"

static struct block_ref table_ref(const struct super_info *super, uint64_t ino, uint32_t *slot)
{
	return (struct block_ref){
		.block = layout_inode_block(super, ino, slot),
		.owner = layout_inode_group(super, ino),
		.type = CFS_BLOCK_INODE_TABLE,
	};
}

int inode_read(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct cfs_inode *table = tag_payload(image);
	struct block_ref ref;
	const char *why;
	uint32_t slot;
	int rc;

	if (!layout_inode_valid(&vol->super, ino))
		return -ESTALE;
	ref = table_ref(&vol->super, ino, &slot);
	rc = txn_read(txn, &ref, image);
	if (rc)
		return rc;
	rc = inode_decode(&table[slot], inode, &why);
	if (rc) {
		log_error("inode %llu in block %llu has a bad %s", (unsigned long long)ino,
			  (unsigned long long)ref.block, why);
		return rc;
	}
	return inode->mode ? 0 : -ENOENT;
}

int inode_write(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode)
{
	struct cfs_inode *table;
	struct block_ref ref;
	uint32_t slot;
	void *image;
	int rc;

	if (!layout_inode_valid(&vol->super, ino))
		return -ESTALE;
	ref = table_ref(&vol->super, ino, &slot);
	rc = txn_get(txn, &ref, &image);
	if (rc)
		return rc;
	table = tag_payload(image);
	inode_encode(&table[slot], inode);
	return 0;
}
