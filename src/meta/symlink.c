/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/symlink.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta/extent.h"
#include "util/log.h"

/* Maps the next run of blocks for the target's rest; *RUN says which. */
static int run_add(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		   uint32_t logical, uint32_t want, struct extent_run *run)
{
	uint64_t goal = layout_group_data(&vol->super, layout_inode_group(&vol->super, ino));
	int rc;

	run->logical = logical;
	rc = block_alloc(vol, txn, goal, want, &run->block, &run->length);
	return rc ? rc : extent_insert(vol, txn, ino, inode, run);
}

static int blocks_write(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
			const char *target, size_t len)
{
	uint32_t payload = layout_payload(vol->super.block_size), logical = 0;
	struct extent_run run;
	size_t done = 0;

	while (done < len) {
		uint32_t want = (uint32_t)((len - done + payload - 1) / payload);
		int rc = run_add(vol, txn, ino, inode, logical, want, &run);

		for (uint32_t i = 0; rc == 0 && i < run.length; i++) {
			struct block_ref ref = {run.block + i, ino, CFS_BLOCK_SYMLINK};
			size_t part = len - done < payload ? len - done : payload;
			void *image;

			rc = txn_create(txn, &ref, &image);
			if (rc == 0)
				memcpy(tag_payload(image), target + done, part);
			done += part;
		}
		if (rc)
			return rc;
		logical += run.length;
	}
	return 0;
}

int symlink_write(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		  const char *target, size_t len)
{
	if (len == 0 || len >= PATH_MAX)
		return len ? -ENAMETOOLONG : -ENOENT;
	inode->size = len;
	if (len <= CFS_INODE_ROOT_BYTES) {
		inode->flags |= CFS_INODE_INLINE;
		memset(inode->root, 0, sizeof(inode->root));
		memcpy(inode->root, target, len);
		return 0;
	}
	inode->flags &= ~CFS_INODE_INLINE;
	extent_init(inode);
	return blocks_write(vol, txn, ino, inode, target, len);
}

static int symlink_bad(uint64_t ino, const char *what)
{
	log_error("symlink %llu: %s", (unsigned long long)ino, what);
	return -EUCLEAN;
}

static int blocks_read(struct volume *vol, struct txn *txn, uint64_t ino,
		       const struct inode_info *inode, char *buf, size_t len)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint32_t payload = layout_payload(vol->super.block_size), logical = 0;

	for (size_t done = 0; done < len; done += payload, logical++) {
		size_t part = len - done < payload ? len - done : payload;
		struct block_ref ref = {.owner = ino, .type = CFS_BLOCK_SYMLINK};
		struct extent_run run;
		int rc;

		rc = extent_lookup(vol, txn, ino, inode, logical, &run);
		if (rc)
			return rc;
		if (!run.block)
			return symlink_bad(ino, "a part of its target is not mapped");
		ref.block = run.block;
		rc = txn_read(txn, &ref, image);
		if (rc)
			return rc;
		memcpy(buf + done, tag_payload(image), part);
	}
	return 0;
}

int symlink_read(struct volume *vol, struct txn *txn, uint64_t ino, const struct inode_info *inode,
		 char *buf)
{
	size_t len = (size_t)inode->size;
	int rc = 0;

	if (inode->size == 0 || inode->size >= PATH_MAX)
		return symlink_bad(ino, "its length is out of range");
	if (!(inode->flags & CFS_INODE_INLINE))
		rc = blocks_read(vol, txn, ino, inode, buf, len);
	else if (len <= CFS_INODE_ROOT_BYTES)
		memcpy(buf, inode->root, len);
	else
		return symlink_bad(ino, "too long to lie in the inode");
	if (rc)
		return rc;
	buf[len] = '\0';
	return memchr(buf, '\0', len) ? symlink_bad(ino, "its target holds a zero byte") : 0;
}
