/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the filesystem itself and its checker say of its health. */
#ifndef CHURNFS_SOAK_NB_FSCK_H
#define CHURNFS_SOAK_NB_FSCK_H

#include "soak/neighbour.h"

/*
 * True if the mounted filesystem has counted errors (/sys/fs/ext4/DEV/errors_count); TEXT then
 * says which was the first. False where there is no such counter.
 */
bool nb_errors_read(const struct neighbour *nb, char *text, size_t len);

/*
 * Runs e2fsck -fn on the unmounted device and appends what it says to the log. Returns 0 when it
 * is clean, or has no checker; -EUCLEAN after recording damage; another errno with WHY.
 */
int nb_fsck_run(struct neighbour *nb, char *why, size_t len);

#endif
