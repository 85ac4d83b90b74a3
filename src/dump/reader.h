/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a churnfs without ledger and transactions, each block checked against its own tag
 * only. Works beside a mounted filesystem and on a damaged one; never writes.
 */
#ifndef CHURNFS_DUMP_READER_H
#define CHURNFS_DUMP_READER_H

#include "meta/super.h"
#include "ondisk/layout.h"

struct reader {
	struct blkdev *dev;
	struct super_info super;
	struct super_origin origin; /* where the superblock was found */
	uint32_t uuid_seed;
	uint64_t damage; /* faults met so far */
};

/*
 * Opens PATH, not exclusively, and finds the superblock. Returns 0, or a negative errno with one
 * line for the user in reader->origin.message. A message with result 0 is a warning.
 */
int reader_open(struct reader *reader, const char *path);

void reader_close(struct reader *reader);

/*
 * Reads BLOCK as it lies on the device into IMAGE (block size bytes). A block that does not verify
 * is read again while it changes: the daemon may be writing it. Returns 0, -EBADMSG, -EUCLEAN
 * (see tag_verify()), or the device's error; IMAGE is filled in the first three cases.
 */
int reader_block_sealed(struct reader *reader, uint64_t block, void *image);

/*
 * As reader_block_sealed(), for a block that must be of TYPE and OWNER; IMAGE is open on success.
 * Every failure counts as damage and *WHY then names it in a constant string.
 */
int reader_block(struct reader *reader, uint64_t block, enum cfs_block_type type, uint64_t owner,
		 void *image, const char **why);

/* The words for a result of reader_block_sealed(): "ok", "bad checksum", ... */
const char *reader_state_name(int rc);

/* Reads inode INO, which must be valid. As reader_block(), and -EUCLEAN for a bad field. */
int reader_inode(struct reader *reader, uint64_t ino, struct inode_info *inode, const char **why);

#endif
