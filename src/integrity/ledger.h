/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: what every metadata block must hold, in shared memory. The daemon writes an entry
 * whenever it writes a block; churnstress reads it from another process. It is the oracle that
 * tells a lost update, which carries a valid checksum, from a good block.
 *
 * Each entry is a seqlock of its own: odd while its block is being written. A reader takes a
 * snapshot, reads the block, and asks ledger_unchanged(): if so, the block had to match. The one
 * writer of an entry at a time is whoever holds the block's lock in the transaction layer.
 *
 * Beside the entries lies the shadow: the sealed image of each block as it was last written. It
 * is never used to answer a read; it shows the difference when a block does not match.
 *
 * The area is sparse: only entries and images of blocks that were written take memory.
 */
#ifndef CHURNFS_INTEGRITY_LEDGER_H
#define CHURNFS_INTEGRITY_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "integrity/classify.h"

#define LEDGER_FINDINGS_MAX 16u
#define LEDGER_HISTORY_MAX 48u

struct ledger;

struct ledger_geometry {
	uint32_t block_size;
	uint64_t blocks; /* of the whole device */
	uint8_t uuid[16];
};

/* One consistent view of an entry. */
struct ledger_snapshot {
	uint64_t sequence;
	uint64_t generation; /* 0: not a metadata block that the ledger knows */
	uint64_t prev_generation;
	uint64_t owner;
	uint64_t written_ns; /* clock_now_ns() of the last write */
	uint32_t crc;
	uint32_t type;
};

/* What the daemon has seen; every field is only ever added to. */
struct ledger_counters {
	_Atomic uint64_t reads;	     /* metadata blocks read by the daemon */
	_Atomic uint64_t verified;   /* of these, checked against an entry */
	_Atomic uint64_t writes;     /* metadata blocks written */
	_Atomic uint64_t commits;    /* transactions */
	_Atomic uint64_t io_errors;  /* reads, writes or syncs that the device failed */
	_Atomic uint64_t mismatches; /* blocks that were not what they had to be */
};

/* A mismatch as it was reported; images in ledger_finding_image(). */
struct ledger_finding {
	struct finding finding;
	uint64_t when_ns;	/* clock_now_ns() */
	uint64_t written_ns;	/* last write of the block before */
	uint32_t reporter;	/* process id */
	_Atomic uint32_t valid; /* set last */
};

/*
 * Makes a ledger in FD (a memfd or an empty file), which is truncated to size and mapped. The
 * descriptor stays the caller's. Returns 0 or a negative errno.
 */
int ledger_create(int fd, const struct ledger_geometry *geometry, struct ledger **ledger);

/* Maps the ledger that FD holds. -EUCLEAN when it holds none, or one of another version. */
int ledger_attach(int fd, struct ledger **ledger);

void ledger_detach(struct ledger *ledger);

void ledger_geometry_get(const struct ledger *ledger, struct ledger_geometry *geometry);
struct ledger_counters *ledger_counters(struct ledger *ledger);

/* Writer: the block is about to change. The block's lock must be held. */
void ledger_write_begin(struct ledger *ledger, uint64_t block);

/* Writer: the sealed IMAGE is on its way into the page cache for good. Ends ledger_write_begin().
 */
void ledger_write_end(struct ledger *ledger, uint64_t block, const void *image, uint32_t crc);

/* Writer, at mount: takes a verified sealed block of the device as the first truth. */
void ledger_adopt(struct ledger *ledger, uint64_t block, const void *image, uint32_t crc);

/* Writer: the write failed; what the block holds is unknown from now on. */
void ledger_write_failed(struct ledger *ledger, uint64_t block);

/* Writer: the block is no longer metadata. The block's lock must be held. */
void ledger_forget(struct ledger *ledger, uint64_t block);

/* A snapshot of BLOCK, which may be one that there is not, will be asked for soon. */
void ledger_prefetch(const struct ledger *ledger, uint64_t block);

/* Takes a snapshot. Returns false when a write is under way. */
bool ledger_snapshot(const struct ledger *ledger, uint64_t block, struct ledger_snapshot *snap);

/* True if nothing was written since the snapshot: the block read in between must match it. */
bool ledger_unchanged(const struct ledger *ledger, uint64_t block,
		      const struct ledger_snapshot *snap);

/*
 * Copies the low halves of the generations that the block had before, the latest first, into
 * HISTORY (room for LEDGER_HISTORY_MAX). Returns how many; fewer than the maximum means all. To be
 * believed only if ledger_unchanged() holds afterwards.
 */
unsigned ledger_history(const struct ledger *ledger, uint64_t block, uint32_t *history);

/*
 * Copies the shadow image of the block. Returns true if it belongs to SNAP, that is, its checksum
 * is the entry's; false means that the oracle itself is damaged or has moved on.
 */
bool ledger_shadow(const struct ledger *ledger, uint64_t block, const struct ledger_snapshot *snap,
		   void *image);

/*
 * Records a mismatch with both images (NULL where unknown) and raises the flag. The first
 * LEDGER_FINDINGS_MAX are kept, none is overwritten; all are counted.
 */
void ledger_report(struct ledger *ledger, const struct finding *finding, uint64_t written_ns,
		   const void *expected, const void *found);

/* Number of findings kept so far, and finding INDEX with its images (BLOCK_SIZE bytes each). */
unsigned ledger_finding_count(const struct ledger *ledger);
const struct ledger_finding *ledger_finding_get(const struct ledger *ledger, unsigned index,
						const void **expected, const void **found);

#endif
