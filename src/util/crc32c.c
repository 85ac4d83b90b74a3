/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/crc32c.h"

#include <limits.h>

#include <isa-l/crc.h>

/* Reflected; RFC 3720 writes it as 0x11edc6f41. */
#define POLYNOMIAL 0x82f63b78u

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

uint32_t crc32c_before(uint32_t crc, uint32_t word)
{
	uint32_t state = ~crc;

	for (int bit = 0; bit < 32; bit++)
		state = state >> 31 ? (state ^ POLYNOMIAL) << 1 | 1 : state << 1;
	return ~(state ^ word);
}
