/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/uuid.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hyphen stands before these bytes. */
static bool hyphen_before(unsigned byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int uuid_from_text(const char *text, uint8_t uuid[16])
{
	if (strlen(text) != UUID_TEXT_LEN - 1)
		return -EINVAL;
	for (unsigned i = 0; i < 16; i++) {
		char digits[3] = {0};

		if (hyphen_before(i) && *text++ != '-')
			return -EINVAL;
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return -EINVAL;
		memcpy(digits, text, 2);
		uuid[i] = (uint8_t)strtoul(digits, NULL, 16);
		text += 2;
	}
	return 0;
}

char *uuid_to_text(const uint8_t uuid[16], char *text)
{
	char *p = text;

	for (unsigned i = 0; i < 16; i++) {
		if (hyphen_before(i))
			*p++ = '-';
		p += snprintf(p, 3, "%02x", uuid[i]);
	}
	return text;
}
