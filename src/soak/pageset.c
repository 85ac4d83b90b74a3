/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/pageset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "soak/verifier.h"

/* Read back in small pieces: workers have little time to dirty pages again. */
#define PIECE_PAGES 256u
/* Fewer hot pages are not worth a cycle. */
#define HOT_PAGES_MIN 16u

int pageset_open(struct pageset *set, const struct migrate_target *target, size_t max)
{
	int rc;

	*set = (struct pageset){.target = target};
	rc = hotpages_open(&set->dp, target);
	if (rc)
		return rc;
	set->max = max < set->dp.pages ? max : set->dp.pages;
	set->pages = calloc(set->max, sizeof(*set->pages));
	set->before = calloc(set->max, sizeof(*set->before));
	set->after = calloc(set->max, sizeof(*set->after));
	set->scratch = calloc(set->max, sizeof(*set->scratch));
	set->flags = calloc(set->max, 1);
	set->buf = malloc((size_t)PIECE_PAGES * DEVPAGE_SIZE);
	if (!set->pages || !set->before || !set->after || !set->scratch || !set->flags ||
	    !set->buf) {
		pageset_close(set);
		return -ENOMEM;
	}
	return 0;
}

void pageset_close(struct pageset *set)
{
	devpages_close(&set->dp);
	free(set->pages);
	free(set->before);
	free(set->after);
	free(set->scratch);
	free(set->flags);
	free(set->buf);
}

static void choose_window(struct pageset *set)
{
	size_t head = set->target->head_bytes / DEVPAGE_SIZE;

	if (set->next < head || set->next >= set->dp.pages)
		set->next = head;
	set->count = 0;
	while (set->count < set->max && set->next < set->dp.pages)
		set->pages[set->count++] = (uint32_t)set->next++;
}

void pageset_choose(struct pageset *set)
{
	set->hot_now = !set->hot_now;
	if (set->hot_now) {
		set->count = hotpages_choose(set->target, &set->dp, set->pages, set->max);
		set->hot_now = set->count >= HOT_PAGES_MIN;
	}
	if (!set->hot_now)
		choose_window(set);
}

void pageset_take(struct pageset *set, const uint32_t *pages, size_t count)
{
	set->count = count < set->max ? count : set->max;
	memcpy(set->pages, pages, set->count * sizeof(*pages));
	set->hot_now = false;
}

static int run_reread(void *arg, size_t first, size_t length, size_t position)
{
	struct pageset *set = arg;

	(void)position;
	for (size_t done = 0; done < length; done += PIECE_PAGES) {
		size_t n = length - done < PIECE_PAGES ? length - done : PIECE_PAGES;

		if (*set->target->stop)
			return -ECANCELED;
		devpages_evict(&set->dp, first + done, n);
		devpages_read_back(&set->dp, first + done, n, set->buf);
	}
	return 0;
}

/* They map the pages, which would keep them. */
static void verifier_hold(struct pageset *set, bool hold)
{
	if (set->target->verifier && hold)
		verifier_pause(set->target->verifier);
	else if (set->target->verifier)
		verifier_resume(set->target->verifier);
}

int pageset_reread(struct pageset *set)
{
	int rc;

	verifier_hold(set, true);
	rc = devpages_each_run(set->pages, set->count, run_reread, set);
	verifier_hold(set, false);
	return rc;
}

static int run_evict(void *arg, size_t first, size_t length, size_t position)
{
	(void)position;
	devpages_evict(arg, first, length);
	return 0;
}

void pageset_evict_all(struct pageset *set)
{
	size_t head = set->target->head_bytes / DEVPAGE_SIZE;

	verifier_hold(set, true);
	if (head < set->dp.pages)
		devpages_evict(&set->dp, head, set->dp.pages - head);
	set->count = hotpages_choose(set->target, &set->dp, set->pages, set->max);
	devpages_each_run(set->pages, set->count, run_evict, &set->dp);
	verifier_hold(set, false);
}

static int run_populate(void *arg, size_t first, size_t length, size_t position)
{
	(void)position;
	devpages_populate(arg, first, length);
	return 0;
}

int pageset_before(struct pageset *set)
{
	int rc;

	devpages_each_run(set->pages, set->count, run_populate, &set->dp);
	rc = hotpages_locate(&set->dp, set->pages, set->count, set->before);
	if (!rc)
		devpages_flags(&set->dp, set->before, set->count, set->scratch, set->flags);
	return rc;
}

int pageset_after(struct pageset *set, struct migrate_cycle *cycle)
{
	int rc = hotpages_locate(&set->dp, set->pages, set->count, set->after);

	if (!rc)
		hotpages_count(set->target, &set->dp, set->pages, set->count,
			       &(struct hotpages_seen){.before = set->before,
						       .after = set->after,
						       .flags = set->flags},
			       cycle);
	return rc;
}
