/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The neighbour's kinds: an older version of each kind of block. The neighbour ends at its first
 * finding, and what it has kept is damaged then, so each planting gets a filesystem of its own;
 * they share the device and the mount point.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "soak/loopdev.h"
#include "soak/nb_inject.h"
#include "soak/sandbox.h"
#include "soak/selftest.h"
#include "util/clock.h"

#define HEAD NEIGHBOUR_BYTES_MIN
#define PLANT_TRIES 50u
/*
 * A clean round ends after so long on the clock; a finding has it of the time in which the leg that
 * looks at the block gets on.
 */
#define FIND_NS (20 * NS_PER_SEC)
/* A leg that did nothing for so long did not get on. */
#define IDLE_NS NS_PER_SEC
/* Then nothing can be said of what it finds. */
#define STALL_NS (60 * NS_PER_SEC)
#define POLL_NS (2 * NS_PER_MS)
/* All legs have got on so far before anything is planted: the clean round. */
#define CLEAN_COMPARED 100u

static const char *const profiles[] = {
	NEIGHBOUR_PROFILE_DEFAULT,
	"ext4:bs=4096",
	"ext4:bs=2048,journal=tiny,commit=1",
};
#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

struct selftest_nb {
	struct selftest_result *result;
	struct selftest_row *row[NEIGHBOUR_BLOCKS];
	struct sandbox *sandbox;
	char mount_dir[256];
	int attached_fd;
	char device[64];
};

static int mount_dir_make(struct selftest_nb *nb)
{
	int rc = sandbox_create(SANDBOX_SHARED, &nb->sandbox);

	if (rc)
		return rc;
	snprintf(nb->mount_dir, sizeof(nb->mount_dir), "%s/neighbour", sandbox_dir(nb->sandbox));
	rc = sandbox_note_mount(nb->sandbox, nb->mount_dir);
	return !rc && mkdir(nb->mount_dir, 0700) ? -errno : rc;
}

static int device_make(struct selftest_nb *nb)
{
	int image = memfd_create("churnstress-selftest-neighbour", MFD_CLOEXEC);
	int rc;

	if (image < 0)
		return -errno;
	rc = ftruncate(image, (off_t)HEAD) ? -errno : 0;
	if (!rc)
		rc = loopdev_attach(image, nb->device, sizeof(nb->device), &nb->attached_fd);
	close(image);
	return rc;
}

int selftest_nb_open(struct selftest_result *result, struct selftest_nb **out)
{
	struct selftest_nb *nb = calloc(1, sizeof(*nb));
	int rc = 0;

	if (!nb)
		return -ENOMEM;
	nb->result = result;
	nb->attached_fd = -1;
	for (int type = NEIGHBOUR_BLOCK_NONE + 1; type < NEIGHBOUR_BLOCKS && !rc; type++) {
		nb->row[type] = selftest_row_add(
			result, neighbour_block_name((enum neighbour_block)type), "neighbour");
		rc = nb->row[type] ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = mount_dir_make(nb);
	if (!rc)
		rc = device_make(nb);
	if (rc) {
		snprintf(result->trouble, sizeof(result->trouble),
			 "cannot make a place for the neighbour: %s", strerror(-rc));
		selftest_nb_close(nb);
		return rc;
	}
	*out = nb;
	return 0;
}

void selftest_nb_close(struct selftest_nb *nb)
{
	if (!nb)
		return;
	if (nb->attached_fd >= 0)
		close(nb->attached_fd);
	if (nb->sandbox) {
		rmdir(nb->mount_dir);
		if (sandbox_destroy(nb->sandbox) && !nb->result->trouble[0])
			snprintf(nb->result->trouble, sizeof(nb->result->trouble),
				 "something could not be put back: see the messages above");
	}
	free(nb);
}

static void pause_ns(long ns)
{
	const struct timespec pause = {.tv_nsec = ns};

	nanosleep(&pause, NULL);
}

/* Whether there is a failure; pauses if not. */
static bool failure_seen(struct neighbour *fs, struct neighbour_failure *failure)
{
	neighbour_failure_get(fs, failure);
	if (!failure->failed)
		pause_ns(POLL_NS);
	return failure->failed;
}

/* Until each leg has compared something. Returns false when one of them reported a failure. */
static bool round_clean(struct neighbour *fs, struct neighbour_failure *failure)
{
	uint64_t end = clock_now_ns() + FIND_NS;
	struct neighbour_stats stats;
	bool all;

	do {
		if (failure_seen(fs, failure))
			return false;
		neighbour_stats_get(fs, &stats);
		all = stats.verified >= CLEAN_COMPARED;
		for (unsigned leg = 0; leg < NEIGHBOUR_LEGS; leg++)
			all &= stats.absent & 1u << leg || stats.leg[leg] > 0;
	} while (!all && clock_now_ns() < end);
	return true;
}

static enum neighbour_leg leg_of(enum neighbour_block type)
{
	static const enum neighbour_leg legs[NEIGHBOUR_BLOCKS] = {
		[NEIGHBOUR_BLOCK_INODES] = NEIGHBOUR_INODES,
		[NEIGHBOUR_BLOCK_INODE_BITMAP] = NEIGHBOUR_BITMAPS,
		[NEIGHBOUR_BLOCK_BLOCK_BITMAP] = NEIGHBOUR_BITMAPS,
		[NEIGHBOUR_BLOCK_DIRECTORY] = NEIGHBOUR_DIRS,
		[NEIGHBOUR_BLOCK_XATTR] = NEIGHBOUR_XATTRS,
		[NEIGHBOUR_BLOCK_MAP] = NEIGHBOUR_EXTENTS,
	};

	return legs[type];
}

/*
 * Waits for a failure while the leg that looks at TYPE gets on: what nobody had the time to look at
 * (machine stalled, process stopped) was not missed. Returns 0, with FAILURE->failed false if it
 * was; -ETIMEDOUT if the leg does not get on.
 */
static int failure_find(struct neighbour *fs, enum neighbour_block type,
			struct neighbour_failure *failure)
{
	enum neighbour_leg leg = leg_of(type);
	uint64_t last = clock_now_ns(), moved_ns = last, active_ns = 0, ops = 0;
	struct neighbour_stats stats;

	while (active_ns < FIND_NS && !failure_seen(fs, failure)) {
		uint64_t now = clock_now_ns(), passed = now - last;

		neighbour_stats_get(fs, &stats);
		if (stats.leg[leg] != ops)
			moved_ns = now;
		else if (passed >= IDLE_NS)
			moved_ns += passed; /* this thread did not get on either */
		if (now - moved_ns > STALL_NS)
			return -ETIMEDOUT;
		if (now - moved_ns < IDLE_NS && passed < IDLE_NS)
			active_ns += passed;
		ops = stats.leg[leg];
		last = now;
	}
	return 0;
}

static void trial_judge(struct selftest_nb *nb, struct selftest_row *row, uint64_t seed,
			const struct nb_injection *planted, const struct neighbour_failure *f)
{
	bool named = f->fault == NEIGHBOUR_CORRUPT && f->type == planted->type &&
		     f->block == planted->block && f->kind == FAULT_STALE;

	row->ns[row->caught++] = f->when_ns > planted->when_ns ? f->when_ns - planted->when_ns : 0;
	row->named += named;
	if (!named)
		selftest_wrong(nb->result, "seed %llu: stale %s block %llu: reported as %s",
			       (unsigned long long)seed, row->kind,
			       (unsigned long long)planted->block, f->text);
}

static int trial_plant(struct selftest_nb *nb, struct neighbour *fs, enum neighbour_block type,
		       uint64_t seed, struct nb_injection *planted)
{
	int rc = -EAGAIN;

	for (unsigned i = 0; i < PLANT_TRIES && rc == -EAGAIN; i++)
		rc = nb_inject_plant(fs, type, seed + i * 1000003, planted);
	if (rc)
		snprintf(nb->result->trouble, sizeof(nb->result->trouble),
			 "no older %s block could be planted: %s", neighbour_block_name(type),
			 strerror(-rc));
	return rc;
}

/* The neighbour runs. */
static int trial_rounds(struct selftest_nb *nb, struct neighbour *fs, enum neighbour_block type,
			uint64_t seed)
{
	struct selftest_row *row = nb->row[type];
	struct neighbour_failure failure;
	struct nb_injection planted;
	int rc;

	row->clean_rounds++;
	if (!round_clean(fs, &failure)) {
		row->false_alarms++;
		selftest_wrong(nb->result, "seed %llu: reported where nothing was planted: %s",
			       (unsigned long long)seed, failure.text);
		return 0;
	}
	rc = trial_plant(nb, fs, type, seed, &planted);
	if (rc)
		return rc;
	row->planted++;
	rc = failure_find(fs, type, &failure);
	if (rc)
		snprintf(nb->result->trouble, sizeof(nb->result->trouble),
			 "the neighbour's %s do not get on", neighbour_leg_name(leg_of(type)));
	else if (failure.failed)
		trial_judge(nb, row, seed, &planted, &failure);
	else
		selftest_wrong(nb->result, "seed %llu: stale %s block %llu: missed",
			       (unsigned long long)seed, row->kind,
			       (unsigned long long)planted.block);
	return rc;
}

static int trial_run(struct selftest_nb *nb, enum neighbour_block type, uint64_t seed)
{
	struct selftest_result *result = nb->result;
	struct neighbour_options options = {
		.device = nb->device,
		.mount_dir = nb->mount_dir,
		.threads = 2,
		.legs = NEIGHBOUR_ALL_LEGS,
		.seed = seed,
	};
	struct neighbour *fs;
	int rc = neighbour_profile_parse(profiles[seed % PROFILES], &options.profile,
					 result->trouble, sizeof(result->trouble));

	if (!rc)
		rc = neighbour_format(&options.profile, nb->device, HEAD, result->trouble,
				      sizeof(result->trouble));
	if (!rc)
		rc = neighbour_mount(&options, &fs, result->trouble, sizeof(result->trouble));
	if (rc)
		return rc;
	rc = neighbour_start(fs, result->trouble, sizeof(result->trouble));
	if (!rc)
		rc = trial_rounds(nb, fs, type, seed);
	neighbour_free(fs);
	return rc;
}

int selftest_nb_seed(struct selftest_nb *nb, uint64_t seed)
{
	int rc = 0;

	for (int type = NEIGHBOUR_BLOCK_NONE + 1; type < NEIGHBOUR_BLOCKS && !rc; type++)
		rc = trial_run(nb, (enum neighbour_block)type, seed);
	return rc;
}
