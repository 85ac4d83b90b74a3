/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/migrate.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/watchdog.h"
#include "util/clock.h"
#include "util/log.h"

const struct migrate_driver *const migrate_drivers[] = {
	&migrate_numa,	  &migrate_compact,	 &migrate_node, &migrate_thp, &migrate_hugetlb,
	&migrate_offline, &migrate_soft_offline, &migrate_cma,	NULL,
};

/* Before drivers are compared for good, each has so much time. */
#define MEASURE_NS (3 * NS_PER_SEC)
/* A first impression. It is all that one gets that has not moved a page in it. */
#define IMPRESSION_NS NS_PER_SEC
/* Until all are measured, the best so far has so many parts of the time for one of the others. */
#define SHARE_BEST_SO_FAR 2
/* A driver that has to make room for others keeps its turn for so long. */
#define TURN_NS NS_PER_SEC
/* Of the time, in parts: for the driver that moves most, and for each of the others. */
#define SHARE_BEST 20
#define SHARE_OTHERS 1
/* A page that the neighbour looks up counts as so many. */
#define HOT_WEIGHT 10

struct migrate_thread {
	struct migrator *migrator;
	const struct migrate_driver *driver;
	void *state;
	pthread_t thread;
	bool running;		    /* has a thread of its own */
	_Atomic uint64_t since_ns;  /* when the present cycle began; 0: between cycles */
	bool gave_up;		    /* of the drivers that take turns; their thread's */
	struct migrate_stats stats; /* protected by migrator->lock */
};

struct migrator {
	pthread_mutex_t lock;
	_Atomic bool stop;
	pthread_t turns;
	bool taking_turns; /* TURNS runs */
	unsigned count;
	struct migrate_thread thread[MIGRATE_DRIVERS_MAX];
};

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
	if (thread && thread->driver->pause)
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

static double score(const struct migrate_stats *stats)
{
	return ((double)stats->moved + HOT_WEIGHT * (double)stats->moved_neighbour) /
	       (double)(stats->ns + 1);
}

static bool measured(const struct migrate_stats *stats)
{
	return stats->ns >= (stats->moved ? MEASURE_NS : IMPRESSION_NS);
}

/* NULL if nobody is known to move pages. */
static struct migrate_thread *best_find(struct migrator *migrator)
{
	struct migrate_thread *best = NULL;

	for (unsigned i = 0; i < migrator->count; i++) {
		struct migrate_thread *t = &migrator->thread[i];

		if (t->gave_up || !t->stats.moved || t->stats.ns < IMPRESSION_NS)
			continue;
		if (!best || score(&t->stats) > score(&best->stats))
			best = t;
	}
	return best;
}

static uint64_t others_ns(const struct migrator *migrator, const struct migrate_thread *best)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < migrator->count; i++)
		if (&migrator->thread[i] != best)
			sum += migrator->thread[i].stats.ns;
	return sum;
}

/*
 * The next to be measured, or NULL: in their order until one is known to move pages, then the least
 * known.
 */
static struct migrate_thread *measure_next(struct migrator *migrator,
					   const struct migrate_thread *best)
{
	struct migrate_thread *next = NULL;

	for (unsigned i = 0; i < migrator->count; i++) {
		struct migrate_thread *t = &migrator->thread[i];

		if (t == best || t->gave_up || measured(&t->stats))
			continue;
		if (!next || (best && t->stats.ns < next->stats.ns))
			next = t;
	}
	return next;
}

/* The one that has used least of its share. */
static struct migrate_thread *share_next(struct migrator *migrator,
					 const struct migrate_thread *best)
{
	struct migrate_thread *next = NULL;
	double used, least = 0;

	for (unsigned i = 0; i < migrator->count; i++) {
		struct migrate_thread *t = &migrator->thread[i];

		if (t->gave_up)
			continue;
		used = (double)t->stats.ns / (t == best ? SHARE_BEST : SHARE_OTHERS);
		if (!next || used < least) {
			next = t;
			least = used;
		}
	}
	return next;
}

/*
 * Until all are measured, the best so far goes on with most of the time: what it would show must
 * not wait for that. Only this thread writes the statistics, so it may read them without the lock.
 */
static struct migrate_thread *turn_next(struct migrator *migrator)
{
	struct migrate_thread *best = best_find(migrator);
	struct migrate_thread *next = measure_next(migrator, best);

	if (!next)
		return share_next(migrator, best);
	if (best && best->stats.ns < IMPRESSION_NS + SHARE_BEST_SO_FAR * others_ns(migrator, best))
		return best;
	return next;
}

static struct migrate_thread *turn_keep(struct migrate_thread *now, uint64_t since_ns)
{
	bool keep = now && !now->gave_up && now->driver->pause;

	return keep && clock_now_ns() - since_ns < TURN_NS ? now : NULL;
}

static void *turns_main(void *arg)
{
	struct migrator *migrator = arg;
	struct migrate_thread *now = NULL, *next;
	uint64_t since_ns = 0;

	while (!atomic_load(&migrator->stop)) {
		next = turn_keep(now, since_ns);
		if (!next)
			next = turn_next(migrator);
		if (!next)
			break;
		if (next != now) {
			turn_end(now);
			since_ns = clock_now_ns();
		}
		now = next;
		now->gave_up = cycle_run(now) != 0;
	}
	turn_end(now);
	return NULL;
}

/* Of several that take turns, one that cannot start is left out. */
static int start_failed(struct migrator *migrator, struct migrate_thread *thread, int rc)
{
	thread->gave_up = true;
	thread->stats.error = rc;
	thread->state = NULL;
	migrator->count++;
	log_warning("migration driver %s cannot start: %s", thread->driver->name, strerror(-rc));
	return 0;
}

static int driver_start(struct migrator *migrator, const struct migrate_driver *driver,
			const struct migrate_target *target, bool turns)
{
	struct migrate_thread *thread = &migrator->thread[migrator->count];
	int rc;

	thread->migrator = migrator;
	thread->driver = driver;
	thread->stats.name = driver->name;
	rc = driver->start(target, &thread->state);
	if (rc)
		return turns ? start_failed(migrator, thread, rc) : rc;
	migrator->count++;
	if (turns)
		return 0;
	rc = pthread_create(&thread->thread, NULL, thread_main, thread);
	thread->running = rc == 0;
	return -rc;
}

static int turns_start(struct migrator *migrator)
{
	int rc = pthread_create(&migrator->turns, NULL, turns_main, migrator);

	migrator->taking_turns = rc == 0;
	return -rc;
}

int migrator_start(const struct migrate_selection *selection, const struct migrate_target *target,
		   struct migrator **out, char *why, size_t len)
{
	struct migrator *migrator = calloc(1, sizeof(*migrator));
	unsigned i;
	int rc = 0;

	if (!migrator)
		return -ENOMEM;
	pthread_mutex_init(&migrator->lock, NULL);
	for (i = 0; i < selection->count && !rc; i++)
		rc = driver_start(migrator, selection->driver[i], target, selection->turns);
	if (!rc && selection->turns)
		rc = turns_start(migrator);
	if (rc) {
		snprintf(why, len, "migration driver %s: %s", selection->driver[i - 1]->name,
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
		pthread_join(migrator->turns, NULL);
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
