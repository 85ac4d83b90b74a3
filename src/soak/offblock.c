/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/offblock.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soak/sandbox.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/setting.h"

/* For one attempt; then signals break it off, once for each interval. */
#define OFFLINE_NS (2 * NS_PER_SEC)
#define SIGNAL_NS (100 * NS_PER_MS)
/* So often a block is tried to be put back. */
#define ONLINE_TRIES 50
#define ONLINE_PAUSE_US 20000

void offblock_open(struct offblock *off, struct sandbox *sandbox)
{
	*off = (struct offblock){.sandbox = sandbox};
}

void offblock_close(struct offblock *off)
{
	if (!off->armed)
		return;
	timer_delete(off->timer);
	sigaction(SIGUSR2, &off->old_action, NULL);
	off->armed = false;
}

static void signal_ignore(int sig)
{
	(void)sig;
}

/* A signal for the thread that runs cycles: it breaks off a write(2) that waits in the kernel. */
static int timer_prepare(struct offblock *off)
{
	struct sigaction action = {.sa_handler = signal_ignore};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	sigset_t set;

	if (off->armed)
		return 0;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (sigaction(SIGUSR2, &action, &off->old_action))
		return -errno;
	if (timer_create(CLOCK_MONOTONIC, &event, &off->timer)) {
		int rc = -errno;

		sigaction(SIGUSR2, &off->old_action, NULL);
		return rc;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	off->armed = true;
	return 0;
}

static void timer_arm(struct offblock *off, uint64_t ns)
{
	struct itimerspec spec = {
		.it_value = {.tv_sec = (time_t)(ns / NS_PER_SEC),
			     .tv_nsec = (long)(ns % NS_PER_SEC)},
		.it_interval = {.tv_nsec = ns ? (long)SIGNAL_NS : 0},
	};

	timer_settime(off->timer, 0, &spec, NULL);
}

static int block_back(struct offblock *off, const char *path, const char *value)
{
	int rc = -EBUSY;

	for (int try = 0; try < ONLINE_TRIES && rc; try++) {
		rc = setting_write(path, value);
		if (memblock_online(path))
			rc = 0;
		else if (rc)
			usleep(ONLINE_PAUSE_US);
	}
	if (rc)
		log_error("%s does not come back: %s", path, strerror(-rc));
	else
		sandbox_note_undo(off->sandbox, SANDBOX_UNDO_BLOCK, NULL, NULL);
	return rc;
}

int offblock_trip(struct offblock *off, const struct memblock *block, int (*away)(void *arg),
		  void *arg, int *went)
{
	const char *value = memblock_online_value(block);
	char path[MEMBLOCK_PATH_LEN];
	int rc = timer_prepare(off), done;

	memblock_path(block, path);
	if (!rc)
		rc = sandbox_note_undo(off->sandbox, SANDBOX_UNDO_BLOCK, path, value);
	if (rc)
		return rc;
	timer_arm(off, OFFLINE_NS);
	*went = setting_write(path, "offline");
	timer_arm(off, 0);
	done = away(arg);
	/* Also after a failure: it may have been broken off when all was done. */
	rc = block_back(off, path, value);
	return rc ? rc : done;
}
