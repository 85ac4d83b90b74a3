/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/pattern.h"

#include <string.h>

#define WRITE_BITS 40
#define WORKER_BITS 8
#define FIRST_MARK 0xc5a9ULL
#define UNIT_BITS 32
#define FILE_BITS 24
#define SECOND_MARK 0x9dULL

/* The finalizer of MurmurHash3 (Appleby, public domain): a bijection of 64 bits. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static uint64_t unmix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0x9cb4b2f8129337dbULL;
	x ^= x >> 33;
	x *= 0x4f74430c22a54005ULL;
	return x ^ (x >> 33);
}

static uint64_t bits(uint64_t value, unsigned count)
{
	return value & ((1ULL << count) - 1);
}

static uint64_t first_word(const struct pattern *p)
{
	uint64_t id = bits(p->write, WRITE_BITS) | (uint64_t)p->worker << WRITE_BITS |
		      FIRST_MARK << (WRITE_BITS + WORKER_BITS);

	return mix(id ^ p->key);
}

/* Mixing the first word in makes the second differ between two writes to one place. */
static uint64_t second_word(const struct pattern *p, uint64_t first, uint64_t unit)
{
	uint64_t id = bits(unit, UNIT_BITS) | bits(p->file, FILE_BITS) << UNIT_BITS |
		      SECOND_MARK << (UNIT_BITS + FILE_BITS);

	return mix(id ^ first ^ ~p->key);
}

static size_t unit_make(const struct pattern *p, uint64_t first, uint64_t offset, uint8_t *unit)
{
	uint64_t second = second_word(p, first, offset / PATTERN_UNIT);

	memcpy(unit, &first, sizeof(first));
	memcpy(unit + sizeof(first), &second, sizeof(second));
	return (size_t)(offset % PATTERN_UNIT);
}

void pattern_fill(const struct pattern *pattern, uint64_t offset, void *buf, size_t len)
{
	uint64_t first = first_word(pattern);
	uint8_t unit[PATTERN_UNIT];
	uint8_t *p = buf;

	while (len) {
		size_t skip = unit_make(pattern, first, offset, unit);
		size_t n = PATTERN_UNIT - skip < len ? PATTERN_UNIT - skip : len;

		memcpy(p, unit + skip, n);
		p += n;
		offset += n;
		len -= n;
	}
}

size_t pattern_compare(const struct pattern *pattern, uint64_t offset, const void *buf, size_t len)
{
	uint64_t first = first_word(pattern);
	uint8_t unit[PATTERN_UNIT];
	const uint8_t *p = buf;
	size_t at = 0;

	while (at < len) {
		size_t skip = unit_make(pattern, first, offset + at, unit);
		size_t n = PATTERN_UNIT - skip < len - at ? PATTERN_UNIT - skip : len - at;

		if (memcmp(p + at, unit + skip, n) != 0) {
			while (p[at] == unit[skip]) {
				at++;
				skip++;
			}
			return at;
		}
		at += n;
	}
	return len;
}

bool pattern_identify(struct pattern *found, uint64_t *offset, const void *unit)
{
	uint64_t first, second, id;

	memcpy(&first, unit, sizeof(first));
	memcpy(&second, (const uint8_t *)unit + sizeof(first), sizeof(second));
	id = unmix(first) ^ found->key;
	if (id >> (WRITE_BITS + WORKER_BITS) != FIRST_MARK)
		return false;
	found->write = bits(id, WRITE_BITS);
	found->worker = (uint8_t)bits(id >> WRITE_BITS, WORKER_BITS);
	id = unmix(second) ^ first ^ ~found->key;
	if (id >> (UNIT_BITS + FILE_BITS) != SECOND_MARK)
		return false;
	found->file = (uint32_t)bits(id >> UNIT_BITS, FILE_BITS);
	*offset = bits(id, UNIT_BITS) * PATTERN_UNIT;
	return true;
}
