/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8 and uuids: what is shown of bytes that come from a disk or a command line. */
#include <errno.h>
#include <string.h>

#include "unit.h"
#include "util/rng.h"
#include "util/utf8.h"
#include "util/uuid.h"

static const struct {
	const char *bytes;
	const char *escaped; /* NULL: printable as it is */
} texts[] = {
	{"", NULL},
	{"plain ~", NULL},
	{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x8d", NULL},
	{"\xf4\x8f\xbf\xbf", NULL},	    /* U+10FFFF */
	{"\xed\x9f\xbf\xee\x80\x80", NULL}, /* around the surrogates */
	{"\xc2\xa0", NULL},
	{"a\tb\n", "a\\x09b\\x0a"},
	{"\x1b[0m", "\\x1b[0m"},
	{"\x7f", "\\x7f"},
	{"\xc2\x85", "\\xc2\\x85"},		      /* a control character */
	{"\xc0\xaf", "\\xc0\\xaf"},		      /* longer than need be */
	{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},	      /* longer than need be */
	{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"}, /* longer than need be */
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* a surrogate */
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
	{"\xff\xfe", "\\xff\\xfe"},
	{"\x80", "\\x80"},
	{"\xe2\x82", "\\xe2\\x82"}, /* cut off */
	{"\xe2\x82z", "\\xe2\\x82z"},
};

START_TEST(utf8_texts)
{
	const char *bytes = texts[_i].bytes, *escaped = texts[_i].escaped;
	char out[UTF8_ESCAPED_MAX(16)];

	ck_assert_int_eq(utf8_printable(bytes, strlen(bytes)), escaped == NULL);
	ck_assert_str_eq(utf8_escape(bytes, strlen(bytes), out), escaped ? escaped : bytes);
}
END_TEST

/* A backslash is printable, but doubled, so that an escape can be told from a name. */
START_TEST(utf8_backslash)
{
	char out[UTF8_ESCAPED_MAX(4)];

	ck_assert(utf8_printable("\\x41", 4));
	ck_assert_str_eq(utf8_escape("\\x41", 4, out), "\\\\x41");
	ck_assert_str_eq(utf8_escape("a\0b", 3, out), "a\\x00b");
	ck_assert(!utf8_printable("a\0b", 3));
}
END_TEST

/* Any bytes become printable text that fits. */
START_TEST(utf8_random)
{
	char bytes[64], out[UTF8_ESCAPED_MAX(64)];
	unsigned bad = 0;
	struct rng rng;

	rng_seed(&rng, 41, 0);
	for (int i = 0; i < 20000; i++) {
		size_t len = rng_below(&rng, sizeof(bytes) + 1);

		rng_fill(&rng, bytes, len);
		memset(out, 0x7f, sizeof(out));
		utf8_escape(bytes, len, out);
		bad += !memchr(out, 0, sizeof(out)) || !utf8_printable(out, strlen(out));
	}
	ck_assert_uint_eq(bad, 0);
}
END_TEST

START_TEST(uuid_round_trip)
{
	char text[UUID_TEXT_LEN];
	uint8_t in[16], out[16];
	struct rng rng;

	rng_seed(&rng, 42, 0);
	for (int i = 0; i < 100; i++) {
		rng_fill(&rng, in, sizeof(in));
		ck_assert_uint_eq(strlen(uuid_to_text(in, text)), UUID_TEXT_LEN - 1);
		ck_assert_int_eq(uuid_from_text(text, out), 0);
		ck_assert_mem_eq(in, out, sizeof(in));
	}
	ck_assert_int_eq(uuid_from_text("01234567-89AB-4cde-8f01-23456789abCD", out), 0);
	ck_assert_str_eq(uuid_to_text(out, text), "01234567-89ab-4cde-8f01-23456789abcd");
}
END_TEST

START_TEST(uuid_rejects)
{
	static const char *const wrong[] = {
		"",
		"0123456789ab4cde8f0123456789abcd",
		"01234567-89ab-4cde-8f01-23456789abc",
		"01234567-89ab-4cde-8f01-23456789abcde",
		"0123456-789ab-4cde-8f01-23456789abcd",
		"01234567-89ab-4cde-8f01-23456789abcg",
		"01234567-89ab-4cde-8f01- 3456789abcd",
		"01234567-89ab-4cde-8f01-+x456789abcd",
		"{1234567-89ab-4cde-8f01-23456789abc}",
	};
	uint8_t uuid[16];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(uuid_from_text(wrong[i], uuid) == -EINVAL, "'%s'", wrong[i]);
}
END_TEST

static Suite *text_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *utf8 = tcase_create("utf8"), *uuid = tcase_create("uuid");

	tcase_add_loop_test(utf8, utf8_texts, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(utf8, utf8_backslash);
	tcase_add_test(utf8, utf8_random);
	suite_add_tcase(suite, utf8);
	tcase_add_test(uuid, uuid_round_trip);
	tcase_add_test(uuid, uuid_rejects);
	suite_add_tcase(suite, uuid);
	return suite;
}

int main(void)
{
	return unit_run(text_suite());
}
