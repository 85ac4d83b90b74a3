/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "blkdev/precious.h"
#include "soak/child.h"
#include "soak/loopdev.h"
#include "util/clock.h"
#include "util/units.h"

#define MOUNT_TIMEOUT_NS (60 * NS_PER_SEC)
#define UNMOUNT_TIMEOUT_NS (60 * NS_PER_SEC)

static int fail(int rc, char *why, size_t len, const char *what)
{
	snprintf(why, len, "%s: %s", what, strerror(-rc));
	return rc;
}

static int device_check(const struct run_options *options, char *why, size_t len)
{
	char reason[160] = "";
	int rc = blkdev_precious(options->device, reason, sizeof(reason));

	if (rc == 0 || (rc == -EEXIST && options->force))
		return 0;
	if (rc == -EEXIST)
		snprintf(why, len, "%s: %s: use --force if all on it may be lost", options->device,
			 reason);
	else if (rc == -EBUSY)
		snprintf(why, len, "%s: %s: unmount it or name another device", options->device,
			 reason);
	else
		return fail(rc, why, len, options->device);
	return rc;
}

int target_preflight(const struct run_options *options, struct target *target, char *why,
		     size_t len)
{
	*target = (struct target){.device_fd = -1, .apart_fd = -1, .ledger_fd = -1};
	if (geteuid() != 0) {
		snprintf(why, len,
			 "needs root: it mounts, attaches a loop device and migrates "
			 "memory; run it with sudo");
		return -EPERM;
	}
	if (access("/dev/fuse", R_OK | W_OK)) {
		int rc = -errno;

		snprintf(why, len,
			 "cannot use /dev/fuse (%s): load the fuse module, or give the "
			 "container the device",
			 strerror(-rc));
		return rc;
	}
	if (child_find("mkfs.churnfs", target->mkfs, sizeof(target->mkfs)) ||
	    child_find("churnfs", target->program, sizeof(target->program))) {
		snprintf(why, len,
			 "cannot find mkfs.churnfs and churnfs: install them, or put "
			 "them beside churnstress");
		return -ENOENT;
	}
	if (options->device)
		return device_check(options, why, len);
	if (access("/dev/loop-control", R_OK | W_OK)) {
		int rc = -errno;

		snprintf(why, len,
			 "cannot use /dev/loop-control (%s): load the loop module, or "
			 "name a device with --device",
			 strerror(-rc));
		return rc;
	}
	return 0;
}

uint64_t target_head_bytes(const struct run_options *options)
{
	return options->neighbour && !options->neighbour_apart ? options->head_bytes : 0;
}

/* An image without a name, all its blocks allocated: it cannot run full under the device. */
static int image_make(const struct run_options *options, uint64_t bytes, char *why, size_t len)
{
	int fd = open(options->image_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char size[32];
	int rc;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/churnstress-XXXXXX", options->image_dir);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		return fail(-errno, why, len, options->image_dir);
	rc = posix_fallocate(fd, 0, (off_t)bytes);
	if (rc == 0)
		return fd;
	close(fd);
	snprintf(why, len, "cannot make an image of %s in %s (%s): use --image-dir or --size",
		 size_format(bytes, size, sizeof(size)), options->image_dir, strerror(rc));
	return -rc;
}

/* A loop device of BYTES. NAME has room for 256 bytes. */
static int device_make(const struct run_options *options, uint64_t bytes, char *name,
		       int *device_fd, char *why, size_t len)
{
	int image = image_make(options, bytes, why, len);
	int rc;

	if (image < 0)
		return image;
	rc = loopdev_attach(image, name, 256, device_fd);
	close(image);
	return rc ? fail(rc, why, len, "cannot attach a loop device") : 0;
}

int target_open_apart(const struct run_options *options, struct target *target, char *why,
		      size_t len)
{
	int rc = device_make(options, options->head_bytes, target->apart, &target->apart_fd, why,
			     len);

	if (!rc)
		rc = neighbour_format(&options->profile, target->apart, options->head_bytes, why,
				      len);
	return rc;
}

static int device_use(const struct run_options *options, struct target *target, char *why,
		      size_t len)
{
	int fd = open(options->device, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return fail(-errno, why, len, options->device);
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode)) {
		snprintf(why, len, "%s: not a block device", options->device);
		rc = -ENOTBLK;
	} else if (ioctl(fd, BLKGETSIZE64, &target->bytes)) {
		rc = fail(-errno, why, len, options->device);
	}
	close(fd);
	if (strlen(options->device) >= sizeof(target->device))
		return -ENAMETOOLONG;
	strcpy(target->device, options->device);
	return rc;
}

static int mkfs_run(const struct run_options *options, const struct target *target, char *why,
		    size_t len)
{
	char block_size[16], head[48];
	/* On someone's device, mkfs looks for what may be precious once more. */
	bool force = options->force || !options->device;
	char *argv[] = {(char *)(uintptr_t)target->mkfs,
			"--quiet",
			"-b",
			block_size,
			head,
			(char *)(uintptr_t)target->device,
			force ? "--force" : NULL,
			NULL};
	int rc;

	snprintf(block_size, sizeof(block_size), "%u", options->block_size);
	snprintf(head, sizeof(head), "--reserve-head=%llu",
		 (unsigned long long)target_head_bytes(options));
	rc = child_run(argv);
	if (rc == 0)
		return 0;
	snprintf(why, len, "mkfs.churnfs failed (exit %d)", rc);
	return -EIO;
}

static bool mounted(const struct target *target)
{
	struct statfs fs;

	return statfs(target->mount, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC;
}

static int mount_wait(struct target *target, char *why, size_t len)
{
	uint64_t end = clock_now_ns() + MOUNT_TIMEOUT_NS;
	char text[80];

	while (!mounted(target)) {
		struct timespec pause = {.tv_nsec = 5000000};

		if (!target_alive(target)) {
			snprintf(why, len, "the daemon did not mount: it %s",
				 child_status_format(target->daemon_status, text, sizeof(text)));
			return -EIO;
		}
		if (clock_now_ns() > end) {
			snprintf(why, len, "the daemon did not mount within 60 s");
			return -ETIMEDOUT;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int daemon_start(const struct run_options *options, struct sandbox *sandbox,
			struct target *target, char *why, size_t len)
{
	char mount_options[160];
	char *argv[] = {target->program, "-f",		"-o", mount_options,
			target->device,	 target->mount, NULL};
	int rc;

	/* Inherited by the daemon, and gone with the last of the two. */
	target->ledger_fd = memfd_create("churnfs-ledger", 0);
	if (target->ledger_fd < 0)
		return fail(-errno, why, len, "cannot make the ledger");
	snprintf(mount_options, sizeof(mount_options), "die_with_parent,backend=%s,ledger_fd=%d",
		 options->backend, target->ledger_fd);
	snprintf(target->mount, sizeof(target->mount), "%s/churnfs", sandbox_dir(sandbox));
	rc = sandbox_note_mount(sandbox, target->mount);
	if (!rc && mkdir(target->mount, 0700))
		rc = -errno;
	if (!rc)
		rc = child_start(argv, &target->daemon);
	if (rc)
		return fail(rc, why, len, target->mount);
	sandbox_note_process(sandbox, target->daemon);
	rc = mount_wait(target, why, len);
	if (rc)
		return rc;
	rc = ledger_attach(target->ledger_fd, &target->ledger);
	return rc ? fail(rc, why, len, "cannot read the daemon's ledger") : 0;
}

int target_open(const struct run_options *options, struct sandbox *sandbox, struct target *target,
		char *why, size_t len)
{
	uint64_t bytes = options->size + target_head_bytes(options);
	int rc;

	target->bytes = bytes;
	rc = options->device
		     ? device_use(options, target, why, len)
		     : device_make(options, bytes, target->device, &target->device_fd, why, len);
	/* churnfs first: its mkfs asks whether the device may be lost. */
	if (!rc)
		rc = mkfs_run(options, target, why, len);
	if (!rc && target_head_bytes(options))
		rc = neighbour_format(&options->profile, target->device, options->head_bytes, why,
				      len);
	if (!rc)
		rc = daemon_start(options, sandbox, target, why, len);
	if (rc)
		target_close(target);
	return rc;
}

bool target_alive(struct target *target)
{
	if (target->daemon && child_wait(target->daemon, 0, &target->daemon_status)) {
		target->daemon = 0;
		target->daemon_ended = true;
	}
	return target->daemon != 0;
}

int target_unmount(struct target *target, char *why, size_t len)
{
	char text[80];
	bool alive = target_alive(target);
	int rc = 0;

	if (umount2(target->mount, UMOUNT_NOFOLLOW) && errno == EBUSY) {
		/* Someone else uses it: the daemon is told to end without waiting for them. */
		umount2(target->mount, MNT_DETACH | UMOUNT_NOFOLLOW);
		if (alive)
			kill(target->daemon, SIGTERM);
	}
	if (alive && !child_wait(target->daemon, UNMOUNT_TIMEOUT_NS, &target->daemon_status)) {
		kill(target->daemon, SIGKILL);
		child_wait(target->daemon, UNMOUNT_TIMEOUT_NS, &target->daemon_status);
		snprintf(why, len, "the daemon did not end within 60 s after unmounting");
		rc = -ETIMEDOUT;
	} else if (!alive || target->daemon_status) {
		snprintf(why, len, "the daemon %s %s",
			 child_status_format(target->daemon_status, text, sizeof(text)),
			 alive ? "when it was unmounted" : "in the middle of the run");
		rc = -EIO;
	}
	target->daemon = 0;
	rmdir(target->mount);
	return rc;
}

void target_close(struct target *target)
{
	int status;

	if (target->daemon) {
		kill(target->daemon, SIGKILL);
		child_wait(target->daemon, UNMOUNT_TIMEOUT_NS, &status);
		target->daemon = 0;
	}
	ledger_detach(target->ledger);
	target->ledger = NULL;
	if (target->ledger_fd >= 0)
		close(target->ledger_fd);
	if (target->device_fd >= 0)
		close(target->device_fd);
	if (target->apart_fd >= 0)
		close(target->apart_fd);
	target->ledger_fd = target->device_fd = target->apart_fd = -1;
}
