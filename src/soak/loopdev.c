/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/loopdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Others look for a free device at the same time; each round takes the one named last. */
#define ATTACH_TRIES 64

/* LOOP_CONFIGURE came in 5.8; before, two steps. -EBUSY: someone else took the device. */
static int device_configure(int device, int fd)
{
	struct loop_config config = {
		.fd = (unsigned)fd,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int rc;

	if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTTY)
		return -errno;
	if (ioctl(device, LOOP_SET_FD, fd))
		return -errno;
	if (ioctl(device, LOOP_SET_STATUS64, &config.info) == 0)
		return 0;
	rc = -errno;
	ioctl(device, LOOP_CLR_FD, 0);
	return rc;
}

int loopdev_attach(int fd, char *path, size_t len, int *device_fd)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int rc = -EBUSY;

	if (control < 0)
		return -errno;
	for (int try = 0; try < ATTACH_TRIES && rc == -EBUSY; try++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		int device;

		if (number < 0) {
			rc = -errno;
			break;
		}
		snprintf(path, len, "/dev/loop%d", number);
		device = open(path, O_RDWR | O_CLOEXEC);
		if (device < 0) {
			rc = -errno;
			break;
		}
		rc = device_configure(device, fd);
		if (rc == 0) {
			/* A writer may keep others from mounting it. */
			*device_fd = open(path, O_RDONLY | O_CLOEXEC);
			rc = *device_fd < 0 ? -errno : 0;
		}
		close(device);
	}
	close(control);
	return rc;
}
