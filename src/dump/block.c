/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One block: tag, payload, bytes. */
#include <errno.h>
#include <string.h>

#include "dump/decode.h"
#include "dump/dump.h"
#include "dump/field.h"
#include "integrity/tag.h"

/* What the layout says of the block, in words. */
static const char *place_name(const struct super_info *super, uint64_t block)
{
	enum cfs_block_type type = layout_block_type(super, block);
	uint32_t group = layout_block_group(super, block);

	if (type == CFS_BLOCK_JOURNAL)
		return "journal room";
	if (type)
		return tag_type_name(type);
	if (block < super->first_block)
		return "reserved head";
	if (group == UINT32_MAX || block < layout_group_data(super, group))
		return "unused";
	return "data";
}

static json_t *stamps_array(const void *image, const struct super_info *super, uint64_t generation)
{
	json_t *stamps = field_array();

	for (uint32_t i = 0; i < super->block_size / CFS_SECTOR_SIZE; i++) {
		uint32_t stamp = tag_sector_stamp(image, i);
		json_t *sector = field_object();

		field_number(sector, "sector", i);
		field_hex(sector, "stamp", stamp);
		field_put(sector, "matches", json_boolean(stamp == (uint32_t)generation));
		field_append(stamps, sector);
	}
	return stamps;
}

static json_t *tag_object(const struct reader *reader, uint64_t block, const void *image, int state)
{
	const struct super_info *super = &reader->super;
	const struct cfs_tag *disk = image;
	json_t *object = field_object();
	struct tag_info tag;

	tag_decode(image, &tag);
	field_string(object, "state", reader_state_name(state));
	field_string(object, "type", tag_type_name(tag.type));
	field_hex(object, "magic", le32_get(disk->magic));
	field_number(object, "block", tag.block);
	field_number(object, "generation", tag.generation);
	field_number(object, "prev_generation", tag.prev_generation);
	field_number(object, "owner", tag.owner);
	field_uuid(object, "uuid", tag.uuid);
	field_hex(object, "crc", le32_get(disk->crc));
	field_hex(object, "crc_computed",
		  tag_checksum(image, super->block_size, reader->uuid_seed, block));
	field_put(object, "sectors", stamps_array(image, super, tag.generation));
	return object;
}

/* How to decode the payload: fixed metadata is what the layout says, the rest what its tag says. */
static enum cfs_block_type payload_type(enum cfs_block_type fixed, const void *image)
{
	struct tag_info tag;

	if (fixed)
		return fixed;
	tag_decode(image, &tag);
	if (tag.type == CFS_BLOCK_EXTENT || tag.type == CFS_BLOCK_DIR ||
	    tag.type == CFS_BLOCK_SYMLINK)
		return (enum cfs_block_type)tag.type;
	return 0;
}

/* The tag of fixed metadata must also say what the layout says. */
static void place_check(struct reader *reader, json_t *object, uint64_t block, const void *image)
{
	enum cfs_block_type fixed = layout_block_type(&reader->super, block);
	struct tag_info tag;

	tag_decode(image, &tag);
	if (tag.type == (uint32_t)fixed && tag.owner == layout_block_owner(&reader->super, block))
		return;
	reader->damage++;
	field_damage(object, "tag of another type or owner than the layout says");
}

json_t *dump_block(struct reader *reader, uint64_t block)
{
	const struct super_info *super = &reader->super;
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint8_t opened[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct cfs_tag *tag = (const void *)image;
	enum cfs_block_type fixed = layout_block_type(super, block);
	json_t *object = field_object(), *payload;
	int rc = reader_block_sealed(reader, block, image);

	field_number(object, "block", block);
	field_string(object, "place", place_name(super, block));
	if (rc && rc != -EBADMSG && rc != -EUCLEAN) {
		reader->damage++;
		field_damage(object, "%s", reader_state_name(rc));
		return object;
	}
	/* The journal's room is not used yet, so nothing there is metadata. */
	if (fixed == CFS_BLOCK_JOURNAL)
		fixed = 0;
	if (fixed || (block >= super->first_block && le32_get(tag->magic) == CFS_TAG_MAGIC)) {
		reader->damage += rc != 0;
		field_put(object, "tag", tag_object(reader, block, image, rc));
		if (!rc && fixed)
			place_check(reader, object, block, image);
		memcpy(opened, image, super->block_size);
		tag_open(opened, super->block_size);
		payload = decode_payload(super, payload_type(fixed, image), block, opened);
		reader->damage += json_object_get(payload, "damage") != NULL;
		field_put(object, "payload", payload);
	}
	field_hexdump(object, "hex", image, super->block_size);
	return object;
}
