/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/clock.h"

#define POLL_NS (100 * NS_PER_MS)
/* Gaps that are remembered; there is one for each poll at most. */
#define GAPS_MAX 4096u

/*
 * A time in which the watchdog itself did not run, though it was due: the process was stopped, the
 * machine suspended, or so busy that nobody can be expected to have ended a step.
 */
struct gap {
	uint64_t end_ns, ns;
};

struct watchdog {
	struct watchdog_options options;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stop;		    /* lock */
	struct watchdog_step first; /* lock; since_ns 0: nobody hangs */
	/* The thread's own: the last of them, in a ring. */
	struct gap gap[GAPS_MAX];
	uint64_t gaps;
};

void watchdog_step_older(struct watchdog_step *step, uint64_t since_ns, const char *format, ...)
{
	va_list args;

	if (!since_ns || (step->since_ns && step->since_ns <= since_ns))
		return;
	step->since_ns = since_ns;
	va_start(args, format);
	vsnprintf(step->who, sizeof(step->who), format, args);
	va_end(args);
}

/* Returns true when the thread is to end. */
static bool sleep_until(struct watchdog *watchdog, uint64_t when)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(when / NS_PER_SEC),
		.tv_nsec = (long)(when % NS_PER_SEC),
	};
	bool stop;

	pthread_mutex_lock(&watchdog->lock);
	while (!watchdog->stop && clock_now_ns() < when)
		pthread_cond_timedwait(&watchdog->cond, &watchdog->lock, &ts);
	stop = watchdog->stop;
	pthread_mutex_unlock(&watchdog->lock);
	return stop;
}

/* A poll that is late by less than another one is nothing special. */
static void gap_note(struct watchdog *watchdog, uint64_t last_ns, uint64_t now_ns)
{
	if (now_ns - last_ns > 2 * POLL_NS)
		watchdog->gap[watchdog->gaps++ % GAPS_MAX] =
			(struct gap){.end_ns = now_ns, .ns = now_ns - last_ns - POLL_NS};
}

/* How long the watchdog has not run since then. */
static uint64_t gaps_since(const struct watchdog *watchdog, uint64_t since_ns)
{
	uint64_t first = watchdog->gaps > GAPS_MAX ? watchdog->gaps - GAPS_MAX : 0, sum = 0;

	for (uint64_t i = watchdog->gaps; i-- > first;) {
		const struct gap *gap = &watchdog->gap[i % GAPS_MAX];

		if (gap->end_ns <= since_ns)
			break;
		sum += gap->ns < gap->end_ns - since_ns ? gap->ns : gap->end_ns - since_ns;
	}
	return sum;
}

/* True if a step has taken too long at NOW, of the present poll; it is kept then. */
static bool hang_find(struct watchdog *watchdog, uint64_t now)
{
	struct watchdog_step step = {0};

	watchdog->options.look(watchdog->options.arg, &step);
	if (!step.since_ns || now < step.since_ns ||
	    now - step.since_ns - gaps_since(watchdog, step.since_ns) < watchdog->options.limit_ns)
		return false;
	pthread_mutex_lock(&watchdog->lock);
	watchdog->first = step;
	pthread_mutex_unlock(&watchdog->lock);
	return true;
}

static void *thread_main(void *arg)
{
	struct watchdog *watchdog = arg;
	uint64_t last = clock_now_ns();

	do {
		uint64_t now = clock_now_ns();

		gap_note(watchdog, last, now);
		last = now;
		if (hang_find(watchdog, now)) {
			now = clock_now_ns();
			if (!sleep_until(watchdog, now + watchdog->options.grace_ns))
				watchdog->options.expired(watchdog->options.arg);
			return NULL;
		}
	} while (!sleep_until(watchdog, last + POLL_NS));
	return NULL;
}

int watchdog_start(const struct watchdog_options *options, struct watchdog **out)
{
	struct watchdog *watchdog = calloc(1, sizeof(*watchdog));
	pthread_condattr_t attr;
	int rc;

	if (!watchdog)
		return -ENOMEM;
	watchdog->options = *options;
	pthread_mutex_init(&watchdog->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&watchdog->cond, &attr);
	pthread_condattr_destroy(&attr);
	rc = pthread_create(&watchdog->thread, NULL, thread_main, watchdog);
	if (rc) {
		pthread_cond_destroy(&watchdog->cond);
		pthread_mutex_destroy(&watchdog->lock);
		free(watchdog);
		return -rc;
	}
	*out = watchdog;
	return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	pthread_mutex_lock(&watchdog->lock);
	watchdog->stop = true;
	pthread_cond_signal(&watchdog->cond);
	pthread_mutex_unlock(&watchdog->lock);
	pthread_join(watchdog->thread, NULL);
	pthread_cond_destroy(&watchdog->cond);
	pthread_mutex_destroy(&watchdog->lock);
	free(watchdog);
}

bool watchdog_hung(struct watchdog *watchdog, struct watchdog_step *step)
{
	pthread_mutex_lock(&watchdog->lock);
	*step = watchdog->first;
	pthread_mutex_unlock(&watchdog->lock);
	return step->since_ns != 0;
}
