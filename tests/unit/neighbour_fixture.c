/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "neighbour_fixture.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "soak/loopdev.h"
#include "util/clock.h"

/* Behind the neighbour there is room for something else, as on a device that is shared. */
#define TAIL (4 << 20)

static const char *tmp_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp && *tmp && strlen(tmp) < 30 ? tmp : "/tmp";
}

static bool program_there(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/usr/sbin/%s", name);
	if (access(path, X_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "/sbin/%s", name);
	return access(path, X_OK) == 0;
}

const char *neighbour_fixture_unavailable(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (access("/dev/loop-control", R_OK | W_OK))
		return "needs /dev/loop-control";
	if (!program_there("mke2fs") || !program_there("e2fsck"))
		return "needs mke2fs and e2fsck (e2fsprogs)";
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "may not mount";
	return NULL;
}

void neighbour_fixture_open(struct neighbour_fixture *f, const char *profile, uint64_t head)
{
	char why[256] = "";
	int image;

	memset(f, 0, sizeof(*f));
	image = open(tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(image, 0);
	ck_assert_int_eq(ftruncate(image, (off_t)head + TAIL), 0);
	ck_assert_int_eq(loopdev_attach(image, f->device, sizeof(f->device), &f->device_fd), 0);
	close(image);
	snprintf(f->mount_dir, sizeof(f->mount_dir), "%s/churnfs-nb-XXXXXX", tmp_dir());
	ck_assert_ptr_nonnull(mkdtemp(f->mount_dir));
	f->options = (struct neighbour_options){
		.device = f->device,
		.mount_dir = f->mount_dir,
		.threads = 2,
		.legs = NEIGHBOUR_ALL_LEGS,
		.seed = 1,
	};
	ck_assert_msg(neighbour_profile_parse(profile, &f->options.profile, why, sizeof(why)) == 0,
		      "%s", why);
	ck_assert_msg(neighbour_format(&f->options.profile, f->device, head, why, sizeof(why)) == 0,
		      "%s", why);
}

void neighbour_fixture_start(struct neighbour_fixture *f)
{
	char why[256] = "";

	ck_assert_msg(neighbour_mount(&f->options, &f->nb, why, sizeof(why)) == 0, "%s", why);
	ck_assert_msg(neighbour_start(f->nb, why, sizeof(why)) == 0, "%s", why);
}

void neighbour_fixture_close(struct neighbour_fixture *f)
{
	neighbour_free(f->nb);
	f->nb = NULL;
	close(f->device_fd);
	ck_assert_int_eq(rmdir(f->mount_dir), 0);
}

bool neighbour_fixture_wait(struct neighbour_fixture *f, unsigned seconds,
			    struct neighbour_failure *failure)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	uint64_t end = clock_now_ns() + seconds * NS_PER_SEC;

	do {
		neighbour_failure_get(f->nb, failure);
		if (!failure->failed)
			nanosleep(&pause, NULL);
	} while (!failure->failed && clock_now_ns() < end);
	return failure->failed;
}
