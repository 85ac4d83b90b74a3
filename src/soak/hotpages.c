/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/hotpages.h"

#include <stdlib.h>

#include "soak/movelog.h"
#include "soak/neighbour.h"
#include "util/clock.h"

#define MOVES_BATCH 128u
/* A page is hot if a metadata block in it was written so recently. */
#define HOT_AGE_NS (5 * NS_PER_SEC)

uint64_t hotpages_written(const struct migrate_target *target, size_t page)
{
	struct ledger_geometry geometry;
	struct ledger_snapshot snap;
	uint64_t per_page, first, newest = 0;

	ledger_geometry_get(target->ledger, &geometry);
	per_page = DEVPAGE_SIZE / geometry.block_size;
	first = page * per_page;
	for (uint64_t i = first; i < first + per_page && i < geometry.blocks; i++)
		if (ledger_snapshot(target->ledger, i, &snap) && snap.generation &&
		    snap.written_ns > newest)
			newest = snap.written_ns;
	return newest;
}

static int compare_pages(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int hotpages_open(struct devpages *dp, const struct migrate_target *target)
{
	int rc = devpages_open(dp, target->device, target->bytes);

	if (rc || !target->apart)
		return rc;
	rc = devpages_open_apart(dp, target->apart, target->apart_bytes);
	if (rc)
		devpages_close(dp);
	return rc;
}

/* The number of a page of the neighbour, or false when it lies beyond what is mapped. */
static bool page_number(const struct migrate_target *target, const struct devpages *dp,
			uint64_t offset, uint32_t *number)
{
	size_t first = target->apart ? dp->pages : 0, limit = first ? dp->apart_pages : dp->pages;
	uint64_t page = offset / DEVPAGE_SIZE;

	*number = (uint32_t)(first + page);
	return page < limit;
}

size_t hotpages_of_cpu(const struct migrate_target *target, const struct devpages *dp, int cpu,
		       uint32_t *pages, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < target->hot_count && count < max; i++)
		if (target->hot[i].cpu == cpu &&
		    page_number(target, dp, target->hot[i].offset, &pages[count]))
			count++;
	qsort(pages, count, sizeof(*pages), compare_pages);
	return count;
}

size_t hotpages_watched(const struct migrate_target *target, const struct devpages *dp,
			uint32_t *pages, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < target->watched_count && count < max; i++)
		if (page_number(target, dp, target->watched[i], &pages[count]))
			count++;
	return count;
}

size_t hotpages_choose(const struct migrate_target *target, const struct devpages *dp,
		       uint32_t *pages, size_t max)
{
	uint64_t since = clock_now_ns() - HOT_AGE_NS;
	size_t count = 0;

	for (size_t i = 0; i < target->hot_count && count < max; i++)
		if (page_number(target, dp, target->hot[i].offset, &pages[count]))
			count++;
	for (size_t page = target->head_bytes / DEVPAGE_SIZE; page < dp->pages && count < max;
	     page++)
		if (hotpages_written(target, page) > since)
			pages[count++] = (uint32_t)page;
	qsort(pages, count, sizeof(*pages), compare_pages);
	return count;
}

static bool of_neighbour(const struct migrate_target *target, const struct devpages *dp,
			 uint32_t page)
{
	return target->apart ? page >= dp->pages : page < target->head_bytes / DEVPAGE_SIZE;
}

void hotpages_of_neighbour(const struct migrate_target *target, const struct devpages *dp,
			   const uint32_t *pages, size_t total, size_t *first, size_t *count)
{
	*first = *count = 0;
	for (size_t i = 0; i < total; i++) {
		if (!of_neighbour(target, dp, pages[i]))
			continue;
		if (!*count)
			*first = i;
		++*count;
	}
}

struct locate {
	const struct devpages *dp;
	uint64_t *pfn;
};

static int run_locate(void *arg, size_t first, size_t length, size_t position)
{
	struct locate *locate = arg;

	return devpages_locate(locate->dp, first, length, locate->pfn + position);
}

int hotpages_locate(const struct devpages *dp, const uint32_t *pages, size_t count, uint64_t *pfn)
{
	struct locate locate = {.dp = dp, .pfn = pfn};

	return devpages_each_run(pages, count, run_locate, &locate);
}

static void moves_note(const struct migrate_target *target, const struct move *moves, size_t count)
{
	if (target->moves && count)
		movelog_add(target->moves, moves, count);
}

void hotpages_count(const struct migrate_target *target, const struct devpages *dp,
		    const uint32_t *pages, size_t count, const struct hotpages_seen *seen,
		    struct migrate_cycle *cycle)
{
	const uint64_t *before = seen->before, *after = seen->after;
	struct move moves[MOVES_BATCH];
	uint64_t now = clock_now_ns();
	size_t batch = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t n = seen->moves ? seen->moves[i] : 0;

		if (before[i] == DEVPAGE_ABSENT || after[i] == DEVPAGE_ABSENT)
			continue;
		cycle->candidates++;
		if (before[i] != after[i])
			moves[batch++] = (struct move){now, pages[i], before[i], after[i]};
		if (batch == MOVES_BATCH) {
			moves_note(target, moves, batch);
			batch = 0;
		}
		if (n == 0)
			n = before[i] != after[i];
		if (n == 0)
			continue;
		cycle->moved += n;
		cycle->moved_with_buffers += (seen->flags[i] & DEVPAGE_BUFFERS) ? n : 0;
		cycle->moved_dirty += (seen->flags[i] & DEVPAGE_DIRTY) ? n : 0;
		cycle->moved_neighbour += of_neighbour(target, dp, pages[i]) ? n : 0;
		cycle->moved_metadata += hotpages_written(target, pages[i]) ? n : 0;
	}
	moves_note(target, moves, batch);
}
