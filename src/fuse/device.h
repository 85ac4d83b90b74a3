/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking a device for the daemon alone, or beside a neighbour's filesystem. */
#ifndef CHURNFS_FUSE_DEVICE_H
#define CHURNFS_FUSE_DEVICE_H

#include "fuse/options.h"
#include "meta/volume.h"

/*
 * Keeps other daemons off OPTIONS->device and opens its volume. The device is claimed for
 * exclusive use unless its head is reserved for another filesystem. *LOCK is a descriptor to be
 * closed after the volume. On error a line was logged, and nothing is open.
 */
int device_open(const struct options *options, struct volume **volume, int *lock);

#endif
