/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contents of files against what was written, with holes, truncation and a full device. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs_cases.h"
#include "fs_fixture.h"
#include "util/rng.h"

#define MODEL_SIZE (3u << 20)
#define MODEL_STEPS 1200u

START_TEST(read_and_write)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t file = fsx_file(fs, ROOT, "file"), dir = fsx_dir(fs, ROOT, "dir");
	char buf[100];
	size_t done;

	fsx_write(fs, file, "hello", 5, 0);
	fsx_write(fs, file, "J", 1, 0);
	ck_assert_uint_eq(fsx_read(fs, file, buf, sizeof(buf), 0), 5);
	ck_assert_mem_eq(buf, "Jello", 5);
	ck_assert_uint_eq(fsx_read(fs, file, buf, 2, 3), 2);
	ck_assert_uint_eq(fsx_read(fs, file, buf, sizeof(buf), 5), 0);
	ck_assert_uint_eq(fsx_read(fs, file, buf, sizeof(buf), 1ULL << 60), 0);
	fsx_write(fs, file, buf, 0, 1000);
	ck_assert_int_eq(fsx_stat(fs, file).st_size, 5);
	ck_assert_int_eq(fs_write(fs, dir, buf, 1, 0, &done), -EISDIR);
	ck_assert_int_eq(fs_read(fs, dir, buf, 1, 0, &done), -EISDIR);
	ck_assert_int_eq(fs_read(fs, 999, buf, 1, 0, &done), -ESTALE);
	fsx_unmount(fs);
}
END_TEST

START_TEST(sparse)
{
	uint32_t bs = META_BLOCK_SIZE(_i);
	struct fs *fs = fsx_mount(bs);
	uint64_t file = fsx_file(fs, ROOT, "file"), far = (uint64_t)bs * 1000000 + 17;
	int64_t pos;

	fsx_write(fs, file, "x", 1, far);
	ck_assert_uint_eq((uint64_t)fsx_stat(fs, file).st_size, far + 1);
	ck_assert_int_eq(fsx_stat(fs, file).st_blocks, bs / 512);
	fsx_assert_bytes(fs, file, 0, 100000, 0);
	fsx_assert_bytes(fs, file, far - 5 * bs, 5 * bs, 0);
	fsx_assert_bytes(fs, file, far, 1, 'x');
	ck_assert_int_eq(fs_seek(fs, file, 0, SEEK_DATA, &pos), 0);
	ck_assert_int_eq(pos, (int64_t)(far - 17));
	ck_assert_int_eq(fs_seek(fs, file, 5, SEEK_HOLE, &pos), 0);
	ck_assert_int_eq(pos, 5);
	ck_assert_int_eq(fs_seek(fs, file, (int64_t)far, SEEK_HOLE, &pos), 0);
	ck_assert_int_eq(pos, (int64_t)far + 1);
	ck_assert_int_eq(fs_seek(fs, file, (int64_t)far + 1, SEEK_DATA, &pos), -ENXIO);
	ck_assert_int_eq(fs_seek(fs, file, -1, SEEK_DATA, &pos), -ENXIO);
	ck_assert_int_eq(fs_seek(fs, file, 0, SEEK_SET, &pos), -EINVAL);
	fsx_unmount(fs);
}
END_TEST

START_TEST(size_limit)
{
	uint32_t bs = META_BLOCK_SIZE(_i);
	struct fs *fs = fsx_mount(bs);
	uint64_t file = fsx_file(fs, ROOT, "file"), max = (uint64_t)UINT32_MAX * bs;
	struct fs_setattr set = {.set = FS_SET_SIZE, .size = max + 1};
	struct stat st;
	size_t done;

	ck_assert_int_eq(fs_write(fs, file, "abc", 3, max, &done), -EFBIG);
	ck_assert_int_eq(fs_write(fs, file, "abc", 3, UINT64_MAX - 1, &done), -EFBIG);
	ck_assert_int_eq(fs_write(fs, file, "abc", 3, max - 2, &done), 0);
	ck_assert_uint_eq(done, 2);
	fsx_assert_bytes(fs, file, max - 2, 1, 'a');
	fsx_assert_bytes(fs, file, max - 1, 1, 'b');
	ck_assert_int_eq(fs_setattr(fs, file, &set, &st), -EFBIG);
	fsx_truncate(fs, file, max);
	fsx_truncate(fs, file, 0);
	ck_assert_int_eq(fsx_stat(fs, file).st_blocks, 0);
	fsx_unmount(fs);
}
END_TEST

START_TEST(truncate_and_grow)
{
	uint32_t bs = META_BLOCK_SIZE(_i);
	struct fs *fs = fsx_mount(bs);
	uint64_t file = fsx_file(fs, ROOT, "file"), dir = fsx_dir(fs, ROOT, "dir");
	struct fs_setattr set = {.set = FS_SET_SIZE};
	char buf[3 * 4096];
	struct stat st;

	memset(buf, 0xaa, sizeof(buf));
	fsx_write(fs, file, buf, 3 * bs, 0);
	fsx_truncate(fs, file, bs + 10);
	ck_assert_int_eq(fsx_stat(fs, file).st_blocks, 2 * bs / 512);
	/* What comes back into view is zero: by growing, ... */
	fsx_truncate(fs, file, 2 * bs);
	fsx_assert_bytes(fs, file, 0, bs + 10, 0xaa);
	fsx_assert_bytes(fs, file, bs + 10, bs - 10, 0);
	/* ... by writing within the last block, and by writing behind it. */
	fsx_write(fs, file, buf, 3 * bs, 0);
	fsx_truncate(fs, file, 100);
	fsx_write(fs, file, buf, 1, 200);
	fsx_assert_bytes(fs, file, 100, 100, 0);
	fsx_truncate(fs, file, 100);
	fsx_write(fs, file, buf, 1, 2 * bs);
	fsx_assert_bytes(fs, file, 100, 2 * bs - 100, 0);
	ck_assert_int_eq(fs_open(fs, file, O_RDWR | O_TRUNC), 0);
	ck_assert_int_eq(fsx_stat(fs, file).st_size, 0);
	ck_assert_int_eq(fsx_stat(fs, file).st_blocks, 0);
	fs_release(fs, file);
	ck_assert_int_eq(fs_setattr(fs, dir, &set, &st), -EISDIR);
	fsx_unmount(fs);
}
END_TEST

/* So many separate runs that one transaction cannot free them. */
START_TEST(truncate_in_pieces)
{
	uint32_t bs = META_BLOCK_SIZE(_i);
	struct fs *fs = fsx_mount(bs);
	struct statvfs before = fsx_statfs(fs), after;
	uint64_t file = fsx_file(fs, ROOT, "file");

	for (uint64_t i = 2000; i > 0; i--)
		fsx_write(fs, file, &i, sizeof(i), 2 * i * bs);
	ck_assert_int_ge(fsx_stat(fs, file).st_blocks, 2000 * (bs / 512));
	fsx_truncate(fs, file, 1000 * 2 * bs + 1);
	for (uint64_t i = 1; i < 1000; i++) {
		uint64_t found;

		ck_assert_uint_eq(fsx_read(fs, file, &found, sizeof(found), 2 * i * bs),
				  sizeof(found));
		ck_assert_uint_eq(found, i);
	}
	ck_assert_int_eq(fs_unlink(fs, ROOT, "file"), 0);
	fs_forget(fs, file, 1);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	fsx_unmount(fs);
}
END_TEST

START_TEST(attributes)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	uint64_t file = fsx_file(fs, ROOT, "file");
	struct fs_setattr set = {.set = FS_SET_MODE, .mode = S_IFDIR | 06755};
	struct stat st;
	size_t done;

	ck_assert_int_eq(fs_setattr(fs, file, &set, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 06755);
	/* A new owner, a write and a truncation each take set-user-ID away. */
	set = (struct fs_setattr){.set = FS_SET_UID, .uid = 1000};
	ck_assert_int_eq(fs_setattr(fs, file, &set, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0755);
	ck_assert_uint_eq(st.st_uid, 1000);
	ck_assert_uint_eq(st.st_gid, 0);
	set = (struct fs_setattr){.set = FS_SET_MODE | FS_SET_GID, .mode = 06744, .gid = 5};
	ck_assert_int_eq(fs_setattr(fs, file, &set, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 06744);
	ck_assert_int_eq(fs_write(fs, file, "x", 1, 0, &done), 0);
	/* Without group execution set-group-ID means mandatory locks. */
	ck_assert_uint_eq(fsx_stat(fs, file).st_mode, S_IFREG | 02744);
	set = (struct fs_setattr){.set = FS_SET_MODE, .mode = 06755};
	ck_assert_int_eq(fs_setattr(fs, file, &set, &st), 0);
	fsx_truncate(fs, file, 0);
	ck_assert_uint_eq(fsx_stat(fs, file).st_mode, S_IFREG | 0755);
	fsx_unmount(fs);
}
END_TEST

START_TEST(times_kept)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct fs_setattr set = {.set = FS_SET_ATIME | FS_SET_MTIME | FS_SET_CTIME,
				 .atime = {-5, 999999999},
				 .mtime = {4000000000, 1},
				 .ctime = {INT64_MAX, 0}};
	struct fs_entry entry;
	struct stat st;

	ck_assert_int_eq(fs_setattr(fs, fsx_file(fs, ROOT, "file"), &set, &st), 0);
	fs = fsx_remount(fs);
	ck_assert_int_eq(fs_lookup(fs, ROOT, "file", &entry), 0);
	ck_assert_int_eq(entry.attr.st_atim.tv_sec, -5);
	ck_assert_int_eq(entry.attr.st_atim.tv_nsec, 999999999);
	ck_assert_int_eq(entry.attr.st_mtim.tv_sec, 4000000000);
	ck_assert_int_eq(entry.attr.st_mtim.tv_nsec, 1);
	/* Beyond what 64 bits of nanoseconds hold. */
	ck_assert_int_eq(entry.attr.st_ctim.tv_sec, INT64_MAX / 1000000000);
	set = (struct fs_setattr){.set = FS_SET_MTIME, .mtime = {0, UTIME_NOW}};
	ck_assert_int_eq(fs_setattr(fs, entry.ino, &set, &st), 0);
	ck_assert_int_lt(labs(st.st_mtim.tv_sec - time(NULL)), 60);
	ck_assert_int_eq(st.st_atim.tv_sec, -5);
	fsx_unmount(fs);
}
END_TEST

START_TEST(device_full)
{
	uint32_t bs = META_BLOCK_SIZE(_i);
	struct fs *fs = fsx_mount(bs);
	struct statvfs before = fsx_statfs(fs), after;
	uint64_t file = fsx_file(fs, ROOT, "file"), offset = 0, dir;
	struct fs_entry entry;
	const size_t len = 1u << 20;
	char *buf = malloc(len);
	size_t done = 1;
	int rc;

	ck_assert_ptr_nonnull(buf);
	memset(buf, 0x5a, len);
	while ((rc = fs_write(fs, file, buf, len, offset, &done)) == 0) {
		ck_assert_uint_gt(done, 0);
		offset += done;
	}
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_eq((uint64_t)fsx_stat(fs, file).st_size, offset);
	ck_assert_uint_eq(fsx_statfs(fs).f_bfree, 0);
	fsx_assert_bytes(fs, file, offset - bs, bs, 0x5a);
	/* What needs no block still works, what needs one fails and leaves nothing. */
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "empty", S_IFREG), 0);
	ck_assert_int_eq(fs_rename(fs, ROOT, "empty", ROOT, "other", 0), 0);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, "dir", S_IFDIR), 0);
	dir = fs_lookup(fs, ROOT, "dir", &entry) ? 0 : entry.ino;
	ck_assert_int_eq(fsx_try_create(fs, dir, "file", S_IFREG), -ENOSPC);
	ck_assert_int_eq(fs_rename(fs, ROOT, "other", dir, "other", 0), -ENOSPC);
	ck_assert_uint_ne(fsx_find(fs, ROOT, "other"), 0);
	ck_assert_uint_eq(fsx_find(fs, dir, "other"), 0);
	ck_assert_uint_eq(fsx_statfs(fs).f_ffree, before.f_ffree - 3);
	fsx_write(fs, file, "over", 4, 0);
	fs_forget(fs, dir, 1);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "file"), 0);
	fs_forget(fs, file, 1);
	fsx_remove_tree(fs, ROOT);
	after = fsx_statfs(fs);
	fsx_assert_same_usage(&before, &after);
	free(buf);
	fsx_unmount(fs);
}
END_TEST

/* Inodes run out before blocks do, in the middle of a directory that grows. */
START_TEST(inodes_out)
{
	struct fs *fs = fsx_mount(META_BLOCK_SIZE(_i));
	struct statvfs st;
	char name[32];
	int rc = 0, n = 0;

	for (; rc == 0; n++) {
		snprintf(name, sizeof(name), "file-%d", n);
		rc = fsx_try_create(fs, ROOT, name, S_IFREG);
	}
	ck_assert_int_eq(rc, -ENOSPC);
	st = fsx_statfs(fs);
	ck_assert_uint_eq(st.f_ffree, 0);
	ck_assert_uint_eq((uint64_t)n, st.f_files);
	ck_assert_uint_eq(fsx_find(fs, ROOT, name), 0);
	ck_assert_int_eq(fs_unlink(fs, ROOT, "file-0"), 0);
	ck_assert_int_eq(fsx_try_create(fs, ROOT, name, S_IFREG), 0);
	fsx_unmount(fs);
}
END_TEST

/* Random work on one file beside a copy in memory. */
struct model {
	struct fs *fs;
	uint64_t file;
	struct rng rng;
	uint8_t *want, *buf; /* MODEL_SIZE each */
	uint64_t size;
};

static void model_step(struct model *m)
{
	uint64_t offset = rng_below(&m->rng, MODEL_SIZE), len = rng_below(&m->rng, 20000);

	if (len > MODEL_SIZE - offset)
		len = MODEL_SIZE - offset;
	switch (rng_below(&m->rng, 8)) {
	case 0:
		fsx_truncate(m->fs, m->file, offset);
		memset(m->want + offset, 0, MODEL_SIZE - offset);
		m->size = offset;
		return;
	case 1:
	case 2:
	case 3:
		rng_fill(&m->rng, m->want + offset, len);
		fsx_write(m->fs, m->file, m->want + offset, len, offset);
		if (len && offset + len > m->size)
			m->size = offset + len;
		return;
	default:
		if (offset > m->size)
			len = 0;
		else if (len > m->size - offset)
			len = m->size - offset;
		ck_assert_uint_eq(fsx_read(m->fs, m->file, m->buf, len, offset), len);
		ck_assert_mem_eq(m->buf, m->want + offset, len);
	}
}

START_TEST(random_work)
{
	struct model m = {.fs = fsx_mount(META_BLOCK_SIZE(_i))};
	struct fs_entry entry;

	m.want = calloc(1, MODEL_SIZE);
	m.buf = malloc(MODEL_SIZE);
	ck_assert(m.want && m.buf);
	rng_seed(&m.rng, 42, (uint64_t)_i);
	m.file = fsx_file(m.fs, ROOT, "file");
	for (unsigned i = 0; i < MODEL_STEPS; i++)
		model_step(&m);
	ck_assert_uint_eq((uint64_t)fsx_stat(m.fs, m.file).st_size, m.size);
	m.fs = fsx_remount(m.fs);
	ck_assert_int_eq(fs_lookup(m.fs, ROOT, "file", &entry), 0);
	ck_assert_uint_eq(fsx_read(m.fs, entry.ino, m.buf, MODEL_SIZE, 0), m.size);
	ck_assert_mem_eq(m.buf, m.want, m.size);
	free(m.want);
	free(m.buf);
	fsx_unmount(m.fs);
}
END_TEST

TCase *fs_files_case(void)
{
	TCase *tc = tcase_create("files");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, read_and_write, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, sparse, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, size_limit, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, truncate_and_grow, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, truncate_in_pieces, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, attributes, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, times_kept, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, device_full, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, inodes_out, 0, META_BLOCK_SIZES);
	tcase_add_loop_test(tc, random_work, 0, META_BLOCK_SIZES);
	return tc;
}
