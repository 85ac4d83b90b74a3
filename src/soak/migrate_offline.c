/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory blocks taken offline and put back: the kernel must move everything out of the block that
 * holds most of the device's pages. One block at a time, never one at the end of its node and
 * zone, and never where there is no room for what it holds. What puts it back is noted in the
 * sandbox before it goes.
 *
 * Not part of "auto": a block comes back only if the kernel finds memory for that, and
 * other programs may fail meanwhile. Nothing
 * that can be probed tells that this will not happen.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "soak/memblock.h"
#include "soak/migrate.h"
#include "soak/pageset.h"
#include "soak/sandbox.h"
#include "util/clock.h"
#include "util/log.h"

#define PAGES_MAX 16384u
/* For one attempt; then signals break it off, once for each interval. */
#define OFFLINE_NS (2 * NS_PER_SEC)
#define SIGNAL_NS (100 * NS_PER_MS)
/* So often a block is tried to be put back. */
#define ONLINE_TRIES 50
/* Fewer of the device's pages in a block are not worth it. */
#define PAGES_MIN 16u
/* Blocks that failed lately are left out. */
#define FAILED_MAX 64u
#define PAUSE_US 100000
/* Attempts without a success, in a row, before the driver gives up. */
#define FAILURES_MAX 64u

struct offline_state {
	const struct migrate_target *target;
	struct pageset set;
	struct memblocks blocks;
	timer_t timer;
	struct sigaction old_action;
	bool armed;
	uint64_t failed[FAILED_MAX]; /* numbers of blocks + 1 */
	unsigned failures;
};

static int offline_probe(char *why, size_t len)
{
	struct memblocks blocks;
	unsigned candidates = 0;
	int rc = memblocks_read(&blocks);

	if (rc) {
		snprintf(why, len, "no memory blocks (CONFIG_MEMORY_HOTREMOVE)");
		return rc;
	}
	for (size_t i = 0; i < blocks.count; i++)
		candidates += memblocks_spare(&blocks, &blocks.block[i]);
	snprintf(why, len, "%u of %zu blocks may go for a moment", candidates, blocks.count);
	if (!candidates)
		snprintf(why, len, "none of %zu memory blocks may go", blocks.count);
	memblocks_free(&blocks);
	return candidates ? 0 : -ENODEV;
}

static int offline_automatic(char *why, size_t len)
{
	snprintf(why, len, "memory that went offline may fail to come back");
	return -EPERM;
}

static void offline_stop(void *arg)
{
	struct offline_state *s = arg;

	if (s->armed) {
		timer_delete(s->timer);
		sigaction(SIGUSR2, &s->old_action, NULL);
	}
	memblocks_free(&s->blocks);
	pageset_close(&s->set);
	free(s);
}

static int offline_start(const struct migrate_target *target, void **out)
{
	struct offline_state *s;
	int rc;

	/* A block that nobody would put back. */
	if (!target->sandbox)
		return -ENOTSUP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->target = target;
	rc = pageset_open(&s->set, target, PAGES_MAX);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void signal_ignore(int sig)
{
	(void)sig;
}

/* A signal for the thread that runs cycles: it breaks off a write(2) that waits in the kernel. */
static int timer_prepare(struct offline_state *s)
{
	struct sigaction action = {.sa_handler = signal_ignore};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	sigset_t set;

	if (s->armed)
		return 0;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (sigaction(SIGUSR2, &action, &s->old_action))
		return -errno;
	if (timer_create(CLOCK_MONOTONIC, &event, &s->timer)) {
		int rc = -errno;

		sigaction(SIGUSR2, &s->old_action, NULL);
		return rc;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	s->armed = true;
	return 0;
}

static void timer_arm(struct offline_state *s, uint64_t ns)
{
	struct itimerspec spec = {
		.it_value = {.tv_sec = (time_t)(ns / NS_PER_SEC),
			     .tv_nsec = (long)(ns % NS_PER_SEC)},
		.it_interval = {.tv_nsec = ns ? (long)SIGNAL_NS : 0},
	};

	timer_settime(s->timer, 0, &spec, NULL);
}

static bool failed_lately(const struct offline_state *s, uint64_t number)
{
	return s->failed[number % FAILED_MAX] == number + 1;
}

/* The block with most of the set's pages among those that may go; NULL: none is worth it. */
static const struct memblock *block_choose(struct offline_state *s)
{
	const struct memblock *best = NULL;
	size_t most = PAGES_MIN - 1;

	for (size_t i = 0; i < s->blocks.count; i++) {
		const struct memblock *block = &s->blocks.block[i];
		size_t pages = 0;

		if (failed_lately(s, block->number) || !memblocks_spare(&s->blocks, block))
			continue;
		for (size_t p = 0; p < s->set.count; p++)
			pages += s->set.before[p] >= block->start && s->set.before[p] < block->end;
		if (pages > most) {
			most = pages;
			best = block;
		}
	}
	return best;
}

static int state_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int block_back(struct offline_state *s, const char *path, const char *value)
{
	int rc = -EBUSY;

	for (int try = 0; try < ONLINE_TRIES && rc; try++) {
		rc = state_write(path, value);
		if (memblock_online(path))
			rc = 0;
		else if (rc)
			usleep(20000);
	}
	if (rc)
		log_error("%s does not come back: %s", path, strerror(-rc));
	else
		sandbox_note_undo(s->target->sandbox, SANDBOX_UNDO_BLOCK, NULL, NULL);
	return rc;
}

/* Off and on again; in between, CYCLE gets what has moved. */
static int block_cycle(struct offline_state *s, const struct memblock *block,
		       struct migrate_cycle *cycle)
{
	const char *back = memblock_online_value(block);
	char path[MEMBLOCK_PATH_LEN];
	int rc, off, counted;

	memblock_path(block, path);
	rc = sandbox_note_undo(s->target->sandbox, SANDBOX_UNDO_BLOCK, path, back);
	if (rc)
		return rc;
	timer_arm(s, OFFLINE_NS);
	off = state_write(path, "offline");
	timer_arm(s, 0);
	counted = pageset_after(&s->set, cycle);
	/* Also after a failure: it may have been broken off when all was done. */
	rc = block_back(s, path, back);
	s->failures = off ? s->failures + 1 : 0;
	if (off)
		s->failed[block->number % FAILED_MAX] = block->number + 1;
	return rc ? rc : counted;
}

static int offline_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct offline_state *s = arg;
	const struct memblock *block;
	int rc = timer_prepare(s);

	if (rc)
		return rc;
	if (s->failures >= FAILURES_MAX)
		return -EBUSY;
	memblocks_free(&s->blocks);
	rc = memblocks_read(&s->blocks);
	if (rc)
		return rc;
	pageset_choose(&s->set);
	rc = pageset_before(&s->set);
	if (rc)
		return rc;
	block = memblocks_room(&s->blocks) ? block_choose(s) : NULL;
	if (block)
		return block_cycle(s, block, cycle);
	/* Too little is free, or there are no pages worth it; those that failed get another chance.
	 */
	memset(s->failed, 0, sizeof(s->failed));
	usleep(PAUSE_US);
	return 0;
}

const struct migrate_driver migrate_offline = {
	.name = "offline",
	.what = "memory blocks offline and online",
	.probe = offline_probe,
	.automatic = offline_automatic,
	.start = offline_start,
	.cycle = offline_cycle,
	.stop = offline_stop,
};
