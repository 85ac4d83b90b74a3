/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The on-disk format: offsets and sizes as numbers, copied from src/ondisk/SPEC and not from the
 * header, so that a change of the header that would change the format does not go unseen.
 */
#include <stddef.h>

#include "ondisk/format.h"
#include "unit.h"

struct field {
	const char *name;
	size_t offset, size; /* as they are */
	size_t spec_offset, spec_size;
};

#define FIELD(type, member, spec_offset, spec_size)                                                \
	{                                                                                          \
#type "." #member, offsetof(struct type, member),                                  \
			sizeof(((struct type *)0)->member), spec_offset, spec_size                 \
	}

static const struct field fields[] = {
	FIELD(cfs_tag, crc, 0, 4),
	FIELD(cfs_tag, magic, 4, 4),
	FIELD(cfs_tag, block, 8, 8),
	FIELD(cfs_tag, generation, 16, 8),
	FIELD(cfs_tag, prev_generation, 24, 8),
	FIELD(cfs_tag, owner, 32, 8),
	FIELD(cfs_tag, uuid, 40, 16),
	FIELD(cfs_tag, type, 56, 2),
	FIELD(cfs_tag, sectors, 58, 2),
	FIELD(cfs_tag, reserved, 60, 4),
	FIELD(cfs_tag, fixup, 64, 32),
	FIELD(cfs_super, magic, 0, 8),
	FIELD(cfs_super, version, 8, 4),
	FIELD(cfs_super, block_size, 12, 4),
	FIELD(cfs_super, compat, 16, 4),
	FIELD(cfs_super, ro_compat, 20, 4),
	FIELD(cfs_super, incompat, 24, 4),
	FIELD(cfs_super, group_count, 28, 4),
	FIELD(cfs_super, total_blocks, 32, 8),
	FIELD(cfs_super, first_block, 40, 8),
	FIELD(cfs_super, blocks_per_group, 48, 4),
	FIELD(cfs_super, inodes_per_group, 52, 4),
	FIELD(cfs_super, inode_size, 56, 4),
	FIELD(cfs_super, inode_table_blocks, 60, 4),
	FIELD(cfs_super, journal_start, 64, 8),
	FIELD(cfs_super, journal_blocks, 72, 4),
	FIELD(cfs_super, state, 76, 4),
	FIELD(cfs_super, next_generation, 80, 8),
	FIELD(cfs_super, root_inode, 88, 8),
	FIELD(cfs_super, created_ns, 96, 8),
	FIELD(cfs_super, mounted_ns, 104, 8),
	FIELD(cfs_super, written_ns, 112, 8),
	FIELD(cfs_super, mount_count, 120, 4),
	FIELD(cfs_super, reserved0, 124, 4),
	FIELD(cfs_super, uuid, 128, 16),
	FIELD(cfs_super, label, 144, 32),
	FIELD(cfs_locator, magic, 0, 8),
	FIELD(cfs_locator, version, 8, 4),
	FIELD(cfs_locator, block_size, 12, 4),
	FIELD(cfs_locator, first_block, 16, 8),
	FIELD(cfs_locator, total_blocks, 24, 8),
	FIELD(cfs_locator, blocks_per_group, 32, 4),
	FIELD(cfs_locator, group_count, 36, 4),
	FIELD(cfs_group, group, 0, 4),
	FIELD(cfs_group, flags, 4, 4),
	FIELD(cfs_group, blocks, 8, 4),
	FIELD(cfs_group, free_blocks, 12, 4),
	FIELD(cfs_group, free_inodes, 16, 4),
	FIELD(cfs_group, used_dirs, 20, 4),
	FIELD(cfs_group, block_bitmap, 24, 8),
	FIELD(cfs_group, inode_bitmap, 32, 8),
	FIELD(cfs_group, inode_table, 40, 8),
	FIELD(cfs_extent_head, depth, 0, 2),
	FIELD(cfs_extent_head, count, 2, 2),
	FIELD(cfs_extent_head, max, 4, 2),
	FIELD(cfs_extent_head, reserved, 6, 2),
	FIELD(cfs_extent, logical, 0, 4),
	FIELD(cfs_extent, length, 4, 4),
	FIELD(cfs_extent, block, 8, 8),
	FIELD(cfs_extent_index, logical, 0, 4),
	FIELD(cfs_extent_index, reserved, 4, 4),
	FIELD(cfs_extent_index, child, 8, 8),
	FIELD(cfs_inode, mode, 0, 4),
	FIELD(cfs_inode, flags, 4, 4),
	FIELD(cfs_inode, uid, 8, 4),
	FIELD(cfs_inode, gid, 12, 4),
	FIELD(cfs_inode, links, 16, 4),
	FIELD(cfs_inode, rdev, 20, 4),
	FIELD(cfs_inode, size, 24, 8),
	FIELD(cfs_inode, blocks, 32, 8),
	FIELD(cfs_inode, atime_ns, 40, 8),
	FIELD(cfs_inode, mtime_ns, 48, 8),
	FIELD(cfs_inode, ctime_ns, 56, 8),
	FIELD(cfs_inode, crtime_ns, 64, 8),
	FIELD(cfs_inode, generation, 72, 8),
	FIELD(cfs_inode, xattr_block, 80, 8),
	FIELD(cfs_inode, parent, 88, 8),
	FIELD(cfs_inode, reserved, 96, 24),
	FIELD(cfs_inode, root, 120, 136),
	FIELD(cfs_dirent, inode, 0, 4),
	FIELD(cfs_dirent, rec_len, 4, 2),
	FIELD(cfs_dirent, name_len, 6, 1),
	FIELD(cfs_dirent, type, 7, 1),
};

START_TEST(field_place)
{
	const struct field *f = &fields[_i];

	ck_assert_msg(f->offset == f->spec_offset, "%s is at %zu, the format says %zu", f->name,
		      f->offset, f->spec_offset);
	ck_assert_msg(f->size == f->spec_size, "%s has %zu bytes, the format says %zu", f->name,
		      f->size, f->spec_size);
}
END_TEST

START_TEST(structure_sizes)
{
	ck_assert_uint_eq(sizeof(struct cfs_tag), 96);
	ck_assert_uint_eq(sizeof(struct cfs_super), 176);
	ck_assert_uint_eq(sizeof(struct cfs_locator), 40);
	ck_assert_uint_eq(sizeof(struct cfs_group), 48);
	ck_assert_uint_eq(sizeof(struct cfs_extent_head), 8);
	ck_assert_uint_eq(sizeof(struct cfs_extent), 16);
	ck_assert_uint_eq(sizeof(struct cfs_extent_index), 16);
	ck_assert_uint_eq(sizeof(struct cfs_inode), 256);
	ck_assert_uint_eq(sizeof(struct cfs_dirent), 8);
	ck_assert_uint_eq(offsetof(struct cfs_dirent, name), 8);
}
END_TEST

/* The fields of the table cover their structures without a gap: none was forgotten above. */
START_TEST(fields_complete)
{
	size_t end = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].spec_offset == 0)
			end = 0;
		ck_assert_msg(fields[i].spec_offset == end, "a field is missing before %s",
			      fields[i].name);
		end += fields[i].spec_size;
	}
}
END_TEST

START_TEST(constants)
{
	const le32 magic = le32_make(CFS_TAG_MAGIC);

	ck_assert_mem_eq(&magic, "CURN", 4);
	ck_assert_mem_eq(CFS_SUPER_MAGIC, "churnfs\n", 8);
	ck_assert_mem_eq(CFS_LOCATOR_MAGIC, "churnLOC", 8);
	ck_assert_uint_eq(CFS_VERSION, 1);
	ck_assert_uint_eq(CFS_SECTOR_SIZE, 512);
	ck_assert_uint_eq(CFS_MAX_SECTORS, 8);
	ck_assert_uint_eq(CFS_ROOT_INODE, 1);
	ck_assert_uint_eq(CFS_EXTENT_ROOT_MAX, 8);
	ck_assert_uint_eq(CFS_EXTENT_DEPTH_MAX, 5);
	ck_assert_uint_eq(CFS_NAME_MAX, 255);
	ck_assert_uint_eq(CFS_COMPAT_RESERVED_HEAD, 1);
	ck_assert_uint_eq(CFS_STATE_CLEAN, 1);
	ck_assert_uint_eq(CFS_STATE_DIRTY, 2);
	ck_assert_uint_eq(CFS_INODE_INLINE, 1);
	ck_assert_uint_eq(CFS_INODE_TRUNCATE, 2);
}
END_TEST

START_TEST(block_types)
{
	ck_assert_uint_eq(CFS_BLOCK_SUPER, 1);
	ck_assert_uint_eq(CFS_BLOCK_LOCATOR, 2);
	ck_assert_uint_eq(CFS_BLOCK_GROUP, 3);
	ck_assert_uint_eq(CFS_BLOCK_BLOCK_BITMAP, 4);
	ck_assert_uint_eq(CFS_BLOCK_INODE_BITMAP, 5);
	ck_assert_uint_eq(CFS_BLOCK_INODE_TABLE, 6);
	ck_assert_uint_eq(CFS_BLOCK_EXTENT, 7);
	ck_assert_uint_eq(CFS_BLOCK_DIR, 8);
	ck_assert_uint_eq(CFS_BLOCK_SYMLINK, 9);
	ck_assert_uint_eq(CFS_BLOCK_JOURNAL, 10);
	ck_assert_uint_eq(CFS_BLOCK_TYPES, 11);
}
END_TEST

static Suite *ondisk_suite(void)
{
	Suite *suite = suite_create("ondisk");
	TCase *format = tcase_create("format");

	tcase_add_loop_test(format, field_place, 0, sizeof(fields) / sizeof(fields[0]));
	tcase_add_test(format, structure_sizes);
	tcase_add_test(format, fields_complete);
	tcase_add_test(format, constants);
	tcase_add_test(format, block_types);
	suite_add_tcase(suite, format);
	return suite;
}

int main(void)
{
	return unit_run(ondisk_suite());
}
