/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a run sets up: the sandbox, the filesystem under test, and all that works on it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "soak/run_private.h"
#include "util/clock.h"
#include "util/log.h"

#define VERIFY_PERIOD_NS (100 * NS_PER_MS)
#define VERIFY_DIRECT_PERIOD_NS (2 * NS_PER_SEC)
#define WORKER_BYTES_MAX (16ULL << 20)
#define WORKER_NODES_MAX 4000u

static int moves_start(struct run *run)
{
	struct movelog *moves;
	int rc = movelog_create(&moves);

	if (rc)
		run_trouble(run, "cannot keep a log of moves");
	else
		RUN_PART_SET(run, moves, moves);
	return rc;
}

static int verify_start(struct run *run)
{
	struct verifier_options options = {
		.device = run->target.device,
		.ledger = run->target.ledger,
		.threads = run->options->verifiers,
		.period_ns = VERIFY_PERIOD_NS / run->options->hurry,
		.direct_period_ns = VERIFY_DIRECT_PERIOD_NS / run->options->hurry,
	};
	struct verifier *verifier;
	int rc = verifier_start(&options, &verifier);

	if (rc)
		run_trouble(run, "cannot start the verifiers");
	else
		RUN_PART_SET(run, verifier, verifier);
	return rc;
}

/* Half of the device is left to metadata, directories and slack. */
static int work_start(struct run *run)
{
	uint64_t bytes = run->target.bytes / 2 / run->options->workers;
	struct workload_options options = {
		.root = run->target.mount,
		.workers = run->options->workers,
		.seed = run->options->seed,
		.max_bytes_per_worker = bytes < WORKER_BYTES_MAX ? bytes : WORKER_BYTES_MAX,
		.max_nodes_per_worker = WORKER_NODES_MAX,
		.keep_going = run->options->keep_going,
	};
	struct workload *workload;
	int rc;

	if (options.max_bytes_per_worker < WORKLOAD_BYTES_MIN)
		options.max_bytes_per_worker = WORKLOAD_BYTES_MIN;
	rc = workload_start(&options, &workload);
	if (rc)
		run_trouble(run, "cannot start the workers");
	else
		RUN_PART_SET(run, workload, workload);
	return rc;
}

static int migration_start(struct run *run)
{
	struct migrator *migrator;
	char why[256] = "";
	int rc;

	run->migrate_target = (struct migrate_target){
		.device = run->target.device,
		.bytes = run->target.bytes,
		.ledger = run->target.ledger,
		.verifier = run->verifier,
		.moves = run->moves,
		.sandbox = run->sandbox,
		.memory_max = run->options->memory_max,
		.seed = run->options->seed,
		.stop = &run->stopping,
		.head_bytes = target_head_bytes(run->options),
		.apart = run->report->neighbour_apart ? run->target.apart : NULL,
		.apart_bytes = run->options->head_bytes,
		.neighbour = run->neighbour,
		.hot = run->hot,
		.hot_count = run->hot_count,
		.watched = run->watched,
		.watched_count = run->watched_count,
	};
	run->report->migration_start_ns = clock_now_ns();
	rc = migrator_start(&run->selection, &run->migrate_target, &migrator, why, sizeof(why));
	if (rc)
		run_trouble(run, why);
	else
		RUN_PART_SET(run, migrator, migrator);
	return rc;
}

static int injection_prepare(struct run *run)
{
	struct inject_options options = {
		.kind = run->options->inject,
		.seed = run->options->seed,
		.device = run->target.device,
		.ledger = run->target.ledger,
		.daemon = run->target.daemon,
	};

	return options.kind == FAULT_NONE ? 0 : inject_create(&options, &run->inject);
}

/* The run is worth as much without; the evidence is not. */
static int tracing_start(struct run *run)
{
	const char *device = run->report->neighbour_apart ? run->target.apart : run->target.device;
	struct tracering *ring;
	struct stat st;
	int rc;

	rc = stat(device, &st) ? -errno : tracering_start(run->sandbox, st.st_rdev, &ring);
	if (rc == 0)
		RUN_PART_SET(run, ring, ring);
	else
		log_warning("the kernel is not traced (%s): evidence will have no events",
			    rc == -ENOTSUP ? "built without libtracefs" : strerror(-rc));
	return 0;
}

static const char *sandbox_trouble(int rc)
{
	switch (rc) {
	case -EBUSY:
		return "another churnstress migrates on this machine: wait for its end (if "
		       "it hangs in the kernel, reboot), or use --migrate none";
	case -EINVAL:
		/* A plain chroot: its root is no mount point, whose propagation could be ended. */
		return "cannot make mounts private: in a chroot, bind-mount its root onto itself "
		       "before entering";
	default:
		return "cannot make a private mount namespace: run it as root";
	}
}

static int sandbox_start(struct run *run)
{
	enum sandbox_use use = run->selection.count ? SANDBOX_ALONE : SANDBOX_SHARED;
	int rc = sandbox_create(use, &run->sandbox);

	if (rc)
		run_trouble(run, sandbox_trouble(rc));
	return rc;
}

/* A run that cannot see the kernel's faults is worth something still. */
static int kernel_watch_start(struct run *run)
{
	if (kmsg_open(&run->kmsg))
		log_warning("the kernel's log cannot be read: its faults go unnoticed");
	run->report->kmsg_watched = run->kmsg != NULL;
	return 0;
}

static int target_start(struct run *run)
{
	char why[512] = "";
	int rc;

	/* For the report of a hang in the middle of it. */
	if (run->options->device)
		snprintf(run->report->device, sizeof(run->report->device), "%s",
			 run->options->device);
	rc = target_open(run->options, run->sandbox, &run->target, why, sizeof(why));
	if (rc) {
		run_trouble(run, why);
		return rc;
	}
	snprintf(run->report->device, sizeof(run->report->device), "%s", run->target.device);
	run->report->device_bytes = run->target.bytes;
	if (run->kmsg)
		kmsg_device_add(run->kmsg, run->target.device);
	return 0;
}

int run_start(struct run *run)
{
	/* The guardian is a copy of a process of one thread: the watchdog comes after it. */
	static int (*const steps[])(struct run *) = {
		sandbox_start, kernel_watch_start, run_hang_start,    target_start,
		moves_start,   verify_start,	   work_start,	      run_neighbour_begin,
		tracing_start, migration_start,	   injection_prepare,
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !rc; i++) {
		run_hang_progress(run);
		rc = steps[i](run);
	}
	return rc;
}
