/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions: every change of metadata goes begin, get block for write, commit. Commit seals
 * the changed blocks with one new generation, writes them in place through the page cache and
 * enters them in the ledger. A write-ahead journal fits under txn_commit() without a change above.
 *
 * Locks: a block got for writing stays locked until the transaction ends, so transactions that
 * share a block (an inode-table block, a group's bitmaps) follow one another, and others run side
 * by side. Block locks are striped by block number and taken in stripe order where possible; where
 * it is not and the lock is taken, the call returns -EDEADLK and the whole operation is to be
 * repeated: txn_abort(), then txn_backoff(), then from txn_begin() on. Nothing was written, so
 * nothing is to be undone. Inode locks (layer 6) are taken before any block lock.
 *
 * A struct txn lives on its caller's stack and belongs to one thread.
 */
#ifndef CHURNFS_JOURNAL_TXN_H
#define CHURNFS_JOURNAL_TXN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "blkdev/blkdev.h"
#include "integrity/check.h"
#include "ondisk/format.h"

/* Blocks that one transaction may change; operations that need more go in several. */
#define TXN_MAX_BLOCKS 48u

struct txn_mgr;

/* Names a metadata block and what it must be. */
struct block_ref {
	uint64_t block;
	uint64_t owner; /* inode number or group, as in the tag */
	enum cfs_block_type type;
};

struct txn_block {
	struct block_ref ref;
	uint64_t prev_generation; /* 0: the block is new */
	void *image;		  /* open, one filesystem block */
	bool forgotten;
};

struct txn {
	struct txn_mgr *mgr;
	unsigned count;
	unsigned stripes;
	unsigned waiting; /* stripe that -EDEADLK was returned for */
	struct txn_block blocks[TXN_MAX_BLOCKS];
	uint16_t held[TXN_MAX_BLOCKS]; /* stripes, in the order taken */
};

/*
 * DEV and LEDGER stay the caller's. NEXT_GENERATION is the first id to use. Returns 0 or -ENOMEM.
 */
int txn_mgr_create(struct blkdev *dev, struct ledger *ledger, uint64_t next_generation,
		   struct txn_mgr **mgr);
void txn_mgr_destroy(struct txn_mgr *mgr);

/* The next id that a commit would use. */
uint64_t txn_mgr_next_generation(const struct txn_mgr *mgr);

/* 0, or the negative errno that a commit failed with; from then on nothing is written any more. */
int txn_mgr_error(const struct txn_mgr *mgr);

void txn_begin(struct txn *txn, struct txn_mgr *mgr);

/*
 * Copies the open block REF into IMAGE (block size bytes): the transaction's own version if it
 * has one, else the device's, checked against tag and ledger. Takes no lock; the caller's inode
 * lock keeps the block from changing meaning. Returns 0, -EIO when the device fails or
 * has failed to write the block, -EBADMSG when the block is not what it must be (then already
 * reported), and -EUCLEAN when REF is wrong: the block is someone else's, or there is none.
 */
int txn_read(struct txn *txn, const struct block_ref *ref, void *image);

/*
 * Locks the block and returns its open image for changing. Errors as txn_read(), and: -EDEADLK as
 * described above; -E2BIG when the transaction is full; -EROFS or the earlier error when nothing
 * may be written.
 */
int txn_get(struct txn *txn, const struct block_ref *ref, void **image);

/* As txn_get() for a block that becomes metadata now: nothing is read, the payload is zero. */
int txn_create(struct txn *txn, const struct block_ref *ref, void **image);

/* The block stops being metadata with this transaction. Errors as txn_get(), without a read. */
int txn_forget(struct txn *txn, uint64_t block);

/* Room left, in blocks: for operations that cut their work in pieces. */
static inline unsigned txn_room(const struct txn *txn)
{
	return TXN_MAX_BLOCKS - txn->count;
}

/*
 * Writes what was changed and ends the transaction, also on error. Returns 0, or the negative
 * errno of the device, after which the manager refuses further changes.
 */
int txn_commit(struct txn *txn);

/* Ends the transaction without writing. Also the end of a transaction that only read. */
void txn_abort(struct txn *txn);

/* After -EDEADLK and txn_abort(): waits until the contended block is free. */
void txn_backoff(struct txn *txn);

#endif
