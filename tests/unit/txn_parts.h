/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions over an emulated device: what tests of layer 4 share. */
#ifndef CHURNFS_TESTS_TXN_PARTS_H
#define CHURNFS_TESTS_TXN_PARTS_H

#include <stdint.h>

#include "emudev.h"
#include "journal/txn.h"
#include "unit.h"

#define BS 1024u
/* More than the stripes of block locks, so that blocks can share one. */
#define BLOCKS 8192u
#define FIRST_GENERATION 100u

extern struct blkdev *dev;
extern struct ledger *ledger;
extern struct txn_mgr *mgr;

/* Of each test. */
void setup(void);
void teardown(void);

struct block_ref ref_of(uint64_t block);

/* Each block's payload begins with one number. */
uint64_t image_value(const void *image);
void image_set(void *image, uint64_t value);

/* In a transaction of its own. Returns 0 or what that fails with. */
int value_read(uint64_t block, uint64_t *value);
int value_write(uint64_t block, uint64_t value, bool create);
void expect_value(uint64_t block, uint64_t want);

/* Transactions of several threads. */
TCase *txn_threads_case(void);

#endif
