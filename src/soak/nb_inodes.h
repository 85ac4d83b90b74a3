/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_NB_INODES_H
#define CHURNFS_SOAK_NB_INODES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Byte offsets of the inode-table pages that one state of the inode leg updates. Returns how many
 * there are; at most MAX are stored.
 */
size_t nb_inodes_pages(const void *state, uint64_t *offsets, size_t max);

#endif
