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
	char *mapped;
	char *own;
	size_t len;
};

#define WORD sizeof(uint64_t)

/* Bytes up to the next word of the mapping, then words, then bytes. */
static size_t step_of(const struct copy *copy, size_t done)
{
	bool aligned = ((uintptr_t)(copy->mapped + done) % WORD) == 0;

	return aligned && copy->len - done >= WORD ? WORD : 1;
}

/*
 * A block may be read while it is written: what was read is then thrown away (see ledger.h). So the
 * mapping is read and written in atomic units, which is what memory does anyway, and the tools
 * that look for races are told.
 */
static int copy_from_mapping(void *arg)
{
	const struct copy *copy = arg;
	size_t step;

	for (size_t i = 0; i < copy->len; i += step) {
		step = step_of(copy, i);
		if (step == WORD) {
			uint64_t word = __atomic_load_n((uint64_t *)(void *)(copy->mapped + i),
							__ATOMIC_RELAXED);

			memcpy(copy->own + i, &word, WORD);
		} else {
			copy->own[i] = __atomic_load_n(copy->mapped + i, __ATOMIC_RELAXED);
		}
	}
	return 0;
}

static int copy_to_mapping(void *arg)
{
	const struct copy *copy = arg;
	size_t step;

	for (size_t i = 0; i < copy->len; i += step) {
		step = step_of(copy, i);
		if (step == WORD) {
			uint64_t word;

			memcpy(&word, copy->own + i, WORD);
			__atomic_store_n((uint64_t *)(void *)(copy->mapped + i), word,
					 __ATOMIC_RELAXED);
		} else {
			__atomic_store_n(copy->mapped + i, copy->own[i], __ATOMIC_RELAXED);
		}
	}
	return 0;
}

static int mmap_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct mmap_dev *priv = dev->priv;
	struct copy copy = {.mapped = priv->base + offset, .own = buf, .len = len};

	return sigbus_guard(copy_from_mapping, &copy);
}

static int mmap_write(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	struct mmap_dev *priv = dev->priv;

	for (unsigned i = 0; i < count; i++) {
		struct copy copy = {
			.mapped = priv->base + io[i].offset,
			.own = (char *)(uintptr_t)io[i].buf,
			.len = io[i].len,
		};
		int rc = sigbus_guard(copy_to_mapping, &copy);

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
