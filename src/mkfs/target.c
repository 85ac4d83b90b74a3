/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mkfs/target.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "blkdev/precious.h"
#include "mkfs/old.h"

/* Far more than can lie side by side; ends the loop if a write does not take effect. */
#define SIGNATURES_MAX 64
#define LOCK_TRIES 10

/* True if the open file that ATTRIBUTE of sysfs names is the file ST. */
static bool backing_file_same(const char *attribute, const struct stat *st)
{
	char path[4096];
	struct stat backing;
	FILE *file = fopen(attribute, "re");
	bool same = false;

	if (!file)
		return false;
	if (fgets(path, sizeof(path), file)) {
		path[strcspn(path, "\n")] = 0;
		same = stat(path, &backing) == 0 && backing.st_dev == st->st_dev &&
		       backing.st_ino == st->st_ino;
	}
	fclose(file);
	return same;
}

/* The kernel lets anyone write to the file behind a loop device, even while that is mounted. */
static bool loop_attached(const char *path)
{
	struct stat st;
	bool attached = false;
	glob_t found;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return false;
	if (glob("/sys/block/loop*/loop/backing_file", GLOB_NOSORT, NULL, &found))
		return false;
	for (size_t i = 0; !attached && i < found.gl_pathc; i++)
		attached = backing_file_same(found.gl_pathv[i], &st);
	globfree(&found);
	return attached;
}

/* A probe of what lies behind RESERVE_BYTES, with the places of the signatures. */
static int probe_open(const struct blkdev *dev, uint64_t reserve_bytes, blkid_probe *out)
{
	blkid_probe probe = blkid_new_probe();

	if (!probe)
		return -ENOMEM;
	errno = 0;
	if (blkid_probe_set_device(probe, dev->fd, (blkid_loff_t)reserve_bytes,
				   (blkid_loff_t)(dev->size - reserve_bytes))) {
		blkid_free_probe(probe);
		return errno ? -errno : -EIO;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_TYPE |
							 BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	*out = probe;
	return 0;
}

static int signature_check(struct blkdev *dev, uint64_t reserve_bytes, char *why, size_t len)
{
	const char *name = NULL;
	blkid_probe probe;
	int rc = probe_open(dev, reserve_bytes, &probe);

	if (rc) {
		snprintf(why, len, "looking for signatures failed: %s", strerror(-rc));
		return rc;
	}
	if (blkid_do_probe(probe) == 0) {
		if (blkid_probe_lookup_value(probe, "TYPE", &name, NULL) &&
		    blkid_probe_lookup_value(probe, "PTTYPE", &name, NULL))
			name = "unnamed";
		snprintf(why, len, "it holds a signature (%s); --force overwrites it", name);
		rc = -EEXIST;
	}
	blkid_free_probe(probe);
	return rc;
}

static int old_check(struct blkdev *dev, uint64_t reserve_bytes, char *why, size_t len)
{
	struct locator_info old;
	int rc = old_find(dev, reserve_bytes, &old);

	if (rc < 0)
		snprintf(why, len, "cannot be read: %s", strerror(-rc));
	else if (rc > 0)
		snprintf(why, len, "it holds a signature (churnfs); --force overwrites it");
	return rc > 0 ? -EEXIST : rc;
}

/*
 * Daemons keep off one another with flock(2): an image file cannot be claimed, and a device with
 * a reserved head is not. udev locks a device for a moment, too.
 */
static int lock_take(const struct blkdev *dev)
{
	const struct timespec pause = {.tv_nsec = 50000000L};

	for (int tries = 1; flock(dev->fd, LOCK_EX | LOCK_NB); tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (tries == LOCK_TRIES)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void open_error_explain(int rc, char *why, size_t len)
{
	switch (rc) {
	case -EBUSY:
		snprintf(why, len, "it is mounted or in use; unmount it first");
		break;
	case -ENOENT:
		snprintf(why, len, "there is no such file; make an image with truncate(1) first");
		break;
	case -ENOTBLK:
		snprintf(why, len, "it is neither a block device nor an image file");
		break;
	case -EACCES:
	case -EPERM:
		snprintf(why, len, "permission denied; run as root or as the owner of the image");
		break;
	default:
		snprintf(why, len, "cannot be opened: %s", strerror(-rc));
	}
}

int target_open(const char *path, uint64_t reserve_bytes, bool force, struct blkdev **out,
		char *why, size_t len)
{
	const struct blkdev_options options = {.backend = BLKDEV_PREAD, .exclusive = true};
	struct blkdev *dev;
	int rc = blkdev_precious(path, why, len);

	/* A signature may be in the head, which stays as it is: judged below. */
	if (rc && rc != -EEXIST) {
		open_error_explain(rc, why, len);
		return rc;
	}
	if (loop_attached(path)) {
		snprintf(why, len, "a loop device is attached to it; detach that first");
		return -EBUSY;
	}
	rc = blkdev_open(path, &options, &dev);
	if (rc) {
		open_error_explain(rc, why, len);
		return rc;
	}
	rc = lock_take(dev);
	if (rc)
		open_error_explain(rc, why, len);
	if (!rc && !force && reserve_bytes < dev->size) {
		rc = old_check(dev, reserve_bytes, why, len);
		if (!rc)
			rc = signature_check(dev, reserve_bytes, why, len);
	}
	if (rc)
		blkdev_close(dev);
	else
		*out = dev;
	return rc;
}

int target_wipe(struct blkdev *dev, uint64_t reserve_bytes)
{
	blkid_probe probe;
	int rc = probe_open(dev, reserve_bytes, &probe);

	if (rc)
		return rc;
	for (int i = 0; !rc && i < SIGNATURES_MAX && blkid_do_probe(probe) == 0; i++)
		if (blkid_do_wipe(probe, 0))
			rc = errno ? -errno : -EIO;
	blkid_free_probe(probe);
	return rc;
}
