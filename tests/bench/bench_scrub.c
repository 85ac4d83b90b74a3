/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verification throughput as a ratio to plain 64 KiB pread(2) of the same cached device, in the
 * same run: rounds of both alternate, so that noise hits both, and the median ratio counts. A run
 * takes the two views in turns, so the detector's throughput is that of "both".
 *
 * usage: bench_scrub [MIB]   a device full of metadata blocks, on a loop device where possible
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "integrity/check.h"
#include "integrity/tag.h"
#include "soak/loopdev.h"
#include "soak/verifier.h"
#include "util/clock.h"
#include "util/rng.h"
#include "util/units.h"

#define ROUNDS 21

struct bench {
	struct verifier_device device;
	int fd; /* for writing */
	int device_fd;
	uint32_t block_size;
	uint64_t bytes;
	struct ledger *ledger;
	struct checker checker;
	void *buf;
};

static const uint8_t uuid[16] = "bench scrub uuid";

/* An unnamed file, as a loop device if this process may make one. */
static int device_make(struct bench *b, char *path, size_t len)
{
	const char *tmp = getenv("TMPDIR");
	int fd = open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || posix_fallocate(fd, 0, (off_t)b->bytes))
		return -1;
	b->fd = fd;
	if (loopdev_attach(fd, path, len, &b->device_fd) == 0) {
		close(fd);
		b->fd = open(path, O_RDWR | O_CLOEXEC);
	} else {
		b->device_fd = -1;
		snprintf(path, len, "/proc/self/fd/%d", fd);
	}
	return b->fd < 0 ? -1 : verifier_device_open(&b->device, path, b->bytes);
}

static int device_fill(struct bench *b)
{
	uint64_t blocks = b->bytes / b->block_size;
	struct rng rng;

	rng_seed(&rng, 1, 1);
	for (uint64_t block = 0; block < blocks; block++) {
		struct tag_info info = {.block = block, .generation = block + 7, .type = 6};
		uint32_t crc;

		memcpy(info.uuid, uuid, sizeof(uuid));
		rng_fill(&rng, b->buf, b->block_size);
		crc = tag_seal(b->buf, b->block_size, b->checker.uuid_seed, &info);
		if (pwrite(b->fd, b->buf, b->block_size, (off_t)(block * b->block_size)) !=
		    (ssize_t)b->block_size)
			return -1;
		ledger_adopt(b->ledger, block, b->buf, crc);
	}
	return fdatasync(b->fd);
}

/* Time of this thread alone: what others do on the machine does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t plain_pass(struct bench *b)
{
	uint64_t start = cpu_ns();

	for (uint64_t at = 0; at < b->bytes; at += VERIFIER_CHUNK)
		if (pread(b->device.fd, b->buf, VERIFIER_CHUNK, (off_t)at) != VERIFIER_CHUNK)
			exit(2);
	return cpu_ns() - start;
}

static uint64_t verified_pass(struct bench *b, enum verifier_view view)
{
	uint64_t start = cpu_ns(), per_chunk = VERIFIER_CHUNK / b->block_size;
	struct verifier_pass pass = {0};

	for (uint64_t first = 0; first < b->bytes / b->block_size; first += per_chunk)
		if (verifier_chunk(&b->checker, &b->device, view, b->buf, first, per_chunk, &pass))
			exit(2);
	if (pass.blocks != b->bytes / b->block_size || pass.mismatches)
		exit(2);
	return cpu_ns() - start;
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

/* VIEWS: bits of enum verifier_view. */
static void bench_views(struct bench *b, unsigned views, const char *name)
{
	double ratio[ROUNDS], plain = 0, verified = 0;
	unsigned passes = (unsigned)__builtin_popcount(views);

	for (int i = 0; i < ROUNDS; i++) {
		double p = 0, v = 0;

		for (unsigned view = 0; view < VERIFIER_VIEWS; view++) {
			if (!(views & 1u << view))
				continue;
			p += (double)plain_pass(b);
			v += (double)verified_pass(b, view);
		}
		ratio[i] = p / v;
		plain += p;
		verified += v;
	}
	qsort(ratio, ROUNDS, sizeof(*ratio), compare);
	printf("scrub, %u-byte blocks, %s: pread %.0f MB/s, verified %.0f MB/s, "
	       "ratio %.2f (median of %d rounds, %.2f to %.2f)\n",
	       b->block_size, name, (double)b->bytes * passes * ROUNDS * 1e3 / plain,
	       (double)b->bytes * passes * ROUNDS * 1e3 / verified, ratio[ROUNDS / 2], ROUNDS,
	       ratio[0], ratio[ROUNDS - 1]);
}

static int bench_run(struct bench *b)
{
	struct ledger_geometry geometry = {.block_size = b->block_size,
					   .blocks = b->bytes / b->block_size};
	int fd = memfd_create("bench-ledger", MFD_CLOEXEC);
	char path[64];

	memcpy(geometry.uuid, uuid, sizeof(uuid));
	if (fd < 0 || ledger_create(fd, &geometry, &b->ledger))
		return 2;
	checker_init(&b->checker, b->ledger);
	if (device_make(b, path, sizeof(path)) || device_fill(b)) {
		fprintf(stderr, "bench_scrub: cannot make the device: %s\n", strerror(errno));
		return 2;
	}
	plain_pass(b);
	bench_views(b, 1u << VIEW_BUFFERED, "buffered view");
	bench_views(b, 1u << VIEW_MAPPED, "mapped view");
	bench_views(b, 1u << VIEW_BUFFERED | 1u << VIEW_MAPPED, "both");
	verifier_device_close(&b->device);
	ledger_detach(b->ledger);
	close(fd);
	close(b->fd);
	if (b->device_fd >= 0)
		close(b->device_fd);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t mib = 64;

	if (argc > 2 || (argc == 2 && (number_parse(argv[1], &mib) || !mib || mib > 4096))) {
		fprintf(stderr, "usage: bench_scrub [MIB]\n");
		return 1;
	}
	for (uint32_t block_size = 1024; block_size <= 4096; block_size *= 2) {
		struct bench b = {.block_size = block_size, .bytes = mib << 20};
		int rc;

		b.buf = aligned_alloc(4096, VERIFIER_CHUNK);
		rc = b.buf ? bench_run(&b) : 2;
		free(b.buf);
		if (rc)
			return rc;
	}
	return 0;
}
