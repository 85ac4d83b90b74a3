/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codec of the on-disk structures: round trips, and every value that a decoder must reject. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "ondisk/codec.h"
#include "ondisk/layout.h"
#include "unit.h"
#include "util/rng.h"

/* A valid superblock for a device of three groups and a bit. */
static int plan_sample(struct super_info *super, uint32_t block_size)
{
	struct layout_request request = {.block_size = block_size};
	const char *why;
	int rc;

	request.reserve_bytes = 8 << 20;
	request.device_bytes =
		request.reserve_bytes + (uint64_t)(block_size - 96) * 8 * 7 / 2 * block_size;
	rc = layout_plan(&request, super, &why);
	super->next_generation = 2;
	return rc;
}

static void super_sample(struct super_info *super, uint32_t block_size)
{
	ck_assert_int_eq(plan_sample(super, block_size), 0);
	ck_assert_uint_eq(super->group_count, 4);
}

START_TEST(super_round_trip)
{
	struct super_info in, out;
	struct cfs_super disk, again;
	const char *why;
	struct rng rng;

	rng_seed(&rng, 11, 0);
	for (int i = 0; i < 300; i++) {
		super_sample(&in, 1024u << rng_below(&rng, 3));
		in.compat = (uint32_t)rng_next(&rng);
		in.ro_compat = (uint32_t)rng_next(&rng);
		in.incompat = (uint32_t)rng_next(&rng);
		in.state = rng_below(&rng, 2) ? CFS_STATE_CLEAN : CFS_STATE_DIRTY;
		in.next_generation = rng_next(&rng) | 1;
		in.created_ns = (int64_t)rng_next(&rng);
		in.mounted_ns = (int64_t)rng_next(&rng);
		in.written_ns = (int64_t)rng_next(&rng);
		in.mount_count = (uint32_t)rng_next(&rng);
		rng_fill(&rng, in.uuid, sizeof(in.uuid));
		memset(in.label, 0, sizeof(in.label));
		memset(in.label, 'x', rng_below(&rng, sizeof(in.label)));
		super_encode(&disk, &in);
		why = NULL;
		ck_assert_msg(super_decode(&disk, &out, &why) == 0, "bad %s", why);
		ck_assert_mem_eq(&in.uuid, &out.uuid, sizeof(in.uuid));
		ck_assert_str_eq(in.label, out.label);
		ck_assert_uint_eq(in.incompat, out.incompat);
		ck_assert_uint_eq(in.next_generation, out.next_generation);
		ck_assert_int_eq(in.written_ns, out.written_ns);
		super_encode(&again, &out);
		ck_assert_mem_eq(&disk, &again, sizeof(disk));
	}
}
END_TEST

/* Every byte of a field is used: what one field is given does not show in another. */
START_TEST(inode_round_trip)
{
	struct cfs_inode disk, again;
	struct inode_info out;
	const char *why;
	struct rng rng;

	rng_seed(&rng, 12, 0);
	for (int i = 0; i < 300; i++) {
		rng_fill(&rng, &disk, sizeof(disk));
		disk.mode = le32_make(S_IFREG | 0644);
		disk.flags = le32_make(CFS_INODE_TRUNCATE);
		disk.size = le64_make(rng_next(&rng) & INT64_MAX);
		memset(disk.reserved, 0, sizeof(disk.reserved));
		why = NULL;
		ck_assert_msg(inode_decode(&disk, &out, &why) == 0, "bad %s", why);
		inode_encode(&again, &out);
		ck_assert_mem_eq(&disk, &again, sizeof(disk));
	}
}
END_TEST

START_TEST(locator_round_trip)
{
	struct cfs_locator disk, again;
	struct locator_info out;
	struct rng rng;

	rng_seed(&rng, 13, 0);
	for (int i = 0; i < 100; i++) {
		rng_fill(&rng, &disk, sizeof(disk));
		memcpy(disk.magic, CFS_LOCATOR_MAGIC, sizeof(disk.magic));
		disk.version = le32_make(CFS_VERSION);
		disk.block_size = le32_make(2048);
		disk.total_blocks = le64_make((rng_next(&rng) | 1) >> 20);
		disk.first_block = le64_make(rng_below(&rng, le64_get(disk.total_blocks)));
		ck_assert_int_eq(locator_decode(&disk, &out, NULL), 0);
		locator_encode(&again, &out);
		ck_assert_mem_eq(&disk, &again, sizeof(disk));
	}
}
END_TEST

static void group_sample(const struct super_info *super, uint32_t number, struct cfs_group *disk)
{
	struct group_info info = {
		.group = number,
		.blocks = layout_group_blocks(super, number),
		.free_blocks = 17,
		.free_inodes = super->inodes_per_group - 5,
		.used_dirs = 5,
		.block_bitmap = layout_block_bitmap(super, number),
		.inode_bitmap = layout_inode_bitmap(super, number),
		.inode_table = layout_inode_table(super, number),
	};

	group_encode(disk, &info);
}

START_TEST(group_round_trip)
{
	struct cfs_group disk, again;
	struct super_info super;
	struct group_info out;

	super_sample(&super, 1024);
	for (uint32_t group = 0; group < super.group_count; group++) {
		group_sample(&super, group, &disk);
		ck_assert_int_eq(group_decode(&disk, &super, group, &out, NULL), 0);
		ck_assert_uint_eq(out.free_blocks, 17);
		ck_assert_uint_eq(out.used_dirs, 5);
		group_encode(&again, &out);
		ck_assert_mem_eq(&disk, &again, sizeof(disk));
	}
}
END_TEST

/* A 32-bit or 64-bit field of a structure on disk, and a value that it must not have. */
struct poison {
	const char *field; /* as in *WHY */
	size_t offset;
	unsigned bytes;
	uint64_t value;
};

static void poison_apply(void *disk, const struct poison *poison)
{
	le32 v32 = le32_make((uint32_t)poison->value);
	le64 v64 = le64_make(poison->value);

	if (poison->bytes == 4)
		memcpy((char *)disk + poison->offset, &v32, sizeof(v32));
	else
		memcpy((char *)disk + poison->offset, &v64, sizeof(v64));
}

/* For the sample with blocks of 1024 bytes: 8192 blocks of head, groups of 7424. */
static const struct poison super_poisons[] = {
	{"magic", 0, 4, 0},
	{"version", 8, 4, 0},
	{"version", 8, 4, 2},
	{"block_size", 12, 4, 0},
	{"block_size", 12, 4, 512},
	{"block_size", 12, 4, 1025},
	{"block_size", 12, 4, 8192},
	{"group_count", 28, 4, 0},
	{"group_count", 28, 4, 5},
	{"group_count", 28, 4, UINT32_MAX},
	{"total_blocks", 32, 8, UINT64_MAX},
	{"first_block", 32, 8, 0},
	{"group_count", 32, 8, 8192 + 3 * 7424},
	{"first_block", 40, 8, UINT64_MAX},
	{"blocks_per_group", 48, 4, 0},
	{"blocks_per_group", 48, 4, 7425},
	{"blocks_per_group", 48, 4, UINT32_MAX},
	{"inode_table_blocks", 48, 4, 5},
	{"inodes_per_group", 52, 4, 0},
	{"inodes_per_group", 52, 4, UINT32_MAX},
	{"inode_size", 56, 4, 0},
	{"inode_size", 56, 4, 512},
	{"inode_table_blocks", 60, 4, 0},
	{"inode_table_blocks", 60, 4, UINT32_MAX},
	{"journal_start", 64, 8, 0},
	{"journal_start", 64, 8, 8192},
	{"journal_start", 64, 8, 8192 + 7424},
	{"journal_start", 64, 8, UINT64_MAX},
	{"journal_start", 64, 8, UINT64_MAX - 1000},
	{"journal_start", 72, 4, 7424},
	{"journal_start", 72, 4, UINT32_MAX},
	{"state", 76, 4, 0},
	{"state", 76, 4, 3},
	{"next_generation", 80, 8, 0},
	{"root_inode", 88, 8, 0},
	{"root_inode", 88, 8, 2},
};

START_TEST(super_rejects)
{
	const struct poison *poison = &super_poisons[_i];
	struct super_info info;
	struct cfs_super disk;
	const char *why = NULL;

	super_sample(&info, 1024);
	super_encode(&disk, &info);
	poison_apply(&disk, poison);
	ck_assert_int_eq(super_decode(&disk, &info, &why), -EUCLEAN);
	ck_assert_str_eq(why, poison->field);
	ck_assert_int_eq(super_decode(&disk, &info, NULL), -EUCLEAN);
}
END_TEST

/* 4,294,967,296 inodes in as many groups as it takes: a number must fit a directory entry. */
START_TEST(super_rejects_too_many_inodes)
{
	struct super_info info;
	struct cfs_super disk;
	const char *why = NULL;

	super_sample(&info, 1024);
	info.group_count = UINT32_MAX / info.inodes_per_group + 1;
	info.total_blocks = info.first_block + (uint64_t)info.group_count * info.blocks_per_group;
	super_encode(&disk, &info);
	ck_assert_int_eq(super_decode(&disk, &info, &why), -EUCLEAN);
	ck_assert_str_eq(why, "inodes_per_group");
}
END_TEST

/* True if what the layout computes for one group and one inode stays within the device. */
static bool layout_sane(const struct super_info *super, uint32_t group, uint64_t ino)
{
	uint64_t end = layout_group_start(super, group) + layout_group_blocks(super, group);
	uint32_t slot;
	uint64_t block = layout_inode_block(super, ino, &slot);

	return end < super->total_blocks && layout_group_data(super, group) <= end &&
	       layout_group_blocks(super, group) <= layout_payload(super->block_size) * 8 &&
	       slot < layout_inodes_per_block(super) &&
	       layout_block_type(super, block) == CFS_BLOCK_INODE_TABLE;
}

/* Whatever a superblock says: if it is accepted, the layout computed from it can be used. */
START_TEST(super_hostile)
{
	unsigned accepted = 0, insane = 0;
	struct super_info info;
	struct cfs_super disk;
	struct rng rng;

	rng_seed(&rng, 14, 0);
	for (int i = 0; i < 200000; i++) {
		plan_sample(&info, 1024u << rng_below(&rng, 3));
		super_encode(&disk, &info);
		for (uint64_t n = rng_below(&rng, 3); n <= 3; n++) {
			struct poison poison = {
				.offset = 28 + 4 * rng_below(&rng, 12),
				.bytes = 4,
				.value = rng_next(&rng) >> rng_below(&rng, 64),
			};

			poison_apply(&disk, &poison);
		}
		if (super_decode(&disk, &info, NULL))
			continue;
		accepted++;
		insane += !layout_sane(&info, 0, 1);
		insane += !layout_sane(&info, info.group_count - 1, layout_inode_count(&info));
	}
	ck_assert_uint_eq(insane, 0);
	ck_assert_uint_gt(accepted, 1000);
}
END_TEST

static const struct poison locator_poisons[] = {
	{"magic", 4, 4, 0},	    {"version", 8, 4, 0},	 {"version", 8, 4, 2},
	{"block_size", 12, 4, 512}, {"block_size", 12, 4, 3072}, {"first_block", 16, 8, 1000},
	{"first_block", 24, 8, 0},
};

START_TEST(locator_rejects)
{
	const struct poison *poison = &locator_poisons[_i];
	struct locator_info info = {
		.version = CFS_VERSION,
		.block_size = 1024,
		.total_blocks = 1000,
		.blocks_per_group = 7424,
		.group_count = 1,
	};
	struct cfs_locator disk;
	const char *why = NULL;

	locator_encode(&disk, &info);
	poison_apply(&disk, poison);
	ck_assert_int_eq(locator_decode(&disk, &info, &why), -EUCLEAN);
	ck_assert_str_eq(why, poison->field);
}
END_TEST

static const struct poison group_poisons[] = {
	{"group", 0, 4, 1},
	{"blocks", 8, 4, 7423},
	{"blocks", 8, 4, UINT32_MAX},
	{"free_blocks", 12, 4, 7425},
	{"free_inodes", 16, 4, 100000},
	{"used_dirs", 20, 4, 6},
	{"used_dirs", 20, 4, UINT32_MAX},
	{"block_bitmap", 24, 8, 8193},
	{"inode_bitmap", 32, 8, 0},
	{"inode_table", 40, 8, UINT64_MAX},
};

START_TEST(group_rejects)
{
	const struct poison *poison = &group_poisons[_i];
	struct super_info super;
	struct group_info info;
	struct cfs_group disk;
	const char *why = NULL;

	super_sample(&super, 1024);
	group_sample(&super, 0, &disk);
	poison_apply(&disk, poison);
	ck_assert_int_eq(group_decode(&disk, &super, 0, &info, &why), -EUCLEAN);
	ck_assert_str_eq(why, poison->field);
}
END_TEST

static const struct poison inode_poisons[] = {
	{"mode", 0, 4, 0644},
	{"mode", 0, 4, 0170644},
	{"mode", 0, 4, UINT32_MAX},
	{"flags", 4, 4, 4},
	{"flags", 4, 4, UINT32_MAX},
	{"size of an inline symlink", 4, 4, CFS_INODE_INLINE}, /* on a regular file */
	{"size", 24, 8, (uint64_t)INT64_MAX + 1},
};

START_TEST(inode_rejects)
{
	const struct poison *poison = &inode_poisons[_i];
	struct inode_info info = {.mode = S_IFREG | 0644, .links = 1};
	struct cfs_inode disk;
	const char *why = NULL;

	inode_encode(&disk, &info);
	ck_assert_int_eq(inode_decode(&disk, &info, &why), 0);
	poison_apply(&disk, poison);
	ck_assert_int_eq(inode_decode(&disk, &info, &why), -EUCLEAN);
	ck_assert_str_eq(why, poison->field);
}
END_TEST

START_TEST(inode_inline_limit)
{
	struct inode_info info = {.mode = S_IFLNK | 0777, .flags = CFS_INODE_INLINE, .size = 136};
	struct cfs_inode disk;

	inode_encode(&disk, &info);
	ck_assert_int_eq(inode_decode(&disk, &info, NULL), 0);
	disk.size = le64_make(137);
	ck_assert_int_eq(inode_decode(&disk, &info, NULL), -EUCLEAN);
}
END_TEST

/* All that a free inode must be is free. */
START_TEST(inode_free_decodes)
{
	struct inode_info info;
	struct cfs_inode disk;

	memset(&disk, 0xff, sizeof(disk));
	disk.mode = le32_make(0);
	ck_assert_int_eq(inode_decode(&disk, &info, NULL), 0);
	ck_assert_uint_eq(info.mode, 0);
}
END_TEST

static Suite *codec_suite(void)
{
	Suite *suite = suite_create("codec");
	TCase *trips = tcase_create("round trips"), *rejects = tcase_create("rejects");

	tcase_add_test(trips, super_round_trip);
	tcase_add_test(trips, inode_round_trip);
	tcase_add_test(trips, locator_round_trip);
	tcase_add_test(trips, group_round_trip);
	tcase_add_test(trips, inode_inline_limit);
	tcase_add_test(trips, inode_free_decodes);
	suite_add_tcase(suite, trips);

	tcase_set_timeout(rejects, 30);
	tcase_add_loop_test(rejects, super_rejects, 0,
			    sizeof(super_poisons) / sizeof(super_poisons[0]));
	tcase_add_test(rejects, super_rejects_too_many_inodes);
	tcase_add_test(rejects, super_hostile);
	tcase_add_loop_test(rejects, locator_rejects, 0,
			    sizeof(locator_poisons) / sizeof(locator_poisons[0]));
	tcase_add_loop_test(rejects, group_rejects, 0,
			    sizeof(group_poisons) / sizeof(group_poisons[0]));
	tcase_add_loop_test(rejects, inode_rejects, 0,
			    sizeof(inode_poisons) / sizeof(inode_poisons[0]));
	suite_add_tcase(suite, rejects);
	return suite;
}

int main(void)
{
	return unit_run(codec_suite());
}
