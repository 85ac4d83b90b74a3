/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* strtoull() takes signs and leading blanks, which are typing errors here. */
static int digits_parse(const char *text, int base, uint64_t *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	*rest = end;
	return 0;
}

int number_parse(const char *text, uint64_t *value)
{
	const char *rest;
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	int rc = digits_parse(text, base, value, &rest);

	if (rc)
		return rc;
	return *rest ? -EINVAL : 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGTPE";
	const char *rest, *unit;
	unsigned shift = 0;
	uint64_t value;
	int rc = digits_parse(text, 10, &value, &rest);

	if (rc)
		return rc;
	unit = *rest ? strchr(units, toupper((unsigned char)*rest)) : NULL;
	if (unit) {
		shift = (unsigned)(unit - units + 1) * 10;
		rest++;
		if (strcmp(rest, "iB") == 0)
			rest += 2;
	}
	if (strcmp(rest, "B") == 0)
		rest++;
	if (*rest)
		return -EINVAL;
	if (shift && value > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = value << shift;
	return 0;
}

int duration_parse(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"", 1000000000ULL},	     {"ms", 1000000ULL},
		{"s", 1000000000ULL},	     {"m", 60 * 1000000000ULL},
		{"h", 3600 * 1000000000ULL}, {"d", 86400 * 1000000000ULL},
	};
	const uint64_t limit = 36525ULL * 86400 * 1000000000;
	const char *rest;
	uint64_t value;
	int rc = digits_parse(text, 10, &value, &rest);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		if (value > limit / units[i].ns)
			return -ERANGE;
		*ns = value * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

char *size_format(uint64_t bytes, char *buf, size_t len)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(names) / sizeof(names[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, len, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s", value,
		 names[unit]);
	return buf;
}

char *count_format(uint64_t value, char *buf, size_t len)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	size_t out = 0;

	for (int i = 0; i < n && out + 2 < len; i++) {
		if (i && (n - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = 0;
	return buf;
}
