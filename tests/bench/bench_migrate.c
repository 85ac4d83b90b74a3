/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of a device that the driver "compact" makes the kernel move in a second, as a ratio to a
 * plain loop of writes to compact_memory. Rounds of both alternate on one device, read anew before
 * each; the median ratio counts. What both keep up is compared: the first write to compact_memory
 * finds memory as it happens to be, packs it once, and is not counted. Settings are put back at
 * the end, also when it is killed.
 *
 * usage: bench_migrate [SECONDS]   for each round; needs root
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak/devpages.h"
#include "soak/loopdev.h"
#include "soak/migrate.h"
#include "soak/sandbox.h"
#include "util/clock.h"
#include "util/units.h"

#define DEVICE_BYTES (64ULL << 20)
#define PAGES ((size_t)(DEVICE_BYTES / DEVPAGE_SIZE))
#define BLOCK_SIZE 4096u
#define ROUNDS 3
#define MEMORY_PERCENT 25
#define COMPACT_PATH "/proc/sys/vm/compact_memory"

struct bench {
	struct migrate_target target;
	int device_fd;
	int compact_fd;
	char path[64];
	_Atomic bool stop;
	uint64_t round_ns;
	uint64_t before[PAGES], after[PAGES];
	uint8_t buf[DEVICE_BYTES];
};

static uint64_t memory_max(void)
{
	return (uint64_t)sysconf(_SC_AVPHYS_PAGES) * DEVPAGE_SIZE / 100 * MEMORY_PERCENT;
}

static int device_make(struct bench *b)
{
	const struct ledger_geometry geometry = {.block_size = BLOCK_SIZE,
						 .blocks = DEVICE_BYTES / BLOCK_SIZE};
	const char *tmp = getenv("TMPDIR");
	int image = open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int fd = memfd_create("bench-ledger", MFD_CLOEXEC), rc;

	if (image < 0 || fd < 0 || posix_fallocate(image, 0, (off_t)DEVICE_BYTES))
		return -errno;
	rc = loopdev_attach(image, b->path, sizeof(b->path), &b->device_fd);
	if (!rc)
		rc = ledger_create(fd, &geometry, &b->target.ledger);
	close(image);
	close(fd);
	return rc;
}

static int bench_open(struct bench *b)
{
	int rc = sandbox_create(SANDBOX_ALONE, &b->target.sandbox);

	if (!rc)
		rc = device_make(b);
	if (rc)
		return rc;
	b->target.device = b->path;
	b->target.bytes = DEVICE_BYTES;
	b->target.stop = &b->stop;
	b->target.memory_max = memory_max();
	b->compact_fd = open(COMPACT_PATH, O_WRONLY | O_CLOEXEC);
	return b->compact_fd < 0 ? -errno : 0;
}

static void compact_once(struct bench *b)
{
	if (write(b->compact_fd, "1", 1) != 1)
		exit(2);
}

/* Has the device in the cache, as a filesystem would, and memory packed. */
static void device_read(struct bench *b, struct devpages *dp)
{
	if (devpages_open(dp, b->path, DEVICE_BYTES))
		exit(2);
	devpages_evict(dp, 0, PAGES);
	devpages_read_back(dp, 0, PAGES, b->buf);
	compact_once(b);
}

/* Moves per second. */
static double plain_round(struct bench *b)
{
	uint64_t start, moved = 0;
	struct devpages dp;

	device_read(b, &dp);
	devpages_populate(&dp, 0, PAGES);
	start = clock_now_ns();
	do {
		if (devpages_locate(&dp, 0, PAGES, b->before))
			exit(2);
		compact_once(b);
		if (devpages_locate(&dp, 0, PAGES, b->after))
			exit(2);
		for (size_t i = 0; i < PAGES; i++)
			moved += b->before[i] != DEVPAGE_ABSENT && b->after[i] != DEVPAGE_ABSENT &&
				 b->before[i] != b->after[i];
	} while (clock_now_ns() - start < b->round_ns);
	devpages_close(&dp);
	return (double)moved / clock_seconds(clock_now_ns() - start);
}

static double driver_round(struct bench *b)
{
	struct migrate_cycle total = {0};
	struct devpages dp;
	uint64_t start;
	void *state;

	device_read(b, &dp);
	/* Pages that are mapped here could not be evicted by the driver. */
	devpages_close(&dp);
	start = clock_now_ns();
	if (migrate_compact.start(&b->target, &state))
		exit(2);
	do {
		if (migrate_compact.cycle(state, &total))
			exit(2);
	} while (clock_now_ns() - start < b->round_ns);
	migrate_compact.stop(state);
	return (double)total.moved / clock_seconds(clock_now_ns() - start);
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static void bench_run(struct bench *b)
{
	double ratio[ROUNDS], plain = 0, driver = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double p = plain_round(b), d = driver_round(b);

		/* A loop that moves nothing counts as if it had moved a page. */
		ratio[i] = d / (p > 0 ? p : 1 / clock_seconds(b->round_ns));
		plain += p / ROUNDS;
		driver += d / ROUNDS;
	}
	qsort(ratio, ROUNDS, sizeof(*ratio), compare);
	printf("migrate, %zu pages: plain loop %.1f moves/s, driver compact %.0f moves/s, "
	       "ratio %.0f (median of %d rounds, %.0f to %.0f)\n",
	       PAGES, plain, driver, ratio[ROUNDS / 2], ROUNDS, ratio[0], ratio[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
	uint64_t seconds = 10;
	struct bench *b;
	int rc;

	if (argc > 2 || (argc == 2 && (number_parse(argv[1], &seconds) || !seconds))) {
		fprintf(stderr, "usage: bench_migrate [SECONDS]\n");
		return 1;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return 2;
	b->round_ns = seconds * NS_PER_SEC;
	rc = bench_open(b);
	if (rc == 0)
		bench_run(b);
	else
		fprintf(stderr, "bench_migrate: left out: %s\n", strerror(-rc));
	if (b->target.sandbox && sandbox_destroy(b->target.sandbox))
		return 2;
	return rc == 0 || rc == -EPERM || rc == -EACCES ? 0 : 2;
}
