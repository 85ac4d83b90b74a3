/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/txn.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "integrity/tag.h"
#include "util/log.h"

#define TXN_STRIPES 4096u
#define NO_STRIPE UINT32_MAX

struct txn_mgr {
	struct blkdev *dev;
	struct ledger *ledger;
	struct ledger_counters *counters;
	struct checker checker;
	uint32_t block_size;
	uint64_t blocks;		      /* of the device */
	_Atomic uint64_t generation;	      /* next id */
	_Atomic int error;		      /* first failed commit */
	pthread_mutex_t stripes[TXN_STRIPES]; /* stripe n: every block with number % STRIPES == n */
};

int txn_mgr_create(struct blkdev *dev, struct ledger *ledger, uint64_t next_generation,
		   struct txn_mgr **out)
{
	struct txn_mgr *mgr = calloc(1, sizeof(*mgr));
	struct ledger_geometry geometry;

	if (!mgr)
		return -ENOMEM;
	mgr->dev = dev;
	mgr->ledger = ledger;
	mgr->counters = ledger_counters(ledger);
	checker_init(&mgr->checker, ledger);
	ledger_geometry_get(ledger, &geometry);
	mgr->block_size = geometry.block_size;
	mgr->blocks = geometry.blocks;
	atomic_store(&mgr->generation, next_generation);
	for (unsigned i = 0; i < TXN_STRIPES; i++)
		pthread_mutex_init(&mgr->stripes[i], NULL);
	*out = mgr;
	return 0;
}

void txn_mgr_destroy(struct txn_mgr *mgr)
{
	if (!mgr)
		return;
	for (unsigned i = 0; i < TXN_STRIPES; i++)
		pthread_mutex_destroy(&mgr->stripes[i]);
	free(mgr);
}

uint64_t txn_mgr_next_generation(const struct txn_mgr *mgr)
{
	return atomic_load(&mgr->generation);
}

int txn_mgr_error(const struct txn_mgr *mgr)
{
	return atomic_load(&mgr->error);
}

void txn_begin(struct txn *txn, struct txn_mgr *mgr)
{
	txn->mgr = mgr;
	txn->count = 0;
	txn->stripes = 0;
	txn->waiting = NO_STRIPE;
}

static void io_error_note(struct txn_mgr *mgr, const char *what, uint64_t block, int rc)
{
	atomic_fetch_add(&mgr->counters->io_errors, 1);
	log_error("%s of block %llu failed: %s", what, (unsigned long long)block, strerror(-rc));
}

static void finding_log(const struct finding *f)
{
	log_error("block %llu (%s, owner %llu) is %s: expected generation %llu, found %llu",
		  (unsigned long long)f->block, tag_type_name(f->type),
		  (unsigned long long)f->owner, fault_kind_name(f->kind),
		  (unsigned long long)f->expected_generation,
		  (unsigned long long)f->found_generation);
}

/*
 * Judges a block that was read while SNAP stood. Returns 0, -EBADMSG (reported), or -EAGAIN when
 * it was overwritten meanwhile.
 */
static int image_judge(struct txn_mgr *mgr, const struct block_ref *ref,
		       struct ledger_snapshot *snap, const void *image)
{
	struct finding finding;
	bool good = snap->generation && checker_match(&mgr->checker, ref->block, snap, image);

	if (!ledger_unchanged(mgr->ledger, ref->block, snap))
		return -EAGAIN;
	/* A failed write may have left anything there, and nobody is to blame for it. */
	if (!snap->generation && txn_mgr_error(mgr))
		return -EIO;
	atomic_fetch_add_explicit(&mgr->counters->verified, 1, memory_order_relaxed);
	if (good) {
		if (snap->type == (uint32_t)ref->type && snap->owner == ref->owner)
			return 0;
		log_error("block %llu is a %s block of %llu where a %s block of %llu is expected",
			  (unsigned long long)ref->block, tag_type_name(snap->type),
			  (unsigned long long)snap->owner, tag_type_name(ref->type),
			  (unsigned long long)ref->owner);
		return -EUCLEAN;
	}
	if (!snap->generation) {
		snap->type = ref->type;
		snap->owner = ref->owner;
	}
	if (!checker_report(&mgr->checker, ref->block, snap, image, &finding))
		return -EAGAIN;
	finding_log(&finding);
	return -EBADMSG;
}

/* A damaged pointer may lead anywhere. */
static int block_check(const struct txn_mgr *mgr, uint64_t block)
{
	if (block < mgr->blocks)
		return 0;
	log_error("there is no block %llu", (unsigned long long)block);
	return -EUCLEAN;
}

static int image_read(struct txn_mgr *mgr, const struct block_ref *ref, void *image,
		      uint64_t *generation)
{
	struct ledger_snapshot snap;
	int rc = block_check(mgr, ref->block);

	if (rc)
		return rc;
	do {
		/* A write under way lasts microseconds. */
		while (!ledger_snapshot(mgr->ledger, ref->block, &snap))
			sched_yield();
		rc = blkdev_read(mgr->dev, image, mgr->block_size, ref->block * mgr->block_size);
		if (rc) {
			io_error_note(mgr, "read", ref->block, rc);
			return -EIO;
		}
		atomic_fetch_add_explicit(&mgr->counters->reads, 1, memory_order_relaxed);
		rc = image_judge(mgr, ref, &snap, image);
	} while (rc == -EAGAIN);
	if (rc)
		return rc;
	tag_open(image, mgr->block_size);
	*generation = snap.generation;
	return 0;
}

static struct txn_block *block_find(struct txn *txn, uint64_t block)
{
	for (unsigned i = 0; i < txn->count; i++)
		if (txn->blocks[i].ref.block == block)
			return &txn->blocks[i];
	return NULL;
}

/* Locks the block's stripe unless the transaction has it. */
static int stripe_lock(struct txn *txn, uint64_t block)
{
	unsigned stripe = (unsigned)(block % TXN_STRIPES), top = 0;
	pthread_mutex_t *lock = &txn->mgr->stripes[stripe];

	for (unsigned i = 0; i < txn->stripes; i++) {
		if (txn->held[i] == stripe)
			return 0;
		if (txn->held[i] > top)
			top = txn->held[i];
	}
	/* Blocks that could not be read keep their locks, but take no room in blocks[]. */
	if (txn->stripes == TXN_MAX_BLOCKS)
		return -E2BIG;
	if (txn->stripes == 0 || stripe > top) {
		pthread_mutex_lock(lock);
	} else if (pthread_mutex_trylock(lock)) {
		txn->waiting = stripe;
		return -EDEADLK;
	}
	txn->held[txn->stripes++] = (uint16_t)stripe;
	return 0;
}

static int block_add(struct txn *txn, const struct block_ref *ref, struct txn_block **out)
{
	struct txn_block *tb;
	int rc = txn_mgr_error(txn->mgr);

	if (rc)
		return rc;
	if (txn->mgr->dev->readonly)
		return -EROFS;
	if (txn->count == TXN_MAX_BLOCKS)
		return -E2BIG;
	rc = block_check(txn->mgr, ref->block);
	if (rc)
		return rc;
	rc = stripe_lock(txn, ref->block);
	if (rc)
		return rc;
	tb = &txn->blocks[txn->count];
	tb->ref = *ref;
	tb->prev_generation = 0;
	tb->forgotten = false;
	tb->image = aligned_alloc(CFS_SECTOR_SIZE, txn->mgr->block_size);
	if (!tb->image)
		return -ENOMEM;
	*out = tb;
	return 0;
}

int txn_read(struct txn *txn, const struct block_ref *ref, void *image)
{
	struct txn_block *tb = block_find(txn, ref->block);
	uint64_t generation;

	if (tb && !tb->forgotten) {
		memcpy(image, tb->image, txn->mgr->block_size);
		return 0;
	}
	return image_read(txn->mgr, ref, image, &generation);
}

int txn_get(struct txn *txn, const struct block_ref *ref, void **image)
{
	struct txn_block *tb = block_find(txn, ref->block);
	int rc;

	if (tb && !tb->forgotten) {
		*image = tb->image;
		return 0;
	}
	if (tb)
		return -EUCLEAN; /* freed and used in one transaction */
	rc = block_add(txn, ref, &tb);
	if (rc)
		return rc;
	rc = image_read(txn->mgr, ref, tb->image, &tb->prev_generation);
	if (rc) {
		free(tb->image);
		return rc;
	}
	txn->count++;
	*image = tb->image;
	return 0;
}

int txn_create(struct txn *txn, const struct block_ref *ref, void **image)
{
	struct txn_block *tb = block_find(txn, ref->block);
	int rc;

	if (tb) {
		/* Freed earlier in this transaction and taken again. */
		tb->ref = *ref;
		tb->forgotten = false;
		tb->prev_generation = 0;
	} else {
		rc = block_add(txn, ref, &tb);
		if (rc)
			return rc;
		txn->count++;
	}
	memset(tb->image, 0, txn->mgr->block_size);
	*image = tb->image;
	return 0;
}

int txn_forget(struct txn *txn, uint64_t block)
{
	struct txn_block *tb = block_find(txn, block);
	struct block_ref ref = {.block = block};
	int rc;

	if (!tb) {
		rc = block_add(txn, &ref, &tb);
		if (rc)
			return rc;
		txn->count++;
	}
	tb->forgotten = true;
	return 0;
}

static void txn_end(struct txn *txn)
{
	for (unsigned i = 0; i < txn->count; i++)
		free(txn->blocks[i].image);
	while (txn->stripes)
		pthread_mutex_unlock(&txn->mgr->stripes[txn->held[--txn->stripes]]);
	txn->count = 0;
}

static uint32_t block_seal(const struct txn *txn, const struct txn_block *tb, uint64_t generation)
{
	struct tag_info info = {
		.block = tb->ref.block,
		.generation = generation,
		.prev_generation = tb->prev_generation,
		.owner = tb->ref.owner,
		.type = tb->ref.type,
	};

	memcpy(info.uuid, txn->mgr->checker.uuid, sizeof(info.uuid));
	return tag_seal(tb->image, txn->mgr->block_size, txn->mgr->checker.uuid_seed, &info);
}

/* Seals and writes all blocks that are still metadata; the ledger entries stay odd meanwhile. */
static int blocks_write(struct txn *txn, struct ledger *ledger, uint32_t *crcs)
{
	struct blkdev_io io[TXN_MAX_BLOCKS];
	uint32_t bs = txn->mgr->block_size;
	/* Taken under the blocks' locks, so ids rise with every version of a block. */
	uint64_t generation = atomic_fetch_add(&txn->mgr->generation, 1);
	unsigned n = 0;

	for (unsigned i = 0; i < txn->count; i++) {
		struct txn_block *tb = &txn->blocks[i];

		if (tb->forgotten)
			continue;
		crcs[i] = block_seal(txn, tb, generation);
		io[n++] = (struct blkdev_io){tb->image, bs, tb->ref.block * bs};
		ledger_write_begin(ledger, tb->ref.block);
	}
	return blkdev_write_batch(txn->mgr->dev, io, n);
}

static void ledger_enter(struct txn *txn, struct ledger *ledger, const uint32_t *crcs, bool failed)
{
	for (unsigned i = 0; i < txn->count; i++) {
		struct txn_block *tb = &txn->blocks[i];

		if (tb->forgotten)
			ledger_forget(ledger, tb->ref.block);
		else if (failed)
			ledger_write_failed(ledger, tb->ref.block);
		else
			ledger_write_end(ledger, tb->ref.block, tb->image, crcs[i]);
	}
}

int txn_commit(struct txn *txn)
{
	struct txn_mgr *mgr = txn->mgr;
	uint32_t crcs[TXN_MAX_BLOCKS];
	int rc, clean = 0;

	if (txn->count == 0) {
		txn_end(txn);
		return 0;
	}
	rc = txn_mgr_error(mgr);
	if (rc)
		goto out;
	rc = blocks_write(txn, mgr->ledger, crcs);
	/* Before the ledger forgets the blocks, so that a reader knows why. */
	if (rc)
		atomic_compare_exchange_strong(&mgr->error, &clean, rc);
	ledger_enter(txn, mgr->ledger, crcs, rc != 0);
	if (rc) {
		io_error_note(mgr, "write", txn->blocks[0].ref.block, rc);
	} else {
		atomic_fetch_add_explicit(&mgr->counters->writes, txn->count, memory_order_relaxed);
		atomic_fetch_add_explicit(&mgr->counters->commits, 1, memory_order_relaxed);
	}
out:
	txn_end(txn);
	return rc;
}

void txn_abort(struct txn *txn)
{
	txn_end(txn);
}

void txn_backoff(struct txn *txn)
{
	if (txn->waiting == NO_STRIPE)
		return;
	pthread_mutex_lock(&txn->mgr->stripes[txn->waiting]);
	pthread_mutex_unlock(&txn->mgr->stripes[txn->waiting]);
	txn->waiting = NO_STRIPE;
}
