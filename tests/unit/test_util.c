/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "util/bitmap.h"
#include "util/crc32c.h"
#include "util/hexdump.h"
#include "util/le.h"
#include "util/rng.h"
#include "util/sigbus.h"

/* Vectors of RFC 3720, appendix B.4. */
START_TEST(crc32c_rfc3720)
{
	uint8_t buf[32];

	memset(buf, 0, sizeof(buf));
	ck_assert_uint_eq(crc32c(0, buf, sizeof(buf)), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	ck_assert_uint_eq(crc32c(0, buf, sizeof(buf)), 0x62a8ab43);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	ck_assert_uint_eq(crc32c(0, buf, sizeof(buf)), 0x46dd794e);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(crc32c(0, buf, sizeof(buf)), 0x113fdb5c);
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(crc32c_chains)
{
	uint8_t buf[4096];
	struct rng rng;
	uint32_t whole;

	rng_seed(&rng, 1, 0);
	rng_fill(&rng, buf, sizeof(buf));
	whole = crc32c(0, buf, sizeof(buf));
	for (size_t cut = 0; cut <= sizeof(buf); cut += 61) {
		uint32_t head = crc32c(0, buf, cut);

		ck_assert_uint_eq(crc32c(head, buf + cut, sizeof(buf) - cut), whole);
	}
}
END_TEST

/* Back over four bytes, and that differences go back on their own. */
START_TEST(crc32c_goes_back)
{
	struct rng rng;

	rng_seed(&rng, 3, 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t crc = (uint32_t)rng_next(&rng), other = (uint32_t)rng_next(&rng);
		uint32_t word = (uint32_t)rng_next(&rng), seed = crc32c_before(crc, word);
		le32 bytes = le32_make(word);

		unit_assert(crc32c(seed, &bytes, sizeof(bytes)) == crc);
		unit_assert((crc32c_before(crc, 0) ^ word) == seed);
		unit_assert((crc32c_before(crc ^ other, word) ^ crc32c_before(other, 0) ^
			     crc32c_before(0, 0)) == seed);
	}
}
END_TEST

/* Odd addresses and lengths against the definition, bit by bit. */
START_TEST(crc32c_matches_definition)
{
	uint8_t buf[300];
	struct rng rng;

	rng_seed(&rng, 2, 0);
	rng_fill(&rng, buf, sizeof(buf));
	for (size_t start = 0; start < 9; start++) {
		for (size_t len = 0; len < 280; len += 7) {
			uint32_t crc = 0xffffffff;

			for (size_t i = 0; i < len; i++) {
				crc ^= buf[start + i];
				for (int bit = 0; bit < 8; bit++)
					crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
			}
			ck_assert_uint_eq(crc32c(0, buf + start, len), ~crc);
		}
	}
}
END_TEST

START_TEST(bitmap_single_bits)
{
	uint8_t map[8] = {0};

	bitmap_set(map, 0);
	bitmap_set(map, 9);
	bitmap_set(map, 63);
	ck_assert_uint_eq(map[0], 0x01);
	ck_assert_uint_eq(map[1], 0x02);
	ck_assert_uint_eq(map[7], 0x80);
	ck_assert(bitmap_test(map, 9));
	ck_assert(!bitmap_test(map, 8));
	ck_assert_uint_eq(bitmap_count_set(map, 64), 3);
	bitmap_clear(map, 9);
	ck_assert(!bitmap_test(map, 9));
	ck_assert_uint_eq(bitmap_count_set(map, 64), 2);
	ck_assert_uint_eq(bitmap_count_set(map, 63), 1);
	ck_assert_uint_eq(bitmap_count_set(map, 0), 0);
}
END_TEST

START_TEST(bitmap_searches)
{
	uint8_t map[4] = {0xff, 0xff, 0xfb, 0xff};

	ck_assert_uint_eq(bitmap_find_clear(map, 32, 0), 18);
	ck_assert_uint_eq(bitmap_find_clear(map, 32, 18), 18);
	ck_assert_uint_eq(bitmap_find_clear(map, 32, 19), BITMAP_NONE);
	ck_assert_uint_eq(bitmap_find_clear(map, 18, 0), BITMAP_NONE);
	ck_assert_uint_eq(bitmap_find_clear(map, 32, 32), BITMAP_NONE);
	ck_assert_uint_eq(bitmap_find_clear(map, 32, 400), BITMAP_NONE);
	ck_assert_uint_eq(bitmap_find_clear(map, 0, 0), BITMAP_NONE);
	ck_assert_uint_eq(bitmap_run_clear(map, 32, 18, 10), 1);
	ck_assert_uint_eq(bitmap_run_clear(map, 32, 17, 10), 0);
	bitmap_clear(map, 19);
	bitmap_clear(map, 20);
	ck_assert_uint_eq(bitmap_run_clear(map, 32, 18, 10), 3);
	ck_assert_uint_eq(bitmap_run_clear(map, 32, 18, 2), 2);
	ck_assert_uint_eq(bitmap_run_clear(map, 19, 18, 10), 1);
	/* The bits behind the end are clear, and no one's. */
	map[3] = 0;
	ck_assert_uint_eq(bitmap_find_clear(map, 24, 21), BITMAP_NONE);
	ck_assert_uint_eq(bitmap_find_clear(map, 27, 21), 24);
	ck_assert_uint_eq(bitmap_run_clear(map, 27, 24, 100), 3);
}
END_TEST

/* Against a plain array of bools. */
START_TEST(bitmap_random)
{
	enum { BITS = 197 };
	uint8_t map[(BITS + 7) / 8] = {0};
	bool model[BITS] = {false};
	struct rng rng;

	rng_seed(&rng, 3, 0);
	for (int round = 0; round < 2000; round++) {
		uint32_t bit = (uint32_t)rng_below(&rng, BITS), set = 0, first = BITMAP_NONE;
		uint32_t room = BITS - bit;
		uint32_t count = (uint32_t)rng_below(&rng, room < 9 ? room + 1 : 9);

		if (rng_below(&rng, 2)) {
			bitmap_set_range(map, bit, count);
			for (uint32_t i = 0; i < count; i++)
				model[bit + i] = true;
		} else {
			bitmap_clear(map, bit);
			model[bit] = false;
		}
		for (uint32_t i = BITS; i-- > 0;) {
			unit_assert(bitmap_test(map, i) == model[i]);
			set += model[i];
			if (!model[i] && i >= bit)
				first = i;
		}
		unit_assert(bitmap_count_set(map, BITS) == set);
		unit_assert(bitmap_find_clear(map, BITS, bit) == first);
	}
}
END_TEST

/* The first numbers of seed 42, streams 0 and 1: a seed must mean the same run on every machine. */
START_TEST(rng_reproducible)
{
	static const uint64_t want[2][3] = {
		{0x19e479e2aaa77bfb, 0x5e3efe753be27527, 0xc3ed7125b780200a},
		{0xc2faaa11a6d3ad7d, 0x20df191928673a4a, 0x9f1f3bef7f9a3f54},
	};

	for (uint64_t stream = 0; stream < 2; stream++) {
		struct rng rng;

		rng_seed(&rng, 42, stream);
		for (int i = 0; i < 3; i++)
			ck_assert_uint_eq(rng_next(&rng), want[stream][i]);
	}
}
END_TEST

START_TEST(rng_streams_differ)
{
	struct rng a, b;
	int same = 0;

	rng_seed(&a, 7, 0);
	rng_seed(&b, 7, 1);
	for (int i = 0; i < 1000; i++)
		same += rng_next(&a) == rng_next(&b);
	ck_assert_int_eq(same, 0);
	rng_seed(&b, 8, 0);
	for (int i = 0; i < 1000; i++)
		same += rng_next(&a) == rng_next(&b);
	ck_assert_int_eq(same, 0);
}
END_TEST

START_TEST(rng_bounds)
{
	static const uint64_t bounds[] = {1, 2, 3, 10, 1000, 1ULL << 33, UINT64_MAX};
	unsigned hits[10] = {0};
	struct rng rng;

	rng_seed(&rng, 9, 9);
	for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++)
		for (int i = 0; i < 10000; i++)
			unit_assert(rng_below(&rng, bounds[b]) < bounds[b]);
	for (int i = 0; i < 100000; i++)
		hits[rng_below(&rng, 10)]++;
	/* Six standard deviations. */
	for (int i = 0; i < 10; i++) {
		ck_assert_uint_gt(hits[i], 10000 - 570);
		ck_assert_uint_lt(hits[i], 10000 + 570);
	}
}
END_TEST

START_TEST(rng_fills_exactly)
{
	struct rng rng;
	uint8_t buf[64];

	for (size_t len = 0; len <= 40; len++) {
		memset(buf, 0xa5, sizeof(buf));
		rng_seed(&rng, len, 0);
		rng_fill(&rng, buf + 8, len);
		for (size_t i = 0; i < 8; i++)
			ck_assert_uint_eq(buf[i], 0xa5);
		for (size_t i = 8 + len; i < sizeof(buf); i++)
			ck_assert_uint_eq(buf[i], 0xa5);
	}
}
END_TEST

static size_t diff_text(const void *a, const void *b, size_t len, size_t lines, char **text)
{
	size_t size, n;
	FILE *out = open_memstream(text, &size);

	ck_assert_ptr_nonnull(out);
	n = hexdump_diff(out, a, b, len, lines);
	fclose(out);
	return n;
}

START_TEST(hexdump_shows_difference)
{
	uint8_t a[64] = {0}, b[64] = {0};
	char *text;

	ck_assert_uint_eq(diff_text(a, b, sizeof(a), 8, &text), 0);
	ck_assert_str_eq(text, "");
	free(text);

	b[17] = 'x';
	b[31] = 0x7f;
	ck_assert_uint_eq(diff_text(a, b, sizeof(a), 8, &text), 2);
	ck_assert_str_eq(text, "- 000010  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  "
			       "|................|\n"
			       "+ 000010  00 78 00 00 00 00 00 00 00 00 00 00 00 00 00 7f  "
			       "|.x..............|\n"
			       "             ^^                                        ^^\n");
	free(text);
}
END_TEST

START_TEST(hexdump_counts_the_rest)
{
	uint8_t a[50] = {0}, b[50];
	char *text;

	memset(b, 1, sizeof(b));
	ck_assert_uint_eq(diff_text(a, b, sizeof(a), 1, &text), 50);
	ck_assert_ptr_nonnull(strstr(text, "3 more differing lines"));
	ck_assert_ptr_null(strstr(text, "000010"));
	free(text);
	/* A last line of two bytes. */
	ck_assert_uint_eq(diff_text(a, b, sizeof(a), 8, &text), 50);
	ck_assert_ptr_nonnull(strstr(text, "+ 000030  01 01     "));
	ck_assert_ptr_nonnull(strstr(text, "|..|\n"));
	free(text);
}
END_TEST

static int touch(void *arg)
{
	*(volatile char *)arg = 1;
	return 7;
}

START_TEST(sigbus_is_an_error)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("churnfs-test", MFD_CLOEXEC);
	char *map;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, page), 0);
	map = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	sigbus_install();
	ck_assert_int_eq(sigbus_guard(touch, map), 7);
	/* Twice: the signal must not stay blocked. */
	ck_assert_int_eq(sigbus_guard(touch, map + page), -EIO);
	ck_assert_int_eq(sigbus_guard(touch, map + page), -EIO);
	ck_assert_int_eq(sigbus_guard(touch, map), 7);
	munmap(map, (size_t)page * 2);
	close(fd);
}
END_TEST

START_TEST(sigbus_from_elsewhere_kills)
{
	int status;
	pid_t pid;

	sigbus_install();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		raise(SIGBUS);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGBUS);
}
END_TEST

static Suite *util_suite(void)
{
	Suite *suite = suite_create("util");
	TCase *tc = tcase_create("crc32c");

	tcase_add_test(tc, crc32c_rfc3720);
	tcase_add_test(tc, crc32c_chains);
	tcase_add_test(tc, crc32c_goes_back);
	tcase_add_test(tc, crc32c_matches_definition);
	suite_add_tcase(suite, tc);
	tc = tcase_create("bitmap");
	tcase_add_test(tc, bitmap_single_bits);
	tcase_add_test(tc, bitmap_searches);
	tcase_add_test(tc, bitmap_random);
	suite_add_tcase(suite, tc);
	tc = tcase_create("rng");
	tcase_add_test(tc, rng_reproducible);
	tcase_add_test(tc, rng_streams_differ);
	tcase_add_test(tc, rng_bounds);
	tcase_add_test(tc, rng_fills_exactly);
	suite_add_tcase(suite, tc);
	tc = tcase_create("hexdump");
	tcase_add_test(tc, hexdump_shows_difference);
	tcase_add_test(tc, hexdump_counts_the_rest);
	suite_add_tcase(suite, tc);
	tc = tcase_create("sigbus");
	tcase_add_test(tc, sigbus_is_an_error);
	tcase_add_test(tc, sigbus_from_elsewhere_kills);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	return unit_run(util_suite());
}
