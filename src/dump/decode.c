/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dump/decode.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "dump/field.h"
#include "meta/dir.h"
#include "ondisk/layout.h"
#include "util/bitmap.h"

void decode_super(json_t *object, const struct super_info *super)
{
	field_number(object, "version", super->version);
	field_uuid(object, "uuid", super->uuid);
	field_bytes(object, "label", super->label, strlen(super->label));
	field_string(object, "state", super->state == CFS_STATE_CLEAN ? "clean" : "dirty");
	field_hex(object, "compat", super->compat);
	field_hex(object, "ro_compat", super->ro_compat);
	field_hex(object, "incompat", super->incompat);
	field_number(object, "block_size", super->block_size);
	field_number(object, "total_blocks", super->total_blocks);
	field_number(object, "first_block", super->first_block);
	field_number(object, "group_count", super->group_count);
	field_number(object, "blocks_per_group", super->blocks_per_group);
	field_number(object, "inodes_per_group", super->inodes_per_group);
	field_number(object, "inode_table_blocks", super->inode_table_blocks);
	field_number(object, "journal_start", super->journal_start);
	field_number(object, "journal_blocks", super->journal_blocks);
	field_number(object, "next_generation", super->next_generation);
	field_number(object, "root_inode", super->root_inode);
	field_number(object, "mount_count", super->mount_count);
	field_time(object, "created", super->created_ns);
	field_time(object, "mounted", super->mounted_ns);
	field_time(object, "written", super->written_ns);
}

const char *decode_mode_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	default:
		return mode ? "unknown" : "free";
	}
}

const char *decode_dirent_name(uint8_t type)
{
	return decode_mode_name(DTTOIF((uint32_t)type));
}

void decode_inode(json_t *object, const struct inode_info *inode)
{
	field_string(object, "type", decode_mode_name(inode->mode));
	field_mode(object, "mode", inode->mode);
	field_hex(object, "flags", inode->flags);
	field_number(object, "uid", inode->uid);
	field_number(object, "gid", inode->gid);
	field_number(object, "links", inode->links);
	field_number(object, "rdev", inode->rdev);
	field_number(object, "size", inode->size);
	field_number(object, "blocks", inode->blocks);
	field_time(object, "atime", inode->atime_ns);
	field_time(object, "mtime", inode->mtime_ns);
	field_time(object, "ctime", inode->ctime_ns);
	field_time(object, "crtime", inode->crtime_ns);
	field_number(object, "generation", inode->generation);
	field_number(object, "xattr_block", inode->xattr_block);
	field_number(object, "parent", inode->parent);
}

static void payload_super(json_t *object, const void *payload)
{
	struct super_info super;
	const char *why;

	if (super_decode(payload, &super, &why))
		field_damage(object, "superblock: bad %s", why);
	decode_super(object, &super);
}

static void payload_locator(json_t *object, const void *payload)
{
	struct locator_info locator;
	const char *why;

	if (locator_decode(payload, &locator, &why))
		field_damage(object, "locator: bad %s", why);
	field_number(object, "version", locator.version);
	field_number(object, "block_size", locator.block_size);
	field_number(object, "first_block", locator.first_block);
	field_number(object, "total_blocks", locator.total_blocks);
	field_number(object, "blocks_per_group", locator.blocks_per_group);
	field_number(object, "group_count", locator.group_count);
}

static void payload_group(json_t *object, const struct super_info *super, uint64_t block,
			  const void *payload)
{
	struct group_info group;
	const char *why;

	if (group_decode(payload, super, layout_block_group(super, block), &group, &why))
		field_damage(object, "group header: bad %s", why);
	field_number(object, "group", group.group);
	field_number(object, "blocks", group.blocks);
	field_number(object, "free_blocks", group.free_blocks);
	field_number(object, "free_inodes", group.free_inodes);
	field_number(object, "used_dirs", group.used_dirs);
	field_number(object, "block_bitmap", group.block_bitmap);
	field_number(object, "inode_bitmap", group.inode_bitmap);
	field_number(object, "inode_table", group.inode_table);
}

static void payload_bitmap(json_t *object, const uint8_t *payload, uint32_t nbits, uint64_t first)
{
	uint32_t set = bitmap_count_set(payload, nbits);

	field_number(object, "first", first);
	field_number(object, "bits", nbits);
	field_number(object, "set", set);
	field_number(object, "clear", nbits - set);
	field_ranges(object, "set_ranges", payload, nbits);
}

static void payload_table(json_t *object, const struct super_info *super, uint64_t block,
			  const struct cfs_inode *table)
{
	uint32_t group = layout_block_group(super, block);
	uint32_t per_block = layout_inodes_per_block(super);
	uint64_t first = (uint64_t)group * super->inodes_per_group +
			 (block - layout_inode_table(super, group)) * per_block + 1;
	json_t *inodes = field_array();

	for (uint32_t i = 0; i < per_block; i++) {
		struct inode_info inode;
		const char *why;
		json_t *item;
		int rc = inode_decode(&table[i], &inode, &why);

		if (!rc && inode.mode == 0)
			continue;
		item = field_object();
		field_number(item, "inode", first + i);
		if (rc)
			field_damage(object, "inode %" PRIu64 ": bad %s", first + i, why);
		decode_inode(item, &inode);
		field_append(inodes, item);
	}
	field_number(object, "first_inode", first);
	field_put(object, "inodes", inodes);
}

static void payload_extent(json_t *object, const struct cfs_extent_head *head, uint32_t len)
{
	const struct cfs_extent *leaf = (const void *)(head + 1);
	const struct cfs_extent_index *index = (const void *)(head + 1);
	uint32_t room = (len - (uint32_t)sizeof(*head)) / (uint32_t)sizeof(*leaf);
	uint32_t count = le16_get(head->count);
	json_t *entries = field_array();

	field_number(object, "depth", le16_get(head->depth));
	field_number(object, "count", count);
	field_number(object, "max", le16_get(head->max));
	if (le16_get(head->max) != room || count > room)
		field_damage(object, "extent node: bad count or max");
	for (uint32_t i = 0; i < count && i < room; i++) {
		json_t *entry = field_object();

		if (le16_get(head->depth)) {
			field_number(entry, "logical", le32_get(index[i].logical));
			field_number(entry, "child", le64_get(index[i].child));
		} else {
			field_number(entry, "logical", le32_get(leaf[i].logical));
			field_number(entry, "length", le32_get(leaf[i].length));
			field_number(entry, "block", le64_get(leaf[i].block));
		}
		field_append(entries, entry);
	}
	field_put(object, "entries", entries);
}

const struct cfs_dirent *decode_dirent_next(const void *payload, uint32_t len, uint32_t *offset)
{
	const struct cfs_dirent *entry = (const void *)((const char *)payload + *offset);
	uint32_t rec_len, left = len - *offset;

	if (left < sizeof(*entry))
		return NULL;
	rec_len = le16_get(entry->rec_len);
	if (rec_len < sizeof(*entry) || rec_len % 4 || rec_len > left ||
	    entry->name_len > rec_len - sizeof(*entry))
		return NULL;
	*offset += rec_len;
	return entry;
}

static void payload_dir(json_t *object, const struct super_info *super, const void *image)
{
	const char *payload = (const char *)image + sizeof(struct cfs_tag), *why;
	uint32_t len = layout_payload(super->block_size), offset = 0, at = 0;
	json_t *entries = field_array();
	const struct cfs_dirent *entry;

	if (dir_block_check(image, super->block_size, super, &why))
		field_damage(object, "directory: %s", why);
	while ((entry = decode_dirent_next(payload, len, &offset))) {
		json_t *item = field_object();

		field_number(item, "offset", at);
		field_number(item, "inode", le32_get(entry->inode));
		field_number(item, "rec_len", le16_get(entry->rec_len));
		if (le32_get(entry->inode)) {
			field_string(item, "type", decode_dirent_name(entry->type));
			field_bytes(item, "name", (const char *)entry->name, entry->name_len);
		}
		field_append(entries, item);
		at = offset;
	}
	field_put(object, "entries", entries);
}

json_t *decode_payload(const struct super_info *super, enum cfs_block_type type, uint64_t block,
		       const void *image)
{
	const char *payload = (const char *)image + sizeof(struct cfs_tag);
	uint32_t len = layout_payload(super->block_size);
	uint32_t group = layout_block_group(super, block);
	json_t *object = field_object();

	switch (type) {
	case CFS_BLOCK_SUPER:
		payload_super(object, payload);
		break;
	case CFS_BLOCK_LOCATOR:
		payload_locator(object, payload);
		break;
	case CFS_BLOCK_GROUP:
		payload_group(object, super, block, payload);
		break;
	case CFS_BLOCK_BLOCK_BITMAP:
		payload_bitmap(object, (const void *)payload, layout_group_blocks(super, group),
			       layout_group_start(super, group));
		break;
	case CFS_BLOCK_INODE_BITMAP:
		payload_bitmap(object, (const void *)payload, super->inodes_per_group,
			       (uint64_t)group * super->inodes_per_group + 1);
		break;
	case CFS_BLOCK_INODE_TABLE:
		payload_table(object, super, block, (const void *)payload);
		break;
	case CFS_BLOCK_EXTENT:
		payload_extent(object, (const void *)payload, len);
		break;
	case CFS_BLOCK_DIR:
		payload_dir(object, super, image);
		break;
	case CFS_BLOCK_SYMLINK:
		field_bytes(object, "target", payload, strnlen(payload, len));
		break;
	default:
		break;
	}
	return object;
}
