/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/alloc.h"

#include <errno.h>

#include "meta/group.h"
#include "util/bitmap.h"
#include "util/log.h"

/* Takes the run nearest behind bit FROM, else from the group's start. */
static int group_take_run(struct volume *vol, struct group_edit *edit, uint32_t from, uint32_t want,
			  uint64_t *block, uint32_t *got)
{
	struct group_info *info = &edit->info;
	uint32_t bit = bitmap_find_clear(edit->map, info->blocks, from), run;

	if (bit == BITMAP_NONE)
		bit = bitmap_find_clear(edit->map, from, 0);
	if (bit == BITMAP_NONE)
		return group_contradiction(info->group,
					   "free blocks in the header, none in the bitmap");
	run = bitmap_run_clear(edit->map, info->blocks, bit, want);
	if (run > info->free_blocks)
		return group_contradiction(info->group,
					   "more free blocks in the bitmap than in the header");
	*block = layout_group_start(&vol->super, info->group) + bit;
	*got = run;
	if (!layout_data_valid(&vol->super, *block, run))
		return group_contradiction(
			info->group, "the bitmap shows fixed metadata or the journal as free");
	bitmap_set_range(edit->map, bit, run);
	info->free_blocks -= run;
	group_put(edit);
	return 0;
}

/* -ENOSPC when the group has none. */
static int block_alloc_in(struct volume *vol, struct txn *txn, uint32_t group, uint32_t from,
			  uint32_t want, uint64_t *block, uint32_t *got)
{
	struct group_edit edit;
	int rc = group_peek(vol, txn, group, &edit.info);

	if (rc)
		return rc;
	if (!edit.info.free_blocks)
		return -ENOSPC;
	rc = group_get(vol, txn, group, CFS_BLOCK_BLOCK_BITMAP, &edit);
	if (rc)
		return rc;
	/* Another transaction may have emptied the group between the look and the lock. */
	if (!edit.info.free_blocks)
		return -ENOSPC;
	return group_take_run(vol, &edit, from, want, block, got);
}

int block_alloc(struct volume *vol, struct txn *txn, uint64_t goal, uint32_t want, uint64_t *block,
		uint32_t *got)
{
	const struct super_info *super = &vol->super;
	uint32_t first = layout_block_group(super, goal), from = 0;

	if (want == 0)
		return -EINVAL;
	if (goal == 0 || first == UINT32_MAX)
		first = atomic_load(&vol->inode_cursor) % super->group_count;
	else
		from = (uint32_t)(goal - layout_group_start(super, first));
	for (uint32_t i = 0; i < super->group_count; i++) {
		uint32_t group = (uint32_t)(((uint64_t)first + i) % super->group_count);
		int rc = block_alloc_in(vol, txn, group, i ? 0 : from, want, block, got);

		if (rc != -ENOSPC)
			return rc;
	}
	return -ENOSPC;
}

int block_free(struct volume *vol, struct txn *txn, uint64_t block, uint32_t count)
{
	uint32_t group = layout_block_group(&vol->super, block), first;
	struct group_edit edit;
	int rc;

	if (!layout_data_valid(&vol->super, block, count)) {
		log_error("blocks %llu to %llu, to be freed, are no data blocks",
			  (unsigned long long)block, (unsigned long long)(block + count - 1));
		return -EUCLEAN;
	}
	rc = group_get(vol, txn, group, CFS_BLOCK_BLOCK_BITMAP, &edit);
	if (rc)
		return rc;
	first = (uint32_t)(block - layout_group_start(&vol->super, group));
	for (uint32_t bit = first; bit < first + count; bit++) {
		if (!bitmap_test(edit.map, bit))
			return group_contradiction(group, "a block to be freed is free");
	}
	if (count > edit.info.blocks - edit.info.free_blocks)
		return group_contradiction(group, "more free blocks than there are");
	for (uint32_t bit = first; bit < first + count; bit++)
		bitmap_clear(edit.map, bit);
	edit.info.free_blocks += count;
	group_put(&edit);
	return 0;
}

static int inode_alloc_in(struct volume *vol, struct txn *txn, uint32_t group, bool directory,
			  uint64_t *ino)
{
	uint32_t per_group = vol->super.inodes_per_group, bit;
	struct group_edit edit;
	int rc = group_peek(vol, txn, group, &edit.info);

	if (rc)
		return rc;
	if (!edit.info.free_inodes)
		return -ENOSPC;
	rc = group_get(vol, txn, group, CFS_BLOCK_INODE_BITMAP, &edit);
	if (rc)
		return rc;
	if (!edit.info.free_inodes)
		return -ENOSPC;
	bit = bitmap_find_clear(edit.map, per_group, 0);
	if (bit == BITMAP_NONE)
		return group_contradiction(group, "free inodes in the header, none in the bitmap");
	bitmap_set(edit.map, bit);
	edit.info.free_inodes--;
	edit.info.used_dirs += directory;
	group_put(&edit);
	*ino = (uint64_t)group * per_group + bit + 1;
	return 0;
}

int inode_alloc(struct volume *vol, struct txn *txn, uint64_t parent, bool directory, uint64_t *ino)
{
	const struct super_info *super = &vol->super;
	uint32_t first = 0;

	/* Spread directories, so that threads at work in different ones use different groups. */
	if (directory)
		first = atomic_fetch_add(&vol->inode_cursor, 1) % super->group_count;
	else if (layout_inode_valid(super, parent))
		first = layout_inode_group(super, parent);
	for (uint32_t i = 0; i < super->group_count; i++) {
		uint32_t group = (uint32_t)(((uint64_t)first + i) % super->group_count);
		int rc = inode_alloc_in(vol, txn, group, directory, ino);

		if (rc != -ENOSPC)
			return rc;
	}
	return -ENOSPC;
}

int inode_free(struct volume *vol, struct txn *txn, uint64_t ino, bool directory)
{
	uint32_t per_group = vol->super.inodes_per_group, group, bit;
	struct group_edit edit;
	int rc;

	if (!layout_inode_valid(&vol->super, ino))
		return -EUCLEAN;
	group = layout_inode_group(&vol->super, ino);
	bit = (uint32_t)((ino - 1) % per_group);
	rc = group_get(vol, txn, group, CFS_BLOCK_INODE_BITMAP, &edit);
	if (rc)
		return rc;
	if (!bitmap_test(edit.map, bit))
		return group_contradiction(group, "an inode to be freed is free");
	if (edit.info.free_inodes == per_group)
		return group_contradiction(group, "more free inodes than there are");
	if (directory && edit.info.used_dirs == 0)
		return group_contradiction(group, "a directory to be freed was not counted");
	bitmap_clear(edit.map, bit);
	edit.info.free_inodes++;
	edit.info.used_dirs -= directory;
	group_put(&edit);
	return 0;
}
