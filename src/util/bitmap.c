/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/bitmap.h"

void bitmap_set_range(uint8_t *map, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		bitmap_set(map, first + i);
}

uint32_t bitmap_find_clear(const uint8_t *map, uint32_t nbits, uint32_t from)
{
	for (uint32_t bit = from; bit < nbits; bit++) {
		if (bit % 8 == 0) {
			while (bit < nbits && map[bit / 8] == 0xff)
				bit += 8;
			if (bit >= nbits)
				break;
		}
		if (!bitmap_test(map, bit))
			return bit;
	}
	return BITMAP_NONE;
}

uint32_t bitmap_run_clear(const uint8_t *map, uint32_t nbits, uint32_t from, uint32_t max)
{
	uint32_t run = 0;

	while (run < max && from + run < nbits && !bitmap_test(map, from + run))
		run++;
	return run;
}

uint32_t bitmap_count_set(const uint8_t *map, uint32_t nbits)
{
	uint32_t count = 0;

	for (uint32_t byte = 0; byte < nbits / 8; byte++)
		count += (uint32_t)__builtin_popcount(map[byte]);
	for (uint32_t bit = nbits & ~7u; bit < nbits; bit++)
		count += bitmap_test(map, bit);
	return count;
}
