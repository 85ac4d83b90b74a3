/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bit arrays in little-endian bit order, as they lie on disk. No locks: the caller owns the array.
 */
#ifndef CHURNFS_UTIL_BITMAP_H
#define CHURNFS_UTIL_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define BITMAP_NONE UINT32_MAX

static inline bool bitmap_test(const uint8_t *map, uint32_t bit)
{
	return map[bit / 8] & (1u << (bit % 8));
}

static inline void bitmap_set(uint8_t *map, uint32_t bit)
{
	map[bit / 8] = (uint8_t)(map[bit / 8] | (1u << (bit % 8)));
}

static inline void bitmap_clear(uint8_t *map, uint32_t bit)
{
	map[bit / 8] = (uint8_t)(map[bit / 8] & ~(1u << (bit % 8)));
}

/* Sets COUNT bits from FIRST on. */
void bitmap_set_range(uint8_t *map, uint32_t first, uint32_t count);

/* First clear bit in [from, nbits), or BITMAP_NONE. */
uint32_t bitmap_find_clear(const uint8_t *map, uint32_t nbits, uint32_t from);

/* Length of the run of clear bits that starts at FROM, at most MAX, ending at NBITS. */
uint32_t bitmap_run_clear(const uint8_t *map, uint32_t nbits, uint32_t from, uint32_t max);

/* Number of set bits in [0, nbits). */
uint32_t bitmap_count_set(const uint8_t *map, uint32_t nbits);

#endif
