/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text form of a uuid (RFC 4122): 8-4-4-4-12 hexadecimal digits, in the order of the bytes. */
#ifndef CHURNFS_UTIL_UUID_H
#define CHURNFS_UTIL_UUID_H

#include <stdint.h>

#define UUID_TEXT_LEN 37 /* with the terminating zero */

/* Returns 0, or -EINVAL for anything but exactly one uuid. */
int uuid_from_text(const char *text, uint8_t uuid[16]);

/* Writes UUID_TEXT_LEN bytes, lower case, and returns TEXT. */
char *uuid_to_text(const uint8_t uuid[16], char *text);

#endif
