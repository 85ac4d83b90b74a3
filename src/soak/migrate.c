/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/migrate.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"

const struct migrate_driver *const migrate_drivers[] = {
	&migrate_compact,
	&migrate_numa,
	NULL,
};

struct migrate_thread {
	struct migrator *migrator;
	const struct migrate_driver *driver;
	void *state;
	pthread_t thread;
	bool running;
	struct migrate_stats stats; /* protected by migrator->lock */
};

struct migrator {
	pthread_mutex_t lock;
	_Atomic bool stop;
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

static int select_auto(struct migrate_selection *selection, char *why, size_t len)
{
	char reason[160];
	int n = snprintf(why, len, "nothing here can migrate pages:");

	for (size_t i = 0; migrate_drivers[i]; i++) {
		if (migrate_drivers[i]->probe(reason, sizeof(reason)) == 0)
			selection->driver[selection->count++] = migrate_drivers[i];
		else if (n > 0 && (size_t)n < len)
			n += snprintf(why + n, len - (size_t)n, " %s: %s;",
				      migrate_drivers[i]->name, reason);
	}
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
	selection->count = 0;
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

static void *thread_main(void *arg)
{
	struct migrate_thread *thread = arg;
	int rc = 0;

	while (!rc && !atomic_load(&thread->migrator->stop)) {
		struct migrate_cycle cycle = {0};
		uint64_t start = clock_now_ns();

		rc = thread->driver->cycle(thread->state, &cycle);
		stats_add(thread, &cycle, clock_now_ns() - start, rc);
	}
	if (rc && rc != -ECANCELED)
		log_warning("migration driver %s gave up: %s", thread->driver->name, strerror(-rc));
	return NULL;
}

static int thread_start(struct migrator *migrator, const struct migrate_driver *driver,
			const struct migrate_target *target)
{
	struct migrate_thread *thread = &migrator->thread[migrator->count];
	int rc;

	thread->migrator = migrator;
	thread->driver = driver;
	thread->stats.name = driver->name;
	rc = driver->start(target, &thread->state);
	if (rc)
		return rc;
	rc = pthread_create(&thread->thread, NULL, thread_main, thread);
	if (rc) {
		driver->stop(thread->state);
		return -rc;
	}
	thread->running = true;
	migrator->count++;
	return 0;
}

int migrator_start(const struct migrate_selection *selection, const struct migrate_target *target,
		   struct migrator **out, char *why, size_t len)
{
	struct migrator *migrator = calloc(1, sizeof(*migrator));

	if (!migrator)
		return -ENOMEM;
	pthread_mutex_init(&migrator->lock, NULL);
	for (unsigned i = 0; i < selection->count; i++) {
		int rc = thread_start(migrator, selection->driver[i], target);

		if (!rc)
			continue;
		snprintf(why, len, "migration driver %s: %s", selection->driver[i]->name,
			 strerror(-rc));
		migrator_stop(migrator);
		migrator_free(migrator);
		return rc;
	}
	*out = migrator;
	return 0;
}

void migrator_stop(struct migrator *migrator)
{
	atomic_store(&migrator->stop, true);
	for (unsigned i = 0; i < migrator->count; i++) {
		struct migrate_thread *thread = &migrator->thread[i];

		if (!thread->running)
			continue;
		pthread_join(thread->thread, NULL);
		thread->driver->stop(thread->state);
		thread->running = false;
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
