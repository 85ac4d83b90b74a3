/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One inode with its extents and, for a symlink, its target. */
#include "dump/inode.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "dump/decode.h"
#include "dump/dump.h"
#include "dump/extents.h"
#include "dump/field.h"
#include "integrity/tag.h"
#include "util/bitmap.h"

/* Reads the blocks of a target that does not fit the inode. */
static int target_read(struct reader *reader, uint64_t ino, const struct inode_info *inode,
		       const struct extents *extents, char *target, const char **why)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint32_t payload = layout_payload(reader->super.block_size);
	uint32_t size = (uint32_t)inode->size;

	for (uint32_t done = 0; done < size;) {
		uint32_t part = size - done < payload ? size - done : payload;
		uint64_t block = extents_find(extents, done / payload);
		int rc;

		if (!block) {
			*why = "hole";
			reader->damage++;
			return -EUCLEAN;
		}
		rc = reader_block(reader, block, CFS_BLOCK_SYMLINK, ino, image, why);
		if (rc)
			return rc;
		memcpy(target + done, tag_payload(image), part);
		done += part;
	}
	return 0;
}

void inode_target_put(struct reader *reader, uint64_t ino, const struct inode_info *inode,
		      const struct extents *extents, json_t *object)
{
	char target[PATH_MAX];
	const char *why;

	if (inode->size == 0 || inode->size >= sizeof(target)) {
		reader->damage++;
		field_damage(object, "target of a symlink: bad size");
		return;
	}
	if (inode->flags & CFS_INODE_INLINE) {
		/* inode_decode() has checked that it fits. */
		field_bytes(object, "target", (const char *)inode->root, inode->size);
		return;
	}
	if (target_read(reader, ino, inode, extents, target, &why))
		field_damage(object, "target of a symlink: %s", why);
	else
		field_bytes(object, "target", target, inode->size);
}

static void bitmap_check(struct reader *reader, uint64_t ino, bool used, json_t *object)
{
	const struct super_info *super = &reader->super;
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint32_t group = layout_inode_group(super, ino);
	uint32_t bit = (uint32_t)((ino - 1) % super->inodes_per_group);
	const char *why;
	bool set;

	if (reader_block(reader, layout_inode_bitmap(super, group), CFS_BLOCK_INODE_BITMAP, group,
			 image, &why)) {
		field_damage(object, "inode bitmap: %s", why);
		return;
	}
	set = bitmap_test(tag_payload(image), bit);
	field_put(object, "bitmap", json_boolean(set));
	/* While it is mounted, table and bitmap may be of different transactions. */
	if (set != used && super->state == CFS_STATE_CLEAN) {
		reader->damage++;
		field_damage(object, "the bitmap says otherwise");
	}
}

json_t *dump_inode(struct reader *reader, uint64_t ino)
{
	const struct super_info *super = &reader->super;
	json_t *object = field_object();
	struct inode_info inode;
	struct extents extents;
	const char *why;
	uint32_t slot;
	uint64_t block = layout_inode_block(super, ino, &slot);
	int rc = reader_inode(reader, ino, &inode, &why);

	field_number(object, "inode", ino);
	field_number(object, "group", layout_inode_group(super, ino));
	field_number(object, "block", block);
	field_number(object, "slot", slot);
	if (rc) {
		field_damage(object, "inode table block %" PRIu64 ": %s", block, why);
		return object;
	}
	decode_inode(object, &inode);
	bitmap_check(reader, ino, inode.mode != 0, object);
	if (inode.mode == 0)
		return object;
	extents_collect(reader, ino, &inode, object, &extents);
	extents_put(&extents, object);
	if (S_ISLNK(inode.mode))
		inode_target_put(reader, ino, &inode, &extents, object);
	extents_free(&extents);
	return object;
}
