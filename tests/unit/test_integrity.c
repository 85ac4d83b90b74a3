/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 3: tag, ledger and checker. Classification has test_classify.c. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "integrity/check.h"
#include "integrity/tag.h"
#include "integrity_parts.h"
#include "util/clock.h"
#include "util/rng.h"

START_TEST(tag_round_trip)
{
	uint32_t bs = block_sizes[_i], payload = bs - (uint32_t)sizeof(struct cfs_tag);
	_Alignas(8) uint8_t before[CFS_BLOCK_SIZE_MAX], image[CFS_BLOCK_SIZE_MAX];
	struct tag_info info;
	struct rng rng;

	rng_seed(&rng, 1, (uint64_t)_i);
	for (int i = 0; i < 500; i++) {
		uint64_t block = rng_next(&rng), generation = rng_next(&rng);

		rng_fill(&rng, before, bs);
		memcpy(image, before, bs);
		seal(image, bs, block, generation, generation / 3);
		for (uint32_t s = 0; s < bs / CFS_SECTOR_SIZE; s++)
			unit_assert(tag_sector_stamp(image, s) == (uint32_t)generation);
		ck_assert_int_eq(tag_verify(image, bs, uuid, tag_uuid_seed(uuid), block), 0);
		tag_decode(image, &info);
		ck_assert_uint_eq(info.block, block);
		ck_assert_uint_eq(info.generation, generation);
		ck_assert_uint_eq(info.prev_generation, generation / 3);
		ck_assert_uint_eq(info.owner, block + 7);
		ck_assert_uint_eq(info.type, CFS_BLOCK_DIR);
		ck_assert_mem_eq(info.uuid, uuid, sizeof(uuid));
		tag_open(image, bs);
		ck_assert_mem_eq(tag_payload(image), tag_payload(before), payload);
	}
}
END_TEST

/* The stamps cover exactly the last four bytes of each sector, and no other payload byte. */
START_TEST(tag_stamp_edges)
{
	uint32_t bs = block_sizes[_i];
	_Alignas(8) uint8_t image[CFS_BLOCK_SIZE_MAX];

	memset(image, 0xa5, bs);
	seal(image, bs, 1, 0x1122334455667788, 0);
	for (uint32_t i = sizeof(struct cfs_tag); i < bs; i++) {
		static const uint8_t stamp[] = {0x88, 0x77, 0x66, 0x55};
		uint32_t at = i % CFS_SECTOR_SIZE;

		unit_assert(image[i] == (at < 508 ? 0xa5 : stamp[at - 508]));
	}
	for (uint32_t s = 0; s < CFS_MAX_SECTORS; s++) {
		const struct cfs_tag *tag = (const void *)image;

		ck_assert_uint_eq(le32_get(tag->fixup[s]),
				  s < bs / CFS_SECTOR_SIZE ? 0xa5a5a5a5 : 0);
	}
	tag_open(image, bs);
	for (uint32_t i = sizeof(struct cfs_tag); i < bs; i++)
		unit_assert(image[i] == 0xa5);
}
END_TEST

START_TEST(tag_refuses)
{
	uint32_t bs = block_sizes[_i], uuid_seed = tag_uuid_seed(uuid);
	_Alignas(8) uint8_t image[CFS_BLOCK_SIZE_MAX] = {0}, other[16] = {9};
	struct cfs_tag *tag = (void *)image;

	seal(image, bs, 5, 1, 0);
	ck_assert_int_eq(tag_verify(image, bs, uuid, uuid_seed, 6), -EBADMSG);
	ck_assert_int_eq(tag_verify(image, bs, other, tag_uuid_seed(other), 5), -EBADMSG);
	image[bs - 1] ^= 1;
	ck_assert_int_eq(tag_verify(image, bs, uuid, uuid_seed, 5), -EBADMSG);

	/* Checksum right, but the tag says something else. */
	seal(image, bs, 5, 1, 0);
	tag->block = le64_make(6);
	tag->crc = le32_make(tag_checksum(image, bs, uuid_seed, 5));
	ck_assert_int_eq(tag_verify(image, bs, uuid, uuid_seed, 5), -EUCLEAN);
	seal(image, bs, 5, 1, 0);
	tag->magic = le32_make(1);
	tag->crc = le32_make(tag_checksum(image, bs, uuid_seed, 5));
	ck_assert_int_eq(tag_verify(image, bs, uuid, uuid_seed, 5), -EUCLEAN);
	seal(image, bs, 5, 1, 0);
	tag->sectors = le16_make(200);
	tag->crc = le32_make(tag_checksum(image, bs, uuid_seed, 5));
	ck_assert_int_eq(tag_verify(image, bs, uuid, uuid_seed, 5), -EUCLEAN);
	seal(image, bs, 5, 1, 0);
	tag->uuid[3] ^= 1;
	tag->crc = le32_make(tag_checksum(image, bs, uuid_seed, 5));
	ck_assert_int_eq(tag_verify(image, bs, uuid, uuid_seed, 5), -EUCLEAN);
}
END_TEST

START_TEST(ledger_shared)
{
	uint32_t bs = block_sizes[_i];
	_Alignas(8) uint8_t image[CFS_BLOCK_SIZE_MAX] = {0}, copy[CFS_BLOCK_SIZE_MAX];
	struct ledger_geometry geometry;
	struct ledger_snapshot snap;
	struct ledger *writer, *reader;
	uint32_t crc;
	int fd;

	writer = ledger_make(&fd, bs);
	ck_assert_int_eq(ledger_attach(fd, &reader), 0);
	close(fd);
	ledger_geometry_get(reader, &geometry);
	ck_assert_uint_eq(geometry.block_size, bs);
	ck_assert_uint_eq(geometry.blocks, BLOCKS);
	ck_assert_mem_eq(geometry.uuid, uuid, sizeof(uuid));

	ck_assert(ledger_snapshot(reader, BLOCKS - 1, &snap));
	ck_assert_uint_eq(snap.generation, 0);
	crc = seal(image, bs, BLOCKS - 1, 40, 30);
	ledger_adopt(writer, BLOCKS - 1, image, crc);
	ck_assert(!ledger_unchanged(reader, BLOCKS - 1, &snap));
	ck_assert(ledger_snapshot(reader, BLOCKS - 1, &snap));
	ck_assert_uint_eq(snap.generation, 40);
	ck_assert_uint_eq(snap.prev_generation, 30);
	ck_assert_uint_eq(snap.owner, BLOCKS - 1 + 7);
	ck_assert_uint_eq(snap.type, CFS_BLOCK_DIR);
	ck_assert_uint_eq(snap.crc, crc);
	ck_assert_uint_le(snap.written_ns, clock_now_ns());
	ck_assert_uint_gt(snap.written_ns, 0);
	ck_assert(ledger_shadow(reader, BLOCKS - 1, &snap, copy));
	ck_assert_mem_eq(copy, image, bs);
	atomic_fetch_add(&ledger_counters(writer)->reads, 3);
	ck_assert_uint_eq(atomic_load(&ledger_counters(reader)->reads), 3);
	ledger_detach(reader);
	ledger_detach(writer);
}
END_TEST

START_TEST(ledger_sequence)
{
	_Alignas(8) uint8_t image[1024] = {0}, copy[1024];
	struct ledger_snapshot snap, later;
	struct ledger *ledger;
	uint32_t crc;
	int fd;

	ledger = ledger_make(&fd, 1024);
	close(fd);
	ledger_adopt(ledger, 3, image, seal(image, 1024, 3, 1, 0));
	ck_assert(ledger_snapshot(ledger, 3, &snap));
	ledger_write_begin(ledger, 3);
	ck_assert(!ledger_unchanged(ledger, 3, &snap));
	ck_assert(!ledger_snapshot(ledger, 3, &later));
	/* Beginning twice is still one write. */
	ledger_write_begin(ledger, 3);
	ck_assert(!ledger_snapshot(ledger, 3, &later));
	tag_open(image, 1024);
	image[500] = 7;
	crc = seal(image, 1024, 3, 2, 1);
	ledger_write_end(ledger, 3, image, crc);
	ck_assert(!ledger_unchanged(ledger, 3, &snap));
	ck_assert(ledger_snapshot(ledger, 3, &later));
	ck_assert(ledger_unchanged(ledger, 3, &later));
	ck_assert_uint_eq(later.generation, 2);
	ck_assert_uint_eq(later.prev_generation, 1);
	/* The shadow belongs to the new version only. */
	ck_assert(!ledger_shadow(ledger, 3, &snap, copy));
	ck_assert(ledger_shadow(ledger, 3, &later, copy));
	ck_assert_mem_eq(copy, image, 1024);

	ledger_forget(ledger, 3);
	ck_assert(!ledger_unchanged(ledger, 3, &later));
	ck_assert(ledger_snapshot(ledger, 3, &snap));
	ck_assert_uint_eq(snap.generation, 0);

	ledger_adopt(ledger, 3, image, crc);
	ledger_write_begin(ledger, 3);
	ledger_write_failed(ledger, 3);
	ck_assert(ledger_snapshot(ledger, 3, &snap));
	ck_assert_uint_eq(snap.generation, 0);
	/* Its neighbours never moved. */
	ck_assert(ledger_snapshot(ledger, 4, &snap));
	ck_assert_uint_eq(snap.sequence, 0);
	ledger_detach(ledger);
}
END_TEST

START_TEST(ledger_attach_refuses)
{
	struct ledger *ledger, *other = NULL;
	uint64_t word;
	int fd, empty;

	empty = memfd_create("churnfs-test", MFD_CLOEXEC);
	ck_assert_int_ge(empty, 0);
	ck_assert_int_eq(ledger_attach(empty, &other), -EUCLEAN);
	ck_assert_int_eq(ftruncate(empty, 1 << 20), 0);
	ck_assert_int_eq(ledger_attach(empty, &other), -EUCLEAN);
	close(empty);
	ck_assert_int_lt(ledger_attach(-1, &other), 0);

	ledger = ledger_make(&fd, 1024);
	/* Whatever of the head, the part before the counters, is damaged must not be believed. */
	for (off_t at = 0; at < 48; at += 8) {
		uint64_t bad;

		ck_assert_int_eq(pread(fd, &word, 8, at), 8);
		bad = word ^ 0x0100000000000001;
		ck_assert_int_eq(pwrite(fd, &bad, 8, at), 8);
		ck_assert_msg(ledger_attach(fd, &other) == -EUCLEAN, "damaged at %d", (int)at);
		ck_assert_int_eq(pwrite(fd, &word, 8, at), 8);
	}
	ck_assert_int_eq(ledger_attach(fd, &other), 0);
	ledger_detach(other);
	ledger_detach(ledger);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(ledger_attach(fd, &other), -EUCLEAN);
	close(fd);
	ledger_detach(NULL);
}
END_TEST

START_TEST(ledger_keeps_first_findings)
{
	_Alignas(8) uint8_t expected[1024], found[1024];
	const void *a, *b;
	struct finding finding = {.kind = FAULT_STALE};
	struct ledger *ledger;
	int fd;

	ledger = ledger_make(&fd, 1024);
	close(fd);
	ck_assert_uint_eq(ledger_finding_count(ledger), 0);
	ck_assert_ptr_null(ledger_finding_get(ledger, 0, &a, &b));
	for (unsigned i = 0; i < LEDGER_FINDINGS_MAX + 5; i++) {
		memset(expected, (int)i, sizeof(expected));
		memset(found, (int)i + 100, sizeof(found));
		finding.block = i;
		ledger_report(ledger, &finding, 1000 + i, expected, found);
	}
	ck_assert_uint_eq(ledger_finding_count(ledger), LEDGER_FINDINGS_MAX);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->mismatches),
			  LEDGER_FINDINGS_MAX + 5);
	for (unsigned i = 0; i < LEDGER_FINDINGS_MAX; i++) {
		const struct ledger_finding *kept = ledger_finding_get(ledger, i, &a, &b);

		ck_assert_ptr_nonnull(kept);
		ck_assert_uint_eq(kept->finding.block, i);
		ck_assert_int_eq(kept->finding.kind, FAULT_STALE);
		ck_assert_uint_eq(kept->written_ns, 1000 + i);
		ck_assert_uint_eq(kept->reporter, (uint32_t)getpid());
		ck_assert_uint_gt(kept->when_ns, 0);
		memset(expected, (int)i, sizeof(expected));
		memset(found, (int)i + 100, sizeof(found));
		ck_assert_mem_eq(a, expected, sizeof(expected));
		ck_assert_mem_eq(b, found, sizeof(found));
	}
	ck_assert_ptr_null(ledger_finding_get(ledger, LEDGER_FINDINGS_MAX, &a, &b));
	ledger_detach(ledger);
}
END_TEST

/* By another way than tag_seal() sums up: they must agree on every number and size. */
START_TEST(checker_matches_sealed)
{
	struct checker checker;
	struct ledger *ledger;
	struct rng rng;
	int fd;

	rng_seed(&rng, 4, 0);
	for (uint32_t bs = 1024; bs <= 4096; bs *= 2) {
		ledger = ledger_make(&fd, bs);
		close(fd);
		checker_init(&checker, ledger);
		for (unsigned i = 0; i < 2000; i++) {
			_Alignas(8) uint8_t image[4096];
			uint64_t block = rng_next(&rng) >> rng_below(&rng, 64), other;
			uint64_t bit = rng_below(&rng, bs * 8);
			struct ledger_snapshot snap = {.generation = i + 1};

			rng_fill(&rng, image, bs);
			snap.crc = seal(image, bs, block, i + 1, i);
			unit_assert(checker_match(&checker, block, &snap, image));
			other = block ^ 1ULL << rng_below(&rng, 64);
			unit_assert(!checker_match(&checker, other, &snap, image));
			image[bit / 8] ^= (uint8_t)(1u << bit % 8);
			unit_assert(!checker_match(&checker, block, &snap, image));
			image[bit / 8] ^= (uint8_t)(1u << bit % 8);
			snap.crc ^= 1u << bit % 32;
			unit_assert(!checker_match(&checker, block, &snap, image));
		}
		ledger_detach(ledger);
	}
}
END_TEST

START_TEST(checker_names_lost_update)
{
	_Alignas(8) uint8_t old[2048] = {0}, new[2048] = {0};
	const void *expected, *found;
	struct ledger_snapshot snap;
	struct checker checker;
	struct finding finding;
	struct ledger *ledger;
	int fd;

	ledger = ledger_make(&fd, 2048);
	close(fd);
	checker_init(&checker, ledger);
	ledger_adopt(ledger, 9, old, seal(old, 2048, 9, 10, 0));
	new[1000] = 1;
	ledger_adopt(ledger, 9, new, seal(new, 2048, 9, 12, 10));
	ck_assert(ledger_snapshot(ledger, 9, &snap));
	ck_assert(checker_match(&checker, 9, &snap, new));
	ck_assert(!checker_match(&checker, 9, &snap, old));
	/* A good block is no finding, even if someone asks. */
	ck_assert(!checker_report(&checker, 9, &snap, new, &finding));
	ck_assert_uint_eq(ledger_finding_count(ledger), 0);
	ck_assert(checker_report(&checker, 9, &snap, old, &finding));
	ck_assert_int_eq(finding.kind, FAULT_STALE);
	ck_assert_uint_eq(finding.expected_generation, 12);
	ck_assert_uint_eq(finding.found_generation, 10);
	ck_assert_uint_eq(ledger_finding_count(ledger), 1);
	ck_assert_ptr_nonnull(ledger_finding_get(ledger, 0, &expected, &found));
	ck_assert_mem_eq(expected, new, 2048);
	ck_assert_mem_eq(found, old, 2048);
	/* Written again since: nothing may be judged by the old snapshot. */
	ledger_write_begin(ledger, 9);
	ck_assert(!checker_report(&checker, 9, &snap, old, &finding));
	ck_assert_uint_eq(ledger_finding_count(ledger), 1);
	ledger_detach(ledger);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("integrity");
	TCase *tc = tcase_create("tag");

	tcase_add_loop_test(tc, tag_round_trip, 0, 3);
	tcase_add_loop_test(tc, tag_stamp_edges, 0, 3);
	tcase_add_loop_test(tc, tag_refuses, 0, 3);
	suite_add_tcase(suite, tc);
	tc = tcase_create("ledger");
	tcase_add_loop_test(tc, ledger_shared, 0, 3);
	tcase_add_test(tc, ledger_sequence);
	tcase_add_test(tc, ledger_attach_refuses);
	tcase_add_test(tc, ledger_keeps_first_findings);
	tcase_add_test(tc, checker_matches_sealed);
	tcase_add_test(tc, checker_names_lost_update);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, integrity_hammer_case());
	return unit_run(suite);
}
