/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contents of files: plain device I/O without tag or ledger, past transactions. The caller holds
 * the inode's lock. What the device fails is counted in the ledger (io_errors) and logged once.
 */
#ifndef CHURNFS_META_DATA_H
#define CHURNFS_META_DATA_H

#include "meta/volume.h"

/* Errors as blkdev_read() and blkdev_write_batch(). Offsets in bytes on the device. */
int data_read(struct volume *vol, void *buf, size_t len, uint64_t offset);
int data_write(struct volume *vol, const struct blkdev_io *io, unsigned count);

#endif
