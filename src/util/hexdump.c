/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/hexdump.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define LINE_BYTES 16

static void line_print(FILE *out, char sign, size_t offset, const uint8_t *p, size_t n)
{
	fprintf(out, "%c %06zx ", sign, offset);
	for (size_t i = 0; i < LINE_BYTES; i++) {
		if (i < n)
			fprintf(out, " %02x", p[i]);
		else
			fputs("   ", out);
	}
	fputs("  |", out);
	for (size_t i = 0; i < n; i++)
		fputc(isprint(p[i]) ? p[i] : '.', out);
	fputs("|\n", out);
}

static void marks_print(FILE *out, const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t last = 0;

	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			last = i;
	fputs("         ", out);
	for (size_t i = 0; i <= last; i++)
		fputs(a[i] != b[i] ? " ^^" : "   ", out);
	fputc('\n', out);
}

size_t hexdump_diff(FILE *out, const void *expected, const void *found, size_t len,
		    size_t max_lines)
{
	const uint8_t *a = expected, *b = found;
	size_t differing = 0, lines = 0;

	for (size_t off = 0; off < len; off += LINE_BYTES) {
		size_t n = len - off < LINE_BYTES ? len - off : LINE_BYTES;

		if (memcmp(a + off, b + off, n) == 0)
			continue;
		for (size_t i = 0; i < n; i++)
			differing += a[off + i] != b[off + i];
		if (lines++ >= max_lines)
			continue;
		line_print(out, '-', off, a + off, n);
		line_print(out, '+', off, b + off, n);
		marks_print(out, a + off, b + off, n);
	}
	if (lines > max_lines)
		fprintf(out, "  ... %zu more differing lines\n", lines - max_lines);
	return differing;
}
