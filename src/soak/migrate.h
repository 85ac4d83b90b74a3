/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration drivers: ways to make the kernel move the device's page-cache pages, behind one
 * vtable. A driver counts a move only where it has seen the page
 * at another place in memory while it stayed in the cache all the time.
 */
#ifndef CHURNFS_SOAK_MIGRATE_H
#define CHURNFS_SOAK_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "integrity/ledger.h"

struct movelog;
struct neighbour;
struct neighbour_hot_page;
struct sandbox;
struct verifier;
struct watchdog_step;

/* What is to be moved, and what drivers may use. Everything stays the caller's. */
struct migrate_target {
	const char *device;
	uint64_t bytes;		   /* of the device */
	struct ledger *ledger;	   /* tells which pages hold metadata */
	struct verifier *verifier; /* paused while pages are evicted and read back; may be NULL */
	struct movelog *moves;	   /* remembers where pages were; may be NULL */
	struct sandbox *sandbox;   /* remembers settings that a driver changes */
	uint64_t memory_max;	   /* bytes that a driver may hold */
	uint64_t seed;
	const _Atomic bool *stop; /* the run is ending: a cycle may end at once with -ECANCELED */
	/*
	 * Pages below this many bytes belong to the neighbour. A driver may touch its hot pages
	 * only: others may hold file data, whose copy in the device's cache is out of date and must
	 * never be dirtied and written back.
	 */
	uint64_t head_bytes;
	/*
	 * A neighbour on a device of its own: that device; its pages are numbered on from those of
	 * DEVICE. NULL: it is in the head of DEVICE.
	 */
	const char *apart;
	uint64_t apart_bytes;
	struct neighbour *neighbour;	      /* held while its pages are evicted; may be NULL */
	const struct neighbour_hot_page *hot; /* see neighbour_hot_pages() */
	size_t hot_count;
	const uint64_t *watched; /* see neighbour_watched_pages() */
	size_t watched_count;
};

/* What one cycle of a driver did. */
struct migrate_cycle {
	uint64_t candidates; /* pages of the device looked at before and after */
	uint64_t moved;
	uint64_t moved_with_buffers;
	uint64_t moved_dirty;
	uint64_t moved_metadata;  /* pages with at least one block of the ledger */
	uint64_t moved_neighbour; /* hot pages of the neighbour */
};

struct migrate_driver {
	const char *name;
	const char *what; /* a few words for probe */
	/* 0 if this kernel and machine offer it; else a negative errno, and WHY in words. */
	int (*probe)(char *why, size_t len);
	/*
	 * After probe(): 0 if "auto" may take the driver here; else a negative errno, and WHY NOT
	 * in words. NULL: as probe() says.
	 */
	int (*automatic)(char *why, size_t len);
	int (*start)(const struct migrate_target *target, void **state);
	/* One round: at most a second or so. Negative errno: the driver gives up. */
	int (*cycle)(void *state, struct migrate_cycle *cycle);
	/*
	 * Another driver's turn comes: gives back what would be in its way. NULL: nothing. Called
	 * by the thread that calls cycle().
	 */
	void (*pause)(void *state);
	void (*stop)(void *state);
};

extern const struct migrate_driver migrate_cma;
extern const struct migrate_driver migrate_compact;
extern const struct migrate_driver migrate_hugetlb;
extern const struct migrate_driver migrate_node;
extern const struct migrate_driver migrate_numa;
extern const struct migrate_driver migrate_offline;
extern const struct migrate_driver migrate_soft_offline;
extern const struct migrate_driver migrate_thp;

struct migrate_stats {
	const char *name;
	uint64_t attempts; /* cycles */
	uint64_t candidates, moved, moved_with_buffers, moved_dirty, moved_metadata,
		moved_neighbour;
	uint64_t ns; /* time spent in cycles */
	int error;   /* 0, or what the driver gave up with */
};

/* All drivers there are; NULL at the end. */
extern const struct migrate_driver *const migrate_drivers[];

#define MIGRATE_DRIVERS_MAX 8u

/*
 * Priority of a thread while it migrates the neighbour's pages: before busy threads of the same
 * CPU, but behind those that update these pages. A migration that is never interrupted hardly ever
 * meets the race of 2019: on a preemptible kernel the window is widest where the migrating thread
 * is preempted in it (0 of 3 runs at -15, 5 of 5 so; tests/lab).
 */
#define MIGRATE_NICE (-5)

/* The drivers of one run. */
struct migrate_selection {
	unsigned count;
	/*
	 * They take turns, the one that moves most nearly all the time; else each has a thread of
	 * its own all the time.
	 */
	bool turns;
	const struct migrate_driver *driver[MIGRATE_DRIVERS_MAX];
};

/* 0 if "auto" may take DRIVER here, else a negative errno with WHY NOT; after a good probe. */
int migrate_automatic(const struct migrate_driver *driver, char *why, size_t len);

/*
 * Resolves "auto" (all that work here and may be taken unasked, in turns), "none", or a
 * comma-separated list of names. Returns 0; -EINVAL for an unknown name; -ENOTSUP when a named
 * driver does not work here. WHY says so.
 */
int migrate_select(const char *list, struct migrate_selection *selection, char *why, size_t len);

struct migrator;

/*
 * Starts the drivers' threads; drivers that take turns start when their first turn comes. TARGET
 * stays until migrator_stop(). Returns 0 or a negative errno, with WHY.
 */
int migrator_start(const struct migrate_selection *selection, const struct migrate_target *target,
		   struct migrator **migrator, char *why, size_t len);

/* Asks the threads to end after their current cycle. Does not wait. Any thread. */
void migrator_request_stop(struct migrator *migrator);

/* Waits until no driver is in a cycle, NS nanoseconds at most. After migrator_request_stop(). */
void migrator_await(struct migrator *migrator, uint64_t ns);

/* Ends the threads after their current cycle; the statistics stay. */
void migrator_stop(struct migrator *migrator);
void migrator_free(struct migrator *migrator);

/* Statistics of driver INDEX, or false when there is none. Any time, any thread. */
bool migrator_stats_get(struct migrator *migrator, unsigned index, struct migrate_stats *stats);

/* The cycle that has been running for longest, for the watchdog. Any thread. */
void migrator_slowest(struct migrator *migrator, struct watchdog_step *slowest);

/* Sums over all drivers. */
void migrator_total_get(struct migrator *migrator, struct migrate_stats *total);

#endif
