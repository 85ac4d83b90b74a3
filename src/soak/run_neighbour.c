/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The neighbour's part of a run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/evidence.h"
#include "soak/run_private.h"
#include "util/clock.h"
#include "util/log.h"

#define NEIGHBOUR_THREADS 2u
/* Unmounted, checked by e2fsck and mounted again so often. */
#define NEIGHBOUR_CHECK_NS (60 * NS_PER_SEC)

/* The kernel finds damage before our threads at times, but cannot tell what was there before. */
#define NEIGHBOUR_DAMAGED_NS (3 * NS_PER_SEC)

/* The mount point, known to the guardian. */
static int mount_dir_make(struct run *run, char *why, size_t len)
{
	int rc;

	snprintf(run->neighbour_dir, sizeof(run->neighbour_dir), "%s/neighbour",
		 sandbox_dir(run->sandbox));
	rc = sandbox_note_mount(run->sandbox, run->neighbour_dir);
	if (!rc && mkdir(run->neighbour_dir, 0700))
		rc = -errno;
	if (rc)
		snprintf(why, len, "%s: %s", run->neighbour_dir, strerror(-rc));
	return rc;
}

static int mount_apart(struct run *run, struct neighbour_options *options,
		       struct neighbour **neighbour, char *why, size_t len)
{
	int rc = target_open_apart(run->options, &run->target, why, len);

	if (rc)
		return rc;
	run->report->neighbour_apart = true;
	if (run->kmsg)
		kmsg_device_add(run->kmsg, run->target.apart);
	options->device = run->target.apart;
	options->alone = true;
	return neighbour_mount(options, neighbour, why, len);
}

/* In the head of the device; where that is forbidden, on a device of its own. */
static int mount_somewhere(struct run *run, struct neighbour_options *options,
			   struct neighbour **neighbour, char *why, size_t len)
{
	int rc;

	if (run->options->neighbour_apart)
		return mount_apart(run, options, neighbour, why, len);
	rc = neighbour_mount(options, neighbour, why, len);
	if (rc != -EPERM && rc != -EBUSY)
		return rc;
	log_warning("%s", why);
	log_warning("the neighbour gets a loop device of its own: its lookups meet migration, but "
		    "no longer churnfs's writes to the same page-cache mapping");
	return mount_apart(run, options, neighbour, why, len);
}

int run_neighbour_begin(struct run *run)
{
	struct neighbour_options options = {
		.device = run->target.device,
		.profile = run->options->profile,
		.mount_dir = run->neighbour_dir,
		.threads = NEIGHBOUR_THREADS,
		.legs = NEIGHBOUR_ALL_LEGS,
		.seed = run->options->seed,
		.interrupting = run->selection.count > 0,
		.trace = true,
	};
	struct neighbour *neighbour;
	char why[512] = "";
	int rc;

	if (!run->options->neighbour)
		return 0;
	rc = mount_dir_make(run, why, sizeof(why));
	if (!rc)
		rc = mount_somewhere(run, &options, &neighbour, why, sizeof(why));
	if (!rc) {
		rc = neighbour_start(neighbour, why, sizeof(why));
		/* Mounted, it has to be ended properly, started or not. */
		RUN_PART_SET(run, neighbour, neighbour);
	}
	if (rc) {
		run_trouble(run, why);
		return rc;
	}
	run->hot_count = neighbour_hot_pages(run->neighbour, run->hot, RUN_HOT_PAGES_MAX);
	if (run->hot_count > RUN_HOT_PAGES_MAX)
		run->hot_count = RUN_HOT_PAGES_MAX;
	run->watched_count = neighbour_watched_pages(run->neighbour, &run->watched);
	run->checked_ns = clock_now_ns();
	return 0;
}

void run_neighbour_step(struct run *run, uint64_t elapsed)
{
	struct report *r = run->report;
	char why[256] = "";

	if (!run->neighbour || r->neighbour_failure.failed)
		return;
	if (run->options->nb_inject != NEIGHBOUR_BLOCK_NONE && !r->nb_injected &&
	    elapsed >= RUN_INJECT_AFTER_NS)
		r->nb_injected = nb_inject_plant(run->neighbour, run->options->nb_inject,
						 run->options->seed, &r->nb_injection) == 0;
	if (clock_now_ns() - run->checked_ns < NEIGHBOUR_CHECK_NS / run->options->hurry)
		return;
	if (neighbour_check(run->neighbour, why, sizeof(why)) && why[0])
		run_trouble(run, why);
	run->stuck_ns = neighbour_stuck_ns(run->neighbour);
	run->checked_ns = clock_now_ns();
}

bool run_neighbour_damaged(struct run *run)
{
	uint64_t now = clock_now_ns();

	if (!run->damaged_ns)
		run->damaged_ns = now;
	return run->stopping || now - run->damaged_ns >= NEIGHBOUR_DAMAGED_NS;
}

void run_neighbour_end(struct run *run)
{
	struct neighbour *neighbour = run->neighbour;
	char why[256] = "";

	if (!neighbour)
		return;
	neighbour_stop(run->neighbour);
	run_hang_progress(run);
	if (neighbour_finish(run->neighbour, why, sizeof(why)) && why[0])
		run_trouble(run, why);
	run->stuck_ns = neighbour_stuck_ns(run->neighbour);
	neighbour_stats_get(run->neighbour, &run->report->neighbour);
	neighbour_failure_get(run->neighbour, &run->report->neighbour_failure);
	if (run->report->neighbour_failure.failed)
		run_evidence(run);
	evidence_fsck(run->report, neighbour_fsck_log(run->neighbour));
	RUN_PART_SET(run, neighbour, NULL);
	neighbour_free(neighbour);
	rmdir(run->neighbour_dir);
}
