/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transparent huge pages: the fault of a process that asked for one compacts memory directly, in
 * its own context, until one is had. MADV_COLLAPSE (6.1) is tried where the fault gave a small
 * page. The huge pages are given back at the end of each cycle, and the device's pages are read
 * back into them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak/migrate.h"
#include "soak/sandbox.h"
#include "soak/squeeze.h"
#include "util/clock.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define ENABLED_PATH "/sys/kernel/mm/transparent_hugepage/enabled"
#define DEFRAG_PATH "/sys/kernel/mm/transparent_hugepage/defrag"
/* Of one cycle, on faults. */
#define PUSH_NS (500 * NS_PER_MS)
/* Faults without a huge page, in a row: there are no more to be had. The kernel, too, gives up for
   up to 64 times when it has failed. */
#define FAILURES_MAX 80u
/* Cycles without one: this kernel has none to give. */
#define EMPTY_MAX 64u

struct thp_state {
	const struct migrate_target *target;
	struct squeeze squeeze;
	void *map;
	size_t map_bytes;
	char *huge; /* in MAP, aligned */
	bool collapse;
	unsigned empty; /* cycles without a huge page, in a row */
};

/* The choice in force of a file such as "always [madvise] never". */
static bool choice_is(const char *path, const char *want)
{
	FILE *file = fopen(path, "re");
	char text[128] = "", bracketed[32];

	if (!file)
		return false;
	(void)!fgets(text, sizeof(text), file);
	fclose(file);
	snprintf(bracketed, sizeof(bracketed), "[%s]", want);
	return strstr(text, bracketed) != NULL;
}

static int thp_probe(char *why, size_t len)
{
	if (access(ENABLED_PATH, R_OK)) {
		snprintf(why, len, "this kernel has none (CONFIG_TRANSPARENT_HUGEPAGE)");
		return -ENOENT;
	}
	if (access("/proc/sys/vm/compact_memory", F_OK)) {
		snprintf(why, len, "this kernel has no compaction (CONFIG_COMPACTION)");
		return -ENOENT;
	}
	if (sysconf(_SC_PAGESIZE) != DEVPAGE_SIZE) {
		snprintf(why, len, "for pages of 4 KiB only");
		return -ENOTSUP;
	}
	if (access("/proc/kpageflags", R_OK)) {
		snprintf(why, len, "moves cannot be counted: no /proc/kpageflags");
		return -ENOENT;
	}
	snprintf(why, len, "%s",
		 choice_is(ENABLED_PATH, "never") ? "off; switched on during a run"
						  : "faults with direct compaction");
	return 0;
}

static void thp_stop(void *arg)
{
	struct thp_state *s = arg;

	if (s->map != MAP_FAILED)
		munmap(s->map, s->map_bytes);
	squeeze_close(&s->squeeze);
	free(s);
}

static void thp_pause(void *arg)
{
	struct thp_state *s = arg;

	squeeze_pause(&s->squeeze);
}

/* Direct compaction at faults must be on for those who ask for it, at least. */
static int settings_set(const struct migrate_target *target)
{
	bool off = choice_is(ENABLED_PATH, "never");
	bool lazy = choice_is(DEFRAG_PATH, "never") || choice_is(DEFRAG_PATH, "defer");
	int rc = 0;

	if ((off || lazy) && !target->sandbox)
		return -ENOTSUP;
	if (off)
		rc = sandbox_set(target->sandbox, ENABLED_PATH, "madvise");
	if (!rc && lazy)
		rc = sandbox_set(target->sandbox, DEFRAG_PATH, "madvise");
	return rc;
}

/* Empty again, and without page tables, which would keep huge pages away. */
static int huge_reset(struct thp_state *s)
{
	if (mmap(s->map, s->map_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	return madvise(s->map, s->map_bytes, MADV_HUGEPAGE) ? -errno : 0;
}

static int thp_start(const struct migrate_target *target, void **out)
{
	struct thp_state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->target = target;
	s->collapse = true;
	rc = settings_set(target);
	if (!rc)
		rc = squeeze_open(&s->squeeze, target);
	if (rc) {
		free(s);
		return rc;
	}
	s->map_bytes = (s->squeeze.push_max + 1) * SQUEEZE_BLOCK_BYTES;
	s->map = mmap(NULL, s->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		      -1, 0);
	if (s->map == MAP_FAILED) {
		thp_stop(s);
		return -ENOMEM;
	}
	s->huge = (char *)(((uintptr_t)s->map + SQUEEZE_BLOCK_BYTES - 1) &
			   ~(SQUEEZE_BLOCK_BYTES - 1));
	*out = s;
	return 0;
}

/* Returns 1 for a huge page, 0 for a small one, or a negative errno. */
static int fault(struct thp_state *s, char *at)
{
	uint64_t pfn[2];
	int rc;

	*(volatile char *)at = 1;
	rc = devpages_locate_memory(&s->squeeze.set.dp, at, 2, pfn);
	if (rc)
		return rc;
	if (pfn[1] != DEVPAGE_ABSENT)
		return 1;
	if (!s->collapse)
		return 0;
	if (madvise(at, SQUEEZE_BLOCK_BYTES, MADV_COLLAPSE) == 0)
		return 1;
	s->collapse = errno != EINVAL;
	return 0;
}

static int thp_push(void *arg, size_t blocks)
{
	struct thp_state *s = arg;
	uint64_t end = clock_now_ns() + PUSH_NS;
	unsigned failures = 0;
	bool had = false;
	int rc = huge_reset(s);

	for (size_t i = 0; i < blocks && rc >= 0; i++) {
		if (failures == FAILURES_MAX || clock_now_ns() > end || *s->target->stop)
			break;
		rc = fault(s, s->huge + i * SQUEEZE_BLOCK_BYTES);
		failures = rc ? 0 : failures + 1;
		had |= rc == 1;
	}
	if (rc < 0)
		return rc;
	s->empty = had ? 0 : s->empty + 1;
	rc = huge_reset(s);
	return rc || s->empty < EMPTY_MAX ? rc : -ENOTSUP;
}

static int thp_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct thp_state *s = arg;

	return squeeze_cycle(&s->squeeze, thp_push, s, cycle);
}

const struct migrate_driver migrate_thp = {
	.name = "thp",
	.what = "transparent huge pages",
	.probe = thp_probe,
	.automatic = squeeze_automatic,
	.start = thp_start,
	.cycle = thp_cycle,
	.pause = thp_pause,
	.stop = thp_stop,
};
