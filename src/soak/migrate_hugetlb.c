/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of huge pages (hugetlb), grown and shrunk. A gigantic page, where the processor has
 * them, is a range that the kernel clears of everything movable, whatever memory looks like; so
 * that is tried first. Where none is had, or not where the device's pages are, pages of the common
 * size take their place, with memory in pieces (squeeze.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/hugepool.h"
#include "soak/migrate.h"
#include "soak/sandbox.h"
#include "soak/squeeze.h"
#include "util/log.h"

#define GIGANTIC_BYTES (1ULL << 30)
/* At once: the kernel can be stopped between two writes only. */
#define PAGES_STEP 32
/* Gigantic pages without success, in a row, before they are dropped. */
#define IDLE_MAX 2u

struct hugetlb_state {
	const struct migrate_target *target;
	struct squeeze squeeze;
	bool gigantic; /* is worth trying */
	unsigned idle; /* gigantic pages without success, in a row */
};

static int hugetlb_probe(char *why, size_t len)
{
	bool gigantic = access(HUGEPOOL_1G, W_OK) == 0;

	if (access(HUGEPOOL_2M, W_OK)) {
		int rc = -errno;

		snprintf(why, len, "no pool of 2 MiB pages that can be written: %s", strerror(-rc));
		return rc;
	}
	if (access("/proc/kpageflags", R_OK)) {
		snprintf(why, len, "moves cannot be counted: no /proc/kpageflags");
		return -ENOENT;
	}
	snprintf(why, len, gigantic ? "pages of 2 MiB and 1 GiB" : "pages of 2 MiB");
	return 0;
}

static void hugetlb_stop(void *arg)
{
	struct hugetlb_state *s = arg;

	squeeze_close(&s->squeeze);
	free(s);
}

static void hugetlb_pause(void *arg)
{
	struct hugetlb_state *s = arg;

	squeeze_pause(&s->squeeze);
}

static int hugetlb_start(const struct migrate_target *target, void **out)
{
	struct hugetlb_state *s;
	int rc;

	/* A pool that nobody would put back. */
	if (!target->sandbox)
		return -ENOTSUP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->target = target;
	s->gigantic = target->memory_max >= GIGANTIC_BYTES && access(HUGEPOOL_1G, W_OK) == 0;
	rc = squeeze_open(&s->squeeze, target);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* Grows a pool by PAGES in steps, and shrinks it again. Returns how many were had, or an errno. */
static long pool_pump(struct hugetlb_state *s, const char *path, long pages)
{
	struct sandbox *sandbox = s->target->sandbox;
	long old = hugepool_size(path), now = old, want = old;
	int rc = 0, back;

	if (old < 0)
		return old;
	while (!rc && now == want && now < old + pages && !*s->target->stop) {
		want = old + pages - now < PAGES_STEP ? old + pages : now + PAGES_STEP;
		rc = hugepool_set(sandbox, path, want);
		now = hugepool_size(path);
	}
	back = hugepool_set(sandbox, path, old);
	if (rc || back)
		return rc ? rc : back;
	return now > old ? now - old : 0;
}

static int pool_push(void *arg, size_t blocks)
{
	long had = pool_pump(arg, HUGEPOOL_2M, (long)blocks);

	return had < 0 ? (int)had : 0;
}

/* It is taken where pages can be made to leave, so the device's are moved even if it fails. */
static int gigantic_cycle(struct hugetlb_state *s, struct migrate_cycle *cycle)
{
	struct pageset *set = &s->squeeze.set;
	long had;
	int rc;

	pageset_choose(set);
	rc = pageset_reread(set);
	if (!rc)
		rc = pageset_before(set);
	if (rc)
		return rc;
	had = pool_pump(s, HUGEPOOL_1G, 1);
	if (had < 0)
		return (int)had;
	rc = pageset_after(set, cycle);
	s->idle = had && cycle->moved ? 0 : s->idle + 1;
	if (s->idle == IDLE_MAX) {
		log_notice("hugetlb: gigantic pages %s; goes on with pages of 2 MiB",
			   had ? "are not had where the device's pages are" : "cannot be had");
		s->gigantic = false;
	}
	return rc;
}

static int hugetlb_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct hugetlb_state *s = arg;

	if (s->gigantic)
		return gigantic_cycle(s, cycle);
	return squeeze_cycle(&s->squeeze, pool_push, s, cycle);
}

const struct migrate_driver migrate_hugetlb = {
	.name = "hugetlb",
	.what = "growing and shrinking the pool of huge pages",
	.probe = hugetlb_probe,
	.automatic = squeeze_automatic,
	.start = hugetlb_start,
	.cycle = hugetlb_cycle,
	.pause = hugetlb_pause,
	.stop = hugetlb_stop,
};
