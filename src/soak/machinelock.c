/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/machinelock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define SETTINGS_DIR "/proc/sys/vm"
#define STEP_MS 20u

/* Like flock(2) with LOCK_EX, but not for ever. */
static int lock_within(int fd, unsigned wait_ms)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited >= wait_ms)
			return -EBUSY;
		nanosleep(&step, NULL);
	}
	return 0;
}

int machinelock_take(unsigned wait_ms)
{
	int fd = open(SETTINGS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = lock_within(fd, wait_ms);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}
