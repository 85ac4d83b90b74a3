/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lost update is planted in each kind of block of the neighbour; it must be found in time and
 * named to the block. CHURNFS_SEEDS says how many seeds are tried (default 2, of each kind); only
 * with it are the promised times judged, as a machine may be busy. The slowest is always told.
 * CHURNFS_SEED is the first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "neighbour_fixture.h"
#include "soak/nb_inject.h"
#include "unit.h"
#include "util/clock.h"
#include "util/units.h"

#define HEAD (16ULL << 20)
#define SEEDS_DEFAULT 2
#define PLANT_TRIES 50
/* What the manual promises: seconds from the planting to the finding. */
#define SECONDS_INODES 1
#define SECONDS_OTHERS 5

static const char *const profiles[] = {
	NEIGHBOUR_PROFILE_DEFAULT,
	"ext4:bs=4096",
	"ext4:bs=2048,journal=tiny,commit=1",
	"ext2:bs=1024",
};
#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	uint64_t n;

	return text && number_parse(text, &n) == 0 && n ? n : otherwise;
}

static uint64_t seeds(void)
{
	return number_of("CHURNFS_SEEDS", SEEDS_DEFAULT);
}

static int plant(struct neighbour_fixture *f, enum neighbour_block type, uint64_t seed,
		 struct nb_injection *injection)
{
	int rc = -EAGAIN;

	for (unsigned i = 0; i < PLANT_TRIES && rc == -EAGAIN; i++)
		rc = nb_inject_plant(f->nb, type, seed + i * 1000003, injection);
	return rc;
}

static void found_check(const struct nb_injection *injection, const struct neighbour_failure *f,
			unsigned seconds, const char *context)
{
	ck_assert_msg(f->fault == NEIGHBOUR_CORRUPT, "%s: %s", context, f->text);
	ck_assert_msg(f->type == injection->type, "%s: %s", context, f->text);
	ck_assert_msg(f->block == injection->block, "%s: block %" PRIu64 " planted: %s", context,
		      injection->block, f->text);
	ck_assert_msg(f->kind == FAULT_STALE, "%s: %s", context, f->text);
	ck_assert_msg(f->found_generation && f->found_generation < f->expected_generation, "%s: %s",
		      context, f->text);
	ck_assert_msg(!getenv("CHURNFS_SEEDS") ||
			      f->when_ns - injection->when_ns < seconds * NS_PER_SEC,
		      "%s: after %" PRIu64 " ns", context, f->when_ns - injection->when_ns);
	ck_assert_uint_eq(f->length, injection->length);
	/* Inodes go on changing; what lies at rest must be shown to the byte. */
	if (injection->type != NEIGHBOUR_BLOCK_INODES) {
		ck_assert_mem_eq(f->expected, injection->expected, f->length);
		ck_assert_mem_eq(f->found, injection->planted, f->length);
	}
}

START_TEST(test_planted)
{
	enum neighbour_block type = (enum neighbour_block)_i;
	unsigned seconds = type == NEIGHBOUR_BLOCK_INODES ? SECONDS_INODES : SECONDS_OTHERS;
	uint64_t slowest = 0, found = 0, first = number_of("CHURNFS_SEED", 1);

	for (uint64_t seed = first; seed < first + seeds(); seed++) {
		const char *profile = profiles[seed % PROFILES];
		struct neighbour_failure failure;
		struct nb_injection injection;
		struct neighbour_fixture f;
		char context[128];
		int rc;

		snprintf(context, sizeof(context), "%s seed %" PRIu64 " %s",
			 neighbour_block_name(type), seed, profile);
		neighbour_fixture_open(&f, profile, HEAD);
		f.options.seed = seed;
		neighbour_fixture_start(&f);
		rc = plant(&f, type, seed, &injection);
		/* ext2's own driver has no directory blocks in the device's cache. */
		if (rc == -EOPNOTSUPP && strncmp(profile, "ext2", 4) == 0) {
			neighbour_fixture_close(&f);
			continue;
		}
		ck_assert_msg(rc == 0, "%s: planting: %s", context, strerror(-rc));
		ck_assert_msg(neighbour_fixture_wait(&f, seconds * 4, &failure),
			      "%s: not found: block %" PRIu64, context, injection.block);
		found_check(&injection, &failure, seconds, context);
		if (failure.when_ns - injection.when_ns > slowest)
			slowest = failure.when_ns - injection.when_ns;
		found++;
		neighbour_fixture_close(&f);
	}
	fprintf(stderr, "# %s: %" PRIu64 " planted and found, the slowest after %.3f s\n",
		neighbour_block_name(type), found, (double)slowest / 1e9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbour-inject");
	const char *reason = neighbour_fixture_unavailable();

	if (reason) {
		printf("1..0 # SKIP %s\n", reason);
		return 0;
	}
	/* A case for each kind, so that CK_RUN_CASE can choose one. */
	for (int type = NEIGHBOUR_BLOCK_NONE + 1; type < NEIGHBOUR_BLOCKS; type++) {
		TCase *tcase = tcase_create(neighbour_block_name((enum neighbour_block)type));

		tcase_set_timeout(tcase, 30 + 10.0 * (double)seeds());
		tcase_add_loop_test(tcase, test_planted, type, type + 1);
		suite_add_tcase(suite, tcase);
	}
	return unit_run(suite);
}
