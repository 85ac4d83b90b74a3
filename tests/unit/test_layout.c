/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things lie: plans for devices of every size, and the layout functions against each other.
 */
#include <errno.h>
#include <string.h>

#include "ondisk/codec.h"
#include "ondisk/layout.h"
#include "unit.h"
#include "util/rng.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define TIB (1ULL << 40)

static const uint32_t block_sizes[] = {1024, 2048, 4096};

#define BLOCK_SIZES 3

static int plan(uint64_t bytes, uint64_t reserve, uint32_t block_size, uint64_t inodes,
		struct super_info *super)
{
	const struct layout_request request = {
		.device_bytes = bytes,
		.reserve_bytes = reserve,
		.block_size = block_size,
		.inodes = inodes,
	};
	const char *why = NULL;
	int rc = layout_plan(&request, super, &why);

	/* A refusal says why. */
	ck_assert((rc == 0) == (why == NULL));
	return rc;
}

/* The groups follow one another without a gap, and each has room for data. */
static bool groups_sane(const struct super_info *super)
{
	uint64_t end = super->first_block;

	for (uint32_t group = 0; group < super->group_count; group++) {
		if (layout_group_start(super, group) != end)
			return false;
		end += layout_group_blocks(super, group);
		if (layout_group_data(super, group) + 63 >= end)
			return false;
	}
	/* Behind the last one lies the locator, and less than one more group could be made of. */
	return end < super->total_blocks &&
	       super->total_blocks - 1 - end < 4 + super->inode_table_blocks + 64;
}

/* What every plan must keep. */
static void plan_check(struct super_info *super, uint64_t bytes, uint64_t reserve)
{
	struct super_info decoded;
	struct cfs_super disk;
	const char *why = NULL;

	ck_assert_uint_eq(super->total_blocks, bytes / super->block_size);
	ck_assert_uint_eq(super->first_block, reserve / super->block_size);
	ck_assert_uint_eq(super->compat, reserve ? CFS_COMPAT_RESERVED_HEAD : 0);
	ck_assert(groups_sane(super));
	ck_assert_uint_ge(super->journal_blocks, 64);
	ck_assert_uint_eq(super->journal_start, layout_group_data(super, 0));
	ck_assert_uint_lt(super->journal_start + super->journal_blocks + 63,
			  layout_group_start(super, 0) + layout_group_blocks(super, 0));

	super->next_generation = 2;
	super_encode(&disk, super);
	ck_assert_msg(super_decode(&disk, &decoded, &why) == 0, "bad %s", why);
}

START_TEST(plan_many_sizes)
{
	uint32_t bs = block_sizes[_i];
	struct super_info super;
	struct rng rng;

	rng_seed(&rng, 21, bs);
	for (int i = 0; i < 1500; i++) {
		uint64_t most = (4 * GIB) >> rng_below(&rng, 12);
		uint64_t reserve = rng_below(&rng, 4) ? 0 : 4096 * rng_below(&rng, 10000);
		uint64_t bytes = reserve + layout_min_bytes(bs) + rng_below(&rng, most);

		ck_assert_int_eq(plan(bytes, reserve, bs, 0, &super), 0);
		plan_check(&super, bytes, reserve);
		ck_assert_uint_ge(super.inodes_per_group, 4 * layout_inodes_per_block(&super));
	}
}
END_TEST

/* The sizes at which a last group becomes possible, one block at a time. */
START_TEST(plan_group_boundaries)
{
	uint32_t bs = block_sizes[_i];
	uint64_t per_group = (uint64_t)(bs - 96) * 8;
	struct super_info super;

	for (uint64_t groups = 1; groups <= 3; groups++) {
		uint64_t middle = groups * per_group + 1;

		for (uint64_t blocks = middle - 4; blocks < middle + per_group / 8; blocks += 3) {
			ck_assert_int_eq(plan(blocks * bs, 0, bs, 0, &super), 0);
			plan_check(&super, blocks * bs, 0);
		}
		ck_assert_int_eq(plan(middle * bs, 0, bs, 0, &super), 0);
		ck_assert_uint_eq(super.group_count, groups);
		ck_assert_int_eq(plan((middle + per_group) * bs, 0, bs, 0, &super), 0);
		ck_assert_uint_eq(super.group_count, groups + 1);
	}
}
END_TEST

START_TEST(plan_minimum)
{
	uint32_t bs = block_sizes[_i];
	uint64_t least = layout_min_bytes(bs);
	struct super_info super;

	ck_assert_uint_eq(least, 137 * bs);
	ck_assert_int_eq(plan(least, 0, bs, 0, &super), 0);
	plan_check(&super, least, 0);
	ck_assert_int_eq(plan(least - 1, 0, bs, 0, &super), -ENOSPC);
	ck_assert_int_eq(plan(least - bs, 0, bs, 0, &super), -ENOSPC);
	ck_assert_int_eq(plan(0, 0, bs, 0, &super), -ENOSPC);
	ck_assert_int_eq(plan(MIB + least, MIB, bs, 0, &super), 0);
	plan_check(&super, MIB + least, MIB);
	ck_assert_int_eq(plan(MIB + least - 1, MIB, bs, 0, &super), -ENOSPC);
	ck_assert_int_eq(plan(MIB, 2 * MIB, bs, 0, &super), -ENOSPC);
}
END_TEST

START_TEST(plan_large)
{
	uint32_t bs = block_sizes[_i];
	struct super_info super;

	ck_assert_int_eq(plan(2 * TIB, 0, bs, 0, &super), 0);
	plan_check(&super, 2 * TIB, 0);
	ck_assert_uint_le(layout_inode_count(&super), UINT32_MAX);
	ck_assert_int_eq(plan(UINT64_MAX, 0, bs, 0, &super), -EINVAL);
	ck_assert_int_eq(plan(UINT64_MAX, UINT64_MAX - 4095, bs, 0, &super), -ENOSPC);
}
END_TEST

START_TEST(plan_inode_requests)
{
	uint32_t bs = block_sizes[_i];
	static const uint64_t wanted[] = {1, 100, 5000, 20000};
	struct super_info super;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		ck_assert_int_eq(plan(256 * MIB, 0, bs, wanted[i], &super), 0);
		plan_check(&super, 256 * MIB, 0);
		ck_assert_uint_ge(layout_inode_count(&super), wanted[i]);
	}
	ck_assert_int_eq(plan(256 * MIB, 0, bs, 100000000, &super), -EINVAL);
	ck_assert_int_eq(plan(256 * MIB, 0, bs, (uint64_t)UINT32_MAX + 1, &super), -EINVAL);
	ck_assert_int_eq(plan(256 * MIB, 0, bs, UINT64_MAX, &super), -EINVAL);
	ck_assert_int_eq(plan(layout_min_bytes(bs), 0, bs, 100000, &super), -EINVAL);
}
END_TEST

START_TEST(plan_rejects_values)
{
	static const uint32_t sizes[] = {0, 1, 512, 1023, 1025, 3072, 8192, UINT32_MAX};
	struct super_info super;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ck_assert_int_eq(plan(256 * MIB, 0, sizes[i], 0, &super), -EINVAL);
	ck_assert_int_eq(plan(256 * MIB, 1024, 1024, 0, &super), -EINVAL);
	ck_assert_int_eq(plan(256 * MIB, 4095, 4096, 0, &super), -EINVAL);
}
END_TEST

START_TEST(super_copies)
{
	static const uint32_t with[] = {0, 1, 3, 9, 27, 81, 243, 729, 3486784401};

	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		ck_assert(layout_group_has_super(with[i]));
	for (uint32_t group = 0, copies = 0; group < 1000; group++) {
		copies += layout_group_has_super(group);
		if (group == 999)
			ck_assert_uint_eq(copies, 8);
	}
	ck_assert(!layout_group_has_super(2));
	ck_assert(!layout_group_has_super(6));
	ck_assert(!layout_group_has_super(UINT32_MAX));
}
END_TEST

/* What the functions say of one block must fit together. */
static bool block_sane(const struct super_info *super, uint64_t block)
{
	enum cfs_block_type type = layout_block_type(super, block);
	uint32_t group = layout_block_group(super, block);
	bool data = layout_data_valid(super, block, 1);

	if (layout_block_owner(super, block) != (group == UINT32_MAX ? 0 : group))
		return false;
	if (group == UINT32_MAX)
		return !data && (type == 0 || type == CFS_BLOCK_LOCATOR);
	if (block < layout_group_start(super, group) || (data && type))
		return false;
	switch (type) {
	case CFS_BLOCK_SUPER:
		return block == layout_group_start(super, group);
	case CFS_BLOCK_GROUP:
		return block == layout_group_header(super, group);
	case CFS_BLOCK_BLOCK_BITMAP:
		return block == layout_block_bitmap(super, group);
	case CFS_BLOCK_INODE_BITMAP:
		return block == layout_inode_bitmap(super, group);
	case CFS_BLOCK_INODE_TABLE:
		return block >= layout_inode_table(super, group) &&
		       block < layout_group_data(super, group);
	case CFS_BLOCK_JOURNAL:
		return group == 0 && block >= layout_group_data(super, group);
	case CFS_BLOCK_LOCATOR:
		return false; /* in no group */
	default:
		return data || block == layout_group_start(super, group);
	}
}

/* Every block of a device, counted by its number and counted from the geometry. */
START_TEST(blocks_agree)
{
	uint32_t bs = block_sizes[_i];
	uint64_t bytes = 8 * MIB + (uint64_t)(bs - 96) * 8 * 5 / 2 * bs;
	uint64_t counts[CFS_BLOCK_TYPES] = {0}, expected[CFS_BLOCK_TYPES] = {0}, insane = 0;
	struct super_info super;

	ck_assert_int_eq(plan(bytes, 8 * MIB, bs, 0, &super), 0);
	for (uint64_t block = 0; block < super.total_blocks; block++) {
		counts[layout_block_type(&super, block)]++;
		insane += !block_sane(&super, block);
	}
	ck_assert_uint_eq(insane, 0);
	ck_assert_uint_eq(super.group_count, 3);
	expected[CFS_BLOCK_SUPER] = 2;
	expected[CFS_BLOCK_LOCATOR] = 1;
	expected[CFS_BLOCK_GROUP] = 3;
	expected[CFS_BLOCK_BLOCK_BITMAP] = 3;
	expected[CFS_BLOCK_INODE_BITMAP] = 3;
	expected[CFS_BLOCK_INODE_TABLE] = 3ULL * super.inode_table_blocks;
	expected[CFS_BLOCK_JOURNAL] = super.journal_blocks;
	for (int type = 1; type < CFS_BLOCK_TYPES; type++)
		ck_assert_uint_eq(counts[type], expected[type]);
}
END_TEST

START_TEST(inodes_agree)
{
	uint32_t bs = block_sizes[_i];
	struct super_info super;
	uint64_t last_block = 0, insane = 0;
	uint32_t last_slot = 0;

	ck_assert_int_eq(plan(400 * MIB, 0, bs, 0, &super), 0);
	ck_assert(!layout_inode_valid(&super, 0));
	ck_assert(!layout_inode_valid(&super, layout_inode_count(&super) + 1));
	ck_assert(!layout_inode_valid(&super, UINT64_MAX));
	for (uint64_t ino = 1; ino <= layout_inode_count(&super); ino++) {
		uint32_t slot, group = layout_inode_group(&super, ino);
		uint64_t block = layout_inode_block(&super, ino, &slot);

		/* In order, so no two inodes share a place. */
		insane += !layout_inode_valid(&super, ino) ||
			  slot >= layout_inodes_per_block(&super) ||
			  layout_block_type(&super, block) != CFS_BLOCK_INODE_TABLE ||
			  layout_block_group(&super, block) != group ||
			  (block == last_block ? slot <= last_slot : block < last_block);
		last_block = block;
		last_slot = slot;
	}
	ck_assert_uint_eq(insane, 0);
}
END_TEST

START_TEST(data_ranges)
{
	struct super_info super;
	uint64_t data, end;

	ck_assert_int_eq(plan(64 * MIB, 0, 1024, 0, &super), 0);
	data = super.journal_start + super.journal_blocks;
	end = layout_group_start(&super, 1);
	ck_assert(layout_data_valid(&super, data, 1));
	ck_assert(layout_data_valid(&super, data, end - data));
	ck_assert(!layout_data_valid(&super, data, end - data + 1));
	ck_assert(!layout_data_valid(&super, data, 0));
	ck_assert(!layout_data_valid(&super, data - 1, 1));
	ck_assert(!layout_data_valid(&super, data - 1, 2));
	ck_assert(!layout_data_valid(&super, data, UINT64_MAX));
	ck_assert(!layout_data_valid(&super, UINT64_MAX, 1));
	ck_assert(!layout_data_valid(&super, super.total_blocks - 1, 1));
	ck_assert(!layout_data_valid(&super, layout_inode_table(&super, 1), 1));
	ck_assert(layout_data_valid(&super, layout_group_data(&super, 1), 1));
}
END_TEST

static Suite *layout_suite(void)
{
	Suite *suite = suite_create("layout");
	TCase *plans = tcase_create("plans"), *places = tcase_create("places");

	tcase_set_timeout(plans, 30);
	tcase_add_loop_test(plans, plan_many_sizes, 0, BLOCK_SIZES);
	tcase_add_loop_test(plans, plan_group_boundaries, 0, BLOCK_SIZES);
	tcase_add_loop_test(plans, plan_minimum, 0, BLOCK_SIZES);
	tcase_add_loop_test(plans, plan_large, 0, BLOCK_SIZES);
	tcase_add_loop_test(plans, plan_inode_requests, 0, BLOCK_SIZES);
	tcase_add_test(plans, plan_rejects_values);
	suite_add_tcase(suite, plans);

	tcase_set_timeout(places, 30);
	tcase_add_test(places, super_copies);
	tcase_add_loop_test(places, blocks_agree, 0, BLOCK_SIZES);
	tcase_add_loop_test(places, inodes_agree, 0, BLOCK_SIZES);
	tcase_add_test(places, data_ranges);
	suite_add_tcase(suite, places);
	return suite;
}

int main(void)
{
	return unit_run(layout_suite());
}
