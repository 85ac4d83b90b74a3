/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the filler takes memory, what it releases, and what the kernel says of free memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "soak/filler.h"
#include "soak/memzones.h"
#include "unit.h"

#define FILLER_BYTES (32ULL << 20)
#define FILLER_PAGES (FILLER_BYTES / DEVPAGE_SIZE)
/* Room for what is taken besides. */
#define MORE_PAGES 2048u
#define MORE_BYTES ((uint64_t)MORE_PAGES * DEVPAGE_SIZE)
/* Of the allocator's largest block, as in filler.c. */
#define WHOLE_PAGES 1024u
/* Where memory is in pieces, it takes that much to have some of them. */
#define GATHER_MAX (2ULL << 30)

/* Of the process, a sanitizer among them. */
#define OTHERS_PAGES 512u

static const _Atomic bool goes_on = false;

struct fixture {
	struct devpages dp;
	struct filler *filler;
	struct memzone zone[MEMZONES_MAX];
	int zones;
};

/* False, with the reason said, where frame numbers cannot be seen. */
static bool setup(struct fixture *f, uint64_t more)
{
	*f = (struct fixture){.dp = {.fd = -1, .apart_fd = -1, .kpageflags = -1}};
	if (geteuid()) {
		puts("skipped: frame numbers are for root");
		return false;
	}
	f->dp.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(f->dp.pagemap, 0);
	ck_assert_int_eq(filler_create(FILLER_BYTES, FILLER_BYTES + more, &f->filler), 0);
	f->zones = memzones_read(f->zone);
	ck_assert_int_gt(f->zones, 0);
	return true;
}

static void teardown(struct fixture *f)
{
	filler_free(f->filler);
	close(f->dp.pagemap);
}

/* Pages of this process that are in memory. */
static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%*u %zu", &pages), 1);
	fclose(file);
	return pages;
}

/* A device with a page at the beginning (the end) of each zone. */
static size_t device_at(const struct fixture *f, bool end, uint64_t *pfn)
{
	for (int i = 0; i < f->zones; i++)
		pfn[i] = end ? f->zone[i].end - 1 : f->zone[i].start;
	return (size_t)f->zones;
}

static void refill(struct fixture *f, bool device_at_end)
{
	uint64_t pfn[MEMZONES_MAX];
	size_t count = device_at(f, device_at_end, pfn);

	ck_assert_int_eq(filler_refill(f->filler, &f->dp, pfn, count, &goes_on), 0);
}

START_TEST(sunk_below_the_device)
{
	struct fixture f;
	bool top;

	if (!setup(&f, MORE_BYTES))
		return;
	refill(&f, true);
	ck_assert(filler_sunk(f.filler));
	ck_assert_uint_eq(filler_release_step(f.filler, 256, &top), 0);
	refill(&f, false);
	ck_assert(!filler_sunk(f.filler));
	ck_assert_uint_gt(filler_release_step(f.filler, 256, &top), 0);
	teardown(&f);
}
END_TEST

START_TEST(steps_are_taken_again)
{
	struct fixture f;
	size_t before, released = 0, step;
	bool top;

	if (!setup(&f, MORE_BYTES))
		return;
	refill(&f, false);
	before = resident();
	while ((step = filler_release_step(f.filler, 1024, &top)))
		released += step;
	/* One page of each pageblock stays. */
	ck_assert_uint_gt(released, FILLER_PAGES / 2);
	ck_assert_uint_le(resident(), before - released + OTHERS_PAGES);
	refill(&f, false);
	ck_assert_uint_ge(resident() + OTHERS_PAGES, before);
	teardown(&f);
}
END_TEST

START_TEST(extended_as_far_as_there_is_room)
{
	struct fixture f;
	size_t before;

	if (!setup(&f, MORE_BYTES))
		return;
	refill(&f, false);
	before = resident();
	filler_extend(f.filler, 10 * (size_t)MORE_PAGES);
	filler_extend(f.filler, 1);
	refill(&f, false);
	ck_assert_uint_ge(resident() + OTHERS_PAGES, before + MORE_PAGES);
	ck_assert_uint_le(resident(), before + MORE_PAGES + OTHERS_PAGES);
	ck_assert_uint_eq(filler_pages(f.filler), FILLER_PAGES);
	teardown(&f);
}
END_TEST

/* Whole blocks, if there are any in this machine's memory, else nothing. */
START_TEST(low_blocks_are_opened)
{
	uint64_t more = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * DEVPAGE_SIZE / 8;
	struct fixture f;
	size_t before, gone;

	if (!setup(&f, more < GATHER_MAX ? more : GATHER_MAX))
		return;
	ck_assert_int_eq(filler_gather(f.filler, &f.dp, memzones_fragments("Movable"), &goes_on),
			 0);
	before = resident();
	filler_open_low(f.filler, WHOLE_PAGES + 1);
	gone = resident();
	/* Others of this process take a page or two. */
	gone = before > gone ? before - gone : 0;
	if (gone < WHOLE_PAGES / 2) {
		puts("skipped: no large block was had");
	} else {
		ck_assert_uint_ge(gone + OTHERS_PAGES, WHOLE_PAGES);
		ck_assert_uint_le(gone, 2 * WHOLE_PAGES + OTHERS_PAGES);
	}
	teardown(&f);
}
END_TEST

START_TEST(ended_while_it_takes)
{
	const _Atomic bool ended = true;
	uint64_t pfn[MEMZONES_MAX];
	struct fixture f;

	if (!setup(&f, MORE_BYTES))
		return;
	ck_assert_int_eq(filler_refill(f.filler, &f.dp, pfn, device_at(&f, false, pfn), &ended),
			 -ECANCELED);
	ck_assert_int_eq(filler_gather(f.filler, &f.dp, 1, &ended), -ECANCELED);
	teardown(&f);
}
END_TEST

/* The kinds together are all there is; others take and give back in between. */
START_TEST(fragments_by_kind)
{
	static const char *const type[] = {"Unmovable",	 "Movable", "Reclaimable",
					   "HighAtomic", "CMA",	    "Isolate"};
	uint64_t all, sum = 0;

	if (access("/proc/pagetypeinfo", R_OK)) {
		puts("skipped: /proc/pagetypeinfo cannot be read");
		return;
	}
	for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++)
		sum += memzones_fragments(type[i]);
	all = memzones_fragments(NULL);
	ck_assert_uint_gt(all, 0);
	ck_assert_uint_gt(sum, all / 2);
	ck_assert_uint_lt(sum, 2 * all);
	ck_assert_uint_eq(memzones_fragments("No such type"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filler");
	TCase *tc = tcase_create("filler");

	tcase_add_test(tc, sunk_below_the_device);
	tcase_add_test(tc, steps_are_taken_again);
	tcase_add_test(tc, extended_as_far_as_there_is_room);
	tcase_add_test(tc, low_blocks_are_opened);
	tcase_add_test(tc, ended_while_it_takes);
	tcase_add_test(tc, fragments_by_kind);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
