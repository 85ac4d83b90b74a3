/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/dir_block.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "integrity/tag.h"
#include "meta/dir.h"

#define HEAD_BYTES ((uint32_t)sizeof(struct cfs_dirent))

/* Bytes that an entry with a name of LEN bytes needs. */
static uint32_t entry_bytes(size_t len)
{
	return (HEAD_BYTES + (uint32_t)len + 3) & ~3u;
}

static uint32_t entry_room(const struct cfs_dirent *entry)
{
	uint32_t used = le32_get(entry->inode) ? entry_bytes(entry->name_len) : 0;

	return le16_get(entry->rec_len) - used;
}

static const char *name_check(const struct cfs_dirent *entry)
{
	uint32_t len = entry->name_len;

	if (len == 0)
		return "an entry has an empty name";
	if (entry_bytes(len) > le16_get(entry->rec_len))
		return "an entry's name runs beyond the entry";
	if (memchr(entry->name, '/', len) || memchr(entry->name, '\0', len))
		return "an entry's name has a slash or a zero byte";
	if ((len == 1 && entry->name[0] == '.') || (len == 2 && memcmp(entry->name, "..", 2) == 0))
		return "an entry is named . or ..";
	return NULL;
}

static bool type_valid(uint8_t type)
{
	return type == DT_REG || type == DT_DIR || type == DT_LNK || type == DT_FIFO ||
	       type == DT_SOCK || type == DT_CHR || type == DT_BLK;
}

static const char *entry_check(const struct cfs_dirent *entry, uint32_t left,
			       const struct super_info *super)
{
	uint32_t rec_len = le16_get(entry->rec_len);

	if (rec_len < HEAD_BYTES || rec_len % 4 || rec_len > left)
		return "an entry has a bad length";
	if (left - rec_len && left - rec_len < HEAD_BYTES)
		return "the entries leave a gap at the end";
	if (le32_get(entry->inode) == 0)
		return NULL;
	if (!layout_inode_valid(super, le32_get(entry->inode)))
		return "an entry has an inode number that does not exist";
	if (!type_valid(entry->type))
		return "an entry has an unknown file type";
	return name_check(entry);
}

int dir_block_check(const void *image, uint32_t block_size, const struct super_info *super,
		    const char **why)
{
	uint32_t size = layout_payload(block_size), offset = 0;
	const char *payload = (const char *)image + sizeof(struct cfs_tag);

	while (offset < size) {
		const struct cfs_dirent *entry = (const void *)(payload + offset);

		*why = entry_check(entry, size - offset, super);
		if (*why)
			return -EUCLEAN;
		offset += le16_get(entry->rec_len);
	}
	return 0;
}

void dir_block_init(void *payload, uint32_t payload_size)
{
	*dir_block_entry(payload, 0) = (struct cfs_dirent){
		.rec_len = le16_make((uint16_t)payload_size),
	};
}

uint32_t dir_block_find(const void *payload, uint32_t payload_size, const char *name, size_t len)
{
	uint32_t offset = 0;

	while (offset < payload_size) {
		const struct cfs_dirent *entry = (const void *)((const char *)payload + offset);

		if (le32_get(entry->inode) && entry->name_len == len &&
		    memcmp(entry->name, name, len) == 0)
			return offset;
		offset += le16_get(entry->rec_len);
	}
	return DIR_BLOCK_NONE;
}

uint32_t dir_block_room(const void *payload, uint32_t payload_size, size_t len)
{
	uint32_t offset = 0, need = entry_bytes(len);

	while (offset < payload_size) {
		const struct cfs_dirent *entry = (const void *)((const char *)payload + offset);

		if (entry_room(entry) >= need)
			return offset;
		offset += le16_get(entry->rec_len);
	}
	return DIR_BLOCK_NONE;
}

void dir_block_insert(void *payload, uint32_t offset, const char *name, size_t len, uint64_t ino,
		      uint8_t type)
{
	struct cfs_dirent *entry = dir_block_entry(payload, offset);
	uint32_t room = entry_room(entry), kept = le16_get(entry->rec_len) - room;

	if (kept) {
		entry->rec_len = le16_make((uint16_t)kept);
		entry = dir_block_entry(payload, offset + kept);
	}
	entry->inode = le32_make((uint32_t)ino);
	entry->rec_len = le16_make((uint16_t)room);
	entry->name_len = (uint8_t)len;
	entry->type = type;
	memcpy(entry->name, name, len);
}

void dir_block_remove(void *payload, uint32_t offset)
{
	struct cfs_dirent *entry = dir_block_entry(payload, offset), *before = NULL;

	for (uint32_t at = 0; at < offset; at += le16_get(before->rec_len))
		before = dir_block_entry(payload, at);
	if (before)
		before->rec_len =
			le16_make((uint16_t)(le16_get(before->rec_len) + le16_get(entry->rec_len)));
	else
		entry->inode = le32_make(0);
}
