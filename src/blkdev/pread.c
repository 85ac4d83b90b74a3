/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Back end on pread(2) and pwrite(2): works on every kernel. */
#include <errno.h>
#include <unistd.h>

#include "blkdev/blkdev.h"

int blkdev_pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* the device became shorter */
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int blkdev_pwrite_full(int fd, const void *buf, size_t len, uint64_t offset)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int pread_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset)
{
	return blkdev_pread_full(dev->fd, buf, len, offset);
}

static int pread_write(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int rc = blkdev_pwrite_full(dev->fd, io[i].buf, io[i].len, io[i].offset);

		if (rc)
			return rc;
	}
	return 0;
}

static int pread_sync(struct blkdev *dev)
{
	return fdatasync(dev->fd) ? -errno : 0;
}

static void pread_close(struct blkdev *dev)
{
	(void)dev;
}

int blkdev_pread_attach(struct blkdev *dev)
{
	static const struct blkdev_ops ops = {
		.name = "pread",
		.read = pread_read,
		.write = pread_write,
		.sync = pread_sync,
		.close = pread_close,
	};

	dev->ops = &ops;
	return 0;
}
