/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device in memory that can be told to fail. Copies go word by word without a lock, so
 * that a reader beside a writer sees torn blocks, as on a real device; no word is ever half old.
 */
#ifndef CHURNFS_TESTS_EMUDEV_H
#define CHURNFS_TESTS_EMUDEV_H

#include <stdint.h>

#include "blkdev/blkdev.h"

enum emu_fault {
	EMU_NONE,
	EMU_READ_ERROR,	     /* -EIO, nothing read */
	EMU_WRITE_ERROR,     /* -EIO, nothing written */
	EMU_WRITE_DROP,	     /* nothing written, success reported: a lost update */
	EMU_WRITE_FLIP,	     /* bit ARG of the piece is inverted on the way */
	EMU_WRITE_MISDIRECT, /* the piece lands at byte offset ARG instead */
	EMU_WRITE_SHORT,     /* only the first ARG bytes are written, success reported */
	EMU_SYNC_ERROR	     /* -EIO */
};

/* SIZE is a multiple of 8. The device is freed by blkdev_close(). Ends the test without memory. */
struct blkdev *emudev_create(uint64_t size);

/*
 * FAULT strikes the NTH operation of its kind from now on, counted from 1, once. Each piece of a
 * batch counts as a write. Replaces what was planned before.
 */
void emudev_inject(struct blkdev *dev, enum emu_fault fault, unsigned nth, uint64_t arg);

/* Pieces written so far, faulty ones included. */
uint64_t emudev_writes(const struct blkdev *dev);

#endif
