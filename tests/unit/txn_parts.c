/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "txn_parts.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "integrity/tag.h"

struct blkdev *dev;
struct ledger *ledger;
struct txn_mgr *mgr;

struct block_ref ref_of(uint64_t block)
{
	return (struct block_ref){.block = block, .owner = block + 1, .type = CFS_BLOCK_DIR};
}

void setup(void)
{
	struct ledger_geometry geometry = {.block_size = BS, .blocks = BLOCKS, .uuid = {1, 2, 3}};
	int fd = memfd_create("churnfs-test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ledger_create(fd, &geometry, &ledger), 0);
	close(fd);
	dev = emudev_create((uint64_t)BLOCKS * BS);
	ck_assert_int_eq(txn_mgr_create(dev, ledger, FIRST_GENERATION, &mgr), 0);
}

void teardown(void)
{
	txn_mgr_destroy(mgr);
	blkdev_close(dev);
	ledger_detach(ledger);
}

uint64_t image_value(const void *image)
{
	uint64_t value;

	memcpy(&value, (const char *)image + sizeof(struct cfs_tag), sizeof(value));
	return value;
}

void image_set(void *image, uint64_t value)
{
	memcpy(tag_payload(image), &value, sizeof(value));
}

int value_read(uint64_t block, uint64_t *value)
{
	struct block_ref ref = ref_of(block);
	_Alignas(8) uint8_t image[BS];
	struct txn txn;
	int rc;

	txn_begin(&txn, mgr);
	rc = txn_read(&txn, &ref, image);
	txn_abort(&txn);
	if (!rc)
		*value = image_value(image);
	return rc;
}

int value_write(uint64_t block, uint64_t value, bool create)
{
	struct block_ref ref = ref_of(block);
	struct txn txn;
	void *image;
	int rc;

	txn_begin(&txn, mgr);
	rc = create ? txn_create(&txn, &ref, &image) : txn_get(&txn, &ref, &image);
	if (rc) {
		txn_abort(&txn);
		return rc;
	}
	image_set(image, value);
	return txn_commit(&txn);
}

void expect_value(uint64_t block, uint64_t want)
{
	uint64_t value = 0;

	ck_assert_int_eq(value_read(block, &value), 0);
	ck_assert_uint_eq(value, want);
}
