/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verified inode updates a second of the neighbour, and as a part of what a bare loop of futimens()
 * and pread() does on the same device in the same run; the two take turns. Usage:
 * bench_neighbour [SECONDS [THREADS]]. Prints one line of JSON. Needs root and a loop device.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "soak/loopdev.h"
#include "soak/neighbour.h"
#include "util/clock.h"
#include "util/units.h"

#define HEAD (64ULL << 20)
#define TURNS 4u
#define THREADS_MAX 16u
#define FILES 64u /* of each bare thread */
#define INODE_BYTES 128u
#define RAW_MTIME 0x10
/* The gap in inodes between the files of the bare loop: a page of inodes of 256 bytes. */
#define GAP 16u

struct bare {
	pthread_t thread;
	unsigned index;
	int device_fd;
	const uint64_t *offset;
	const int *fd;
	atomic_bool *stop;
	uint64_t updates;
	uint64_t wrong;
};

struct bench {
	char device[64];
	char mount_dir[64];
	int device_fd;
	unsigned threads;
	uint64_t turn_ns;
	struct neighbour *nb;
	int fd[THREADS_MAX * FILES];
	uint64_t offset[THREADS_MAX * FILES];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_neighbour: %s\n", what);
	exit(2);
}

static void sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SEC),
			      .tv_nsec = (long)(ns % NS_PER_SEC)};

	nanosleep(&ts, NULL);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* What anybody would write first: update, read back, compare, next file. */
static void *bare_main(void *arg)
{
	struct bare *bare = arg;
	uint8_t raw[INODE_BYTES];
	uint32_t n = 0;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(bare->index, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	while (!atomic_load_explicit(bare->stop, memory_order_relaxed)) {
		n++;
		for (unsigned i = 0; i < FILES; i++) {
			struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = n}};

			if (futimens(bare->fd[i], ts) ||
			    pread(bare->device_fd, raw, sizeof(raw), (off_t)bare->offset[i]) !=
				    (ssize_t)sizeof(raw))
				die(strerror(errno));
			bare->wrong += get32(raw + RAW_MTIME) != n;
		}
		bare->updates += FILES;
	}
	return NULL;
}

/* Finds each file's raw inode: a time that nothing else has is searched for in the device. */
static void offsets_find(struct bench *b, unsigned files)
{
	uint8_t *image = malloc(HEAD);

	if (!image)
		die("out of memory");
	for (unsigned i = 0; i < files; i++) {
		struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 0x51000000 + i}};

		if (futimens(b->fd[i], ts))
			die(strerror(errno));
	}
	for (uint64_t at = 0; at < HEAD; at += 1 << 20)
		if (pread(b->device_fd, image + at, 1 << 20, (off_t)at) != 1 << 20)
			die("short read of the device");
	for (uint64_t at = 0; at < HEAD; at += INODE_BYTES) {
		uint32_t number = get32(image + at + RAW_MTIME) - 0x51000000;

		if (number < files)
			b->offset[number] = at;
	}
	free(image);
	for (unsigned i = 0; i < files; i++)
		if (!b->offset[i])
			die("a file's inode is nowhere on the device");
}

static void files_make(struct bench *b)
{
	unsigned files = b->threads * FILES, made = 0;
	char path[128];

	snprintf(path, sizeof(path), "%s/bare", b->mount_dir);
	if (mkdir(path, 0700))
		die(strerror(errno));
	for (unsigned i = 0; made < files; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/bare/%06u", b->mount_dir, i);
		fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0)
			die(strerror(errno));
		if (i % GAP)
			close(fd);
		else
			b->fd[made++] = fd;
	}
	offsets_find(b, files);
}

/* Updates a second. */
static double turn_bare(struct bench *b)
{
	struct bare bare[THREADS_MAX] = {0};
	atomic_bool stop = false;
	uint64_t start = clock_now_ns(), updates = 0, ns;

	for (unsigned i = 0; i < b->threads; i++) {
		bare[i] = (struct bare){.index = i,
					.device_fd = b->device_fd,
					.offset = b->offset + i * FILES,
					.fd = b->fd + i * FILES,
					.stop = &stop};
		if (pthread_create(&bare[i].thread, NULL, bare_main, &bare[i]))
			die("cannot start a thread");
	}
	sleep_ns(b->turn_ns);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < b->threads; i++) {
		pthread_join(bare[i].thread, NULL);
		updates += bare[i].updates;
		if (bare[i].wrong)
			die("the bare loop lost an update");
	}
	ns = clock_now_ns() - start;
	return (double)updates * 1e9 / (double)ns;
}

static double turn_neighbour(struct bench *b)
{
	struct neighbour_stats before, after;
	uint64_t start;

	neighbour_resume(b->nb);
	start = clock_now_ns();
	neighbour_stats_get(b->nb, &before);
	sleep_ns(b->turn_ns);
	neighbour_stats_get(b->nb, &after);
	start = clock_now_ns() - start;
	neighbour_pause(b->nb);
	return (double)(after.verified - before.verified) * 1e9 / (double)start;
}

static void bench_open(struct bench *b)
{
	struct neighbour_options options = {
		.device = b->device,
		.mount_dir = b->mount_dir,
		.threads = b->threads,
		.legs = 1u << NEIGHBOUR_INODES,
		.seed = 1,
	};
	char why[256] = "";
	int image = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	strcpy(b->mount_dir, "/tmp/churnfs-bench-XXXXXX");
	if (image < 0 || ftruncate(image, HEAD) ||
	    loopdev_attach(image, b->device, sizeof(b->device), &b->device_fd) ||
	    !mkdtemp(b->mount_dir) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("needs root and a loop device");
	close(image);
	if (neighbour_profile_parse(NEIGHBOUR_PROFILE_DEFAULT, &options.profile, why,
				    sizeof(why)) ||
	    neighbour_format(&options.profile, b->device, HEAD, why, sizeof(why)) ||
	    neighbour_mount(&options, &b->nb, why, sizeof(why)) ||
	    neighbour_start(b->nb, why, sizeof(why)))
		die(why);
	neighbour_pause(b->nb);
	files_make(b);
}

static void bench_close(struct bench *b)
{
	struct neighbour_failure failure;
	char why[256] = "";

	for (unsigned i = 0; i < b->threads * FILES; i++)
		close(b->fd[i]);
	neighbour_stop(b->nb);
	if (neighbour_finish(b->nb, why, sizeof(why)))
		fprintf(stderr, "bench_neighbour: %s\n", why);
	neighbour_failure_get(b->nb, &failure);
	neighbour_free(b->nb);
	close(b->device_fd);
	rmdir(b->mount_dir);
	if (failure.failed)
		die(failure.text);
}

int main(int argc, char **argv)
{
	static struct bench b;
	double bare = 0, neighbour = 0;
	uint64_t seconds = 8, threads = 2;

	if ((argc > 1 && number_parse(argv[1], &seconds)) ||
	    (argc > 2 && number_parse(argv[2], &threads)) || seconds < 1 || seconds > 3600 ||
	    threads < 1 || threads > THREADS_MAX)
		die("usage: bench_neighbour [SECONDS [THREADS]]");
	b.threads = (unsigned)threads;
	b.turn_ns = seconds * NS_PER_SEC / (2 * TURNS);
	bench_open(&b);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		bare += turn_bare(&b) / TURNS;
		neighbour += turn_neighbour(&b) / TURNS;
	}
	bench_close(&b);
	printf("{\"name\": \"neighbour_inodes\", \"threads\": %u, \"updates_per_s\": %.0f, "
	       "\"bare_per_s\": %.0f, \"ratio\": %.3f}\n",
	       b.threads, neighbour, bare, neighbour / bare);
	return 0;
}
