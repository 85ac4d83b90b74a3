/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_BLKDEV_PRECIOUS_H
#define CHURNFS_BLKDEV_PRECIOUS_H

#include <stddef.h>

/*
 * Says whether PATH may hold someone's data, reading only. Returns 0 when nothing speaks against
 * using it; -EBUSY when it is mounted or claimed by the kernel (never to be forced); -EEXIST when
 * it holds a signature that libblkid knows; or what opening it says. WHY gets a few words for a
 * message.
 */
int blkdev_precious(const char *path, char *why, size_t len);

#endif
