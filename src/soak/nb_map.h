/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks of the device a file has, as the mounted filesystem says. */
#ifndef CHURNFS_SOAK_NB_MAP_H
#define CHURNFS_SOAK_NB_MAP_H

#include <stddef.h>
#include <stdint.h>

struct nb_run {
	uint64_t logical; /* block in the file */
	uint64_t physical;
	uint64_t count;
};

/*
 * The runs of an open file in logical order, allocated but unwritten ones included. At most MAX;
 * *COUNT gets how many were stored. Returns 0; -E2BIG if there are more; -EOPNOTSUPP; or another
 * negative errno.
 */
int nb_map_runs(int fd, uint32_t block_size, struct nb_run *runs, size_t max, size_t *count);

/* Makes ext4 forget the mappings that it remembers, so that the next look reads the blocks anew. */
void nb_map_forget(int fd);

/* Gives the file COUNT blocks from LOGICAL on. Works without extents too. 0 or a negative errno. */
int nb_map_allocate(int fd, uint32_t block_size, uint64_t logical, uint64_t count);

#endif
