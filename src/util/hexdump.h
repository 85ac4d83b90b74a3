/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_UTIL_HEXDUMP_H
#define CHURNFS_UTIL_HEXDUMP_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints the 16-byte lines in which EXPECTED and FOUND (LEN bytes each) differ, "-" for
 * expected and "+" for found, with marks under the differing bytes. At most MAX_LINES
 * differing lines are printed; the rest are counted. Returns the number of differing bytes.
 */
size_t hexdump_diff(FILE *out, const void *expected, const void *found, size_t len,
		    size_t max_lines);

#endif
