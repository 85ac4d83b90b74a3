/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/shuttle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/cpus.h"
#include "soak/hotpages.h"
#include "soak/lockedmem.h"
#include "soak/memzones.h"
#include "soak/neighbour.h"
#include "util/clock.h"

/* Fewer are not worth a compaction each time. */
#define PAGES_MIN 16u
#define PAGES_MAX 1024u
#define SIDES_MAX NEIGHBOUR_THREADS_MAX
/* Free pages come and go while they are being taken. */
#define BULK_SLACK 4096u
#define FLUSH_PAGES_MAX 8192u
/* A neighbour that reads no page for so long reads none of the rest either. */
#define AWAIT_IDLE_MS 20u
/* So many rounds in a row with less than half of the moves: places have opened elsewhere. */
#define POOR_ROUNDS_MAX 8u
#define REBUILD_NS NS_PER_SEC
/* All but the compaction itself, which lookups are to interrupt (MIGRATE_NICE). */
#define SHUTTLE_NICE (-15)

/* The pages that one CPU looks up, and what follows them around. */
struct side {
	int cpu;
	size_t first, count; /* in shuttle.pages */
	struct lockedmem plug, flush;
};

struct shuttle {
	const struct migrate_target *target;
	const struct devpages *dp;
	int compact_fd;
	uint32_t pages[PAGES_MAX];
	size_t count;
	unsigned sides;
	struct side side[SIDES_MAX];
	struct lockedmem bulk; /* in all free places elsewhere; a part of it for each side */
	size_t taken;	       /* of each part */
	size_t flush_pages;
	bool built;
	uint64_t built_ns;
	unsigned poor;
	uint64_t before[PAGES_MAX], after[PAGES_MAX], scratch[PAGES_MAX];
	uint8_t flags[PAGES_MAX];
};

/* Pages that a per-CPU list holds at most, with a batch more: what it takes to flush it. */
static size_t pcp_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long high = 0, batch = 0, value;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " high: %lu", &value) == 1 && value > high)
			high = value;
		if (sscanf(line, " batch: %lu", &value) == 1 && value > batch)
			batch = value;
	}
	if (file)
		fclose(file);
	high += 2 * batch;
	return high < FLUSH_PAGES_MAX ? high : FLUSH_PAGES_MAX;
}

static bool side_known(const struct shuttle *s, int cpu)
{
	for (unsigned i = 0; i < s->sides; i++)
		if (s->side[i].cpu == cpu)
			return true;
	return false;
}

static int sides_make(struct shuttle *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->target->hot_count && s->sides < SIDES_MAX && !rc; i++) {
		struct side *side = &s->side[s->sides];
		int cpu = s->target->hot[i].cpu;

		if (side_known(s, cpu))
			continue;
		side->cpu = cpu;
		side->first = s->count;
		side->count = hotpages_of_cpu(s->target, s->dp, cpu, s->pages + s->count,
					      PAGES_MAX - s->count);
		s->count += side->count;
		s->sides++;
		rc = lockedmem_create(&side->plug, side->count);
		if (!rc)
			rc = lockedmem_create(&side->flush, FLUSH_PAGES_MAX);
	}
	return rc;
}

int shuttle_create(const struct migrate_target *target, const struct devpages *dp, int compact_fd,
		   uint64_t memory, struct shuttle **out)
{
	struct shuttle *s;
	int rc;

	if (target->hot_count < PAGES_MIN)
		return -ENODATA;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->target = target;
	s->dp = dp;
	s->compact_fd = compact_fd;
	rc = sides_make(s);
	if (!rc)
		rc = lockedmem_create(&s->bulk, memory / DEVPAGE_SIZE);
	if (rc) {
		shuttle_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void shuttle_free(struct shuttle *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->sides; i++) {
		lockedmem_free(&s->side[i].plug);
		lockedmem_free(&s->side[i].flush);
	}
	lockedmem_free(&s->bulk);
	free(s);
}

/* Takes what is free in small blocks, which is what single pages are taken from first. */
static void build(struct shuttle *s)
{
	size_t room = s->bulk.pages / s->sides,
	       want = (memzones_fragments(NULL) + BULK_SLACK) / s->sides;

	/* Places that were taken in vain are given up when there is no room for more. */
	if (want > room - s->taken && s->taken) {
		lockedmem_release(&s->bulk, 0, s->bulk.pages);
		s->taken = 0;
	}
	if (want > room - s->taken)
		want = room - s->taken;
	for (unsigned i = 0; i < s->sides; i++) {
		/* Each CPU takes from the memory near to it. */
		cpus_pin(s->side[i].cpu);
		lockedmem_take(&s->bulk, i * room + s->taken, want);
	}
	s->taken += want;
	s->flush_pages = pcp_pages();
	s->built = true;
	s->built_ns = clock_now_ns();
	s->poor = 0;
}

static int run_evict(void *arg, size_t first, size_t length, size_t position)
{
	struct shuttle *s = arg;

	(void)position;
	devpages_evict(s->dp, first, length);
	return *s->target->stop ? -ECANCELED : 0;
}

static int side_lower(struct shuttle *s, struct side *side)
{
	int rc;

	cpus_pin(side->cpu);
	rc = devpages_each_run(s->pages + side->first, side->count, run_evict, s);
	lockedmem_take(&side->plug, 0, side->count);
	return rc;
}

static int pages_lower(struct shuttle *s)
{
	int rc = 0;

	if (s->target->neighbour)
		neighbour_hold_inodes(s->target->neighbour);
	for (unsigned i = 0; i < s->sides && !rc; i++)
		rc = side_lower(s, &s->side[i]);
	if (s->target->neighbour)
		neighbour_let_inodes(s->target->neighbour);
	return rc;
}

static int run_cached(void *arg, size_t first, size_t length, size_t position)
{
	struct shuttle *s = arg;
	size_t n;

	(void)position;
	for (size_t done = 0; done < length; done += n) {
		n = length - done < DEVPAGES_ASKED ? length - done : DEVPAGES_ASKED;
		s->scratch[0] += devpages_cached(s->dp, first + done, n);
	}
	return 0;
}

/* Until the neighbour has looked up nearly all of its pages again, or does not go on. */
static void neighbour_await(struct shuttle *s)
{
	size_t most = 0;

	for (unsigned idle = 0; idle < AWAIT_IDLE_MS; idle++) {
		s->scratch[0] = 0;
		devpages_each_run(s->pages, s->count, run_cached, s);
		if (s->scratch[0] >= s->count - s->count / 16)
			return;
		if (s->scratch[0] > most) {
			most = s->scratch[0];
			idle = 0;
		}
		usleep(1000);
	}
}

static void top_open(struct shuttle *s)
{
	for (unsigned i = 0; i < s->sides; i++) {
		struct side *side = &s->side[i];

		cpus_pin(side->cpu);
		lockedmem_take(&side->flush, 0, s->flush_pages);
		lockedmem_release(&side->plug, 0, side->plug.pages);
		lockedmem_release(&side->flush, 0, s->flush_pages);
	}
}

static int run_populate(void *arg, size_t first, size_t length, size_t position)
{
	struct shuttle *s = arg;

	(void)position;
	devpages_populate(s->dp, first, length);
	return 0;
}

static int compact(struct shuttle *s)
{
	int rc;

	cpus_nice(MIGRATE_NICE);
	rc = write(s->compact_fd, "1", 1) == 1 ? 0 : -errno;
	cpus_nice(SHUTTLE_NICE);
	return rc;
}

/* Moves the pages, and counts. */
static int pages_raise(struct shuttle *s, struct migrate_cycle *cycle)
{
	int rc;

	devpages_each_run(s->pages, s->count, run_populate, s);
	rc = hotpages_locate(s->dp, s->pages, s->count, s->before);
	if (rc)
		return rc;
	devpages_flags(s->dp, s->before, s->count, s->scratch, s->flags);
	rc = compact(s);
	if (!rc)
		rc = hotpages_locate(s->dp, s->pages, s->count, s->after);
	if (!rc)
		hotpages_count(s->target, s->dp, s->pages, s->count,
			       &(struct hotpages_seen){
				       .before = s->before, .after = s->after, .flags = s->flags},
			       cycle);
	return rc;
}

int shuttle_cycle(struct shuttle *s, struct migrate_cycle *cycle)
{
	int rc;

	if (!s->built || (s->poor >= POOR_ROUNDS_MAX && clock_now_ns() - s->built_ns > REBUILD_NS))
		build(s);
	rc = pages_lower(s);
	if (!rc)
		neighbour_await(s);
	top_open(s);
	cpus_pin(-1);
	if (!rc)
		rc = pages_raise(s, cycle);
	s->poor = cycle->moved < s->count / 2 ? s->poor + 1 : 0;
	return rc;
}
