/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The neighbour's models, without a filesystem. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/nb_dirs_model.h"
#include "soak/nb_inject.h"
#include "soak/nb_private.h"
#include "soak/nb_raw.h"
#include "soak/nb_shadow.h"
#include "soak/trace.h"
#include "unit.h"
#include "util/rng.h"

#define RAW_BYTES 256u

START_TEST(test_profile_good)
{
	struct neighbour_profile p;
	char why[256];

	ck_assert_int_eq(neighbour_profile_parse(NEIGHBOUR_PROFILE_DEFAULT, &p, why, sizeof(why)),
			 0);
	ck_assert_str_eq(p.type, "ext4");
	ck_assert_uint_eq(p.block_size, 1024);
	ck_assert(!p.journal && !p.generic);
	ck_assert_int_eq(
		neighbour_profile_parse("ext4:bs=2048,journal=tiny,commit=1", &p, why, sizeof(why)),
		0);
	ck_assert(p.journal && p.journal_tiny && p.commit_s == 1 && p.block_size == 2048);
	ck_assert_int_eq(neighbour_profile_parse("ext2:bs=1024", &p, why, sizeof(why)), 0);
	ck_assert(!p.journal);
	ck_assert_str_eq(p.type, "ext2");
	ck_assert_int_eq(neighbour_profile_parse("ext4", &p, why, sizeof(why)), 0);
	ck_assert(p.journal && p.block_size == 4096);
	ck_assert_int_eq(neighbour_profile_parse("any:xfs", &p, why, sizeof(why)), 0);
	ck_assert(p.generic);
	ck_assert_str_eq(p.type, "xfs");
}
END_TEST

static const char *const bad_profiles[] = {
	"",
	"ext3",
	"ext4:",
	"ext4:bs=512",
	"ext4:bs=1024,",
	"ext4:bs=1k",
	"ext4:commit=0",
	"ext4:nojournal,commit=1",
	"ext2:journal=tiny",
	"ext2:commit=5",
	"any:",
	"any:../x",
	"any:a-type-whose-name-is-too-long",
	"ext4:bs=1024,nojournal,nojournal,nojournal,nojournal,nojournal,nojournal",
	"ext4 :bs=1024",
	"ext4:bs=99999999999999999999",
};

START_TEST(test_profile_bad)
{
	struct neighbour_profile p;
	char why[256] = "";
	int rc = neighbour_profile_parse(bad_profiles[_i], &p, why, sizeof(why));

	/* Empty options are none. */
	if (strcmp(bad_profiles[_i], "ext4:") == 0 ||
	    strcmp(bad_profiles[_i], "ext4:bs=1024,") == 0) {
		ck_assert_int_eq(rc, 0);
		return;
	}
	ck_assert_msg(rc == -EINVAL, "'%s' was taken", bad_profiles[_i]);
	ck_assert_str_ne(why, "");
	ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

START_TEST(test_format_too_small)
{
	struct neighbour_profile p;
	char why[256] = "";

	neighbour_profile_parse("ext4:bs=4096", &p, why, sizeof(why));
	ck_assert_int_eq(
		neighbour_format(&p, "/dev/null", NEIGHBOUR_BYTES_MIN - 4096, why, sizeof(why)),
		-EINVAL);
	ck_assert_str_ne(why, "");
	ck_assert_int_eq(
		neighbour_format(&p, "/dev/null", NEIGHBOUR_BYTES_MIN + 512, why, sizeof(why)),
		-EINVAL);
}
END_TEST

/* An inode that holds what MODEL says, and noise elsewhere. */
static void raw_make(const struct nb_inode_model *model, uint8_t raw[RAW_BYTES], uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed, 0);
	rng_fill(&rng, raw, RAW_BYTES);
	raw[0x80] = 32;
	raw[0x81] = 0;
	nb_raw_write(model, raw, true);
}

START_TEST(test_raw_stale)
{
	struct nb_inode_model now = {.times = 5000, .modes = 300, .owners = 70000};
	uint8_t raw[RAW_BYTES];
	uint64_t generation;
	struct rng rng;

	rng_seed(&rng, 1, 2);
	for (unsigned i = 0; i < 3000; i++) {
		struct nb_inode_model old = now;

		old.times -= (uint32_t)rng_below(&rng, 5000);
		old.modes -= (uint32_t)rng_below(&rng, 256);
		old.owners -= (uint32_t)rng_below(&rng, 2000);
		raw_make(&old, raw, i);
		ck_assert(nb_raw_has_nanoseconds(raw, RAW_BYTES));
		if (nb_raw_generation(&old) == nb_raw_generation(&now)) {
			ck_assert(nb_raw_matches(&now, raw, true));
			continue;
		}
		ck_assert(!nb_raw_matches(&now, raw, true));
		ck_assert_int_eq(nb_raw_classify(&now, raw, RAW_BYTES, true, &generation),
				 FAULT_STALE);
		ck_assert_uint_eq(generation, nb_raw_generation(&old));
	}
}
END_TEST

START_TEST(test_raw_other)
{
	struct nb_inode_model now = {.times = 77, .modes = 5, .owners = 6}, next = now;
	uint8_t raw[RAW_BYTES];
	uint64_t generation;

	raw_make(&now, raw, 9);
	ck_assert_int_eq(nb_raw_classify(&now, raw, RAW_BYTES, true, &generation), FAULT_NONE);
	raw[0x88] ^= 0x10; /* a bit of the nanoseconds */
	ck_assert(!nb_raw_matches(&now, raw, true));
	ck_assert(nb_raw_matches(&now, raw, false));
	ck_assert_int_eq(nb_raw_classify(&now, raw, RAW_BYTES, true, &generation), FAULT_BITFLIP);
	ck_assert_uint_eq(generation, 0);
	/* Seconds of one update with the nanoseconds of another: half of an update was lost. */
	next.times++;
	raw_make(&next, raw, 9);
	raw[0x10] = 60;
	ck_assert_int_eq(nb_raw_classify(&next, raw, RAW_BYTES, true, &generation), FAULT_TORN);
	ck_assert_uint_eq(generation, 60 + 5 + 6);
	raw_make(&now, raw, 9);
	raw[0x10] = 78;
	ck_assert_int_eq(nb_raw_classify(&next, raw, RAW_BYTES, true, &generation), FAULT_TORN);
	ck_assert_uint_eq(generation, 77 + 5 + 6);
	/* The user of one update, the group of the one before. */
	raw_make(&now, raw, 9);
	raw[0x18]--;
	ck_assert_int_eq(nb_raw_classify(&now, raw, RAW_BYTES, true, &generation), FAULT_TORN);
	ck_assert_uint_eq(generation, 77 + 5 + 5);
	raw_make(&now, raw, 9);
	raw[0x10] = 78;
	/* Seconds of the future with nanoseconds of the past. */
	raw[0x10] = 79;
	ck_assert_int_eq(nb_raw_classify(&next, raw, RAW_BYTES, true, &generation), FAULT_GARBAGE);
	memset(raw, 0, sizeof(raw));
	ck_assert_int_eq(nb_raw_classify(&now, raw, RAW_BYTES, true, &generation), FAULT_ZEROED);
	/* From the future: nothing that was ever written. */
	next.times = now.times + 1000;
	raw_make(&next, raw, 10);
	ck_assert_int_eq(nb_raw_classify(&now, raw, RAW_BYTES, true, &generation), FAULT_GARBAGE);
}
END_TEST

START_TEST(test_raw_values_change)
{
	unsigned bad = 0;

	for (uint32_t n = 0; n < 200000; n++)
		bad += nb_raw_mode(n) == nb_raw_mode(n + 1) || nb_raw_uid(n) == nb_raw_uid(n + 1) ||
		       nb_raw_gid(n) == nb_raw_gid(n + 1) || nb_raw_uid(n) == 0 ||
		       nb_raw_uid(n) > 65535 || nb_raw_gid(n) == 0 || nb_raw_gid(n) > 65535 ||
		       nb_raw_nanoseconds(n) > 999999999;
	ck_assert_uint_eq(bad, 0);
}
END_TEST

START_TEST(test_shadow)
{
	static uint8_t image[3000][1024];
	uint8_t found[1024];
	static struct nb_past past;
	struct nb_shadow shadow;
	uint64_t version;
	struct rng rng;

	rng_seed(&rng, 3, 4);
	ck_assert_int_eq(nb_shadow_init(&shadow, NEIGHBOUR_BLOCK_DIRECTORY, 7, 1024), 0);
	for (unsigned v = 0; v < 3000; v++) {
		rng_fill(&rng, image[v], 1024);
		nb_shadow_set(&shadow, image[v]);
		nb_shadow_set(&shadow, image[v]); /* the same again is no new version */
		ck_assert_uint_eq(shadow.version, v + 1);
	}
	ck_assert_int_eq(nb_shadow_classify(&shadow, image[2999], &version), FAULT_NONE);
	for (unsigned v = 3000 - NB_SHADOW_HISTORY + 1; v < 2999; v++) {
		ck_assert_int_eq(nb_shadow_classify(&shadow, image[v], &version), FAULT_STALE);
		ck_assert_uint_eq(version, v + 1);
	}
	/* Older than what is remembered: no claim is made. */
	ck_assert_int_eq(nb_shadow_classify(&shadow, image[5], &version), FAULT_GARBAGE);
	ck_assert_uint_eq(version, 0);
	memcpy(found, image[2999], 1024);
	memcpy(found + 512, image[2998] + 512, 512);
	ck_assert_int_eq(nb_shadow_classify(&shadow, found, &version), FAULT_TORN);
	ck_assert_uint_eq(version, 2999);
	memcpy(found, image[2999], 1024);
	found[1023] ^= 0x80;
	ck_assert_int_eq(nb_shadow_classify(&shadow, found, &version), FAULT_BITFLIP);
	memset(found, 0, sizeof(found));
	ck_assert_int_eq(nb_shadow_classify(&shadow, found, &version), FAULT_ZEROED);
	nb_shadow_rebase(&shadow, &past, 8);
	ck_assert(!nb_shadow_known(&shadow));
	nb_shadow_set(&shadow, image[0]);
	ck_assert(nb_shadow_known(&shadow));
	ck_assert_int_eq(nb_shadow_classify(&shadow, image[2999], &version), FAULT_GARBAGE);
	nb_shadow_free(&shadow);
}
END_TEST

/* A block that had another owner before: what it held then is older, not foreign. */
START_TEST(test_shadow_past)
{
	static uint8_t image[4][1024];
	static struct nb_past past;
	struct nb_shadow shadow[2] = {{0}};
	const uint64_t first[] = {500, 600}, second[] = {500}, third[] = {600, 500};
	uint64_t version;
	struct rng rng;

	rng_seed(&rng, 5, 6);
	for (unsigned i = 0; i < 4; i++)
		rng_fill(&rng, image[i], 1024);
	ck_assert_int_eq(nb_shadows_place(shadow, 0, first, 2, NEIGHBOUR_BLOCK_XATTR, 1024, &past),
			 0);
	nb_shadow_set(&shadow[0], image[0]);
	nb_shadow_set(&shadow[1], image[1]);
	nb_shadow_set(&shadow[1], image[2]);
	ck_assert_int_eq(nb_shadows_place(shadow, 2, second, 1, NEIGHBOUR_BLOCK_XATTR, 1024, &past),
			 0);
	ck_assert(nb_shadow_known(&shadow[0]));
	ck_assert(!nb_shadow_known(&shadow[1]));
	/* Block 600 comes back, in another place. */
	ck_assert_int_eq(nb_shadows_place(shadow, 1, third, 2, NEIGHBOUR_BLOCK_XATTR, 1024, &past),
			 0);
	ck_assert(!nb_shadow_known(&shadow[0]));
	nb_shadow_set(&shadow[0], image[3]);
	ck_assert_uint_eq(shadow[0].version, 3);
	ck_assert_int_eq(nb_shadow_classify(&shadow[0], image[1], &version), FAULT_STALE);
	ck_assert_uint_eq(version, 1);
	ck_assert_int_eq(nb_shadow_classify(&shadow[0], image[2], &version), FAULT_STALE);
	ck_assert_uint_eq(version, 2);
	ck_assert_int_eq(nb_shadow_classify(&shadow[0], image[0], &version), FAULT_GARBAGE);
	/* The same contents as before, but a new version all the same. */
	nb_shadow_set(&shadow[1], image[0]);
	ck_assert_uint_eq(shadow[1].version, 2);
	ck_assert_int_eq(nb_shadow_classify(&shadow[1], image[0], &version), FAULT_NONE);
	nb_shadow_free(&shadow[0]);
	nb_shadow_free(&shadow[1]);
}
END_TEST

#define LENGTH 40u

START_TEST(test_names)
{
	struct nb_names names = {.last = 20};
	struct nb_names_seen seen = {0};
	struct nb_names_wrong wrong;
	char name[NB_NAME_MAX + 1];

	names.generation[3] = 17;
	names.generation[39] = 20;
	nb_names_format(3, 17, LENGTH, name);
	ck_assert_uint_eq(strlen(name), LENGTH);
	ck_assert(nb_names_see(&names, &seen, ".", LENGTH, &wrong));
	ck_assert(nb_names_see(&names, &seen, name, LENGTH, &wrong));
	ck_assert(!nb_names_see(&names, &seen, name, LENGTH, &wrong)); /* twice */
	ck_assert(wrong.known);
	ck_assert(!nb_names_seen_all(&names, &seen, LENGTH, &wrong));
	ck_assert_uint_eq(wrong.expected, 20);
	ck_assert_str_eq(wrong.what, "missing");
	nb_names_format(39, 19, LENGTH, name);
	ck_assert(!nb_names_see(&names, &seen, name, LENGTH, &wrong)); /* an older one */
	ck_assert(wrong.known);
	ck_assert_uint_eq(wrong.found, 19);
	nb_names_format(39, 21, LENGTH, name);
	ck_assert(!nb_names_see(&names, &seen, name, LENGTH, &wrong)); /* never written */
	ck_assert(!wrong.known);
	nb_names_format(39, 20, LENGTH, name);
	name[LENGTH - 1] = 'y';
	ck_assert(!nb_names_see(&names, &seen, name, LENGTH, &wrong)); /* damaged */
	name[LENGTH - 1] = 'x';
	ck_assert(nb_names_see(&names, &seen, name, LENGTH, &wrong));
	ck_assert(nb_names_seen_all(&names, &seen, LENGTH, &wrong));
}
END_TEST

START_TEST(test_trace_estimate)
{
	struct trace_counts counts = {.window_ns = 100, .total_ns = 1000};

	ck_assert_uint_eq(trace_estimate(&counts, 7), 70);
	counts.window_ns = 0;
	ck_assert_uint_eq(trace_estimate(&counts, 7), 0);
}
END_TEST

START_TEST(test_inject_names)
{
	enum neighbour_block type;

	ck_assert_int_eq(nb_inject_parse("nb-stale-inode-table", &type), 0);
	ck_assert_int_eq(type, NEIGHBOUR_BLOCK_INODES);
	ck_assert_int_eq(nb_inject_parse("nb-stale-block-map", &type), 0);
	ck_assert_int_eq(type, NEIGHBOUR_BLOCK_MAP);
	ck_assert_int_eq(nb_inject_parse("nb-stale-none", &type), -EINVAL);
	ck_assert_int_eq(nb_inject_parse("stale", &type), -EINVAL);
	ck_assert_int_eq(nb_inject_parse("nb-stale-", &type), -EINVAL);
}
END_TEST

/* A damaged block counts for more than the filesystem's word, which waits for it. */
START_TEST(test_failure_order)
{
	struct neighbour nb = {.running = 1};
	const struct neighbour_failure last_missing = {
		.kind = FAULT_STALE, .expected_generation = 5, .found_generation = 4};
	const struct neighbour_failure zeroed = {.kind = FAULT_ZEROED, .block = 7};
	const struct neighbour_failure another = {.kind = FAULT_ZEROED, .block = 9};
	struct neighbour_failure failure;
	uint64_t when_ns;

	pthread_mutex_init(&nb.lock, NULL);
	pthread_cond_init(&nb.changed, NULL);
	ck_assert_int_eq(nb_fail_call(&nb, NEIGHBOUR_DIRS, "renaming", -EUCLEAN), -EUCLEAN);
	neighbour_failure_get(&nb, &failure);
	ck_assert(!failure.failed);
	ck_assert(atomic_load(&nb.stop));
	nb_fail_block(&nb, &last_missing);
	nb.running = 0;
	neighbour_failure_get(&nb, &failure);
	ck_assert(failure.failed);
	ck_assert_int_eq(failure.fault, NEIGHBOUR_FS_ERROR);
	when_ns = failure.when_ns;
	nb_fail_block(&nb, &zeroed);
	nb_fail_block(&nb, &another);
	neighbour_failure_get(&nb, &failure);
	ck_assert_int_eq(failure.fault, NEIGHBOUR_CORRUPT);
	ck_assert_uint_eq(failure.block, 7);
	ck_assert_uint_eq(failure.when_ns, when_ns);
	pthread_cond_destroy(&nb.changed);
	pthread_mutex_destroy(&nb.lock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbour-models");
	TCase *tcase = tcase_create("models");

	tcase_add_test(tcase, test_profile_good);
	tcase_add_loop_test(tcase, test_profile_bad, 0,
			    (int)(sizeof(bad_profiles) / sizeof(bad_profiles[0])));
	tcase_add_test(tcase, test_format_too_small);
	tcase_add_test(tcase, test_raw_stale);
	tcase_add_test(tcase, test_raw_other);
	tcase_add_test(tcase, test_raw_values_change);
	tcase_add_test(tcase, test_shadow);
	tcase_add_test(tcase, test_shadow_past);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_trace_estimate);
	tcase_add_test(tcase, test_inject_names);
	tcase_add_test(tcase, test_failure_order);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
