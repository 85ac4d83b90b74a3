/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_LOOPDEV_H
#define CHURNFS_SOAK_LOOPDEV_H

#include <stddef.h>

/*
 * Attaches the file FD to a free loop device (loop(4)) that detaches itself when its last user
 * closes it. PATH gets the device's name; *DEVICE_FD a descriptor, for reading, that keeps it
 * alive. Returns 0 or a negative errno: -ENOENT without loop support, -EACCES or -EPERM without
 * privileges.
 */
int loopdev_attach(int fd, char *path, size_t len, int *device_fd);

#endif
