/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that anybody may have put there, to be read. */
#ifndef CHURNFS_SOAK_REGULAR_H
#define CHURNFS_SOAK_REGULAR_H

#include <stdint.h>

/*
 * Opens NAME below DIR, or AT_FDCWD, for reading; never waits, as opening a FIFO would. FLAGS are
 * added to those of open(2), such as O_NOFOLLOW. Returns the descriptor, with *SIZE in bytes; or
 * -EINVAL if it is no regular file; or what open(2) says.
 */
int regular_open(int dir, const char *name, int flags, uint64_t *size);

#endif
