/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 3: every kind of fault, made by hand and by random trials, must get its own name. */
#include <errno.h>
#include <string.h>

#include "classify_parts.h"

#define TRIALS 2000

static const uint32_t block_sizes[] = {1024, 2048, 4096};
#define SIZES ((int)(sizeof(block_sizes) / sizeof(block_sizes[0])))

START_TEST(good_block)
{
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 1, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		history_random(&h, &rng, block_sizes[_i]);
		expect(&h, h.image[2], FAULT_NONE, &f);
		ck_assert_uint_eq(f.differing_bits, 0);
		ck_assert_int_eq(judge(&h, 0, h.image[0], &f), FAULT_NONE);
	}
}
END_TEST

START_TEST(stale)
{
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 2, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		history_random(&h, &rng, block_sizes[_i]);
		for (int v = 0; v < 2; v++) {
			expect(&h, h.image[v], FAULT_STALE, &f);
			ck_assert_uint_eq(f.found_generation, h.tag[v].generation);
			ck_assert_uint_eq(f.found_block, h.tag[v].block);
			ck_assert_uint_gt(f.differing_bytes, 0);
			ck_assert_uint_ge(f.differing_bits, f.differing_bytes);
		}
	}
}
END_TEST

START_TEST(future)
{
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 3, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		history_random(&h, &rng, block_sizes[_i]);
		ck_assert_int_eq(judge(&h, 1, h.image[2], &f), FAULT_FUTURE);
		ck_assert_uint_eq(f.found_generation, h.tag[2].generation);
	}
}
END_TEST

START_TEST(torn_previous)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 4, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		history_random(&h, &rng, block_sizes[_i]);
		torn_make(&h, 1, 1 + (uint32_t)rng_below(&rng, (1u << h.sectors) - 2), found);
		expect(&h, found, FAULT_TORN, &f);
	}
}
END_TEST

/* One update before was lost already: the old sectors are of the version before the previous. */
START_TEST(torn_older)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 5, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		uint32_t mask;

		history_random(&h, &rng, block_sizes[_i]);
		mask = 1 + (uint32_t)rng_below(&rng, (1u << h.sectors) - 2);
		torn_make(&h, 0, mask, found);
		expect(&h, found, FAULT_TORN, &f);
	}
}
END_TEST

START_TEST(torn_three_versions)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 6, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		uint32_t one, other;

		history_random(&h, &rng, block_sizes[_i]);
		/* Sectors of versions 0 and 1 at least; of version 2 where neither is taken. */
		one = (uint32_t)rng_below(&rng, h.sectors);
		other = (one + 1 + (uint32_t)rng_below(&rng, h.sectors - 1)) % h.sectors;
		torn_make(&h, 0, 1u << one, found);
		memcpy(found + other * CFS_SECTOR_SIZE, h.image[1] + other * CFS_SECTOR_SIZE,
		       CFS_SECTOR_SIZE);
		expect(&h, found, FAULT_TORN, &f);
	}
}
END_TEST

/* Nothing differs but the stamps and the tag, and the stamps only in one bit: every mix. */
START_TEST(torn_one_bit)
{
	static const uint64_t generations[][VERSIONS] = {
		{1, 2, 3},
		{4, 6, 7},
		{0x80000000 - 2, 0x80000000 - 1, 0xffffffff},
	};
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 7, (uint64_t)_i);
	for (int i = 0; i < 3; i++) {
		history_make(&h, &rng, block_sizes[_i], generations[i], CHANGE_NOTHING);
		ck_assert_int_eq(__builtin_popcountll(generations[i][1] ^ generations[i][2]), 1);
		for (uint32_t mask = 1; mask < (1u << h.sectors) - 1; mask++) {
			torn_make(&h, 1, mask, found);
			expect(&h, found, FAULT_TORN, &f);
		}
	}
}
END_TEST

/* Each bit of the block, those of tag and stamps included. */
START_TEST(bitflip_each_bit)
{
	/* No single bit leads from the last to the one before. */
	static const uint64_t generations[VERSIONS] = {3, 5, 10};
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 8, (uint64_t)_i);
	history_make(&h, &rng, block_sizes[_i], generations, CHANGE_FEW_BYTES);
	memcpy(found, h.image[2], h.block_size);
	for (uint32_t bit = 0; bit < h.block_size * 8; bit++) {
		bit_flip(found, bit);
		expect(&h, found, FAULT_BITFLIP, &f);
		unit_assert(f.differing_bits == 1 && f.differing_bytes == 1);
		bit_flip(found, bit);
	}
}
END_TEST

/* Up to eight bits, anywhere or, in every other trial, close together. */
START_TEST(bitflip_some_bits)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;
	int judged = 0;

	rng_seed(&rng, 9, (uint64_t)_i);
	for (int i = 0; i < 10 * TRIALS; i++) {
		uint32_t flips = 1 + (uint32_t)rng_below(&rng, 8), range = block_sizes[_i] * 8;
		uint64_t start = 0;

		if (i % 10 == 0)
			history_random(&h, &rng, block_sizes[_i]);
		memcpy(found, h.image[2], h.block_size);
		if (i % 2) {
			/* Around a stamp. */
			start = (1 + rng_below(&rng, h.sectors)) * CFS_SECTOR_SIZE * 8 - 64;
			range = 64;
		}
		for (uint32_t n = 0; n < flips; n++)
			bit_flip(found, start + rng_below(&rng, range));
		if (has_previous_stamp(&h, found) || memcmp(found, h.image[2], h.block_size) == 0)
			continue;
		expect(&h, found, FAULT_BITFLIP, &f);
		unit_assert(f.differing_bits <= flips);
		judged++;
	}
	ck_assert_int_gt(judged, 9 * TRIALS);
}
END_TEST

START_TEST(misdirected)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 10, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		struct tag_info other;

		history_random(&h, &rng, block_sizes[_i]);
		other = h.tag[2];
		other.block += 1 + rng_below(&rng, 1000);
		other.generation = 1 + rng_next(&rng) / 2;
		rng_fill(&rng, found, h.block_size);
		tag_seal(found, h.block_size, h.uuid_seed, &other);
		expect(&h, found, FAULT_MISDIRECTED, &f);
		ck_assert_uint_eq(f.found_block, other.block);
		ck_assert_uint_eq(f.found_generation, other.generation);
	}
}
END_TEST

START_TEST(foreign)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 11, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		struct tag_info other;

		history_random(&h, &rng, block_sizes[_i]);
		other = h.tag[rng_below(&rng, VERSIONS)];
		other.block += rng_below(&rng, 2);
		other.uuid[rng_below(&rng, 16)] ^= 1;
		rng_fill(&rng, found, h.block_size);
		tag_seal(found, h.block_size, tag_uuid_seed(other.uuid), &other);
		expect(&h, found, FAULT_FOREIGN, &f);
	}
}
END_TEST

START_TEST(zeroed)
{
	static const _Alignas(8) uint8_t zeros[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 12, (uint64_t)_i);
	history_random(&h, &rng, block_sizes[_i]);
	expect(&h, zeros, FAULT_ZEROED, &f);
	ck_assert_uint_eq(f.found_generation, 0);
}
END_TEST

START_TEST(garbage)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 13, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		history_random(&h, &rng, block_sizes[_i]);
		rng_fill(&rng, found, h.block_size);
		expect(&h, found, FAULT_GARBAGE, &f);
		/* One value all over: stamps that agree. */
		memset(found, 1 + (int)rng_below(&rng, 255), h.block_size);
		expect(&h, found, FAULT_GARBAGE, &f);
		/* Valid, of the right generation, but not what was written. */
		rng_fill(&rng, found, h.block_size);
		tag_seal(found, h.block_size, h.uuid_seed, &h.tag[2]);
		expect(&h, found, FAULT_GARBAGE, &f);
		/* The payload replaced under the right tag and stamps. */
		memcpy(found, h.image[2], h.block_size);
		for (uint32_t s = 0; s < h.sectors; s++)
			rng_fill(&rng, found + s * CFS_SECTOR_SIZE + sizeof(struct cfs_tag), 400);
		expect(&h, found, FAULT_GARBAGE, &f);
	}
}
END_TEST

/* The oracle has no image: what the block says of itself must do. */
START_TEST(without_expected_image)
{
	_Alignas(8) uint8_t found[CFS_BLOCK_SIZE_MAX];
	struct classify_input in;
	struct history h;
	struct finding f;
	struct rng rng;

	rng_seed(&rng, 14, (uint64_t)_i);
	for (int i = 0; i < TRIALS; i++) {
		history_random(&h, &rng, block_sizes[_i]);
		in = (struct classify_input){
			.found = found,
			.block_size = h.block_size,
			.block = h.tag[2].block,
			.expected_generation = h.tag[2].generation,
			.prev_generation = h.tag[2].prev_generation,
			.expected_crc = h.crc[2],
			.uuid = h.tag[2].uuid,
			.uuid_seed = h.uuid_seed,
		};
		torn_make(&h, 1, 1, found);
		ck_assert_int_eq(classify_block(&in, &f), FAULT_TORN);
		memcpy(found, h.image[2], h.block_size);
		ck_assert_int_eq(classify_block(&in, &f), FAULT_NONE);
		bit_flip(found, 8 * (sizeof(struct cfs_tag) + rng_below(&rng, 400)));
		ck_assert_int_eq(classify_block(&in, &f), FAULT_BITFLIP);
		memcpy(found, h.image[1], h.block_size);
		ck_assert_int_eq(classify_block(&in, &f), FAULT_STALE);
		rng_fill(&rng, found, h.block_size);
		ck_assert_int_eq(classify_block(&in, &f), FAULT_GARBAGE);
		memset(found, 0, h.block_size);
		ck_assert_int_eq(classify_block(&in, &f), FAULT_ZEROED);
		/* No metadata is known here at all. */
		in.expected_generation = 0;
		memcpy(found, h.image[2], h.block_size);
		ck_assert_int_eq(classify_block(&in, &f), FAULT_GARBAGE);
	}
}
END_TEST

START_TEST(names)
{
	enum fault_kind kind;

	for (int i = 0; i < FAULT_KINDS; i++) {
		ck_assert_int_eq(fault_kind_parse(fault_kind_name((enum fault_kind)i), &kind), 0);
		ck_assert_int_eq(kind, i);
	}
	ck_assert_int_eq(fault_kind_parse("", &kind), -EINVAL);
	ck_assert_int_eq(fault_kind_parse("stale ", &kind), -EINVAL);
	ck_assert_str_eq(fault_kind_name(FAULT_KINDS), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classify");
	TCase *tc = tcase_create("kinds");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, good_block, 0, SIZES);
	tcase_add_loop_test(tc, stale, 0, SIZES);
	tcase_add_loop_test(tc, future, 0, SIZES);
	tcase_add_loop_test(tc, torn_previous, 0, SIZES);
	tcase_add_loop_test(tc, torn_older, 0, SIZES);
	tcase_add_loop_test(tc, torn_three_versions, 0, SIZES);
	tcase_add_loop_test(tc, torn_one_bit, 0, SIZES);
	tcase_add_loop_test(tc, bitflip_each_bit, 0, SIZES);
	tcase_add_loop_test(tc, bitflip_some_bits, 0, SIZES);
	tcase_add_loop_test(tc, misdirected, 0, SIZES);
	tcase_add_loop_test(tc, foreign, 0, SIZES);
	tcase_add_loop_test(tc, zeroed, 0, SIZES);
	tcase_add_loop_test(tc, garbage, 0, SIZES);
	tcase_add_loop_test(tc, without_expected_image, 0, SIZES);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
