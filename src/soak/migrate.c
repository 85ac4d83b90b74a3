/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/migrate.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/turns.h"
#include "soak/watchdog.h"
#include "util/clock.h"
#include "util/log.h"

const struct migrate_driver *const migrate_drivers[] = {
	&migrate_numa,	  &migrate_compact,	 &migrate_node, &migrate_thp, &migrate_hugetlb,
	&migrate_offline, &migrate_soft_offline, &migrate_cma,	NULL,
};

struct migrate_thread {
	struct migrator *migrator;
	const struct migrate_driver *driver;
	void *state;
	pthread_t thread;
	bool running;		    /* has a thread of its own */
	_Atomic uint64_t since_ns;  /* when the present cycle began; 0: between cycles */
	struct migrate_stats stats; /* protected by migrator->lock */
};

struct migrator {
	const struct migrate_target *target;
	pthread_mutex_t lock;
	_Atomic bool stop;
	pthread_t turns_thread;
	bool taking_turns;  /* TURNS_THREAD runs */
	struct turns turns; /* its own */
	unsigned count;
	struct migrate_thread thread[MIGRATE_DRIVERS_MAX];
};

_Static_assert(MIGRATE_DRIVERS_MAX <= TURNS_MAX, "one turn for each driver");

static const struct migrate_driver *driver_find(const char *name, size_t len)
{
	for (size_t i = 0; migrate_drivers[i]; i++)
		if (strlen(migrate_drivers[i]->name) == len &&
		    strncmp(migrate_drivers[i]->name, name, len) == 0)
			return migrate_drivers[i];
	return NULL;
}

int migrate_automatic(const struct migrate_driver *driver, char *why, size_t len)
{
	return driver->automatic ? driver->automatic(why, len) : 0;
}

static int select_auto(struct migrate_selection *selection, char *why, size_t len)
{
	char reason[160];
	int n = snprintf(why, len, "nothing here can migrate pages:");

	for (size_t i = 0; migrate_drivers[i]; i++) {
		if (migrate_drivers[i]->probe(reason, sizeof(reason)) == 0 &&
		    migrate_automatic(migrate_drivers[i], reason, sizeof(reason)) == 0)
			selection->driver[selection->count++] = migrate_drivers[i];
		else if (n > 0 && (size_t)n < len)
			n += snprintf(why + n, len - (size_t)n, " %s: %s;",
				      migrate_drivers[i]->name, reason);
	}
	selection->turns = selection->count > 1;
	return selection->count ? 0 : -ENOTSUP;
}

static int select_named(const char *list, struct migrate_selection *selection, char *why,
			size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		const struct migrate_driver *driver = driver_find(list, n);
		char reason[160];

		if (!driver) {
			snprintf(why, len, "unknown migration driver '%.*s': see churnstress probe",
				 (int)n, list);
			return -EINVAL;
		}
		if (driver->probe(reason, sizeof(reason))) {
			snprintf(why, len, "migration driver %s: %s", driver->name, reason);
			return -ENOTSUP;
		}
		if (selection->count == MIGRATE_DRIVERS_MAX) {
			snprintf(why, len, "more than %u migration drivers", MIGRATE_DRIVERS_MAX);
			return -EINVAL;
		}
		selection->driver[selection->count++] = driver;
		list += n;
		list += *list == ',';
	}
	return 0;
}

int migrate_select(const char *list, struct migrate_selection *selection, char *why, size_t len)
{
	*selection = (struct migrate_selection){0};
	if (strcmp(list, "none") == 0)
		return 0;
	if (strcmp(list, "auto") == 0)
		return select_auto(selection, why, len);
	return select_named(list, selection, why, len);
}

static void stats_add(struct migrate_thread *thread, const struct migrate_cycle *cycle, uint64_t ns,
		      int error)
{
	struct migrate_stats *stats = &thread->stats;

	pthread_mutex_lock(&thread->migrator->lock);
	stats->attempts++;
	stats->candidates += cycle->candidates;
	stats->moved += cycle->moved;
	stats->moved_with_buffers += cycle->moved_with_buffers;
	stats->moved_dirty += cycle->moved_dirty;
	stats->moved_metadata += cycle->moved_metadata;
	stats->moved_neighbour += cycle->moved_neighbour;
	stats->ns += ns;
	stats->error = error == -ECANCELED ? 0 : error;
	pthread_mutex_unlock(&thread->migrator->lock);
}

static void stats_fail(struct migrate_thread *thread, int error)
{
	pthread_mutex_lock(&thread->migrator->lock);
	thread->stats.error = error;
	pthread_mutex_unlock(&thread->migrator->lock);
}

static int cycle_run(struct migrate_thread *thread)
{
	struct migrate_cycle cycle = {0};
	uint64_t start = clock_now_ns();
	int rc;

	atomic_store(&thread->since_ns, start);
	rc = thread->driver->cycle(thread->state, &cycle);
	atomic_store(&thread->since_ns, 0);
	stats_add(thread, &cycle, clock_now_ns() - start, rc);
	if (rc && rc != -ECANCELED)
		log_warning("migration driver %s gave up: %s", thread->driver->name, strerror(-rc));
	return rc;
}

static void turn_end(struct migrate_thread *thread)
{
	if (thread && thread->state && thread->driver->pause)
		thread->driver->pause(thread->state);
}

static void *thread_main(void *arg)
{
	struct migrate_thread *thread = arg;
	int rc = 0;

	while (!rc && !atomic_load(&thread->migrator->stop))
		rc = cycle_run(thread);
	turn_end(thread);
	return NULL;
}

static int driver_start(struct migrate_thread *thread)
{
	return thread->driver->start(thread->migrator->target, &thread->state);
}

/* One that cannot start is left out. */
static int turn_start(struct migrate_thread *thread)
{
	int rc = thread->state ? 0 : driver_start(thread);

	if (!rc)
		return 0;
	thread->state = NULL;
	stats_fail(thread, rc);
	log_warning("migration driver %s cannot start: %s", thread->driver->name, strerror(-rc));
	return rc;
}

/* A driver starts when its first turn comes: what it sets up may be in another one's way. */
static void turn_run(struct migrator *migrator, unsigned index)
{
	struct migrate_thread *thread = &migrator->thread[index];
	struct turn *turn = &migrator->turns.turn[index];

	turn->gave_up = turn_start(thread) || cycle_run(thread);
	/* Only this thread writes the statistics. */
	turn->ns = thread->stats.ns;
	turn->moved = thread->stats.moved;
	turn->moved_neighbour = thread->stats.moved_neighbour;
}

static void *turns_main(void *arg)
{
	struct migrator *migrator = arg;
	struct migrate_thread *last = NULL;
	unsigned now;

	while (!atomic_load(&migrator->stop)) {
		now = turns_next(&migrator->turns, clock_now_ns());
		if (now == TURNS_NONE)
			break;
		if (last != &migrator->thread[now])
			turn_end(last);
		last = &migrator->thread[now];
		turn_run(migrator, now);
	}
	turn_end(last);
	return NULL;
}

static void driver_add(struct migrator *migrator, const struct migrate_driver *driver)
{
	struct migrate_thread *thread = &migrator->thread[migrator->count];

	thread->migrator = migrator;
	thread->driver = driver;
	thread->stats.name = driver->name;
	migrator->turns.turn[migrator->count++].keeps = driver->pause;
}

static int thread_start(struct migrate_thread *thread)
{
	int rc = driver_start(thread);

	if (!rc)
		rc = -pthread_create(&thread->thread, NULL, thread_main, thread);
	thread->running = rc == 0;
	return rc;
}

static int turns_start(struct migrator *migrator)
{
	int rc;

	migrator->turns.count = migrator->count;
	rc = pthread_create(&migrator->turns_thread, NULL, turns_main, migrator);
	migrator->taking_turns = rc == 0;
	return -rc;
}

/* All of them, or one thread for all. FAILED: which it was. */
static int threads_start(struct migrator *migrator, bool turns, unsigned *failed)
{
	int rc;

	*failed = 0;
	if (turns)
		return turns_start(migrator);
	for (unsigned i = 0; i < migrator->count; i++) {
		rc = thread_start(&migrator->thread[i]);
		if (rc) {
			*failed = i;
			return rc;
		}
	}
	return 0;
}

int migrator_start(const struct migrate_selection *selection, const struct migrate_target *target,
		   struct migrator **out, char *why, size_t len)
{
	struct migrator *migrator = calloc(1, sizeof(*migrator));
	unsigned failed;
	int rc;

	if (!migrator)
		return -ENOMEM;
	migrator->target = target;
	pthread_mutex_init(&migrator->lock, NULL);
	for (unsigned i = 0; i < selection->count; i++)
		driver_add(migrator, selection->driver[i]);
	rc = threads_start(migrator, selection->turns, &failed);
	if (rc) {
		snprintf(why, len, "migration driver %s: %s", selection->driver[failed]->name,
			 strerror(-rc));
		migrator_stop(migrator);
		migrator_free(migrator);
		return rc;
	}
	*out = migrator;
	return 0;
}

void migrator_request_stop(struct migrator *migrator)
{
	atomic_store(&migrator->stop, true);
}

static bool cycle_on(struct migrator *migrator)
{
	for (unsigned i = 0; i < migrator->count; i++)
		if (atomic_load(&migrator->thread[i].since_ns))
			return true;
	return false;
}

void migrator_await(struct migrator *migrator, uint64_t ns)
{
	const struct timespec pause = {.tv_nsec = (long)NS_PER_MS};
	uint64_t end = clock_now_ns() + ns;

	while (cycle_on(migrator) && clock_now_ns() < end)
		nanosleep(&pause, NULL);
}

void migrator_stop(struct migrator *migrator)
{
	migrator_request_stop(migrator);
	if (migrator->taking_turns)
		pthread_join(migrator->turns_thread, NULL);
	migrator->taking_turns = false;
	for (unsigned i = 0; i < migrator->count; i++) {
		struct migrate_thread *thread = &migrator->thread[i];

		if (thread->running)
			pthread_join(thread->thread, NULL);
		thread->running = false;
		if (thread->state)
			thread->driver->stop(thread->state);
		thread->state = NULL;
	}
}

void migrator_free(struct migrator *migrator)
{
	if (!migrator)
		return;
	pthread_mutex_destroy(&migrator->lock);
	free(migrator);
}

bool migrator_stats_get(struct migrator *migrator, unsigned index, struct migrate_stats *stats)
{
	if (index >= migrator->count)
		return false;
	pthread_mutex_lock(&migrator->lock);
	*stats = migrator->thread[index].stats;
	pthread_mutex_unlock(&migrator->lock);
	return true;
}

void migrator_slowest(struct migrator *migrator, struct watchdog_step *slowest)
{
	for (unsigned i = 0; i < migrator->count; i++)
		watchdog_step_older(slowest, atomic_load(&migrator->thread[i].since_ns),
				    "migration driver %s", migrator->thread[i].driver->name);
}

void migrator_total_get(struct migrator *migrator, struct migrate_stats *total)
{
	struct migrate_stats one;

	memset(total, 0, sizeof(*total));
	total->name = "all";
	for (unsigned i = 0; migrator_stats_get(migrator, i, &one); i++) {
		total->attempts += one.attempts;
		total->candidates += one.candidates;
		total->moved += one.moved;
		total->moved_with_buffers += one.moved_with_buffers;
		total->moved_dirty += one.moved_dirty;
		total->moved_metadata += one.moved_metadata;
		total->moved_neighbour += one.moved_neighbour;
		total->ns += one.ns;
		if (one.error)
			total->error = one.error;
	}
}
