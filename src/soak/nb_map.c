/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "soak/neighbour.h"

/* fs/ext4/ext4.h since 5.4; not exported to user space. */
#define EXT4_IOC_CLEAR_ES_CACHE _IO('f', 40)

int nb_map_runs(int fd, uint32_t block_size, struct nb_run *runs, size_t max, size_t *count)
{
	size_t bytes = sizeof(struct fiemap) + (max + 1) * sizeof(struct fiemap_extent);
	struct fiemap *map = calloc(1, bytes);
	size_t n = 0;
	int rc = 0;

	if (!map)
		return -ENOMEM;
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_extent_count = (uint32_t)max + 1;
	if (ioctl(fd, FS_IOC_FIEMAP, map)) {
		rc = errno == ENOTTY ? -EOPNOTSUPP : -errno;
		goto out_free;
	}
	for (; n < map->fm_mapped_extents && n < max; n++) {
		const struct fiemap_extent *e = &map->fm_extents[n];

		runs[n] = (struct nb_run){
			.logical = e->fe_logical / block_size,
			.physical = e->fe_physical / block_size,
			.count = e->fe_length / block_size,
		};
	}
	if (map->fm_mapped_extents > max)
		rc = -E2BIG;
out_free:
	*count = n;
	free(map);
	return rc;
}

void nb_map_forget(int fd)
{
	/* Older kernels remember; the raw blocks are compared all the same. */
	(void)ioctl(fd, EXT4_IOC_CLEAR_ES_CACHE);
}

int nb_map_allocate(int fd, uint32_t block_size, uint64_t logical, uint64_t count)
{
	static const uint8_t zeros[NEIGHBOUR_BLOCK_MAX];
	off_t start = (off_t)(logical * block_size);

	if (fallocate(fd, 0, start, (off_t)(count * block_size)) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	for (uint64_t i = 0; i < count; i++) {
		ssize_t n = pwrite(fd, zeros, block_size, start + (off_t)(i * block_size));

		if (n != (ssize_t)block_size)
			return n < 0 ? -errno : -ENOSPC;
	}
	return 0;
}
