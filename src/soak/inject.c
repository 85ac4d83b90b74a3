/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/inject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "integrity/tag.h"
#include "soak/fault.h"
#include "util/clock.h"
#include "util/rng.h"

/* Older versions of this many blocks are kept, to find one that has changed since. */
#define SAMPLES 256u
#define SAMPLE_AGE_MS 200
#define STOP_TIMEOUT_NS (2 * NS_PER_SEC)

struct sample {
	uint64_t block;
	uint64_t generation;
	uint8_t image[CFS_BLOCK_SIZE_MAX];
};

struct inject {
	struct inject_options options;
	struct ledger_geometry geometry;
	struct rng rng;
	int fd;
	uint64_t planted_block;
	struct ledger_snapshot planted_snap;
	struct sample *samples;
};

bool inject_kind_valid(enum fault_kind kind)
{
	return kind == FAULT_STALE || kind == FAULT_TORN || kind == FAULT_MISDIRECTED ||
	       kind == FAULT_ZEROED || kind == FAULT_BITFLIP;
}

int inject_create(const struct inject_options *options, struct inject **out)
{
	struct inject *inject = calloc(1, sizeof(*inject));
	int rc = -ENOMEM;

	if (!inject)
		return -ENOMEM;
	inject->options = *options;
	ledger_geometry_get(options->ledger, &inject->geometry);
	rng_seed(&inject->rng, options->seed, 0x1217ec7);
	inject->samples = calloc(SAMPLES, sizeof(*inject->samples));
	if (!inject->samples)
		goto out_free;
	inject->fd = open(options->device, O_RDWR | O_CLOEXEC);
	if (inject->fd < 0) {
		rc = -errno;
		goto out_free;
	}
	*out = inject;
	return 0;

out_free:
	free(inject->samples);
	free(inject);
	return rc;
}

void inject_free(struct inject *inject)
{
	if (!inject)
		return;
	close(inject->fd);
	free(inject->samples);
	free(inject);
}

/* A random metadata block of the ledger, with its snapshot and shadow image. */
static bool block_pick(struct inject *inject, uint64_t not_block, uint64_t *block,
		       struct ledger_snapshot *snap, void *image)
{
	uint64_t blocks = inject->geometry.blocks;
	uint64_t start = rng_below(&inject->rng, blocks);

	for (uint64_t i = 0; i < blocks; i++) {
		*block = (start + i) % blocks;
		if (*block != not_block && ledger_snapshot(inject->options.ledger, *block, snap) &&
		    snap->generation &&
		    ledger_shadow(inject->options.ledger, *block, snap, image) &&
		    ledger_unchanged(inject->options.ledger, *block, snap))
			return true;
	}
	return false;
}

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

/* Keeps versions of the blocks that were written last: those are written again soonest. */
static unsigned samples_take(struct inject *inject)
{
	uint64_t newest = clock_now_ns() - NS_PER_SEC;
	unsigned n = 0;

	for (uint64_t block = 0; block < inject->geometry.blocks; block++) {
		struct ledger_snapshot snap;
		struct sample *sample;
		unsigned slot = n;

		if (!ledger_snapshot(inject->options.ledger, block, &snap) || !snap.generation ||
		    snap.written_ns < newest)
			continue;
		if (n == SAMPLES)
			slot = (unsigned)rng_below(&inject->rng, SAMPLES);
		sample = &inject->samples[slot];
		if (!ledger_shadow(inject->options.ledger, block, &snap, sample->image) ||
		    !ledger_unchanged(inject->options.ledger, block, &snap)) {
			sample->generation = 0;
			continue;
		}
		sample->block = block;
		sample->generation = snap.generation;
		n += slot == n;
	}
	return n;
}

/* A sample whose block has a newer version now. */
static struct sample *sample_outdated(struct inject *inject, unsigned n)
{
	unsigned start = n ? (unsigned)rng_below(&inject->rng, n) : 0;

	for (unsigned i = 0; i < n; i++) {
		struct sample *sample = &inject->samples[(start + i) % n];
		struct ledger_snapshot snap;

		if (sample->generation &&
		    ledger_snapshot(inject->options.ledger, sample->block, &snap) &&
		    snap.generation > sample->generation)
			return sample;
	}
	return NULL;
}

static bool thread_stopped(const char *task, const char *tid)
{
	char path[400], line[512], *state;
	FILE *file;
	bool stopped = true; /* a thread that is gone writes nothing */

	snprintf(path, sizeof(path), "%s/%s/stat", task, tid);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (fgets(line, sizeof(line), file)) {
		state = strrchr(line, ')');
		stopped = state && strchr("TtZX", state[2]) != NULL;
	}
	fclose(file);
	return stopped;
}

static bool daemon_stopped(pid_t pid)
{
	char task[64];
	struct dirent *entry;
	bool stopped = true;
	DIR *dir;

	snprintf(task, sizeof(task), "/proc/%d/task", (int)pid);
	dir = opendir(task);
	if (!dir)
		return false;
	while (stopped && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			stopped = thread_stopped(task, entry->d_name);
	closedir(dir);
	return stopped;
}

static int daemon_stop(pid_t pid)
{
	uint64_t end = clock_now_ns() + STOP_TIMEOUT_NS;

	if (kill(pid, SIGSTOP))
		return -errno;
	while (!daemon_stopped(pid)) {
		if (clock_now_ns() > end) {
			kill(pid, SIGCONT);
			return -ETIMEDOUT;
		}
		sleep_ms(1);
	}
	return 0;
}

/* Makes the faulty IMAGE out of the block's present one. OLD: an earlier version, where needed. */
static bool image_spoil(struct inject *inject, uint64_t block, const uint8_t *old, uint8_t *image)
{
	enum fault_kind kind = inject->options.kind;
	uint8_t other[CFS_BLOCK_SIZE_MAX];
	const struct fault_source from = {.old = old, .other = other};
	struct ledger_snapshot snap;
	uint64_t picked;

	if (kind == FAULT_MISDIRECTED && !block_pick(inject, block, &picked, &snap, other))
		return false;
	return fault_make(kind, inject->geometry.block_size, &from, &inject->rng, image);
}

/* The daemon is stopped. */
static int fault_write(struct inject *inject, uint64_t block, const struct sample *old,
		       struct injection *injection)
{
	uint32_t bs = inject->geometry.block_size;
	uint8_t image[CFS_BLOCK_SIZE_MAX];
	struct ledger_snapshot snap;
	struct tag_info tag;
	ssize_t n;

	if (!ledger_snapshot(inject->options.ledger, block, &snap) || !snap.generation ||
	    (old && snap.generation <= old->generation) ||
	    !ledger_shadow(inject->options.ledger, block, &snap, image) ||
	    !image_spoil(inject, block, old ? old->image : NULL, image))
		return -EAGAIN;
	tag_decode(image, &tag);
	inject->planted_block = block;
	inject->planted_snap = snap;
	*injection = (struct injection){
		.kind = inject->options.kind,
		.type = snap.type,
		.block = block,
		.expected_generation = snap.generation,
		.planted_generation = tag.generation,
		.when_ns = clock_now_ns(),
	};
	n = pwrite(inject->fd, image, bs, (off_t)(block * bs));
	if (n < 0)
		return -errno;
	return n == (ssize_t)bs ? 0 : -EIO;
}

int inject_plant(struct inject *inject, struct injection *injection)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX];
	struct ledger_snapshot snap;
	struct sample *old = NULL;
	uint64_t block;
	int rc;

	if (fault_needs_old(inject->options.kind)) {
		unsigned n = samples_take(inject);

		sleep_ms(SAMPLE_AGE_MS);
		old = sample_outdated(inject, n);
		if (!old)
			return -EAGAIN;
		block = old->block;
	} else if (!block_pick(inject, UINT64_MAX, &block, &snap, image)) {
		return -EAGAIN;
	}
	rc = daemon_stop(inject->options.daemon);
	if (rc)
		return rc;
	rc = fault_write(inject, block, old, injection);
	kill(inject->options.daemon, SIGCONT);
	return rc;
}

bool inject_overwritten(const struct inject *inject)
{
	return !ledger_unchanged(inject->options.ledger, inject->planted_block,
				 &inject->planted_snap);
}
