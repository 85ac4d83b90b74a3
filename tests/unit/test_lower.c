/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lower.c brings the device's pages down with: eviction of large folios, and full pipes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/devpages.h"
#include "soak/loopdev.h"
#include "soak/memzones.h"
#include "soak/plug.h"
#include "unit.h"

#define DEVICE_BYTES (32u << 20)
#define DEVICE_PAGES (DEVICE_BYTES / DEVPAGE_SIZE)
#define PIECE_PAGES 256u
#define PIPE_BYTES (1u << 20)
#define PINS_MAX 256u
#define FDS_MAX 1024

/* As others do that know nothing of it. */
static void read_ahead(const char *path, char *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (off_t at = 0; at < DEVICE_BYTES; at += 65536)
		unit_assert(pread(fd, buf, 65536, at) == 65536);
	close(fd);
}

static size_t cached(const struct devpages *dp, size_t first, size_t count)
{
	size_t pages = 0;

	for (size_t i = 0; i < count; i++)
		pages += devpages_cached(dp, first + i, 1);
	return pages;
}

/* Piece by piece. Returns the pages that stayed. */
static size_t stayed(const struct devpages *dp,
		     void (*evict)(const struct devpages *dp, size_t first, size_t count))
{
	size_t pages = 0;

	/* Not aligned, as the parts that are moved are not. */
	for (size_t at = PIECE_PAGES / 2; at + PIECE_PAGES < DEVICE_PAGES; at += PIECE_PAGES) {
		evict(dp, at, PIECE_PAGES);
		pages += cached(dp, at, PIECE_PAGES);
	}
	return pages;
}

struct fixture {
	struct devpages dp;
	FILE *image;
	int device_fd;
	char path[64];
	char buf[65536];
};

static struct fixture *setup(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	f->image = tmpfile();
	ck_assert(f->image && ftruncate(fileno(f->image), DEVICE_BYTES) == 0);
	if (loopdev_attach(fileno(f->image), f->path, sizeof(f->path), &f->device_fd)) {
		puts("skipped: no loop device to be had");
		fclose(f->image);
		free(f);
		return NULL;
	}
	ck_assert_int_eq(devpages_open(&f->dp, f->path, DEVICE_BYTES), 0);
	read_ahead(f->path, f->buf);
	ck_assert_uint_eq(cached(&f->dp, 0, DEVICE_PAGES), DEVICE_PAGES);
	return f;
}

static void teardown(struct fixture *f)
{
	devpages_close(&f->dp);
	close(f->device_fd);
	fclose(f->image);
	free(f);
}

START_TEST(large_folios_go)
{
	struct fixture *f = setup();

	if (!f)
		return;
	if (!stayed(&f->dp, devpages_drop))
		puts("skipped: this kernel has no large folios for a device");
	read_ahead(f->path, f->buf);
	ck_assert_uint_eq(stayed(&f->dp, devpages_evict), 0);
	teardown(f);
}
END_TEST

START_TEST(the_end_of_the_device)
{
	struct fixture *f = setup();

	if (!f)
		return;
	devpages_evict(&f->dp, DEVICE_PAGES - PIECE_PAGES, PIECE_PAGES);
	ck_assert_uint_eq(cached(&f->dp, DEVICE_PAGES - PIECE_PAGES, PIECE_PAGES), 0);
	ck_assert_uint_eq(cached(&f->dp, 0, PIECE_PAGES), PIECE_PAGES);
	teardown(f);
}
END_TEST

/* Bytes in this process's pipes, and its pipes' ends. */
static size_t piped(unsigned *ends)
{
	struct stat st;
	size_t bytes = 0;
	int n;

	*ends = 0;
	for (int fd = 3; fd < FDS_MAX; fd++) {
		if (fstat(fd, &st) || !S_ISFIFO(st.st_mode))
			continue;
		(*ends)++;
		/* Both ends of a pipe say the same. */
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY && ioctl(fd, FIONREAD, &n) == 0)
			bytes += (size_t)n;
	}
	return bytes;
}

START_TEST(pins_are_few)
{
	unsigned others, ends;
	size_t before = piped(&others);
	struct plug *plug;

	ck_assert_int_eq(plug_create(0, &plug), 0);
	ck_assert_uint_eq(piped(&ends), before);
	for (unsigned i = 1; i <= PINS_MAX; i++) {
		plug_pin(plug);
		ck_assert_uint_eq(piped(&ends), before + (size_t)i * DEVPAGE_SIZE);
	}
	plug_pin(plug);
	ck_assert_uint_eq(piped(&ends), before + (size_t)PINS_MAX * DEVPAGE_SIZE);
	plug_free(plug);
	ck_assert_uint_eq(piped(&ends), before);
	ck_assert_uint_eq(ends, others);
}
END_TEST

START_TEST(gaps_are_filled)
{
	const uint64_t most = 64ULL << 20;
	uint64_t gaps = memzones_fragments("Unmovable");
	unsigned others, ends;
	size_t before = piped(&others), bytes;
	struct plug *plug;

	ck_assert_int_eq(plug_create(most, &plug), 0);
	bytes = piped(&ends) - before;
	ck_assert_uint_le(bytes, most);
	/* One to read from for each pipe, and both of the one for pins. */
	ck_assert_uint_le(ends, others + bytes / PIPE_BYTES + 2);
	/* Without privileges nobody tells how many there are. */
	if (gaps > 1024)
		ck_assert_uint_ge(bytes, PIPE_BYTES);
	plug_free(plug);
	ck_assert_uint_eq(piped(&ends), before);
	ck_assert_uint_eq(ends, others);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lower");
	TCase *tc = tcase_create("lower");

	tcase_add_test(tc, large_folios_go);
	tcase_add_test(tc, the_end_of_the_device);
	tcase_add_test(tc, pins_are_few);
	tcase_add_test(tc, gaps_are_filled);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
