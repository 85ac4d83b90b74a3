/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and labels are bytes on disk; they are shown as UTF-8 and nothing else. */
#ifndef CHURNFS_UTIL_UTF8_H
#define CHURNFS_UTIL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True if the LEN bytes are valid UTF-8 without control characters. */
bool utf8_printable(const char *text, size_t len);

/* Bytes that utf8_escape() may need for LEN bytes of text. */
#define UTF8_ESCAPED_MAX(len) (4 * (size_t)(len) + 1)

/*
 * Copies LEN bytes of text to OUT (UTF8_ESCAPED_MAX(len) bytes) and terminates them. Control
 * characters and what is not UTF-8 become \xNN, and a backslash becomes \\, so that the result can
 * be printed and turned back. Returns OUT.
 */
char *utf8_escape(const char *text, size_t len, char *out);

#endif
