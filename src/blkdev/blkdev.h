/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device, or an image file, opened with buffered I/O, behind a vtable. Every byte goes
 * through the kernel's page cache of the device; nothing is cached here. All calls may be made
 * from several threads at once. Errors are negative errno; a transfer is whole or an error.
 */
#ifndef CHURNFS_BLKDEV_BLKDEV_H
#define CHURNFS_BLKDEV_BLKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blkdev;

struct blkdev_io {
	const void *buf;
	size_t len;
	uint64_t offset;
};

struct blkdev_ops {
	const char *name;
	int (*read)(struct blkdev *dev, void *buf, size_t len, uint64_t offset);
	/* Writes COUNT pieces, in any order. */
	int (*write)(struct blkdev *dev, const struct blkdev_io *io, unsigned count);
	/* Like fdatasync(2). */
	int (*sync)(struct blkdev *dev);
	/* Frees PRIV; the descriptor belongs to blkdev_close(). */
	void (*close)(struct blkdev *dev);
};

struct blkdev {
	const struct blkdev_ops *ops;
	void *priv;
	int fd;			/* -1 for an emulated device */
	uint64_t size;		/* bytes */
	uint32_t logical_block; /* least unit of direct I/O, bytes */
	bool is_block;		/* a block device, not an image file */
	bool readonly;
};

enum blkdev_backend { BLKDEV_AUTO, BLKDEV_URING, BLKDEV_PREAD, BLKDEV_MMAP };

struct blkdev_options {
	enum blkdev_backend backend;
	bool readonly;
	bool exclusive; /* O_EXCL: fails with -EBUSY on a device that is mounted or claimed */
};

/* "auto", "uring", "pread", "mmap". Returns 0 or -EINVAL. */
int blkdev_backend_parse(const char *name, enum blkdev_backend *backend);

/*
 * Opens PATH. BLKDEV_AUTO takes io_uring where the kernel has and allows it, else pread/pwrite.
 * Returns 0, or: -ENOTBLK when PATH is neither block device nor regular file, -ENOSYS when the
 * named back end does not work here, or what open(2), fstat(2) or mmap(2) says.
 */
int blkdev_open(const char *path, const struct blkdev_options *options, struct blkdev **dev);

void blkdev_close(struct blkdev *dev);

/*
 * Sets the soft block size of a block device (BLKBSZSET), and with it how many buffers a page of
 * its cache carries. No effect on an image file. Returns 0 or a negative errno.
 */
int blkdev_set_block_size(struct blkdev *dev, uint32_t block_size);

/* Range checks included: -EINVAL beyond the end of the device. */
int blkdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset);
int blkdev_write(struct blkdev *dev, const void *buf, size_t len, uint64_t offset);
int blkdev_write_batch(struct blkdev *dev, const struct blkdev_io *io, unsigned count);
int blkdev_sync(struct blkdev *dev);

/* Back ends; *DEV has fd, size and readonly set. */
int blkdev_pread_attach(struct blkdev *dev);
int blkdev_uring_attach(struct blkdev *dev);
int blkdev_mmap_attach(struct blkdev *dev);

/* 0 if this kernel has and allows what the io_uring back end needs, else a negative errno. */
int blkdev_uring_probe(void);

/* pread(2) and pwrite(2) until all is done, for back ends that fall back. */
int blkdev_pread_full(int fd, void *buf, size_t len, uint64_t offset);
int blkdev_pwrite_full(int fd, const void *buf, size_t len, uint64_t offset);

#endif
