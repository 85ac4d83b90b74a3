/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compact_memory with scattering, as a staircase (see filler.h). A climb begins with a choice of
 * the device's pages put low: evicted and read back. Each cycle then releases one step of the
 * filler above them, writes compact_memory, and counts the pages that are mapped before and after
 * at different places. Nothing touches the mapping in between, so a page that was reclaimed is not
 * counted. Climbs of two kinds share the time: a window of the whole device; and the pages whose
 * metadata was written last, which are moved while they are being changed. The pages that the
 * neighbour looks up all the time have a way of their own (shuttle.h) and a share of the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/cpus.h"
#include "soak/filler.h"
#include "soak/hotpages.h"
#include "soak/lower.h"
#include "soak/memzones.h"
#include "soak/migrate.h"
#include "soak/migrate_compact.h"
#include "soak/plug.h"
#include "soak/sandbox.h"
#include "soak/shuttle.h"
#include "util/clock.h"
#include "util/log.h"

#define COMPACT_PATH "/proc/sys/vm/compact_memory"
#define PCP_PATH "/proc/sys/vm/percpu_pagelist_high_fraction"
/* Filler pages for each device page of a window: a climb is worth its start with several steps. */
#define FILLER_RATIO 8u
#define FILLER_DEFAULT (1024ULL << 20)
/* With what fills free places elsewhere. */
#define FILLER_MOST (8ULL << 30)
/* Beside busy workers at the same priority, a climb takes so long that little is moved. */
#define DRIVER_NICE (-15)
/* Pages of others that one compaction may move. */
#define NOISE_PAGES 1024u
#define POOR_STEPS_MAX 4u
/* Pages and filler are not arranged anew before so many times the time it took has passed. */
#define ARRANGE_REST 10u
/* Of the memory, one part in so many may be in pipes. */
#define PLUG_PART 16u
/* Fewer hot pages are not worth a climb. */
#define HOT_PAGES_MIN 16u
/* Hot pages change: a climb with them ends after this. */
#define HOT_CLIMB_NS (3 * NS_PER_SEC)

enum kind { KIND_SHUTTLE, KIND_HOT, KIND_WINDOW, KINDS };

/* Of the time, in parts. */
static const unsigned kind_share[KINDS] = {
	[KIND_SHUTTLE] = 3,
	[KIND_HOT] = 1,
	[KIND_WINDOW] = 2,
};
/*
 * First a window, which drives other people's pages up, out of the way of the shuttle; this is the
 * quickest to show a race of pages that are looked up. Hot pages begin as if they had had so much.
 */
#define HOT_LATE_NS (4 * NS_PER_SEC)
/* Of the memory, one part in so many is the shuttle's. */
#define SHUTTLE_MEMORY 2u

struct compact_state {
	const struct migrate_target *target;
	struct devpages dp;
	struct filler *filler;
	struct shuttle *shuttle; /* NULL: nothing for it to do */
	struct lower lower;
	int compact_fd;
	uint32_t *pages; /* of the present climb, sorted */
	size_t count;
	size_t window;	/* pages that a climb takes at most */
	size_t next;	/* first page of the next window of the whole device */
	enum kind turn; /* whose time the present climb takes */
	enum kind kind; /* of the present climb: a window if the turn has too few pages */
	uint64_t kind_ns[KINDS];
	uint64_t climb_ns; /* when it began */
	uint64_t *before, *after, *scratch;
	uint8_t *flags;
	size_t need; /* pages the last compaction moved in the whole system */
	uint64_t climb_moved, climb_candidates;
	unsigned poor; /* steps with a poor yield, in a row */
	bool begun, climbing;
	bool poor_climb; /* the last one of a window moved little */
	uint64_t arranged_ns, arrange_took_ns;
};

static int compact_probe(char *why, size_t len)
{
	if (access(COMPACT_PATH, W_OK)) {
		int rc = -errno;

		snprintf(why, len,
			 rc == -ENOENT ? "this kernel has no compaction (CONFIG_COMPACTION)"
				       : "no permission to write " COMPACT_PATH);
		return rc;
	}
	if (access("/proc/kpageflags", R_OK)) {
		snprintf(why, len,
			 "moves cannot be counted: no /proc/kpageflags "
			 "(CONFIG_PROC_PAGE_MONITOR)");
		return -ENOENT;
	}
	snprintf(why, len, "compact_memory is writable");
	return 0;
}

static void compact_stop(void *arg)
{
	struct compact_state *s = arg;

	lower_close(&s->lower);
	shuttle_free(s->shuttle);
	filler_free(s->filler);
	devpages_close(&s->dp);
	if (s->compact_fd >= 0)
		close(s->compact_fd);
	free(s->pages);
	free(s->before);
	free(s->after);
	free(s->scratch);
	free(s->flags);
	free(s);
}

static int compact_once(struct compact_state *s)
{
	return write(s->compact_fd, "1", 1) == 1 ? 0 : -errno;
}

/* Bytes, of the memory that the driver may hold. */
struct shares {
	uint64_t filler, filler_most, shuttle, plug;
};

static struct shares shares_of(uint64_t memory_max)
{
	uint64_t plug =
		memory_max / PLUG_PART < PLUG_BYTES_MAX ? memory_max / PLUG_PART : PLUG_BYTES_MAX;
	uint64_t rest = memory_max - plug;
	uint64_t both = rest < FILLER_DEFAULT ? rest : FILLER_DEFAULT;
	uint64_t shuttle = both / SHUTTLE_MEMORY;
	uint64_t most = rest - shuttle;

	return (struct shares){
		.filler = both - shuttle,
		.filler_most = most < FILLER_MOST ? most : FILLER_MOST,
		.shuttle = shuttle,
		.plug = plug,
	};
}

static int state_allocate(struct compact_state *s, const struct shares *shares)
{
	int rc = filler_create(shares->filler, shares->filler_most, &s->filler);
	size_t most;

	if (!rc)
		rc = lower_open(&s->lower, s->target, &s->dp, s->filler, shares->plug);
	if (rc)
		return rc;
	s->window = filler_pages(s->filler) / FILLER_RATIO;
	if (s->window > s->dp.pages)
		s->window = s->dp.pages;
	most = lower_whole(&s->lower) ? s->dp.pages : s->window;
	s->pages = calloc(most, sizeof(*s->pages));
	s->before = calloc(most, sizeof(*s->before));
	s->after = calloc(most, sizeof(*s->after));
	s->scratch = calloc(most, sizeof(*s->scratch));
	s->flags = calloc(most, 1);
	if (!s->window || !s->pages || !s->before || !s->after || !s->scratch || !s->flags)
		return -ENOMEM;
	return 0;
}

static int compact_start(const struct migrate_target *target, void **out)
{
	struct compact_state *s = calloc(1, sizeof(*s));
	struct shares shares = shares_of(target->memory_max);
	int rc;

	if (!s)
		return -ENOMEM;
	s->target = target;
	s->compact_fd = open(COMPACT_PATH, O_WRONLY | O_CLOEXEC);
	rc = s->compact_fd < 0 ? -errno : 0;
	if (hotpages_open(&s->dp, target))
		rc = rc ? rc : -EIO;
	if (!rc)
		rc = state_allocate(s, &shares);
	if (rc) {
		compact_stop(s);
		return rc;
	}
	/* Per-CPU lists hide freed pages from compaction; this keeps them short (since 5.14). */
	if (target->sandbox && access(PCP_PATH, W_OK) == 0)
		sandbox_set(target->sandbox, PCP_PATH, "1000000");
	if (target->sandbox && lockedmem_allow(target->sandbox))
		log_warning("compaction moves the filler too: fewer of the device's pages");
	/* Without it, there are climbs. */
	rc = shuttle_create(target, &s->dp, s->compact_fd, shares.shuttle, &s->shuttle);
	if (rc && rc != -ENODATA)
		log_warning("the pages that are looked up cannot be moved on their own: %s",
			    strerror(-rc));
	*out = s;
	return 0;
}

static int run_populate(void *arg, size_t first, size_t length, size_t position)
{
	struct compact_state *s = arg;

	(void)position;
	devpages_populate(&s->dp, first, length);
	return 0;
}

static void pages_populate(struct compact_state *s)
{
	devpages_each_run(s->pages, s->count, run_populate, s);
}

/* A window at a time: the fewer pages must be put low, the more steps a climb has. */
static void choose_window(struct compact_state *s, size_t window)
{
	size_t head = s->target->head_bytes / DEVPAGE_SIZE;

	if (s->next < head || s->next >= s->dp.pages || window >= s->dp.pages)
		s->next = head;
	s->count = 0;
	while (s->count < window && s->next < s->dp.pages)
		s->pages[s->count++] = (uint32_t)s->next++;
}

/* The kind that has had the least of its share. */
static enum kind kind_next(const struct compact_state *s)
{
	enum kind next = s->shuttle ? KIND_SHUTTLE : KIND_HOT;

	for (enum kind kind = next; kind < KINDS; kind++)
		if (s->kind_ns[kind] * kind_share[next] < s->kind_ns[next] * kind_share[kind])
			next = kind;
	return next;
}

static void pages_choose(struct compact_state *s)
{
	s->kind = s->turn;
	if (s->kind == KIND_HOT)
		s->count = hotpages_choose(s->target, &s->dp, s->pages, s->window);
	if (s->kind == KIND_HOT && s->count < HOT_PAGES_MIN)
		s->kind = KIND_WINDOW;
	if (s->kind == KIND_WINDOW)
		choose_window(s, s->window);
	s->need = s->count;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Brings the pages down, and puts the filler above them. */
static int climb_prepare(struct compact_state *s, bool arrange)
{
	size_t present = 0;
	int rc = lower_pages(&s->lower, s->pages, s->count, arrange);

	if (rc)
		return rc;
	pages_populate(s);
	rc = hotpages_locate(&s->dp, s->pages, s->count, s->before);
	if (rc)
		return rc;
	for (size_t i = 0; i < s->count; i++)
		if (s->before[i] != DEVPAGE_ABSENT)
			s->scratch[present++] = s->before[i];
	if (!present)
		return -ENODATA;
	qsort(s->scratch, present, sizeof(*s->scratch), compare_u64);
	return filler_refill(s->filler, &s->dp, s->scratch, present, s->target->stop);
}

static bool arrange_due(const struct compact_state *s)
{
	return clock_now_ns() - s->arranged_ns > ARRANGE_REST * s->arrange_took_ns;
}

/* Then a small device lies low as a whole, and is moved as a whole. */
static int climb_arranged(struct compact_state *s)
{
	uint64_t start = clock_now_ns();
	int rc = filler_gather(s->filler, &s->dp, memzones_fragments("Movable"), s->target->stop);

	if (lower_whole(&s->lower))
		choose_window(s, s->dp.pages);
	s->need = s->count;
	if (!rc)
		rc = climb_prepare(s, true);
	s->arranged_ns = clock_now_ns();
	s->arrange_took_ns = s->arranged_ns - start;
	return rc;
}

static int climb_start(struct compact_state *s)
{
	bool due, again;
	int rc = 0;

	pages_choose(s);
	due = s->kind == KIND_WINDOW && arrange_due(s);
	again = due && s->poor_climb;
	if (!again) {
		if (s->poor_climb)
			filler_extend(s->filler, memzones_fragments("Movable"));
		rc = climb_prepare(s, false);
		again = due && filler_sunk(s->filler);
	}
	if (!rc && again)
		rc = climb_arranged(s);
	s->climbing = true;
	s->climb_ns = clock_now_ns();
	s->climb_moved = s->climb_candidates = 0;
	s->poor = 0;
	return rc;
}

static size_t system_migrated(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long value = 0;
	char name[64];

	while (file && fscanf(file, "%63s %lu", name, &value) == 2) {
		if (strcmp(name, "pgmigrate_success") == 0) {
			fclose(file);
			return value;
		}
	}
	if (file)
		fclose(file);
	return 0;
}

/* After a step: how large the next must be, whether to start over, and with what filler. */
static void climb_judge(struct compact_state *s, const struct migrate_cycle *cycle, size_t migrated,
			size_t released, bool top)
{
	s->need = migrated < s->count ? s->count : migrated;
	if (s->need > 2 * s->count + NOISE_PAGES)
		s->need = 2 * s->count + NOISE_PAGES;
	s->climb_moved += cycle->moved;
	s->climb_candidates += cycle->candidates;
	s->poor = cycle->moved < cycle->candidates / 20 ? s->poor + 1 : 0;
	if (top || s->poor >= POOR_STEPS_MAX || released < s->count / FILLER_RATIO)
		s->climbing = false;
	if (s->kind != KIND_WINDOW && clock_now_ns() - s->climb_ns > HOT_CLIMB_NS)
		s->climbing = false;
	if (s->kind == KIND_WINDOW)
		s->poor_climb = s->climb_moved < s->climb_candidates / 3;
}

static int climb_step(struct compact_state *s, struct migrate_cycle *cycle)
{
	size_t released, migrated;
	bool top;
	int rc;

	released = filler_release_step(s->filler, s->need, &top);
	pages_populate(s);
	rc = hotpages_locate(&s->dp, s->pages, s->count, s->before);
	if (rc)
		return rc;
	devpages_flags(&s->dp, s->before, s->count, s->scratch, s->flags);
	migrated = system_migrated();
	rc = compact_once(s);
	if (!rc)
		rc = hotpages_locate(&s->dp, s->pages, s->count, s->after);
	if (rc)
		return rc;
	migrated = system_migrated() - migrated;
	hotpages_count(
		s->target, &s->dp, s->pages, s->count,
		&(struct hotpages_seen){.before = s->before, .after = s->after, .flags = s->flags},
		cycle);
	climb_judge(s, cycle, migrated, released, top);
	return 0;
}

/* Packs everyone else's movable pages at the top, out of the way. */
static int begin(struct compact_state *s)
{
	cpus_nice(DRIVER_NICE);
	s->begun = true;
	s->kind_ns[KIND_SHUTTLE] = 1;
	s->kind_ns[KIND_HOT] = HOT_LATE_NS;
	return compact_once(s);
}

static int compact_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct compact_state *s = arg;
	uint64_t start = clock_now_ns();
	int rc = s->begun ? 0 : begin(s);

	if (!s->climbing)
		s->turn = kind_next(s);
	if (!rc && s->turn == KIND_SHUTTLE)
		rc = shuttle_cycle(s->shuttle, cycle);
	else if (!rc && !s->climbing)
		rc = climb_start(s);
	if (!rc && s->turn != KIND_SHUTTLE)
		rc = climb_step(s, cycle);
	s->kind_ns[s->turn] += clock_now_ns() - start;
	return rc;
}

size_t migrate_compact_pages(const void *state, const uint32_t **pages)
{
	const struct compact_state *s = state;

	*pages = s->pages;
	return s->turn == KIND_SHUTTLE ? 0 : s->count;
}

const struct migrate_driver migrate_compact = {
	.name = "compact",
	.what = "compact_memory with scattering",
	.probe = compact_probe,
	.start = compact_start,
	.cycle = compact_cycle,
	.stop = compact_stop,
};
