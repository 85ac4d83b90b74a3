/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 4: transactions over an emulated device that fails, loses and damages writes. */
#include <errno.h>
#include <stdatomic.h>

#include "integrity/tag.h"
#include "txn_parts.h"

START_TEST(commit_is_seen)
{
	struct ledger_snapshot snap;
	_Alignas(8) uint8_t sealed[BS];
	struct tag_info tag;

	ck_assert_int_eq(value_write(5, 77, true), 0);
	expect_value(5, 77);
	ck_assert_int_eq(value_write(5, 78, false), 0);
	expect_value(5, 78);
	ck_assert_uint_eq(txn_mgr_next_generation(mgr), FIRST_GENERATION + 2);

	ck_assert_int_eq(blkdev_read(dev, sealed, BS, 5 * BS), 0);
	tag_decode(sealed, &tag);
	ck_assert_uint_eq(tag.block, 5);
	ck_assert_uint_eq(tag.owner, 6);
	ck_assert_uint_eq(tag.type, CFS_BLOCK_DIR);
	ck_assert_uint_eq(tag.generation, FIRST_GENERATION + 1);
	ck_assert_uint_eq(tag.prev_generation, FIRST_GENERATION);
	ck_assert(ledger_snapshot(ledger, 5, &snap));
	ck_assert_uint_eq(snap.generation, FIRST_GENERATION + 1);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->commits), 2);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->writes), 2);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->mismatches), 0);
}
END_TEST

START_TEST(abort_changes_nothing)
{
	struct block_ref ref = ref_of(5), fresh = ref_of(6);
	struct txn txn;
	void *image;
	uint64_t writes;

	ck_assert_int_eq(value_write(5, 1, true), 0);
	writes = emudev_writes(dev);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), 0);
	image_set(image, 2);
	ck_assert_int_eq(txn_create(&txn, &fresh, &image), 0);
	txn_abort(&txn);
	ck_assert_uint_eq(emudev_writes(dev), writes);
	expect_value(5, 1);
	/* The locks are free again. */
	ck_assert_int_eq(value_write(5, 3, false), 0);
	expect_value(5, 3);
	/* Nothing to write is not a commit. */
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_commit(&txn), 0);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->commits), 2);
}
END_TEST

START_TEST(own_changes_are_seen_others_not)
{
	struct block_ref ref = ref_of(5);
	_Alignas(8) uint8_t copy[BS];
	struct txn txn;
	void *image, *again;

	ck_assert_int_eq(value_write(5, 1, true), 0);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), 0);
	image_set(image, 2);
	expect_value(5, 1);
	ck_assert_int_eq(txn_read(&txn, &ref, copy), 0);
	ck_assert_uint_eq(image_value(copy), 2);
	ck_assert_int_eq(txn_get(&txn, &ref, &again), 0);
	ck_assert_ptr_eq(again, image);
	ck_assert_int_eq(txn_commit(&txn), 0);
	expect_value(5, 2);
}
END_TEST

START_TEST(room_is_limited)
{
	struct block_ref ref;
	struct txn txn;
	void *image;

	txn_begin(&txn, mgr);
	ck_assert_uint_eq(txn_room(&txn), TXN_MAX_BLOCKS);
	for (unsigned i = 0; i < TXN_MAX_BLOCKS; i++) {
		ref = ref_of(i);
		ck_assert_int_eq(txn_create(&txn, &ref, &image), 0);
		image_set(image, i);
	}
	ck_assert_uint_eq(txn_room(&txn), 0);
	ref = ref_of(TXN_MAX_BLOCKS);
	ck_assert_int_eq(txn_create(&txn, &ref, &image), -E2BIG);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), -E2BIG);
	ck_assert_int_eq(txn_forget(&txn, TXN_MAX_BLOCKS), -E2BIG);
	/* What is in the transaction stays in reach. */
	ref = ref_of(3);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), 0);
	ck_assert_int_eq(txn_commit(&txn), 0);
	for (unsigned i = 0; i < TXN_MAX_BLOCKS; i++)
		expect_value(i, i);
	/* One commit has one generation. */
	ck_assert_uint_eq(txn_mgr_next_generation(mgr), FIRST_GENERATION + 1);
}
END_TEST

/* Locks of blocks that could not be read must not run over the transaction's end. */
START_TEST(failed_gets_are_limited)
{
	struct txn txn;
	void *image;
	int rc = 0;

	txn_begin(&txn, mgr);
	for (unsigned i = 0; i < 2 * TXN_MAX_BLOCKS && rc != -E2BIG; i++) {
		struct block_ref ref = ref_of(i);

		rc = txn_get(&txn, &ref, &image);
		ck_assert_int_eq(rc, i < TXN_MAX_BLOCKS ? -EBADMSG : -E2BIG);
	}
	ck_assert_int_eq(rc, -E2BIG);
	txn_abort(&txn);
	ck_assert_int_eq(value_write(1, 1, true), 0);
}
END_TEST

START_TEST(forget_and_create)
{
	struct block_ref ref = ref_of(5);
	struct ledger_snapshot snap;
	struct txn txn;
	void *image;

	ck_assert_int_eq(value_write(5, 1, true), 0);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_forget(&txn, 5), 0);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), -EUCLEAN);
	ref.owner = 99;
	ck_assert_int_eq(txn_create(&txn, &ref, &image), 0);
	ck_assert_uint_eq(image_value(image), 0);
	image_set(image, 2);
	ck_assert_int_eq(txn_commit(&txn), 0);
	ck_assert(ledger_snapshot(ledger, 5, &snap));
	ck_assert_uint_eq(snap.owner, 99);
	ck_assert_uint_eq(snap.prev_generation, 0);

	/* Forgotten for good: no entry, and nothing is written into it. */
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), 0);
	image_set(image, 3);
	ck_assert_int_eq(txn_forget(&txn, 5), 0);
	ck_assert_int_eq(txn_forget(&txn, 6), 0);
	ck_assert_int_eq(txn_commit(&txn), 0);
	ck_assert(ledger_snapshot(ledger, 5, &snap));
	ck_assert_uint_eq(snap.generation, 0);
	ck_assert_uint_eq(emudev_writes(dev), 2);
	ck_assert_int_eq(value_write(5, 4, true), 0);
	expect_value(5, 4);
}
END_TEST

START_TEST(unknown_and_wrong_blocks)
{
	const struct ledger_finding *kept;
	struct block_ref ref = ref_of(5);
	const void *expected, *found;
	_Alignas(8) uint8_t image[BS];
	uint64_t value;
	struct txn txn;
	void *place;

	/* Nothing was ever written there. */
	ck_assert_int_eq(value_read(7, &value), -EBADMSG);
	kept = ledger_finding_get(ledger, 0, &expected, &found);
	ck_assert_ptr_nonnull(kept);
	ck_assert_int_eq(kept->finding.kind, FAULT_ZEROED);
	ck_assert_uint_eq(kept->finding.block, 7);

	/* Whole, but it belongs to someone else, or is something else. */
	ck_assert_int_eq(value_write(5, 1, true), 0);
	txn_begin(&txn, mgr);
	ref.owner++;
	ck_assert_int_eq(txn_read(&txn, &ref, image), -EUCLEAN);
	ref.owner--;
	ref.type = CFS_BLOCK_EXTENT;
	ck_assert_int_eq(txn_read(&txn, &ref, image), -EUCLEAN);
	/* No such block, as a damaged pointer may have it. */
	ref = ref_of(BLOCKS);
	ck_assert_int_eq(txn_read(&txn, &ref, image), -EUCLEAN);
	ref = ref_of(UINT64_MAX / BS);
	ck_assert_int_eq(txn_read(&txn, &ref, image), -EUCLEAN);
	ck_assert_int_eq(txn_get(&txn, &ref, &place), -EUCLEAN);
	ck_assert_int_eq(txn_create(&txn, &ref, &place), -EUCLEAN);
	ck_assert_int_eq(txn_forget(&txn, BLOCKS), -EUCLEAN);
	txn_abort(&txn);
}
END_TEST

START_TEST(readonly_device)
{
	ck_assert_int_eq(value_write(5, 1, true), 0);
	dev->readonly = true;
	ck_assert_int_eq(value_write(5, 2, false), -EROFS);
	ck_assert_int_eq(value_write(6, 2, true), -EROFS);
	expect_value(5, 1);
}
END_TEST

START_TEST(read_error)
{
	uint64_t value;

	ck_assert_int_eq(value_write(5, 1, true), 0);
	emudev_inject(dev, EMU_READ_ERROR, 1, 0);
	ck_assert_int_eq(value_read(5, &value), -EIO);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->io_errors), 1);
	ck_assert_uint_eq(ledger_finding_count(ledger), 0);
	expect_value(5, 1);
}
END_TEST

/* After a failed write nothing is written any more, not even by who had begun before. */
START_TEST(write_error_is_final)
{
	struct block_ref ref = ref_of(5);
	uint64_t writes, value;
	struct txn txn;
	void *image;

	for (uint64_t block = 5; block < 8; block++)
		ck_assert_int_eq(value_write(block, 1, true), 0);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &ref, &image), 0);
	image_set(image, 2);

	emudev_inject(dev, EMU_WRITE_ERROR, 1, 0);
	ck_assert_int_eq(value_write(6, 2, false), -EIO);
	ck_assert_int_eq(txn_mgr_error(mgr), -EIO);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->io_errors), 1);
	writes = emudev_writes(dev);
	ck_assert_int_eq(value_write(7, 2, false), -EIO);
	ck_assert_int_eq(value_write(8, 2, true), -EIO);
	ck_assert_int_eq(txn_commit(&txn), -EIO);
	ck_assert_uint_eq(emudev_writes(dev), writes);
	expect_value(5, 1);
	expect_value(7, 1);
	/* What the failed write left is unknown. That is an error, but no corruption. */
	ck_assert_int_eq(value_read(6, &value), -EIO);
	ck_assert_uint_eq(ledger_finding_count(ledger), 0);
	ck_assert_uint_eq(atomic_load(&ledger_counters(ledger)->mismatches), 0);
}
END_TEST

/* Two blocks in one commit, and the device does FAULT to the second. */
static const struct {
	enum emu_fault fault;
	uint64_t arg;
	enum fault_kind kind;
} faults[] = {
	{EMU_WRITE_DROP, 0, FAULT_STALE},
	{EMU_WRITE_SHORT, 512, FAULT_TORN},
	{EMU_WRITE_FLIP, 8 * 700 + 3, FAULT_BITFLIP},
	/* Block 6 gets what was meant for block 5. */
	{EMU_WRITE_MISDIRECT, 6 * BS, FAULT_STALE},
};

START_TEST(silent_fault_is_found)
{
	struct block_ref five = ref_of(5), four = ref_of(4);
	const struct ledger_finding *kept;
	const void *expected, *found;
	_Alignas(8) uint8_t device[BS];
	struct txn txn;
	uint64_t value;
	void *image;

	for (uint64_t block = 4; block < 7; block++)
		ck_assert_int_eq(value_write(block, block, true), 0);
	txn_begin(&txn, mgr);
	ck_assert_int_eq(txn_get(&txn, &four, &image), 0);
	image_set(image, 40);
	ck_assert_int_eq(txn_get(&txn, &five, &image), 0);
	image_set(image, 50);
	emudev_inject(dev, faults[_i].fault, 2, faults[_i].arg);
	ck_assert_int_eq(txn_commit(&txn), 0);
	expect_value(4, 40);
	ck_assert_uint_eq(ledger_finding_count(ledger), 0);

	ck_assert_int_eq(value_read(5, &value), -EBADMSG);
	ck_assert_uint_eq(ledger_finding_count(ledger), 1);
	kept = ledger_finding_get(ledger, 0, &expected, &found);
	ck_assert_ptr_nonnull(kept);
	ck_assert_int_eq(kept->finding.kind, faults[_i].kind);
	ck_assert_uint_eq(kept->finding.block, 5);
	ck_assert_uint_eq(kept->finding.owner, 6);
	ck_assert_uint_eq(kept->finding.expected_generation, FIRST_GENERATION + 3);
	ck_assert_uint_eq(kept->finding.found_generation, faults[_i].kind == FAULT_STALE
								  ? FIRST_GENERATION + 1
								  : FIRST_GENERATION + 3);
	ck_assert_int_eq(blkdev_read(dev, device, BS, 5 * BS), 0);
	ck_assert_mem_eq(found, device, BS);
	ck_assert_mem_ne(expected, found, BS);
	/* It is never given out, and never repaired. */
	ck_assert_int_eq(value_write(5, 51, false), -EBADMSG);
	ck_assert_int_eq(blkdev_read(dev, device, BS, 5 * BS), 0);
	ck_assert_mem_eq(found, device, BS);

	if (faults[_i].fault == EMU_WRITE_MISDIRECT) {
		ck_assert_int_eq(value_read(6, &value), -EBADMSG);
		kept = ledger_finding_get(ledger, 2, &expected, &found);
		ck_assert_ptr_nonnull(kept);
		ck_assert_int_eq(kept->finding.kind, FAULT_MISDIRECTED);
		ck_assert_uint_eq(kept->finding.block, 6);
		ck_assert_uint_eq(kept->finding.found_block, 5);
	}
}
END_TEST

/* Blocks that share a lock, in one transaction and in any order. */
START_TEST(stripes_are_shared)
{
	struct block_ref ref;
	struct txn txn;
	void *image;

	txn_begin(&txn, mgr);
	for (uint64_t i = 0; i < 2; i++) {
		ref = ref_of(9 + i * (BLOCKS / 2));
		ck_assert_int_eq(txn_create(&txn, &ref, &image), 0);
		image_set(image, i);
		/* Downwards, but free. */
		ref = ref_of(3 - i);
		ck_assert_int_eq(txn_create(&txn, &ref, &image), 0);
	}
	ck_assert_int_eq(txn_commit(&txn), 0);
	expect_value(9, 0);
	expect_value(9 + BLOCKS / 2, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("txn");
	TCase *tc = tcase_create("one thread");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, commit_is_seen);
	tcase_add_test(tc, abort_changes_nothing);
	tcase_add_test(tc, own_changes_are_seen_others_not);
	tcase_add_test(tc, room_is_limited);
	tcase_add_test(tc, failed_gets_are_limited);
	tcase_add_test(tc, forget_and_create);
	tcase_add_test(tc, unknown_and_wrong_blocks);
	tcase_add_test(tc, readonly_device);
	tcase_add_test(tc, stripes_are_shared);
	suite_add_tcase(suite, tc);
	tc = tcase_create("faults");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, read_error);
	tcase_add_test(tc, write_error_is_final);
	tcase_add_loop_test(tc, silent_fault_is_found, 0,
			    (int)(sizeof(faults) / sizeof(faults[0])));
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, txn_threads_case());
	return unit_run(suite);
}
