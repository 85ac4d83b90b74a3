/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mkfs as a library: every block in its place, and power cuts at every write. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "emudev.h"
#include "integrity/tag.h"
#include "meta/super.h"
#include "mkfs/format.h"
#include "mkfs/old.h"
#include "ondisk/layout.h"
#include "unit.h"
#include "util/bitmap.h"

#define MIB (1ULL << 20)

static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void format(struct blkdev *dev, uint32_t block_size, uint64_t reserve,
		   struct super_info *super)
{
	struct mkfs_options options = {
		.block_size = block_size,
		.reserve_bytes = reserve,
		.label = "test",
		.root_mode = 01777,
		.root_uid = 12,
		.root_gid = 34,
	};
	const char *why;

	memcpy(options.uuid, uuid, sizeof(uuid));
	ck_assert_int_eq(mkfs_format(dev, &options, super, &why), 0);
}

/* Reads a metadata block and opens it; the test ends if it is not whole. */
static void block_read(struct blkdev *dev, const struct super_info *super, uint64_t block,
		       enum cfs_block_type type, uint64_t owner, void *image)
{
	uint32_t bs = super->block_size;
	struct tag_info tag;

	ck_assert_int_eq(blkdev_read(dev, image, bs, block * bs), 0);
	ck_assert_int_eq(tag_verify(image, bs, super->uuid, tag_uuid_seed(super->uuid), block), 0);
	tag_decode(image, &tag);
	ck_assert_uint_eq(tag.type, type);
	ck_assert_uint_eq(tag.owner, owner);
	ck_assert_uint_eq(tag.generation, 1);
	ck_assert_uint_eq(tag.prev_generation, 0);
	tag_open(image, bs);
}

/* Every block that the layout calls metadata; blocks in use by bitmap and by layout. */
static void blocks_check(struct blkdev *dev, const struct super_info *super)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	uint64_t root_block = super->journal_start + super->journal_blocks;
	uint32_t wrong = 0;

	for (uint64_t block = 0; block < super->total_blocks; block++) {
		enum cfs_block_type type = layout_block_type(super, block);

		if (type && type != CFS_BLOCK_JOURNAL)
			block_read(dev, super, block, type, layout_block_owner(super, block),
				   image);
	}
	for (uint32_t group = 0; group < super->group_count; group++) {
		uint64_t start = layout_group_start(super, group);
		uint32_t bits = layout_payload(super->block_size) * 8;

		block_read(dev, super, start + 2, CFS_BLOCK_BLOCK_BITMAP, group, image);
		for (uint32_t bit = 0; bit < bits; bit++) {
			uint64_t block = start + bit;
			bool free = bit < layout_group_blocks(super, group) &&
				    layout_data_valid(super, block, 1) && block != root_block;

			wrong += bitmap_test(tag_payload(image), bit) == free;
		}
		block_read(dev, super, start + 3, CFS_BLOCK_INODE_BITMAP, group, image);
		for (uint32_t bit = 0; bit < bits; bit++) {
			bool free = bit < super->inodes_per_group && (group || bit);

			wrong += bitmap_test(tag_payload(image), bit) == free;
		}
	}
	ck_assert_uint_eq(wrong, 0);
}

static void counts_check(struct blkdev *dev, const struct super_info *super)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));

	for (uint32_t group = 0; group < super->group_count; group++) {
		uint32_t bits = layout_group_blocks(super, group);
		struct group_info info;

		block_read(dev, super, layout_group_header(super, group), CFS_BLOCK_GROUP, group,
			   image);
		ck_assert_int_eq(group_decode(tag_payload(image), super, group, &info, NULL), 0);
		ck_assert_uint_eq(info.used_dirs, group == 0);
		ck_assert_uint_eq(info.free_inodes, super->inodes_per_group - (group == 0));
		block_read(dev, super, layout_block_bitmap(super, group), CFS_BLOCK_BLOCK_BITMAP,
			   group, image);
		ck_assert_uint_eq(info.free_blocks,
				  bits - bitmap_count_set(tag_payload(image), bits));
	}
}

static void root_check(struct blkdev *dev, const struct super_info *super)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct cfs_extent_head *head;
	const struct cfs_dirent *entry;
	const struct cfs_extent *extent;
	struct inode_info root;

	block_read(dev, super, layout_inode_table(super, 0), CFS_BLOCK_INODE_TABLE, 0, image);
	ck_assert_int_eq(inode_decode(tag_payload(image), &root, NULL), 0);
	ck_assert_uint_eq(root.mode, S_IFDIR | 01777);
	ck_assert_uint_eq(root.links, 2);
	ck_assert_uint_eq(root.uid, 12);
	ck_assert_uint_eq(root.gid, 34);
	ck_assert_uint_eq(root.parent, CFS_ROOT_INODE);
	ck_assert_uint_eq(root.blocks, 1);
	ck_assert_uint_eq(root.size, super->block_size);
	ck_assert_int_eq(root.crtime_ns, super->created_ns);
	head = (const void *)root.root;
	extent = (const void *)(head + 1);
	ck_assert_uint_eq(le16_get(head->depth), 0);
	ck_assert_uint_eq(le16_get(head->count), 1);
	ck_assert_uint_eq(le16_get(head->max), 8);
	ck_assert_uint_eq(le32_get(extent->logical), 0);
	ck_assert_uint_eq(le32_get(extent->length), 1);

	block_read(dev, super, le64_get(extent->block), CFS_BLOCK_DIR, CFS_ROOT_INODE, image);
	entry = tag_payload(image);
	ck_assert_uint_eq(le32_get(entry->inode), 0);
	ck_assert_uint_eq(le16_get(entry->rec_len), layout_payload(super->block_size));
}

START_TEST(format_complete)
{
	uint32_t bs = 1024u << _i;
	struct super_info super, found;
	struct super_origin origin;
	struct blkdev *dev;

	/* One group and a part of another, and some bytes that are no block. */
	dev = emudev_create((uint64_t)(bs - 96) * 8 * bs * 5 / 4 + 8);
	format(dev, bs, 0, &super);
	ck_assert_uint_eq(super.group_count, 2);
	ck_assert_int_eq(super_locate(dev, &found, &origin), 0);
	ck_assert_str_eq(origin.message, "");
	ck_assert_mem_eq(found.uuid, uuid, sizeof(uuid));
	ck_assert_str_eq(found.label, "test");
	ck_assert_uint_eq(found.state, CFS_STATE_CLEAN);
	ck_assert_uint_eq(found.next_generation, 2);
	ck_assert_uint_eq(found.total_blocks, dev->size / bs);
	blocks_check(dev, &super);
	counts_check(dev, &super);
	root_check(dev, &super);
	blkdev_close(dev);
}
END_TEST

/* Where there was something before, it is gone: the journal's room and unused copies' places. */
START_TEST(format_over_garbage)
{
	static uint8_t garbage[65536];
	struct super_info super;
	uint8_t image[1024];
	struct blkdev *dev = emudev_create(24 * MIB);

	memset(garbage, 0xa5, sizeof(garbage));
	for (uint64_t at = 0; at < dev->size; at += sizeof(garbage))
		ck_assert_int_eq(blkdev_write(dev, garbage, sizeof(garbage), at), 0);
	format(dev, 1024, 4 * MIB, &super);
	blocks_check(dev, &super);
	for (uint64_t at = 0; at < 4 * MIB; at += sizeof(image)) {
		ck_assert_int_eq(blkdev_read(dev, image, sizeof(image), at), 0);
		ck_assert(memcmp(image, garbage, sizeof(image)) == 0);
	}
	memset(garbage, 0, sizeof(image));
	for (uint32_t i = 0; i < super.journal_blocks; i++) {
		uint64_t block = super.journal_start + i;

		ck_assert_int_eq(blkdev_read(dev, image, sizeof(image), block * 1024), 0);
		ck_assert(memcmp(image, garbage, sizeof(image)) == 0);
	}
	ck_assert_int_eq(
		blkdev_read(dev, image, sizeof(image), layout_group_start(&super, 2) * 1024), 0);
	ck_assert(memcmp(image, garbage, sizeof(image)) == 0);
	blkdev_close(dev);
}
END_TEST

/*
 * The Nth write fails, over an older filesystem whose copies lie on whole MiB: what is found
 * afterwards, if anything, is whole.
 */
START_TEST(cut_at_every_write)
{
	static const uint8_t old_uuid[16] = {99};
	struct mkfs_options old = {
		.block_size = 4096,
		.inodes = 1000,
		.root_mode = 01777,
		.root_uid = 12,
		.root_gid = 34,
	};
	struct mkfs_options new = old;
	struct super_info super;
	struct super_origin origin;
	const char *why;
	unsigned found_old = 0, found_new = 0, cuts = 0;
	int rc = -EIO;

	memcpy(old.uuid, old_uuid, sizeof(old_uuid));
	memcpy(new.uuid, uuid, sizeof(uuid));
	new.block_size = 1024;
	for (unsigned n = 1; rc; n++) {
		struct blkdev *dev = emudev_create(160 * MIB);

		ck_assert_int_eq(mkfs_format(dev, &old, &super, &why), 0);
		ck_assert_uint_eq(super.group_count, 2);
		emudev_inject(dev, EMU_WRITE_ERROR, n, 0);
		rc = mkfs_format(dev, &new, &super, &why);
		ck_assert(rc == 0 || rc == -EIO);
		cuts += rc != 0;
		emudev_inject(dev, EMU_NONE, 0, 0);
		if (rc && super_locate(dev, &super, &origin) == 0) {
			bool is_new = memcmp(super.uuid, uuid, sizeof(uuid)) == 0;

			/* The old one, untouched, or the new one but for its primary superblock. */
			found_old += !is_new;
			found_new += is_new;
			ck_assert(is_new || n == found_old);
			counts_check(dev, &super);
			root_check(dev, &super);
		}
		blkdev_close(dev);
	}
	ck_assert_uint_gt(cuts, 20);
	ck_assert_uint_eq(found_new, 1);
	ck_assert_uint_eq(found_old, 2);
}
END_TEST

START_TEST(sync_error_is_told)
{
	struct mkfs_options options = {0};
	struct super_info super;
	const char *why = NULL;
	struct blkdev *dev = emudev_create(8 * MIB);

	emudev_inject(dev, EMU_SYNC_ERROR, 1, 0);
	ck_assert_int_eq(mkfs_format(dev, &options, &super, &why), -EIO);
	ck_assert_ptr_nonnull(why);
	blkdev_close(dev);
}
END_TEST

START_TEST(refusal_writes_nothing)
{
	struct mkfs_options options = {.inodes = 1000000};
	struct super_info super;
	const char *why = NULL;
	struct blkdev *dev = emudev_create(8 * MIB);

	ck_assert_int_eq(mkfs_format(dev, &options, &super, &why), -EINVAL);
	options.inodes = 0;
	options.reserve_bytes = 8 * MIB;
	ck_assert_int_eq(mkfs_format(dev, &options, &super, &why), -ENOSPC);
	ck_assert_uint_eq(emudev_writes(dev), 0);
	blkdev_close(dev);
}
END_TEST

START_TEST(random_uuids)
{
	struct mkfs_options options = {0};
	struct super_info one, two;
	struct blkdev *dev = emudev_create(8 * MIB);
	const char *why;

	ck_assert_int_eq(mkfs_plan(dev, &options, &one, &why), 0);
	ck_assert_int_eq(mkfs_plan(dev, &options, &two, &why), 0);
	ck_assert(memcmp(one.uuid, two.uuid, 16) != 0);
	ck_assert_uint_eq(one.uuid[6] >> 4, 4);
	ck_assert_uint_eq(one.uuid[8] >> 6, 2);
	blkdev_close(dev);
}
END_TEST

/* A locator with a geometry that is nonsense must neither stop the wipe nor lead it astray. */
START_TEST(hostile_locator)
{
	static const struct locator_info hostile[] = {
		{CFS_VERSION, 1024, UINT64_MAX - 1, UINT64_MAX, 1, UINT32_MAX},
		{CFS_VERSION, 1024, 0, 16384, 0, UINT32_MAX},
		{CFS_VERSION, 4096, 3, UINT64_MAX, UINT32_MAX, UINT32_MAX},
	};
	uint8_t image[4096] __attribute__((aligned(8))) = {0};
	const struct locator_info *info = &hostile[_i];
	struct blkdev *dev = emudev_create(16 * MIB);
	struct locator_info found;
	struct super_info super;

	locator_encode(tag_payload(image), info);
	ck_assert_int_eq(blkdev_write(dev, image, info->block_size, dev->size - info->block_size),
			 0);
	ck_assert_int_eq(old_find(dev, 0, &found), 1);
	ck_assert_uint_eq(found.first_block, info->first_block);
	format(dev, 1024, 8 * MIB, &super);
	blocks_check(dev, &super);
	memset(image, 0, sizeof(image));
	for (uint64_t at = 0; at < 8 * MIB; at += sizeof(image)) {
		uint8_t head[4096];

		ck_assert_int_eq(blkdev_read(dev, head, sizeof(head), at), 0);
		ck_assert(memcmp(head, image, sizeof(head)) == 0);
	}
	blkdev_close(dev);
}
END_TEST

START_TEST(old_is_found)
{
	struct blkdev *dev = emudev_create(16 * MIB);
	struct locator_info found;
	struct super_info super;
	uint8_t zeros[4096] = {0};

	ck_assert_int_eq(old_find(dev, 0, &found), 0);
	ck_assert_int_eq(old_find(dev, 64 * MIB, &found), 0);
	format(dev, 2048, 4 * MIB, &super);
	ck_assert_int_eq(old_find(dev, 0, &found), 1);
	ck_assert_uint_eq(found.first_block, 2048);
	ck_assert_int_eq(blkdev_write(dev, zeros, sizeof(zeros), dev->size - sizeof(zeros)), 0);
	ck_assert_int_eq(old_find(dev, 0, &found), 0);
	ck_assert_int_eq(old_find(dev, 4 * MIB, &found), 1);
	ck_assert_uint_eq(found.block_size, 2048);
	ck_assert_int_eq(old_wipe(dev, 4 * MIB), 0);
	ck_assert_int_eq(old_find(dev, 4 * MIB, &found), 0);
	emudev_inject(dev, EMU_READ_ERROR, 1, 0);
	ck_assert_int_eq(old_find(dev, 0, &found), -EIO);
	blkdev_close(dev);
}
END_TEST

/* The example of src/ondisk/SPEC, section 4: checksum and bytes as printed there. */
START_TEST(spec_example)
{
	static const uint8_t start[80] = {
		0x7e, 0x02, 0x00, 0x43, 0x43, 0x55, 0x52, 0x4e, 0x03, 0,    0,	  0,	0,    0,
		0,    0,    0x07, 0,	0,    0,    0,	  0,	0,    0,    0x05, 0,	0,    0,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0x01, 0x23,
		0x45, 0x67, 0x89, 0xab, 0x4c, 0xde, 0x8f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd,
		0x05, 0,    0x02, 0,	0,    0,    0,	  0,	0xff, 0xff, 0xff, 0xff, 0,    0,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,
	};
	static const uint8_t stamp[4] = {0x07, 0, 0, 0};
	uint8_t image[1024] __attribute__((aligned(8))) = {0};
	struct tag_info tag = {
		.block = 3,
		.generation = 7,
		.prev_generation = 5,
		.type = CFS_BLOCK_INODE_BITMAP,
	};

	memcpy(tag.uuid, start + 40, sizeof(tag.uuid));
	memset(image + 96, 0xff, 512 - 96);
	ck_assert_uint_eq(tag_uuid_seed(tag.uuid), 0x76c5687c);
	ck_assert_uint_eq(tag_seal(image, 1024, tag_uuid_seed(tag.uuid), &tag), 0x4300027e);
	ck_assert_mem_eq(image, start, sizeof(start));
	ck_assert_mem_eq(image + 508, stamp, sizeof(stamp));
	ck_assert_mem_eq(image + 1020, stamp, sizeof(stamp));
}
END_TEST

static Suite *mkfs_suite(void)
{
	Suite *suite = suite_create("mkfs");
	TCase *whole = tcase_create("whole"), *cut = tcase_create("cut");

	tcase_set_timeout(whole, 60);
	tcase_add_test(whole, spec_example);
	tcase_add_loop_test(whole, format_complete, 0, 3);
	tcase_add_test(whole, format_over_garbage);
	tcase_add_test(whole, refusal_writes_nothing);
	tcase_add_test(whole, random_uuids);
	tcase_add_loop_test(whole, hostile_locator, 0, 3);
	tcase_add_test(whole, old_is_found);
	suite_add_tcase(suite, whole);

	tcase_set_timeout(cut, 60);
	tcase_add_test(cut, cut_at_every_write);
	tcase_add_test(cut, sync_error_is_told);
	suite_add_tcase(suite, cut);
	return suite;
}

int main(void)
{
	return unit_run(mkfs_suite());
}
