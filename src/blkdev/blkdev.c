/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "blkdev/blkdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int blkdev_backend_parse(const char *name, enum blkdev_backend *backend)
{
	static const char *const names[] = {
		[BLKDEV_AUTO] = "auto",
		[BLKDEV_URING] = "uring",
		[BLKDEV_PREAD] = "pread",
		[BLKDEV_MMAP] = "mmap",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*backend = (enum blkdev_backend)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int geometry_read(struct blkdev *dev)
{
	struct stat st;
	int logical;

	if (fstat(dev->fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		dev->size = (uint64_t)st.st_size;
		dev->logical_block = 512;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	dev->is_block = true;
	if (ioctl(dev->fd, BLKGETSIZE64, &dev->size) || ioctl(dev->fd, BLKSSZGET, &logical))
		return -errno;
	dev->logical_block = (uint32_t)logical;
	return 0;
}

static int backend_attach(struct blkdev *dev, enum blkdev_backend backend)
{
	int rc;

	switch (backend) {
	case BLKDEV_AUTO:
		rc = blkdev_uring_attach(dev);
		return rc ? blkdev_pread_attach(dev) : 0;
	case BLKDEV_URING:
		return blkdev_uring_attach(dev);
	case BLKDEV_PREAD:
		return blkdev_pread_attach(dev);
	case BLKDEV_MMAP:
		return blkdev_mmap_attach(dev);
	}
	return -EINVAL;
}

int blkdev_open(const char *path, const struct blkdev_options *options, struct blkdev **out)
{
	struct blkdev *dev = calloc(1, sizeof(*dev));
	int flags = O_CLOEXEC | (options->readonly ? O_RDONLY : O_RDWR);
	struct stat st;
	int rc;

	if (!dev)
		return -ENOMEM;
	dev->readonly = options->readonly;
	/* O_EXCL without O_CREAT has a meaning for block devices only. */
	if (options->exclusive && stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	dev->fd = open(path, flags);
	if (dev->fd < 0) {
		rc = -errno;
		goto out_free;
	}
	rc = geometry_read(dev);
	if (rc)
		goto out_close;
	rc = backend_attach(dev, options->backend);
	if (rc)
		goto out_close;
	*out = dev;
	return 0;

out_close:
	close(dev->fd);
out_free:
	free(dev);
	return rc;
}

void blkdev_close(struct blkdev *dev)
{
	if (!dev)
		return;
	dev->ops->close(dev);
	if (dev->fd >= 0)
		close(dev->fd);
	free(dev);
}

int blkdev_set_block_size(struct blkdev *dev, uint32_t block_size)
{
	int size = (int)block_size;

	if (!dev->is_block)
		return 0;
	return ioctl(dev->fd, BLKBSZSET, &size) ? -errno : 0;
}

static bool range_valid(const struct blkdev *dev, uint64_t offset, size_t len)
{
	return offset <= dev->size && len <= dev->size - offset;
}

int blkdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset)
{
	if (!range_valid(dev, offset, len))
		return -EINVAL;
	return dev->ops->read(dev, buf, len, offset);
}

int blkdev_write_batch(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	if (dev->readonly)
		return -EROFS;
	for (unsigned i = 0; i < count; i++)
		if (!range_valid(dev, io[i].offset, io[i].len))
			return -EINVAL;
	return dev->ops->write(dev, io, count);
}

int blkdev_write(struct blkdev *dev, const void *buf, size_t len, uint64_t offset)
{
	struct blkdev_io io = {.buf = buf, .len = len, .offset = offset};

	return blkdev_write_batch(dev, &io, 1);
}

int blkdev_sync(struct blkdev *dev)
{
	return dev->ops->sync(dev);
}
