/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Soft offlining: the kernel is told that a page's memory has had corrected errors, so it moves the
 * page and never uses the frame again. Hot pages in turn, through our mapping of the device. Each
 * move takes 4 KiB from the machine until it is booted again, unless the kernel has a file to give
 * frames back (CONFIG_HWPOISON_INJECT); the sandbox does that at the end. So a run moves 64 pages
 * at most, and only one that was asked for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak/migrate.h"
#include "soak/pageset.h"
#include "soak/sandbox.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* The kernel's other way to the same, there if it can do it at all. */
#define SOFT_OFFLINE_PATH "/sys/devices/system/memory/soft_offline_page"
#define FRAMES_MAX SANDBOX_FRAMES_MAX
/* Frames in one cycle, spread over the pages that were chosen. */
#define CYCLE_FRAMES 4u
#define PAGES_MAX 1024u
#define PAUSE_US 100000

struct soft_state {
	const struct migrate_target *target;
	struct pageset set;
	unsigned used; /* frames that were noted */
};

static int soft_probe(char *why, size_t len)
{
	if (access(SOFT_OFFLINE_PATH, W_OK)) {
		snprintf(why, len, "this kernel has none (CONFIG_MEMORY_FAILURE)");
		return -ENOENT;
	}
	if (access("/proc/kpageflags", R_OK)) {
		snprintf(why, len, "moves cannot be counted: no /proc/kpageflags");
		return -ENOENT;
	}
	snprintf(why, len, "costs up to %u pages of memory %s", FRAMES_MAX,
		 access(sandbox_frames_path(), W_OK) ? "until the next boot"
						     : "during the run, then given back");
	return 0;
}

static int soft_automatic(char *why, size_t len)
{
	snprintf(why, len, "it takes memory away for good");
	return -EPERM;
}

static void soft_stop(void *arg)
{
	struct soft_state *s = arg;

	pageset_close(&s->set);
	free(s);
}

static int soft_start(const struct migrate_target *target, void **out)
{
	struct soft_state *s;
	int rc;

	/* Frames that nobody would give back. */
	if (!target->sandbox)
		return -ENOTSUP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->target = target;
	rc = pageset_open(&s->set, target, PAGES_MAX);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* Page I of the set goes elsewhere, and its frame out of use. What is busy stays. */
static int page_push(struct soft_state *s, size_t i)
{
	char *page = s->set.dp.map + (size_t)s->set.pages[i] * DEVPAGE_SIZE;
	int rc;

	if (s->set.before[i] == DEVPAGE_ABSENT)
		return 0;
	rc = sandbox_note_frame(s->target->sandbox, s->set.before[i]);
	if (rc)
		return rc;
	s->used++;
	if (madvise(page, DEVPAGE_SIZE, MADV_SOFT_OFFLINE) == 0)
		return 0;
	return errno == EPERM || errno == EINVAL ? -errno : 0;
}

static int soft_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct soft_state *s = arg;
	int rc = 0;

	if (s->used == FRAMES_MAX) {
		usleep(PAUSE_US);
		return 0;
	}
	pageset_choose(&s->set);
	rc = pageset_before(&s->set);
	for (unsigned n = 0; n < CYCLE_FRAMES && s->used < FRAMES_MAX && s->set.count && !rc; n++)
		rc = page_push(s, (s->used * 37u + n) % s->set.count);
	if (!rc)
		rc = pageset_after(&s->set, cycle);
	/* Spread over a run of some seconds. */
	usleep(PAUSE_US);
	return rc;
}

const struct migrate_driver migrate_soft_offline = {
	.name = "soft-offline",
	.what = "frames taken out of use",
	.probe = soft_probe,
	.automatic = soft_automatic,
	.start = soft_start,
	.cycle = soft_cycle,
	.stop = soft_stop,
};
