/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, durations and counts as people type and read them. */
#ifndef CHURNFS_UTIL_UNITS_H
#define CHURNFS_UTIL_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Parses "4096", "64K", "256M", "2G", "1T" (powers of 1024, an optional "iB" or "B" follows).
 * Returns 0, -EINVAL for anything else, or -ERANGE when it does not fit 64 bits.
 */
int size_parse(const char *text, uint64_t *bytes);

/*
 * Parses "500ms", "30s", "10m", "24h", "7d"; a bare number counts seconds.
 * Returns 0, -EINVAL, or -ERANGE when it exceeds 100 years.
 */
int duration_parse(const char *text, uint64_t *ns);

/* Parses an unsigned decimal or 0x number, nothing else around it. Returns 0, -EINVAL or -ERANGE.
 */
int number_parse(const char *text, uint64_t *value);

/* Writes BYTES as "512 B", "64 KiB", "1.5 GiB" into BUF and returns BUF. */
char *size_format(uint64_t bytes, char *buf, size_t len);

/* Writes VALUE with commas between thousands ("1,234,567") into BUF and returns BUF. */
char *count_format(uint64_t value, char *buf, size_t len);

#endif
