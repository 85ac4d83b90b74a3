/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run does when something hangs. As long as the main thread gets on, it takes the hang for
 * the end of the run, keeps the evidence and puts everything back. If it does not come to that end,
 * because a thread cannot be joined or it is stuck itself, the watchdog's thread tells what there
 * is to tell and leaves; the guardian puts things back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak/evidence.h"
#include "soak/judge.h"
#include "soak/run_private.h"
#include "soak/tasks.h"
#include "util/clock.h"
#include "util/log.h"

#define GRACE_MIN_NS (10 * NS_PER_SEC)
#define GRACE_MAX_NS (60 * NS_PER_SEC)
/* The main thread runs e2fsck, verifies all files, unmounts: it has so many times the limit. */
#define MAIN_FACTOR 10u
/* Collecting evidence reads the device, which may be what hangs. */
#define EVIDENCE_NS (10 * NS_PER_SEC)

static void workers_look(struct workload *workload, struct watchdog_step *slowest)
{
	struct workload_stats stats;

	workload_stats_get(workload, &stats);
	for (unsigned i = 0; i < stats.workers; i++)
		if (stats.worker[i].running)
			watchdog_step_older(slowest, stats.worker[i].last_progress_ns, "worker %u",
					    i);
}

/* From the watchdog's thread. */
static void look(void *arg, struct watchdog_step *slowest)
{
	struct run *run = arg;
	uint64_t main_since = atomic_load(&run->progress_ns);
	uint64_t allowance = (MAIN_FACTOR - 1) * run->options->hang_ns;

	pthread_mutex_lock(&run->parts_lock);
	if (run->workload)
		workers_look(run->workload, slowest);
	if (run->neighbour)
		neighbour_slowest(run->neighbour, slowest);
	if (run->migrator)
		migrator_slowest(run->migrator, slowest);
	if (run->verifier)
		verifier_slowest(run->verifier, slowest);
	pthread_mutex_unlock(&run->parts_lock);
	/* The main thread may be the next to wait for it: from now on it has the grace at most. */
	watchdog_step_older(slowest, atomic_load(&run->stuck_ns),
			    "e2fsck, which cannot be killed,");
	/* It has more time than the others: as if its step had begun that much later. */
	if (clock_now_ns() > main_since + allowance)
		watchdog_step_older(slowest, main_since + allowance, "the main thread");
}

static int sysrq_send(char key)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, &key, 1) != 1)
		rc = -errno;
	close(fd);
	return rc;
}

/*
 * Has the kernel write its tasks and their stacks into its log: those that are blocked, then all.
 * kernel.sysrq limits the keyboard only; root may always write to the trigger, unless it is
 * mounted read-only.
 */
static void tasks_dump(struct run *run)
{
	int rc = sysrq_send('w');

	/* Read in between: the two together may be more than the kernel's buffer holds. */
	if (run->kmsg)
		kmsg_poll(run->kmsg);
	if (!rc)
		rc = sysrq_send('t');
	if (run->kmsg)
		kmsg_poll(run->kmsg);
	if (rc)
		log_warning("no SysRq (%s): the kernel does not tell what all tasks wait for",
			    strerror(-rc));
}

/* What our own threads wait for, and the daemon's: there may be no SysRq. */
static void tasks_keep(struct run *run)
{
	size_t len;
	FILE *out = open_memstream(&run->tasks, &len);

	if (!out)
		return;
	fprintf(out, "churnstress\n");
	tasks_print(getpid(), out);
	if (run->target.daemon) {
		fprintf(out, "the daemon\n");
		tasks_print(run->target.daemon, out);
	}
	fclose(out);
}

static void hang_note(struct run *run, const struct watchdog_step *step)
{
	char text[192];

	run->report->hung = true;
	snprintf(text, sizeof(text), "%s hangs: no step of it has ended for %.0f s", step->who,
		 clock_seconds(clock_now_ns() - step->since_ns));
	run_trouble(run, text);
	if (atomic_exchange(&run->dumped, true))
		return;
	tasks_keep(run);
	tasks_dump(run);
}

void run_hang_progress(struct run *run)
{
	atomic_store(&run->progress_ns, clock_now_ns());
}

bool run_hang_watch(struct run *run)
{
	struct watchdog_step step;

	run_hang_progress(run);
	if (!run->report->hung && run->watchdog && watchdog_hung(run->watchdog, &step))
		hang_note(run, &step);
	return run->report->hung;
}

static void *evidence_main(void *arg)
{
	run_evidence(arg);
	return NULL;
}

/* In a thread of its own: it may hang, too. */
static void evidence_try(struct run *run)
{
	uint64_t end;
	struct timespec ts;
	pthread_t thread;

	/* The main thread is at it, or was. */
	if (run->evidence == RUN_EVIDENCE_BUSY || run->evidence == RUN_EVIDENCE_WHOLE)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	end = (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec + EVIDENCE_NS;
	ts.tv_sec = (time_t)(end / NS_PER_SEC);
	ts.tv_nsec = (long)(end % NS_PER_SEC);
	if (pthread_create(&thread, NULL, evidence_main, run) == 0)
		pthread_timedjoin_np(thread, NULL, &ts);
}

/* From the watchdog's thread: the main thread has not come to its end. Does not return. */
static void abandon(void *arg)
{
	struct run *run = arg;
	struct report *report = run->report;
	struct watchdog_step step;

	/* Never given back: nothing that is used here can be freed any more. */
	pthread_mutex_lock(&run->parts_lock);
	watchdog_hung(run->watchdog, &step);
	hang_note(run, &step);
	evidence_try(run);
	if (!report->duration_ns && run->start_ns)
		report->duration_ns = clock_now_ns() - run->start_ns;
	judge_report(report);
	evidence_finish(report);
	if (run->sandbox)
		sandbox_abandon(run->sandbox);
	run->way_out->leave(run->way_out->arg, report);
}

int run_hang_start(struct run *run)
{
	uint64_t limit = run->options->hang_ns;
	const struct watchdog_options options = {
		.limit_ns = limit,
		.grace_ns = limit < GRACE_MIN_NS   ? GRACE_MIN_NS
			    : limit > GRACE_MAX_NS ? GRACE_MAX_NS
						   : limit,
		.look = look,
		.expired = abandon,
		.arg = run,
	};
	int rc;

	run_hang_progress(run);
	rc = watchdog_start(&options, &run->watchdog);
	if (rc)
		run_trouble(run, "cannot start the watchdog");
	return rc;
}

void run_hang_end(struct run *run)
{
	watchdog_stop(run->watchdog);
	run->watchdog = NULL;
}
