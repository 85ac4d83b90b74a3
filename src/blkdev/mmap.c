/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back end on a shared mapping of the device: metadata is read and dirtied through page tables,
 * which is the path where a migration that forgets to unmap, or that loses the dirty bit of a
 * page table entry, shows. An I/O error arrives as SIGBUS; it is turned into -EIO.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blkdev/blkdev.h"
#include "util/sigbus.h"

struct mmap_dev {
	char *base;
	size_t len;
};

struct copy {
	void *to;
	const void *from;
	size_t len;
};

static int copy_run(void *arg)
{
	const struct copy *copy = arg;

	memcpy(copy->to, copy->from, copy->len);
	return 0;
}

static int guarded_copy(void *to, const void *from, size_t len)
{
	struct copy copy = {.to = to, .from = from, .len = len};

	return sigbus_guard(copy_run, &copy);
}

static int mmap_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct mmap_dev *priv = dev->priv;

	return guarded_copy(buf, priv->base + offset, len);
}

static int mmap_write(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	struct mmap_dev *priv = dev->priv;

	for (unsigned i = 0; i < count; i++) {
		int rc = guarded_copy(priv->base + io[i].offset, io[i].buf, io[i].len);

		if (rc)
			return rc;
	}
	return 0;
}

static int mmap_sync(struct blkdev *dev)
{
	struct mmap_dev *priv = dev->priv;

	if (msync(priv->base, priv->len, MS_SYNC))
		return -errno;
	return fdatasync(dev->fd) ? -errno : 0;
}

static void mmap_close(struct blkdev *dev)
{
	struct mmap_dev *priv = dev->priv;

	munmap(priv->base, priv->len);
	free(priv);
}

int blkdev_mmap_attach(struct blkdev *dev)
{
	static const struct blkdev_ops ops = {
		.name = "mmap",
		.read = mmap_read,
		.write = mmap_write,
		.sync = mmap_sync,
		.close = mmap_close,
	};
	struct mmap_dev *priv = calloc(1, sizeof(*priv));
	int prot = dev->readonly ? PROT_READ : PROT_READ | PROT_WRITE;
	int rc;

	if (!priv)
		return -ENOMEM;
	priv->len = (size_t)dev->size;
	priv->base = mmap(NULL, priv->len, prot, MAP_SHARED, dev->fd, 0);
	if (priv->base == MAP_FAILED) {
		rc = -errno;
		free(priv);
		return rc;
	}
	madvise(priv->base, priv->len, MADV_RANDOM);
	sigbus_install();
	dev->priv = priv;
	dev->ops = &ops;
	return 0;
}
