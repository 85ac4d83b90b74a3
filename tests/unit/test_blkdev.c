/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 2: the three back ends on a temporary file, and the search for signatures. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blkdev/blkdev.h"
#include "blkdev/precious.h"
#include "unit.h"
#include "util/rng.h"

#define IMAGE_SIZE (1u << 20)

static const enum blkdev_backend backends[] = {BLKDEV_PREAD, BLKDEV_MMAP, BLKDEV_URING};
static const char *const backend_names[] = {"pread", "mmap", "io_uring"};

/* A file without a name, so that a failed test leaves none behind. */
static int image_fd;
static char image[32];

static void image_make(void)
{
	image_fd = memfd_create("churnfs-test", MFD_CLOEXEC);
	ck_assert_int_ge(image_fd, 0);
	ck_assert_int_eq(ftruncate(image_fd, IMAGE_SIZE), 0);
	snprintf(image, sizeof(image), "/proc/self/fd/%d", image_fd);
}

static void image_remove(void)
{
	close(image_fd);
}

static struct blkdev *open_backend(int index, bool readonly)
{
	struct blkdev_options options = {.backend = backends[index], .readonly = readonly};
	struct blkdev *dev = NULL;

	ck_assert_int_eq(blkdev_open(image, &options, &dev), 0);
	ck_assert_str_eq(dev->ops->name, backend_names[index]);
	ck_assert_uint_eq(dev->size, IMAGE_SIZE);
	ck_assert(!dev->is_block);
	return dev;
}

/* Pieces of any size at any place, against a copy in memory; then against the file itself. */
START_TEST(random_transfers)
{
	struct blkdev *dev = open_backend(_i, false);
	uint8_t *model = calloc(1, IMAGE_SIZE), *buf = malloc(IMAGE_SIZE);
	struct rng rng;

	ck_assert_ptr_nonnull(model);
	ck_assert_ptr_nonnull(buf);
	rng_seed(&rng, 1, (uint64_t)_i);
	for (int i = 0; i < 500; i++) {
		size_t len = (size_t)rng_below(&rng, i % 50 ? 9000 : 300000);
		uint64_t offset = rng_below(&rng, IMAGE_SIZE - len + 1);

		if (i % 2) {
			rng_fill(&rng, model + offset, len);
			ck_assert_int_eq(blkdev_write(dev, model + offset, len, offset), 0);
		} else {
			ck_assert_int_eq(blkdev_read(dev, buf, len, offset), 0);
			ck_assert_mem_eq(buf, model + offset, len);
		}
	}
	ck_assert_int_eq(blkdev_sync(dev), 0);
	blkdev_close(dev);
	ck_assert_int_eq(blkdev_pread_full(image_fd, buf, IMAGE_SIZE, 0), 0);
	ck_assert_mem_eq(buf, model, IMAGE_SIZE);
	free(buf);
	free(model);
}
END_TEST

START_TEST(batch_larger_than_ring)
{
	enum { PIECES = 101, LEN = 512 };
	struct blkdev *dev = open_backend(_i, false);
	static uint8_t data[PIECES][LEN], back[LEN];
	struct blkdev_io io[PIECES];
	struct rng rng;

	rng_seed(&rng, 2, 0);
	rng_fill(&rng, data, sizeof(data));
	for (unsigned i = 0; i < PIECES; i++)
		io[i] = (struct blkdev_io){data[i], LEN, (uint64_t)(PIECES - i) * 4096};
	ck_assert_int_eq(blkdev_write_batch(dev, io, PIECES), 0);
	for (unsigned i = 0; i < PIECES; i++) {
		ck_assert_int_eq(blkdev_read(dev, back, LEN, io[i].offset), 0);
		ck_assert_mem_eq(back, data[i], LEN);
	}
	ck_assert_int_eq(blkdev_write_batch(dev, io, 0), 0);
	blkdev_close(dev);
}
END_TEST

START_TEST(range_is_checked)
{
	struct blkdev *dev = open_backend(_i, false);
	uint8_t buf[1024] = {1}, zero[1024] = {0};
	struct blkdev_io io[2] = {{buf, 512, 0}, {buf, 512, IMAGE_SIZE - 511}};

	ck_assert_int_eq(blkdev_read(dev, buf, 512, IMAGE_SIZE - 512), 0);
	ck_assert_int_eq(blkdev_read(dev, buf, 0, IMAGE_SIZE), 0);
	ck_assert_int_eq(blkdev_read(dev, buf, 1, IMAGE_SIZE), -EINVAL);
	ck_assert_int_eq(blkdev_read(dev, buf, 512, IMAGE_SIZE - 511), -EINVAL);
	ck_assert_int_eq(blkdev_read(dev, buf, 512, UINT64_MAX), -EINVAL);
	ck_assert_int_eq(blkdev_read(dev, buf, 512, UINT64_MAX - 511), -EINVAL);
	ck_assert_int_eq(blkdev_read(dev, buf, SIZE_MAX, 512), -EINVAL);
	ck_assert_int_eq(blkdev_write(dev, buf, 512, IMAGE_SIZE - 1), -EINVAL);
	/* A batch with one bad piece writes none. */
	ck_assert_int_eq(blkdev_write_batch(dev, io, 2), -EINVAL);
	ck_assert_int_eq(blkdev_read(dev, buf, 512, 0), 0);
	ck_assert_mem_eq(buf, zero, 512);
	blkdev_close(dev);
}
END_TEST

START_TEST(readonly_refuses_writes)
{
	struct blkdev *dev;
	uint8_t buf[512];

	ck_assert_int_eq(chmod(image, 0400), 0);
	dev = open_backend(_i, true);
	ck_assert_int_eq(blkdev_read(dev, buf, sizeof(buf), 4096), 0);
	ck_assert_int_eq(blkdev_write(dev, buf, sizeof(buf), 4096), -EROFS);
	ck_assert_int_eq(blkdev_sync(dev), 0);
	blkdev_close(dev);
}
END_TEST

START_TEST(shrunk_file_is_an_error)
{
	struct blkdev *dev = open_backend(_i, false);
	static uint8_t buf[65536];

	ck_assert_int_eq(blkdev_read(dev, buf, sizeof(buf), IMAGE_SIZE / 2), 0);
	ck_assert_int_eq(truncate(image, IMAGE_SIZE / 2 + 4096), 0);
	ck_assert_int_eq(blkdev_read(dev, buf, 4096, IMAGE_SIZE - 4096), -EIO);
	/* The first part is there, the rest is not. */
	ck_assert_int_eq(blkdev_read(dev, buf, sizeof(buf), IMAGE_SIZE / 2), -EIO);
	ck_assert_int_eq(blkdev_read(dev, buf, 4096, IMAGE_SIZE / 2), 0);
	if (backends[_i] == BLKDEV_MMAP) {
		ck_assert_int_eq(blkdev_write(dev, buf, 4096, IMAGE_SIZE - 4096), -EIO);
		ck_assert_int_eq(blkdev_read(dev, buf, 4096, IMAGE_SIZE - 8192), -EIO);
	}
	blkdev_close(dev);
}
END_TEST

struct region {
	struct blkdev *dev;
	unsigned index;
	bool good;
};

static void *region_work(void *arg)
{
	enum { LEN = IMAGE_SIZE / 4 };
	struct region *region = arg;
	uint8_t out[3000], in[3000];
	struct rng rng;

	rng_seed(&rng, 5, region->index);
	region->good = true;
	for (int i = 0; i < 400; i++) {
		uint64_t offset = region->index * LEN + rng_below(&rng, LEN - sizeof(out));

		rng_fill(&rng, out, sizeof(out));
		region->good &= blkdev_write(region->dev, out, sizeof(out), offset) == 0;
		region->good &= blkdev_read(region->dev, in, sizeof(in), offset) == 0;
		region->good &= memcmp(in, out, sizeof(in)) == 0;
	}
	return NULL;
}

START_TEST(threads_side_by_side)
{
	struct blkdev *dev = open_backend(_i, false);
	struct region regions[4];
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++) {
		regions[i] = (struct region){.dev = dev, .index = i};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, region_work, &regions[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		ck_assert(regions[i].good);
	}
	blkdev_close(dev);
}
END_TEST

START_TEST(open_refuses)
{
	struct blkdev_options options = {.backend = backends[_i], .readonly = true};
	struct blkdev *dev = NULL;

	ck_assert_int_eq(blkdev_open("/nonexistent/image", &options, &dev), -ENOENT);
	ck_assert_int_eq(blkdev_open("/dev/null", &options, &dev), -ENOTBLK);
	ck_assert_int_eq(blkdev_open("/tmp", &options, &dev), -ENOTBLK);
	ck_assert_ptr_null(dev);
	if (backends[_i] == BLKDEV_MMAP) {
		ck_assert_int_eq(truncate(image, 0), 0);
		ck_assert_int_eq(blkdev_open(image, &options, &dev), -EINVAL);
		ck_assert_ptr_null(dev);
	}
}
END_TEST

START_TEST(image_has_no_soft_block_size)
{
	struct blkdev *dev = open_backend(_i, false);

	ck_assert_int_eq(blkdev_set_block_size(dev, 1024), 0);
	blkdev_close(dev);
}
END_TEST

START_TEST(auto_takes_what_works)
{
	struct blkdev_options options = {.backend = BLKDEV_AUTO};
	struct blkdev *dev = NULL;
	uint8_t buf[512];

	ck_assert_int_eq(blkdev_open(image, &options, &dev), 0);
	ck_assert_str_ne(dev->ops->name, "mmap");
	ck_assert_int_eq(blkdev_read(dev, buf, sizeof(buf), 0), 0);
	blkdev_close(dev);
}
END_TEST

START_TEST(names_parse)
{
	enum blkdev_backend backend;

	ck_assert_int_eq(blkdev_backend_parse("auto", &backend), 0);
	ck_assert_int_eq(backend, BLKDEV_AUTO);
	ck_assert_int_eq(blkdev_backend_parse("uring", &backend), 0);
	ck_assert_int_eq(backend, BLKDEV_URING);
	ck_assert_int_eq(blkdev_backend_parse("pread", &backend), 0);
	ck_assert_int_eq(backend, BLKDEV_PREAD);
	ck_assert_int_eq(blkdev_backend_parse("mmap", &backend), 0);
	ck_assert_int_eq(backend, BLKDEV_MMAP);
	ck_assert_int_eq(blkdev_backend_parse("", &backend), -EINVAL);
	ck_assert_int_eq(blkdev_backend_parse("mmapx", &backend), -EINVAL);
}
END_TEST

/* The header of a swap area with 4 KiB pages: version and last page at 1024, magic at the end. */
static void swap_header_write(void)
{
	static const uint32_t head[2] = {1, 100};

	ck_assert_int_eq(blkdev_pwrite_full(image_fd, head, sizeof(head), 1024), 0);
	ck_assert_int_eq(blkdev_pwrite_full(image_fd, "SWAPSPACE2", 10, 4096 - 10), 0);
}

START_TEST(precious_finds_signature)
{
	char why[128] = "";

	ck_assert_int_eq(blkdev_precious(image, why, sizeof(why)), 0);
	swap_header_write();
	ck_assert_int_eq(blkdev_precious(image, why, sizeof(why)), -EEXIST);
	ck_assert_ptr_nonnull(strstr(why, "swap"));
	ck_assert_int_eq(blkdev_precious("/nonexistent/image", why, sizeof(why)), -ENOENT);
	ck_assert_int_eq(blkdev_precious("/dev/null", why, sizeof(why)), -ENOTBLK);
}
END_TEST

/* Back ends that this kernel has; io_uring, the last one, may be missing or forbidden. */
static int backend_count(void)
{
	int count = (int)(sizeof(backends) / sizeof(backends[0]));

	if (blkdev_uring_probe() == 0)
		return count;
	printf("# io_uring does not work here: not tested\n");
	return count - 1;
}

int main(void)
{
	Suite *suite = suite_create("blkdev");
	TCase *tc = tcase_create("backends");
	int n = backend_count();

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, image_make, image_remove);
	tcase_add_loop_test(tc, random_transfers, 0, n);
	tcase_add_loop_test(tc, batch_larger_than_ring, 0, n);
	tcase_add_loop_test(tc, range_is_checked, 0, n);
	tcase_add_loop_test(tc, readonly_refuses_writes, 0, n);
	tcase_add_loop_test(tc, shrunk_file_is_an_error, 0, n);
	tcase_add_loop_test(tc, threads_side_by_side, 0, n);
	tcase_add_loop_test(tc, open_refuses, 0, n);
	tcase_add_loop_test(tc, image_has_no_soft_block_size, 0, n);
	tcase_add_test(tc, auto_takes_what_works);
	tcase_add_test(tc, names_parse);
	suite_add_tcase(suite, tc);
	tc = tcase_create("precious");
	tcase_add_checked_fixture(tc, image_make, image_remove);
	tcase_add_test(tc, precious_finds_signature);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
