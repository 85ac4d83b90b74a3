/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/dir.h"

#include <errno.h>

#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta/dir_block.h"
#include "meta/extent.h"
#include "util/log.h"

/* A cookie is a block of the directory and a place in its payload, which is shorter than 1 << 12.
 */
#define COOKIE_SHIFT 12

/* One directory as it is walked, block by block. */
struct dir_walk {
	struct volume *vol;
	struct txn *txn;
	uint64_t ino;
	uint32_t blocks;
	uint32_t payload_size;
	struct extent_run run; /* mapping found last */
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
};

static int dir_bad(uint64_t ino, uint64_t block, const char *what)
{
	log_error("directory %llu, block %llu: %s", (unsigned long long)ino,
		  (unsigned long long)block, what);
	return -EUCLEAN;
}

static int walk_init(struct dir_walk *walk, struct volume *vol, struct txn *txn, uint64_t ino,
		     const struct inode_info *dir)
{
	uint32_t bs = vol->super.block_size;

	if (dir->size % bs || dir->size / bs > UINT32_MAX)
		return dir_bad(ino, 0, "its size is not a number of blocks");
	walk->vol = vol;
	walk->txn = txn;
	walk->ino = ino;
	walk->blocks = (uint32_t)(dir->size / bs);
	walk->payload_size = layout_payload(bs);
	walk->run.length = 0;
	return 0;
}

/* Reads and checks block LOGICAL of the directory into walk->image. */
static int walk_read(struct dir_walk *walk, const struct inode_info *dir, uint32_t logical,
		     struct block_ref *ref)
{
	const struct super_info *super = &walk->vol->super;
	const char *why;
	int rc;

	if (logical < walk->run.logical || logical - walk->run.logical >= walk->run.length) {
		rc = extent_lookup(walk->vol, walk->txn, walk->ino, dir, logical, &walk->run);
		if (rc)
			return rc;
	}
	if (!walk->run.block)
		return dir_bad(walk->ino, logical, "not mapped");
	ref->block = walk->run.block + (logical - walk->run.logical);
	ref->owner = walk->ino;
	ref->type = CFS_BLOCK_DIR;
	rc = txn_read(walk->txn, ref, walk->image);
	if (rc)
		return rc;
	if (dir_block_check(walk->image, super->block_size, super, &why))
		return dir_bad(walk->ino, ref->block, why);
	return 0;
}

/* Finds a name; the block that holds it is in walk->image. -ENOENT. */
static int walk_find(struct dir_walk *walk, const struct inode_info *dir, const char *name,
		     size_t len, struct block_ref *ref, uint32_t *offset)
{
	for (uint32_t logical = 0; logical < walk->blocks; logical++) {
		int rc = walk_read(walk, dir, logical, ref);

		if (rc)
			return rc;
		*offset = dir_block_find(tag_payload(walk->image), walk->payload_size, name, len);
		if (*offset != DIR_BLOCK_NONE)
			return 0;
	}
	return -ENOENT;
}

int dir_lookup(struct volume *vol, struct txn *txn, uint64_t dir_ino, const struct inode_info *dir,
	       const char *name, size_t len, uint64_t *ino, uint8_t *type)
{
	const struct cfs_dirent *entry;
	struct dir_walk walk;
	struct block_ref ref;
	uint32_t offset;
	int rc;

	rc = walk_init(&walk, vol, txn, dir_ino, dir);
	if (rc == 0)
		rc = walk_find(&walk, dir, name, len, &ref, &offset);
	if (rc)
		return rc;
	entry = dir_block_entry(tag_payload(walk.image), offset);
	*ino = le32_get(entry->inode);
	*type = entry->type;
	return 0;
}

/* Finds a name and locks its block. */
static int entry_get(struct volume *vol, struct txn *txn, uint64_t dir_ino,
		     const struct inode_info *dir, const char *name, size_t len, void **payload,
		     uint32_t *offset)
{
	struct dir_walk walk;
	struct block_ref ref;
	void *image;
	int rc;

	rc = walk_init(&walk, vol, txn, dir_ino, dir);
	if (rc == 0)
		rc = walk_find(&walk, dir, name, len, &ref, offset);
	if (rc == 0)
		rc = txn_get(txn, &ref, &image);
	if (rc == 0)
		*payload = tag_payload(image);
	return rc;
}

/* A block with room for the name: the last one where possible, else the first. -ENOENT. */
static int walk_room(struct dir_walk *walk, const struct inode_info *dir, size_t len,
		     struct block_ref *ref, uint32_t *offset)
{
	for (uint32_t i = 0; i < walk->blocks; i++) {
		uint32_t logical = i ? i - 1 : walk->blocks - 1;
		int rc = walk_read(walk, dir, logical, ref);

		if (rc)
			return rc;
		*offset = dir_block_room(tag_payload(walk->image), walk->payload_size, len);
		if (*offset != DIR_BLOCK_NONE)
			return 0;
	}
	return -ENOENT;
}

/* Appends an empty block. */
static int dir_grow(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
		    uint64_t goal, void **payload)
{
	struct extent_run run = {.length = 1};
	struct block_ref ref = {.owner = dir_ino, .type = CFS_BLOCK_DIR};
	uint64_t logical = dir->size / vol->super.block_size;
	uint32_t got;
	void *image;
	int rc;

	if (logical >= UINT32_MAX)
		return -EFBIG;
	run.logical = (uint32_t)logical;
	rc = block_alloc(vol, txn, goal, 1, &run.block, &got);
	if (rc == 0)
		rc = extent_insert(vol, txn, dir_ino, dir, &run);
	if (rc)
		return rc;
	ref.block = run.block;
	rc = txn_create(txn, &ref, &image);
	if (rc)
		return rc;
	*payload = tag_payload(image);
	dir_block_init(*payload, layout_payload(vol->super.block_size));
	dir->size += vol->super.block_size;
	return 0;
}

int dir_add(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
	    const char *name, size_t len, uint64_t ino, uint8_t type)
{
	struct dir_walk walk;
	struct block_ref ref;
	uint32_t offset = 0;
	void *image, *payload;
	uint64_t goal;
	int rc;

	if (len == 0 || len > CFS_NAME_MAX || !layout_inode_valid(&vol->super, ino))
		return -EINVAL;
	rc = walk_init(&walk, vol, txn, dir_ino, dir);
	if (rc == 0)
		rc = walk_room(&walk, dir, len, &ref, &offset);
	if (rc == 0) {
		rc = txn_get(txn, &ref, &image);
		payload = rc ? NULL : tag_payload(image);
	} else if (rc == -ENOENT) {
		offset = 0;
		goal = walk.blocks ? walk.run.block + walk.run.length
				   : layout_group_data(&vol->super,
						       layout_inode_group(&vol->super, dir_ino));
		rc = dir_grow(vol, txn, dir_ino, dir, goal, &payload);
	}
	if (rc == 0)
		dir_block_insert(payload, offset, name, len, ino, type);
	return rc;
}

int dir_remove(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
	       const char *name, size_t len)
{
	uint32_t offset;
	void *payload;
	int rc;

	rc = entry_get(vol, txn, dir_ino, dir, name, len, &payload, &offset);
	if (rc == 0)
		dir_block_remove(payload, offset);
	return rc;
}

int dir_replace(struct volume *vol, struct txn *txn, uint64_t dir_ino, struct inode_info *dir,
		const char *name, size_t len, uint64_t ino, uint8_t type)
{
	struct cfs_dirent *entry;
	uint32_t offset;
	void *payload;
	int rc;

	if (!layout_inode_valid(&vol->super, ino))
		return -EINVAL;
	rc = entry_get(vol, txn, dir_ino, dir, name, len, &payload, &offset);
	if (rc)
		return rc;
	entry = dir_block_entry(payload, offset);
	entry->inode = le32_make((uint32_t)ino);
	entry->type = type;
	return 0;
}

static int emit_any(void *arg, const struct dir_entry *entry)
{
	(void)entry;
	*(bool *)arg = true;
	return 1;
}

int dir_empty(struct volume *vol, struct txn *txn, uint64_t dir_ino, const struct inode_info *dir)
{
	bool any = false;
	int rc = dir_iterate(vol, txn, dir_ino, dir, 0, emit_any, &any);

	if (rc)
		return rc;
	return any ? -ENOTEMPTY : 0;
}

/* Emits what lies at or behind FROM in the block in walk->image; *STOP when the caller has enough.
 */
static void block_iterate(struct dir_walk *walk, uint32_t logical, uint32_t from,
			  int (*emit)(void *arg, const struct dir_entry *entry), void *arg,
			  bool *stop)
{
	void *payload = tag_payload(walk->image);
	uint32_t next;

	for (uint32_t at = 0; !*stop && at < walk->payload_size; at = next) {
		const struct cfs_dirent *disk = dir_block_entry(payload, at);
		struct dir_entry entry = {
			.ino = le32_get(disk->inode),
			.type = disk->type,
			.name_len = disk->name_len,
			.name = (const char *)disk->name,
		};

		next = at + le16_get(disk->rec_len);
		if (at < from || !entry.ino)
			continue;
		entry.next = next < walk->payload_size ? (uint64_t)logical << COOKIE_SHIFT | next
						       : ((uint64_t)logical + 1) << COOKIE_SHIFT;
		*stop = emit(arg, &entry) != 0;
	}
}

int dir_iterate(struct volume *vol, struct txn *txn, uint64_t dir_ino, const struct inode_info *dir,
		uint64_t cookie, int (*emit)(void *arg, const struct dir_entry *entry), void *arg)
{
	uint32_t from = cookie & ((1u << COOKIE_SHIFT) - 1);
	struct dir_walk walk;
	struct block_ref ref;
	bool stop = false;
	int rc;

	rc = walk_init(&walk, vol, txn, dir_ino, dir);
	if (rc || cookie >> COOKIE_SHIFT >= walk.blocks)
		return rc;
	for (uint32_t logical = (uint32_t)(cookie >> COOKIE_SHIFT); !stop && logical < walk.blocks;
	     logical++, from = 0) {
		rc = walk_read(&walk, dir, logical, &ref);
		if (rc)
			return rc;
		block_iterate(&walk, logical, from, emit, arg, &stop);
	}
	return 0;
}
