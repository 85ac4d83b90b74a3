/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, durations and numbers as people write them. */
#include <errno.h>
#include <string.h>

#include "unit.h"
#include "util/units.h"

static const struct {
	const char *text;
	int rc;
	uint64_t value;
} sizes[] = {
	{"0", 0, 0},
	{"4096", 0, 4096},
	{"64K", 0, 65536},
	{"64k", 0, 65536},
	{"64KiB", 0, 65536},
	{"64KB", 0, 65536},
	{"512B", 0, 512},
	{"256M", 0, 256ULL << 20},
	{"2G", 0, 2ULL << 30},
	{"1T", 0, 1ULL << 40},
	{"15E", 0, 15ULL << 60},
	{"18446744073709551615", 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0},
	{"16E", -ERANGE, 0},
	{"99999999999999999999K", -ERANGE, 0},
	{"", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"1KK", -EINVAL, 0},
	{"1Ki", -EINVAL, 0},
	{"1iB", -EINVAL, 0},
	{"1KiBs", -EINVAL, 0},
	{"K", -EINVAL, 0},
	{"1.5G", -EINVAL, 0},
	{"1X", -EINVAL, 0},
	{"\xff", -EINVAL, 0},
	{"1\xff", -EINVAL, 0},
};

START_TEST(units_size)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t value = 0;
		int rc = size_parse(sizes[i].text, &value);

		ck_assert_msg(rc == sizes[i].rc, "\"%s\": %d", sizes[i].text, rc);
		if (!rc)
			ck_assert_uint_eq(value, sizes[i].value);
	}
}
END_TEST

static const struct {
	const char *text;
	int rc;
	uint64_t value;
} durations[] = {
	{"0", 0, 0},
	{"5", 0, 5000000000},
	{"500ms", 0, 500000000},
	{"30s", 0, 30000000000},
	{"10m", 0, 600000000000},
	{"24h", 0, 86400000000000},
	{"7d", 0, 604800000000000},
	{"36525d", 0, 3155760000000000000},
	{"36526d", -ERANGE, 0},
	{"18446744073709551615d", -ERANGE, 0},
	{"18446744073709551616s", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"-5s", -EINVAL, 0},
	{"5 s", -EINVAL, 0},
	{"5S", -EINVAL, 0},
	{"5sec", -EINVAL, 0},
	{"1h30m", -EINVAL, 0},
	{"0x5", -EINVAL, 0},
};

START_TEST(units_duration)
{
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		uint64_t value = 0;
		int rc = duration_parse(durations[i].text, &value);

		ck_assert_msg(rc == durations[i].rc, "\"%s\": %d", durations[i].text, rc);
		if (!rc)
			ck_assert_uint_eq(value, durations[i].value);
	}
}
END_TEST

static const struct {
	const char *text;
	int rc;
	uint64_t value;
} numbers[] = {
	{"0", 0, 0},
	{"010", 0, 10},
	{"0x1F", 0, 31},
	{"0XfF", 0, 255},
	{"18446744073709551615", 0, UINT64_MAX},
	{"0xffffffffffffffff", 0, UINT64_MAX},
	{"0x10000000000000000", -ERANGE, 0},
	{"18446744073709551616", -ERANGE, 0},
	{"0x", -EINVAL, 0},
	{"0xg", -EINVAL, 0},
	{"0x-1", -EINVAL, 0},
	{"x10", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"-0", -EINVAL, 0},
	{"12a", -EINVAL, 0},
	{"1K", -EINVAL, 0},
	{"\t1", -EINVAL, 0},
};

START_TEST(units_number)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t value = 0;
		int rc = number_parse(numbers[i].text, &value);

		ck_assert_msg(rc == numbers[i].rc, "\"%s\": %d", numbers[i].text, rc);
		if (!rc)
			ck_assert_uint_eq(value, numbers[i].value);
	}
}
END_TEST

START_TEST(units_format)
{
	char buf[32], small[6];

	ck_assert_str_eq(size_format(0, buf, sizeof(buf)), "0 B");
	ck_assert_str_eq(size_format(1023, buf, sizeof(buf)), "1023 B");
	ck_assert_str_eq(size_format(65536, buf, sizeof(buf)), "64 KiB");
	ck_assert_str_eq(size_format(3ULL << 29, buf, sizeof(buf)), "1.5 GiB");
	ck_assert_str_eq(size_format(UINT64_MAX, buf, sizeof(buf)), "16 EiB");
	ck_assert_str_eq(count_format(0, buf, sizeof(buf)), "0");
	ck_assert_str_eq(count_format(999, buf, sizeof(buf)), "999");
	ck_assert_str_eq(count_format(1000, buf, sizeof(buf)), "1,000");
	ck_assert_str_eq(count_format(1234567, buf, sizeof(buf)), "1,234,567");
	ck_assert_str_eq(count_format(UINT64_MAX, buf, sizeof(buf)), "18,446,744,073,709,551,615");
	/* Never beyond the buffer. */
	count_format(UINT64_MAX, small, sizeof(small));
	ck_assert_uint_lt(strlen(small), sizeof(small));
	size_format(UINT64_MAX - 1, small, sizeof(small));
	ck_assert_uint_lt(strlen(small), sizeof(small));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *tc = tcase_create("units");

	tcase_add_test(tc, units_size);
	tcase_add_test(tc, units_duration);
	tcase_add_test(tc, units_number);
	tcase_add_test(tc, units_format);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
