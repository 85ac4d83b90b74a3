/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "soak/cpus.h"
#include "soak/nb_fsck.h"
#include "soak/nb_private.h"
#include "soak/watchdog.h"
#include "util/clock.h"

/*
 * Before migration drivers, see migrate.h, or after them: some races show where a driver is
 * interrupted by a lookup, others where it interrupts a thread that has looked up a buffer.
 */
#define INTERRUPTING_NICE (-10)
#define INTERRUPTED_NICE 5
#define TURN_NS (NS_PER_SEC / 2)
/* One turn in so many is after them. */
#define TURNS 3u
#define PAUSE_NS_MAX (NS_PER_SEC / 20)
#define MONITOR_MS 20
#define SWEEP_PERIOD_NS (200 * NS_PER_MS)
#define ERRORS_PERIOD_NS (200 * NS_PER_MS)
/* A leg that is about to name the damaged block gets this long before the bare error counts. */
#define ERRORS_GRACE_NS (1000 * NS_PER_MS)

/* The thread that does all but inodes does these, in this order: bitmaps first, see nb_bitmaps.c.
 */
static const struct nb_leg_ops *const other_legs[] = {&nb_bitmaps, &nb_dirs, &nb_xattr, &nb_extents,
						      &nb_revoke};
#define OTHER_LEGS (sizeof(other_legs) / sizeof(other_legs[0]))

static int leg_prepare(struct nb_thread *t, const struct nb_leg_ops *ops, char *why, size_t len)
{
	void *state = NULL;
	int rc;

	if (!(t->nb->options.legs & 1u << ops->leg))
		return 0;
	rc = ops->prepare(t->nb, &t->count, t->index, &state);
	if (rc == -EOPNOTSUPP) {
		t->nb->absent |= 1u << ops->leg;
		return 0;
	}
	if (rc) {
		snprintf(why, len, "neighbour %s: cannot make the files of its %s: %s",
			 t->nb->options.profile.text, neighbour_leg_name(ops->leg),
			 rc == -ENOSPC ? "it is full: use a larger --reserve-head" : strerror(-rc));
		return rc;
	}
	t->leg[t->legs++] = (struct nb_leg){.ops = ops, .state = state};
	return 0;
}

int nb_threads_prepare(struct neighbour *nb, char *why, size_t len)
{
	unsigned n = nb->options.threads;
	int rc = 0;

	nb->threads = n + 1;
	for (unsigned i = 0; i <= n; i++) {
		struct nb_thread *t = &nb->thread[i];

		t->nb = nb;
		t->index = i;
		t->roams = i == n;
		rng_seed(&t->rng, nb->options.seed, 0x7d + i);
	}
	for (unsigned i = 0; i < n && !rc; i++)
		rc = leg_prepare(&nb->thread[i], &nb_inodes, why, len);
	for (unsigned i = 0; i < OTHER_LEGS && !rc; i++)
		rc = leg_prepare(&nb->thread[n], other_legs[i], why, len);
	return rc;
}

int nb_threads_open(struct neighbour *nb)
{
	/* The bitmaps are looked at last, when nobody makes files any more. */
	for (unsigned i = 0; i < nb->threads; i++)
		for (unsigned k = nb->thread[i].legs; k-- > 0;) {
			struct nb_leg *leg = &nb->thread[i].leg[k];
			int rc = leg->ops->open(leg->state);

			if (rc)
				return rc;
		}
	return 0;
}

void nb_threads_close(struct neighbour *nb)
{
	for (unsigned i = 0; i < nb->threads; i++)
		for (unsigned k = 0; k < nb->thread[i].legs; k++)
			nb->thread[i].leg[k].ops->close(nb->thread[i].leg[k].state);
}

void nb_threads_free(struct neighbour *nb)
{
	for (unsigned i = 0; i < nb->threads; i++)
		for (unsigned k = 0; k < nb->thread[i].legs; k++)
			nb->thread[i].leg[k].ops->free(nb->thread[i].leg[k].state);
	nb->threads = 0;
}

/*
 * Waits while the gate is closed. Returns false when the thread is to end. SINCE: its step ends
 * here, and another one begins.
 */
static bool gate_pass(struct neighbour *nb, _Atomic uint64_t *since)
{
	bool go_on;

	if (atomic_load_explicit(&nb->gate, memory_order_relaxed)) {
		atomic_store(since, 0);
		pthread_mutex_lock(&nb->lock);
		nb->running--;
		pthread_cond_broadcast(&nb->changed);
		while (atomic_load(&nb->gate) && !atomic_load(&nb->stop))
			pthread_cond_wait(&nb->changed, &nb->lock);
		nb->running++;
		pthread_mutex_unlock(&nb->lock);
	}
	go_on = !atomic_load_explicit(&nb->stop, memory_order_relaxed);
	atomic_store_explicit(since, go_on ? clock_now_ns() : 0, memory_order_relaxed);
	return go_on;
}

static void gate_leave(struct neighbour *nb)
{
	pthread_mutex_lock(&nb->lock);
	nb->running--;
	pthread_cond_broadcast(&nb->changed);
	pthread_mutex_unlock(&nb->lock);
}

void neighbour_pause(struct neighbour *nb)
{
	pthread_mutex_lock(&nb->lock);
	atomic_store(&nb->gate, true);
	while (nb->running)
		pthread_cond_wait(&nb->changed, &nb->lock);
	pthread_mutex_unlock(&nb->lock);
}

void neighbour_resume(struct neighbour *nb)
{
	pthread_mutex_lock(&nb->lock);
	atomic_store(&nb->gate, false);
	pthread_cond_broadcast(&nb->changed);
	pthread_mutex_unlock(&nb->lock);
}

static int round_do(struct nb_thread *t)
{
	int rc = 0;

	for (unsigned k = 0; k < t->legs && !rc; k++)
		rc = t->leg[k].ops->step(t->leg[k].state);
	return rc;
}

void neighbour_hold_inodes(struct neighbour *nb)
{
	pthread_mutex_lock(&nb->lock);
	nb->inodes_held = true;
	while (nb->inodes_busy)
		pthread_cond_wait(&nb->changed, &nb->lock);
	pthread_mutex_unlock(&nb->lock);
}

void neighbour_let_inodes(struct neighbour *nb)
{
	pthread_mutex_lock(&nb->lock);
	nb->inodes_held = false;
	nb->inodes_let++;
	pthread_cond_broadcast(&nb->changed);
	pthread_mutex_unlock(&nb->lock);
}

/* A round of a thread that updates inodes: not while they are held. */
static int round_inodes(struct nb_thread *t)
{
	struct neighbour *nb = t->nb;
	uint64_t start;
	int rc;

	pthread_mutex_lock(&nb->lock);
	while (nb->inodes_held && !atomic_load(&nb->stop) && !atomic_load(&nb->gate))
		pthread_cond_wait(&nb->changed, &nb->lock);
	rc = nb->inodes_held ? -EAGAIN : 0;
	nb->inodes_busy += !rc;
	pthread_mutex_unlock(&nb->lock);
	if (rc)
		return 0;
	start = clock_now_ns();
	rc = round_do(t);
	t->round_ns = clock_now_ns() - start;
	pthread_mutex_lock(&nb->lock);
	if (--nb->inodes_busy == 0 && nb->inodes_held)
		pthread_cond_broadcast(&nb->changed);
	pthread_mutex_unlock(&nb->lock);
	return rc;
}

static int legs_sweep(struct nb_thread *t, bool bitmaps, bool others)
{
	int rc = 0;

	for (unsigned k = 0; k < t->legs && !rc; k++) {
		const struct nb_leg_ops *ops = t->leg[k].ops;

		if (ops->sweep && (ops == &nb_bitmaps ? bitmaps : others))
			rc = ops->sweep(t->leg[k].state);
	}
	return rc;
}

/*
 * What one round does to the bitmaps is taken over at its end, so they are compared before each;
 * the rest is compared often enough that an older block does not stay for long.
 */
static int sweep_do(struct nb_thread *t)
{
	uint64_t now = clock_now_ns();
	bool all = now - t->swept_ns >= SWEEP_PERIOD_NS;
	int rc = legs_sweep(t, true, all);

	if (all)
		t->swept_ns = now;
	return rc;
}

static int round_roaming(struct nb_thread *t)
{
	int rc = sweep_do(t);

	/* Each CPU has a buffer LRU of its own. */
	cpus_pin(cpus_nth(rng_next(&t->rng) >> 8));
	if (!rc)
		rc = round_do(t);
	if (!rc && t->legs && t->leg[0].ops == &nb_bitmaps)
		rc = nb_bitmaps_round_end(t->leg[0].state);
	return rc;
}

/*
 * A pause of up to twice what the round took, so half of the time in all. Pages that have just been
 * evicted are looked up again at once.
 */
static void pause_after_round(struct nb_thread *t)
{
	struct neighbour *nb = t->nb;
	uint64_t most = 2 * t->round_ns < PAUSE_NS_MAX ? 2 * t->round_ns : PAUSE_NS_MAX;
	uint64_t end = clock_now_ns() + rng_below(&t->rng, most + 1);
	const struct timespec until = {.tv_sec = (time_t)(end / NS_PER_SEC),
				       .tv_nsec = (long)(end % NS_PER_SEC)};
	unsigned times;
	int rc = 0;

	pthread_mutex_lock(&nb->lock);
	times = nb->inodes_let;
	while (!rc && nb->inodes_let == times && !atomic_load(&nb->stop))
		rc = pthread_cond_timedwait(&nb->changed, &nb->lock, &until);
	pthread_mutex_unlock(&nb->lock);
}

/*
 * Before or after the migration drivers, by turns. All threads alike: the scheduler would have a
 * driver run on the CPU of a thread that lets it.
 */
static void turn_take(struct nb_thread *t)
{
	bool after = clock_now_ns() / TURN_NS % TURNS == 0;

	if (after == t->after)
		return;
	t->after = after;
	cpus_nice(after ? INTERRUPTED_NICE : INTERRUPTING_NICE);
}

/*
 * The filesystem says that something is wrong: what is at rest is compared, which may tell what. In
 * the middle of a round that failed (RC) the bitmaps are not at rest.
 */
static void look_around(struct nb_thread *t, int rc)
{
	struct neighbour *nb = t->nb;
	bool wanted;

	pthread_mutex_lock(&nb->lock);
	wanted = nb->failure.failed && nb->failure.fault == NEIGHBOUR_FS_ERROR;
	pthread_mutex_unlock(&nb->lock);
	if (wanted)
		legs_sweep(t, rc == 0, true);
}

static void *thread_main(void *arg)
{
	struct nb_thread *t = arg;
	bool interrupting = t->nb->options.interrupting && !t->roams;
	int rc = 0;

	cpus_pin(cpus_nth(t->index));
	if (interrupting) {
		prctl(PR_SET_TIMERSLACK, 1UL);
		cpus_nice(INTERRUPTING_NICE);
		t->after = false;
	}
	while (!rc && gate_pass(t->nb, &t->since_ns)) {
		if (interrupting)
			turn_take(t);
		rc = t->roams ? round_roaming(t) : round_inodes(t);
		if (interrupting)
			pause_after_round(t);
	}
	look_around(t, rc);
	atomic_store(&t->since_ns, 0);
	gate_leave(t->nb);
	return NULL;
}

static void errors_watch(struct neighbour *nb, uint64_t *since)
{
	char text[256];
	uint64_t now = clock_now_ns();
	struct statvfs fs;
	bool bad = nb_errors_read(nb, text, sizeof(text));

	if (!bad && statvfs(nb->options.mount_dir, &fs) == 0 && (fs.f_flag & ST_RDONLY)) {
		snprintf(text, sizeof(text), "the kernel has turned it read-only after an error");
		bad = true;
	}
	if (!bad)
		return;
	if (*since == 0)
		*since = now;
	if (now - *since >= ERRORS_GRACE_NS)
		nb_fail(nb, NEIGHBOUR_LEGS, NEIGHBOUR_FS_ERROR, -EIO, "neighbour %s: %s",
			nb->options.profile.text, text);
}

static void *monitor_main(void *arg)
{
	const struct timespec pause = {.tv_nsec = MONITOR_MS * 1000000L};
	struct neighbour *nb = arg;
	uint64_t errors_since = 0, next = 0;

	while (gate_pass(nb, &nb->monitor_since_ns)) {
		if (nb->trace)
			trace_poll(nb->trace);
		if (clock_now_ns() >= next) {
			errors_watch(nb, &errors_since);
			next = clock_now_ns() + ERRORS_PERIOD_NS;
		}
		nanosleep(&pause, NULL);
	}
	gate_leave(nb);
	return NULL;
}

void neighbour_slowest(struct neighbour *nb, struct watchdog_step *slowest)
{
	for (unsigned i = 0; i < nb->threads; i++)
		watchdog_step_older(slowest, atomic_load(&nb->thread[i].since_ns),
				    "thread %u of the neighbour", i);
	watchdog_step_older(slowest, atomic_load(&nb->monitor_since_ns),
			    "the thread that watches the neighbour");
}

static int thread_start(struct neighbour *nb, pthread_t *thread, void *(*main)(void *), void *arg,
			bool *started)
{
	int rc;

	pthread_mutex_lock(&nb->lock);
	nb->running++;
	pthread_mutex_unlock(&nb->lock);
	rc = pthread_create(thread, NULL, main, arg);
	*started = rc == 0;
	if (rc)
		gate_leave(nb);
	return -rc;
}

int nb_threads_start(struct neighbour *nb)
{
	int rc = 0;

	for (unsigned i = 0; i < nb->threads && !rc; i++)
		if (nb->thread[i].legs)
			rc = thread_start(nb, &nb->thread[i].thread, thread_main, &nb->thread[i],
					  &nb->thread[i].started);
	if (!rc)
		rc = thread_start(nb, &nb->monitor, monitor_main, nb, &nb->monitor_started);
	return rc;
}

void nb_threads_stop(struct neighbour *nb)
{
	neighbour_request_stop(nb);
	for (unsigned i = 0; i < nb->threads; i++)
		if (nb->thread[i].started) {
			pthread_join(nb->thread[i].thread, NULL);
			nb->thread[i].started = false;
		}
	if (nb->monitor_started)
		pthread_join(nb->monitor, NULL);
	nb->monitor_started = false;
}
