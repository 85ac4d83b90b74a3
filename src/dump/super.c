/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The superblock with its copies and the locator, and the block groups. */
#include <errno.h>
#include <string.h>

#include "dump/decode.h"
#include "dump/dump.h"
#include "dump/field.h"
#include "integrity/tag.h"
#include "util/bitmap.h"

static json_t *origin_object(const struct reader *reader)
{
	json_t *object = field_object();

	field_number(object, "block", reader->origin.block);
	field_number(object, "group", reader->origin.group);
	if (reader->origin.message[0])
		field_bytes(object, "message", reader->origin.message,
			    strlen(reader->origin.message));
	return object;
}

/* True if COPY describes another filesystem than the superblock in use. */
static bool geometry_differs(const struct super_info *a, const struct super_info *b)
{
	return a->block_size != b->block_size || a->total_blocks != b->total_blocks ||
	       a->first_block != b->first_block || a->group_count != b->group_count ||
	       a->blocks_per_group != b->blocks_per_group ||
	       a->inodes_per_group != b->inodes_per_group || a->journal_start != b->journal_start ||
	       a->journal_blocks != b->journal_blocks;
}

static json_t *copy_object(struct reader *reader, uint32_t group)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint64_t block = layout_group_start(&reader->super, group);
	json_t *object = field_object();
	struct super_info copy;
	struct tag_info tag;
	const char *state;
	int rc = reader_block(reader, block, CFS_BLOCK_SUPER, group, image, &state);

	field_number(object, "group", group);
	field_number(object, "block", block);
	if (!rc) {
		tag_decode(image, &tag);
		field_number(object, "generation", tag.generation);
		if (super_decode(tag_payload(image), &copy, &state)) {
			reader->damage++;
		} else if (geometry_differs(&copy, &reader->super)) {
			reader->damage++;
			state = "other geometry";
		} else {
			field_string(object, "written_state",
				     copy.state == CFS_STATE_CLEAN ? "clean" : "dirty");
			state = "ok";
		}
	}
	field_string(object, "state", state);
	return object;
}

static json_t *locator_object(struct reader *reader)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint64_t block = reader->super.total_blocks - 1;
	json_t *object = field_object();
	struct locator_info locator;
	const char *state;
	int rc = reader_block(reader, block, CFS_BLOCK_LOCATOR, 0, image, &state);

	if (!rc && locator_decode(tag_payload(image), &locator, &state)) {
		reader->damage++;
		rc = -EUCLEAN;
	}
	if (!rc && (locator.block_size != reader->super.block_size ||
		    locator.total_blocks != reader->super.total_blocks ||
		    locator.first_block != reader->super.first_block)) {
		reader->damage++;
		state = "other geometry";
		rc = -EUCLEAN;
	}
	field_number(object, "block", block);
	field_string(object, "state", rc ? state : "ok");
	return object;
}

json_t *dump_super(struct reader *reader)
{
	json_t *object = field_object(), *copies = field_array();

	decode_super(object, &reader->super);
	field_put(object, "origin", origin_object(reader));
	for (uint32_t group = 0; group < reader->super.group_count; group++)
		if (layout_group_has_super(group))
			field_append(copies, copy_object(reader, group));
	field_put(object, "copies", copies);
	field_put(object, "locator", locator_object(reader));
	return object;
}

/* Counts the clear bits of a bitmap block into KEY; says so where it cannot be read. */
static void bitmap_put(struct reader *reader, json_t *item, const char *key, uint32_t group,
		       enum cfs_block_type type, uint32_t expected)
{
	const struct super_info *super = &reader->super;
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	bool blocks = type == CFS_BLOCK_BLOCK_BITMAP;
	uint64_t block =
		blocks ? layout_block_bitmap(super, group) : layout_inode_bitmap(super, group);
	uint32_t bits = blocks ? layout_group_blocks(super, group) : super->inodes_per_group;
	const char *why;
	uint32_t clear;

	if (reader_block(reader, block, type, group, image, &why)) {
		field_damage(item, "%s: %s", tag_type_name(type), why);
		return;
	}
	clear = bits - bitmap_count_set(tag_payload(image), bits);
	field_number(item, key, clear);
	/* While it is mounted, header and bitmap may be of different transactions. */
	if (super->state == CFS_STATE_CLEAN && clear != expected) {
		reader->damage++;
		field_damage(item, "%s has %u clear bits, the header says %u", tag_type_name(type),
			     clear, expected);
	}
}

static json_t *group_item(struct reader *reader, uint32_t number)
{
	const struct super_info *super = &reader->super;
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	json_t *item = field_object();
	struct group_info group;
	const char *why;
	int rc = reader_block(reader, layout_group_header(super, number), CFS_BLOCK_GROUP, number,
			      image, &why);

	field_number(item, "group", number);
	field_number(item, "start", layout_group_start(super, number));
	field_number(item, "blocks", layout_group_blocks(super, number));
	field_number(item, "first_data", layout_group_data(super, number));
	field_put(item, "superblock", json_boolean(layout_group_has_super(number)));
	if (!rc) {
		rc = group_decode(tag_payload(image), super, number, &group, &why);
		reader->damage += rc != 0;
	}
	if (rc) {
		field_damage(item, "group header: %s", why);
		return item;
	}
	field_number(item, "free_blocks", group.free_blocks);
	field_number(item, "free_inodes", group.free_inodes);
	field_number(item, "used_dirs", group.used_dirs);
	bitmap_put(reader, item, "clear_block_bits", number, CFS_BLOCK_BLOCK_BITMAP,
		   group.free_blocks);
	bitmap_put(reader, item, "clear_inode_bits", number, CFS_BLOCK_INODE_BITMAP,
		   group.free_inodes);
	return item;
}

int dump_groups(struct reader *reader, dump_emit emit, void *arg)
{
	int rc = 0;

	for (uint32_t group = 0; !rc && group < reader->super.group_count; group++)
		rc = emit(arg, group_item(reader, group));
	return rc;
}
