/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "meta/super.h"
#include "util/clock.h"
#include "util/log.h"

#define LOCK_WAIT_NS (5 * NS_PER_SEC)
#define LOCK_PAUSE_NS ((long)(20 * NS_PER_MS))

/*
 * O_EXCL does not help with image files or beside a neighbour, so daemons keep off one another
 * with flock(2). Waits a while: a daemon whose mount is gone may still be writing, and udev locks
 * devices that it looks at.
 */
static int lock_take(const struct options *options, int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	uint64_t end = clock_now_ns() + LOCK_WAIT_NS;

	while (flock(fd, (options->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_now_ns() > end)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int lock_open(const struct options *options, int *lock)
{
	int rc, fd = open(options->device, O_RDONLY | O_CLOEXEC);

	rc = fd < 0 ? -errno : lock_take(options, fd);
	if (!rc) {
		*lock = fd;
		return 0;
	}
	if (rc == -EBUSY)
		log_error("%s is in use by another churnfs", options->device);
	else
		log_error("%s cannot be opened: %s", options->device, strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}

/*
 * True if the head of the device belongs to someone else. What is wrong with a device that has
 * no readable superblock, volume_open() finds and says.
 */
static bool head_reserved(const struct options *options)
{
	const struct blkdev_options look = {.backend = BLKDEV_PREAD, .readonly = true};
	struct super_origin origin;
	struct super_info super;
	struct blkdev *dev;
	bool reserved;

	if (blkdev_open(options->device, &look, &dev))
		return false;
	reserved = super_locate(dev, &super, &origin) == 0 && super.first_block > 0;
	blkdev_close(dev);
	return reserved;
}

int device_open(const struct options *options, struct volume **volume, int *lock)
{
	struct volume_options open_options = {
		.device = {.backend = options->backend, .readonly = options->readonly},
		.readonly = options->readonly,
		.ledger_fd = options->ledger_fd,
	};
	int rc = lock_open(options, lock);

	if (rc)
		return rc;
	/* A claim would keep the neighbour from being mounted later. */
	open_options.device.exclusive = !head_reserved(options);
	rc = volume_open(options->device, &open_options, volume);
	if (rc)
		close(*lock);
	return rc;
}
