/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "blkdev/precious.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Partition tables, filesystems, RAID, crypto, swap: whatever libblkid can name. */
static int signature_find(int fd, char *why, size_t len)
{
	blkid_probe probe = blkid_new_probe();
	const char *name = NULL;
	int rc = 0;

	if (!probe)
		return -ENOMEM;
	if (blkid_probe_set_device(probe, fd, 0, 0)) {
		rc = errno ? -errno : -EIO;
		goto out;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	if (blkid_do_probe(probe) == 0) {
		if (blkid_probe_lookup_value(probe, "TYPE", &name, NULL) == 0)
			snprintf(why, len, "it holds a %s signature", name);
		else if (blkid_probe_lookup_value(probe, "PTTYPE", &name, NULL) == 0)
			snprintf(why, len, "it holds a %s partition table", name);
		else
			snprintf(why, len, "it holds a known signature");
		rc = -EEXIST;
	}
out:
	blkid_free_probe(probe);
	return rc;
}

int blkdev_precious(const char *path, char *why, size_t len)
{
	struct stat st;
	int flags = O_RDONLY | O_CLOEXEC;
	int fd, rc;

	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return -ENOTBLK;
	if (S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	fd = open(path, flags);
	if (fd < 0) {
		rc = -errno;
		if (rc == -EBUSY)
			snprintf(why, len, "it is mounted or in use by the kernel");
		return rc;
	}
	rc = signature_find(fd, why, len);
	close(fd);
	return rc;
}
