/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the superblock on images that are whole, damaged, cut, grown, or something else. */
#include <string.h>
#include <unistd.h>

#include "integrity/tag.h"
#include "meta/super.h"
#include "meta_cases.h"
#include "meta_fixture.h"

#define RESERVE (3ULL << 20)

static int locate(struct super_info *super, struct super_origin *origin)
{
	struct blkdev *dev = meta_device();
	int rc = super_locate(dev, super, origin);

	blkdev_close(dev);
	return rc;
}

static uint64_t image_bytes(const struct super_info *super)
{
	return super->total_blocks * super->block_size;
}

/* Puts SUPER, as it is, into the primary's place. */
static void primary_write(const struct super_info *super)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8))) = {0};
	struct tag_info tag = {
		.block = super->first_block, .generation = 1, .type = CFS_BLOCK_SUPER};
	struct blkdev *dev = meta_device();

	memcpy(tag.uuid, super->uuid, sizeof(tag.uuid));
	super_encode(tag_payload(image), super);
	tag_seal(image, super->block_size, tag_uuid_seed(tag.uuid), &tag);
	ck_assert_int_eq(
		blkdev_write(dev, image, super->block_size, super->first_block * super->block_size),
		0);
	blkdev_close(dev);
}

static void primary_zero(const struct super_info *super)
{
	static const uint8_t zeros[CFS_BLOCK_SIZE_MAX];
	struct blkdev *dev = meta_device();

	ck_assert_int_eq(
		blkdev_write(dev, zeros, super->block_size, super->first_block * super->block_size),
		0);
	blkdev_close(dev);
}

static void found_is(const struct super_info *made, uint32_t group)
{
	struct super_origin origin;
	struct super_info super;

	ck_assert_int_eq(locate(&super, &origin), 0);
	ck_assert_mem_eq(super.uuid, made->uuid, sizeof(super.uuid));
	ck_assert_uint_eq(super.total_blocks, made->total_blocks);
	ck_assert_uint_eq(origin.group, group);
	ck_assert_uint_eq(origin.block, layout_group_start(made, group));
	ck_assert_int_eq(origin.message[0] != '\0', group != 0);
}

START_TEST(whole)
{
	struct super_info made = meta_format(META_BLOCK_SIZE(_i), 0);

	found_is(&made, 0);
	made = meta_format(META_BLOCK_SIZE(_i), RESERVE);
	found_is(&made, 0);
	/* A device whose size is no multiple of the block size. */
	ck_assert_int_eq(truncate(meta_image(), (off_t)(image_bytes(&made) + 512)), 0);
	found_is(&made, 0);
}
END_TEST

START_TEST(grown)
{
	struct super_info made = meta_format(META_BLOCK_SIZE(_i), RESERVE);
	struct volume *vol;

	ck_assert_int_eq(truncate(meta_image(), (off_t)(image_bytes(&made) + (10 << 20))), 0);
	found_is(&made, 0);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	meta_close(vol);
}
END_TEST

START_TEST(primary_damaged)
{
	struct super_info made = meta_format(META_BLOCK_SIZE(_i), RESERVE);
	struct super_info super;
	struct super_origin origin;
	struct volume *vol;

	meta_damage(layout_group_start(&made, 0) * made.block_size + 200);
	found_is(&made, 1);
	/* Read-only changes nothing; a writable mount repairs. */
	ck_assert_int_eq(meta_try_open(true, &vol), 0);
	meta_close(vol);
	found_is(&made, 1);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	meta_close(vol);
	found_is(&made, 0);

	for (uint32_t group = 0; group < made.group_count; group++)
		if (layout_group_has_super(group))
			meta_damage(layout_group_start(&made, group) * made.block_size + 200);
	ck_assert_int_eq(locate(&super, &origin), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(origin.message, "damaged"));
	ck_assert_int_eq(meta_try_open(false, &vol), -EUCLEAN);
	/* Only the locator is left, which is enough to know that there was one. */
	primary_zero(&made);
	ck_assert_int_eq(locate(&super, &origin), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(origin.message, "copies"));
}
END_TEST

START_TEST(locator_and_primary_damaged)
{
	struct super_info made = meta_format(1024, 0), super;
	struct super_origin origin;
	struct volume *vol;

	meta_damage((made.total_blocks - 1) * 1024 + 200);
	found_is(&made, 0);
	/* The scan at mount needs every block. */
	ck_assert_int_eq(meta_try_open(false, &vol), -EUCLEAN);
	meta_damage(200);
	ck_assert_int_eq(locate(&super, &origin), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(origin.message, "locator"));
}
END_TEST

START_TEST(copy_damaged)
{
	struct super_info made = meta_format(1024, 0), super;
	uint64_t copy = layout_group_start(&made, 1);
	struct volume *vol;
	struct blkdev *dev;

	meta_damage(copy * 1024 + 300);
	dev = meta_device();
	ck_assert_int_eq(super_read_copy(dev, 1024, copy, made.uuid, &super), -EBADMSG);
	blkdev_close(dev);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	meta_close(vol);
	dev = meta_device();
	ck_assert_int_eq(super_read_copy(dev, 1024, copy, made.uuid, &super), 0);
	ck_assert_uint_eq(super.state, CFS_STATE_CLEAN);
	ck_assert_uint_eq(super.mount_count, 1);
	blkdev_close(dev);
}
END_TEST

START_TEST(truncated)
{
	struct super_info made = meta_format(META_BLOCK_SIZE(_i), _i == 1 ? RESERVE : 0), super;
	struct super_origin origin;
	struct volume *vol;

	ck_assert_int_eq(truncate(meta_image(), (off_t)image_bytes(&made) - 1), 0);
	ck_assert_int_eq(locate(&super, &origin), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(origin.message, "truncated"));
	ck_assert_int_eq(truncate(meta_image(), 5 << 20), 0);
	ck_assert_int_eq(locate(&super, &origin), -ENOSPC);
	ck_assert_int_eq(meta_try_open(false, &vol), -ENOSPC);
}
END_TEST

START_TEST(foreign)
{
	static const off_t sizes[] = {0, 100, 1024, 4096, 1 << 20, 9 << 20};
	struct super_origin origin;
	struct super_info super;
	struct volume *vol;

	meta_format(1024, 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_int_eq(truncate(meta_image(), 0), 0);
		ck_assert_int_eq(truncate(meta_image(), sizes[i]), 0);
		ck_assert_int_eq(locate(&super, &origin), -EINVAL);
		ck_assert_ptr_nonnull(strstr(origin.message, "no churnfs"));
		ck_assert_int_eq(meta_try_open(false, &vol), -EINVAL);
	}
	ck_assert_int_eq(unlink(meta_image()), 0);
	ck_assert_int_eq(meta_try_open(false, &vol), -ENOENT);
}
END_TEST

START_TEST(unknown_features)
{
	struct super_info made = meta_format(META_BLOCK_SIZE(_i), 0), super;
	struct super_origin origin;
	struct volume *vol;

	made.incompat = 0x40;
	primary_write(&made);
	ck_assert_int_eq(locate(&super, &origin), -EPROTONOSUPPORT);
	ck_assert_ptr_nonnull(strstr(origin.message, "0x40"));
	ck_assert_int_eq(meta_try_open(true, &vol), -EPROTONOSUPPORT);
	made.incompat = 0;
	made.ro_compat = 0x8;
	primary_write(&made);
	found_is(&made, 0);
	ck_assert_int_eq(meta_try_open(false, &vol), -EPROTONOSUPPORT);
	ck_assert_int_eq(meta_try_open(true, &vol), 0);
	meta_close(vol);
	made.ro_compat = 0;
	made.compat |= 0x100;
	primary_write(&made);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	meta_close(vol);
}
END_TEST

START_TEST(generations_out_of_range)
{
	struct super_info made = meta_format(1024, 0);
	struct volume *vol;

	made.next_generation = 1;
	primary_write(&made);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);
	made.next_generation = UINT64_MAX;
	primary_write(&made);
	ck_assert_int_eq(meta_try_open(true, &vol), -EUCLEAN);
}
END_TEST

START_TEST(a_lying_locator_is_no_trap)
{
	struct super_info made = meta_format(1024, 0), super;
	uint8_t image[1024] __attribute__((aligned(8))) = {0};
	struct locator_info locator = {
		.version = CFS_VERSION,
		.block_size = 1024,
		.first_block = 5,
		.total_blocks = made.total_blocks,
		.blocks_per_group = (uint32_t)_i,
		.group_count = UINT32_MAX,
	};
	struct tag_info tag = {
		.block = made.total_blocks - 1, .generation = 1, .type = CFS_BLOCK_LOCATOR};
	struct super_origin origin;
	struct blkdev *dev = meta_device();

	memcpy(tag.uuid, made.uuid, sizeof(tag.uuid));
	locator_encode(tag_payload(image), &locator);
	tag_seal(image, 1024, tag_uuid_seed(tag.uuid), &tag);
	ck_assert_int_eq(blkdev_write(dev, image, 1024, tag.block * 1024), 0);
	blkdev_close(dev);
	found_is(&made, 0);
	meta_damage(200);
	ck_assert_int_eq(locate(&super, &origin), -EUCLEAN);
}
END_TEST

TCase *meta_super_case(void)
{
	TCase *tc = tcase_create("super");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_add_loop_test(tc, whole, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, grown, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, primary_damaged, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, locator_and_primary_damaged);
	tcase_add_test(tc, copy_damaged);
	tcase_add_loop_test(tc, truncated, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, foreign);
	tcase_add_loop_test(tc, unknown_features, 0, META_BLOCK_SIZES);
	tcase_add_test(tc, generations_out_of_range);
	tcase_add_loop_test(tc, a_lying_locator_is_no_trap, 0, 2);
	return tc;
}
