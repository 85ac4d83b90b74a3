/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the scan that follows inodes: tables, extent nodes, directory and symlink blocks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "integrity/tag.h"
#include "meta/dir.h"
#include "meta/extent.h"
#include "meta/extent_node.h"
#include "meta/scan_block.h"
#include "util/bitmap.h"
#include "util/log.h"

/* Inode tables are read in pieces of this many blocks. */
#define TABLE_CHUNK 64u

struct inode_scan {
	struct scan *scan;
	uint64_t ino;
	enum cfs_block_type content; /* of the blocks that runs map; 0: file data */
	uint64_t blocks;	     /* seen so far */
};

static int node_visit(void *arg, const struct block_ref *ref)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	struct inode_scan *is = arg;
	int rc = scan_claim(is->scan, is->ino, ref->block, 1);

	is->blocks++;
	return rc ? rc : scan_read(is->scan, ref, image);
}

static int content_visit(struct inode_scan *is, uint64_t block)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct super_info *super = &is->scan->vol->super;
	struct block_ref ref = {.block = block, .owner = is->ino, .type = is->content};
	const char *why;
	int rc = scan_read(is->scan, &ref, image);

	if (rc || is->content != CFS_BLOCK_DIR)
		return rc;
	rc = dir_block_check(image, super->block_size, super, &why);
	if (rc)
		log_error("directory %llu, block %llu: %s", (unsigned long long)is->ino,
			  (unsigned long long)block, why);
	return rc;
}

static int run_visit(void *arg, const struct extent_run *run)
{
	struct inode_scan *is = arg;
	int rc = scan_claim(is->scan, is->ino, run->block, run->length);

	is->blocks += run->length;
	for (uint32_t i = 0; rc == 0 && is->content && i < run->length; i++)
		rc = content_visit(is, run->block + i);
	return rc;
}

static int unfinished_add(struct inode_list *list, uint64_t ino)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		uint32_t *inos = reallocarray(list->inos, room, sizeof(*inos));

		if (!inos)
			return -ENOMEM;
		list->inos = inos;
		list->room = room;
	}
	list->inos[list->count++] = (uint32_t)ino;
	return 0;
}

static int inode_scan(struct scan *scan, struct txn *txn, uint64_t ino,
		      const struct inode_info *inode)
{
	struct inode_scan is = {.scan = scan, .ino = ino};
	const struct extent_visitor visitor = {.node = node_visit, .run = run_visit, .arg = &is};
	int rc = 0;

	is.content = extent_content_type(inode);
	if (extent_used(inode))
		rc = extent_walk(scan->vol, txn, ino, inode, &visitor);
	if (rc)
		return rc;
	if (is.blocks != inode->blocks) {
		log_error("inode %llu counts %llu blocks but has %llu", (unsigned long long)ino,
			  (unsigned long long)inode->blocks, (unsigned long long)is.blocks);
		return -EUCLEAN;
	}
	if (inode->links == 0 || (inode->flags & CFS_INODE_TRUNCATE))
		rc = unfinished_add(scan->unfinished, ino);
	return rc;
}

/* The inodes of one open table block; the first of them has bit FIRST in the group's MAP. */
static int table_block_scan(struct scan *scan, struct txn *txn, uint32_t group, void *image,
			    const uint8_t *map, uint32_t first)
{
	const struct super_info *super = &scan->vol->super;
	const struct cfs_inode *table = tag_payload(image);

	for (uint32_t slot = 0; slot < layout_inodes_per_block(super); slot++) {
		uint64_t ino = (uint64_t)group * super->inodes_per_group + first + slot + 1;
		bool used = bitmap_test(map, first + slot);
		struct inode_info inode;
		const char *why;
		int rc;

		rc = inode_decode(&table[slot], &inode, &why);
		if (rc == 0 && inode.mode && !used) {
			why = "mode: its bitmap says that it is free";
			rc = -EUCLEAN;
		}
		if (rc) {
			log_error("inode %llu has a bad %s", (unsigned long long)ino, why);
			return rc;
		}
		scan->lost_inodes += used && !inode.mode;
		if (inode.mode)
			rc = inode_scan(scan, txn, ino, &inode);
		if (rc)
			return rc;
	}
	return 0;
}

static int table_scan(struct scan *scan, struct txn *txn, uint32_t group, const uint8_t *map,
		      uint8_t *buf)
{
	const struct super_info *super = &scan->vol->super;
	uint32_t bs = super->block_size, per_block = layout_inodes_per_block(super), count;
	int rc = 0;

	for (uint32_t done = 0; rc == 0 && done < super->inode_table_blocks; done += count) {
		uint64_t start = layout_inode_table(super, group) + done;

		count = super->inode_table_blocks - done;
		if (count > TABLE_CHUNK)
			count = TABLE_CHUNK;
		rc = blkdev_read(scan->vol->dev, buf, (size_t)count * bs, start * bs);
		if (rc)
			log_error("read of inode tables from block %llu on failed: %s",
				  (unsigned long long)start, strerror(-rc));
		for (uint32_t i = 0; rc == 0 && i < count; i++) {
			struct block_ref ref = {start + i, group, CFS_BLOCK_INODE_TABLE};
			uint8_t *image = buf + (size_t)i * bs;

			rc = scan_adopt(scan, &ref, image);
			if (rc == 0)
				rc = table_block_scan(scan, txn, group, image, map,
						      (done + i) * per_block);
		}
	}
	return rc;
}

int scan_group_inodes(struct scan *scan, uint32_t group)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct super_info *super = &scan->vol->super;
	struct block_ref ref = {layout_inode_bitmap(super, group), group, CFS_BLOCK_INODE_BITMAP};
	struct txn txn;
	uint8_t *buf = aligned_alloc(CFS_BLOCK_SIZE_MAX, (size_t)TABLE_CHUNK * super->block_size);
	int rc;

	if (!buf)
		return -ENOMEM;
	txn_begin(&txn, scan->vol->txns);
	rc = txn_read(&txn, &ref, image);
	if (rc == 0)
		rc = table_scan(scan, &txn, group, tag_payload(image), buf);
	txn_abort(&txn);
	free(buf);
	return rc;
}
