/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * Length of the character at P if it is whole, in its shortest form, and may be printed; else 0
 * (Unicode 15, table 3-7).
 */
static size_t sequence_len(const char *p, size_t len)
{
	const uint8_t *b = (const uint8_t *)p;
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (b[0] < 0x80)
		return b[0] >= 0x20 && b[0] != 0x7f;
	if (b[0] >= 0xc2 && b[0] <= 0xdf)
		n = 2;
	else if ((b[0] & 0xf0) == 0xe0)
		n = 3;
	else if (b[0] >= 0xf0 && b[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (b[0] == 0xc2)
		low = 0xa0; /* U+0080 to U+009F are control characters */
	else if (b[0] == 0xe0)
		low = 0xa0;
	else if (b[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (b[0] == 0xf0)
		low = 0x90;
	else if (b[0] == 0xf4)
		high = 0x8f;
	if (len < n || b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool utf8_printable(const char *text, size_t len)
{
	while (len) {
		size_t n = sequence_len(text, len);

		if (n == 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

char *utf8_escape(const char *text, size_t len, char *out)
{
	char *to = out;

	while (len) {
		size_t n = sequence_len(text, len);

		if (n == 0) {
			to += snprintf(to, 5, "\\x%02x", (unsigned char)*text);
			n = 1;
		} else {
			if (*text == '\\')
				*to++ = '\\';
			memcpy(to, text, n);
			to += n;
		}
		text += n;
		len -= n;
	}
	*to = 0;
	return out;
}
