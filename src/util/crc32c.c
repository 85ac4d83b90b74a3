/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/crc32c.h"

#include <limits.h>

#include <isa-l/crc.h>

uint32_t crc32c(uint32_t seed, const void *buf, size_t len)
{
	/* ISA-L neither inverts nor takes const, and counts in int. */
	unsigned char *p = (unsigned char *)(uintptr_t)buf;
	uint32_t crc = ~seed;

	while (len > INT_MAX) {
		crc = crc32_iscsi(p, INT_MAX, crc);
		p += INT_MAX;
		len -= INT_MAX;
	}
	return ~crc32_iscsi(p, (int)len, crc);
}
