/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The neighbour, all of it, on a loop device. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "neighbour_fixture.h"
#include "unit.h"

#define HEAD (16ULL << 20)

static const char *const profiles[] = {
	NEIGHBOUR_PROFILE_DEFAULT,
	"ext2:bs=1024",
	"ext4:bs=2048,journal=tiny,commit=1",
	"ext4:bs=4096",
	"any:ext3",
};
#define PROFILES ((int)(sizeof(profiles) / sizeof(profiles[0])))

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static void no_failure(struct neighbour *nb)
{
	struct neighbour_failure failure;

	neighbour_failure_get(nb, &failure);
	ck_assert_msg(!failure.failed, "%s", failure.text);
}

/* Twice a part of a second of everything, a check in the middle and one at the end. */
START_TEST(test_clean)
{
	struct neighbour_fixture f;
	struct neighbour_stats stats;
	struct neighbour_hot_page pages[256];
	char why[256] = "";
	size_t hot;

	neighbour_fixture_open(&f, profiles[_i], HEAD);
	f.options.trace = true;
	neighbour_fixture_start(&f);
	sleep_ms(700);
	ck_assert_msg(neighbour_check(f.nb, why, sizeof(why)) == 0, "%s", why);
	sleep_ms(700);
	no_failure(f.nb);
	neighbour_stop(f.nb);
	neighbour_stats_get(f.nb, &stats);
	ck_assert_uint_gt(stats.updates, 0);
	for (unsigned leg = 0; leg < NEIGHBOUR_LEGS; leg++)
		if (!(stats.absent & 1u << leg))
			ck_assert_msg(stats.leg[leg] > 0, "%s did nothing",
				      neighbour_leg_name((enum neighbour_leg)leg));
	hot = neighbour_hot_pages(f.nb, pages, 256);
	if (f.options.profile.generic) {
		ck_assert_uint_eq(hot, 0);
	} else {
		ck_assert_uint_eq(stats.absent, 0);
		ck_assert_uint_gt(hot, 32);
		ck_assert_uint_gt(stats.verified, 0);
		for (size_t i = 0; i < hot; i++)
			ck_assert(pages[i].offset % 4096 == 0 && pages[i].offset < HEAD &&
				  pages[i].cpu >= 0);
	}
	ck_assert_msg(neighbour_finish(f.nb, why, sizeof(why)) == 0, "%s", why);
	no_failure(f.nb);
	if (!f.options.profile.generic)
		ck_assert_ptr_nonnull(strstr(neighbour_fsck_log(f.nb), "Pass 5"));
	neighbour_fixture_close(&f);
}
END_TEST

START_TEST(test_full)
{
	struct neighbour_fixture f;
	struct neighbour_failure failure;
	char path[128];
	int fd;

	neighbour_fixture_open(&f, NEIGHBOUR_PROFILE_DEFAULT, HEAD);
	/* The bitmaps are for ourselves to change: watching them would find the filler. */
	f.options.legs = 1u << NEIGHBOUR_INODES | 1u << NEIGHBOUR_XATTRS | 1u << NEIGHBOUR_EXTENTS;
	neighbour_fixture_start(&f);
	snprintf(path, sizeof(path), "%s/filler", f.mount_dir);
	neighbour_pause(f.nb);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	for (off_t step = 1 << 20, at = 0; step >= 1024; step /= 2)
		while (fallocate(fd, 0, at, step) == 0)
			at += step;
	close(fd);
	neighbour_resume(f.nb);
	ck_assert(neighbour_fixture_wait(&f, 20, &failure));
	ck_assert_msg(failure.fault == NEIGHBOUR_TROUBLE, "%s", failure.text);
	ck_assert_ptr_nonnull(strstr(failure.text, "full"));
	neighbour_fixture_close(&f);
}
END_TEST

static off_t size_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

/*
 * Met at rest or in the middle of a turn, a name of somebody else shows in the images kept; unless
 * there was no room for it where its hash belongs (each filesystem has a seed of its own): then the
 * directory has got one more block, and its index, which comes first, is what has changed.
 */
START_TEST(test_stray_name)
{
	struct neighbour_fixture f;
	struct neighbour_failure failure;
	char dir[96], path[128];
	off_t size;
	int fd;

	neighbour_fixture_open(&f, NEIGHBOUR_PROFILE_DEFAULT, HEAD);
	f.options.legs = 1u << NEIGHBOUR_DIRS;
	neighbour_fixture_start(&f);
	snprintf(dir, sizeof(dir), "%s/dirs0", f.mount_dir);
	snprintf(path, sizeof(path), "%s/stray", dir);
	size = size_of(dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert(neighbour_fixture_wait(&f, 20, &failure));
	ck_assert_msg(failure.fault == NEIGHBOUR_CORRUPT, "%s", failure.text);
	ck_assert_int_eq(failure.type, NEIGHBOUR_BLOCK_DIRECTORY);
	ck_assert_msg(failure.length == 1024, "%s", failure.text);
	ck_assert_mem_ne(failure.found, failure.expected, failure.length);
	if (size_of(dir) == size)
		ck_assert_ptr_nonnull(memmem(failure.found, failure.length, "stray", 5));
	ck_assert_ptr_null(memmem(failure.expected, failure.length, "stray", 5));
	neighbour_fixture_close(&f);
}
END_TEST

/* ext4 can be told to report an error of its own. */
START_TEST(test_fs_error)
{
	struct neighbour_fixture f;
	struct neighbour_failure failure;
	char path[128], why[256];
	int fd, rc;

	neighbour_fixture_open(&f, NEIGHBOUR_PROFILE_DEFAULT, HEAD);
	neighbour_fixture_start(&f);
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/trigger_fs_error",
		 strrchr(f.device, '/') + 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ck_assert_int_eq(write(fd, "1", 1), 1);
		close(fd);
		ck_assert(neighbour_fixture_wait(&f, 20, &failure));
		/* An update that ext4 has dropped may be noticed before the error itself. */
		ck_assert_msg(failure.fault == NEIGHBOUR_FS_ERROR || failure.newest_only, "%s",
			      failure.text);
		neighbour_stop(f.nb);
		rc = neighbour_finish(f.nb, why, sizeof(why));
		ck_assert_int_eq(rc, -EUCLEAN);
		neighbour_failure_get(f.nb, &failure);
		ck_assert_msg(failure.fault == NEIGHBOUR_FS_ERROR, "%s", failure.text);
	}
	neighbour_fixture_close(&f);
}
END_TEST

START_TEST(test_unmountable)
{
	struct neighbour_fixture f;
	char why[256] = "", zeros[4096] = {0};
	int fd;

	neighbour_fixture_open(&f, NEIGHBOUR_PROFILE_DEFAULT, HEAD);
	fd = open(f.device, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, zeros, sizeof(zeros), 0), (int)sizeof(zeros));
	close(fd);
	ck_assert_int_lt(neighbour_mount(&f.options, &f.nb, why, sizeof(why)), 0);
	ck_assert_str_ne(why, "");
	neighbour_fixture_close(&f);
}
END_TEST

/* Damage of a block that nobody watches is found by e2fsck at the end. */
START_TEST(test_fsck)
{
	struct neighbour_fixture f;
	struct neighbour_failure failure;
	char why[256] = "", byte = 0x55;
	int fd;

	neighbour_fixture_open(&f, "ext2:bs=1024", HEAD);
	f.options.legs = 1u << NEIGHBOUR_INODES;
	neighbour_fixture_start(&f);
	sleep_ms(200);
	neighbour_stop(f.nb);
	fd = open(f.device, O_RDWR | O_CLOEXEC);
	/* The first group's count of free blocks. */
	ck_assert_int_eq(pwrite(fd, &byte, 1, 2048 + 12), 1);
	close(fd);
	ck_assert_int_eq(neighbour_finish(f.nb, why, sizeof(why)), -EUCLEAN);
	neighbour_failure_get(f.nb, &failure);
	ck_assert_int_eq(failure.fault, NEIGHBOUR_FSCK);
	neighbour_fixture_close(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbour");
	TCase *tcase = tcase_create("device");
	const char *reason = neighbour_fixture_unavailable();

	if (reason) {
		printf("1..0 # SKIP %s\n", reason);
		return 0;
	}
	tcase_set_timeout(tcase, 90);
	tcase_add_loop_test(tcase, test_clean, 0, PROFILES);
	tcase_add_test(tcase, test_full);
	tcase_add_test(tcase, test_stray_name);
	tcase_add_test(tcase, test_fs_error);
	tcase_add_test(tcase, test_unmountable);
	tcase_add_test(tcase, test_fsck);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
