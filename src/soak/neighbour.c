/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/neighbour.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "soak/nb_fsck.h"
#include "soak/nb_private.h"
#include "soak/nb_threads.h"
#include "util/clock.h"

#define UNMOUNT_TRIES 500
#define UNMOUNT_PAUSE_MS 10

static int mount_fs(struct neighbour *nb)
{
	const struct neighbour_profile *p = &nb->options.profile;
	char data[96] = "";

	if (!p->generic) {
		strcpy(data, "errors=remount-ro");
		/* Blocks must be allocated by the call that needs them, not by writeback. */
		if (strcmp(p->type, "ext4") == 0)
			strcat(data, ",nodelalloc");
		if (p->commit_s)
			snprintf(data + strlen(data), sizeof(data) - strlen(data), ",commit=%u",
				 p->commit_s);
	}
	if (mount(nb->options.device, nb->options.mount_dir, p->type,
		  MS_NOATIME | MS_NODIRATIME | MS_NOSUID | MS_NODEV | MS_NOEXEC, data))
		return -errno;
	nb->mounted = true;
	return 0;
}

static int unmount_fs(struct neighbour *nb)
{
	const struct timespec pause = {.tv_nsec = UNMOUNT_PAUSE_MS * 1000000L};

	for (int try = 0; try < UNMOUNT_TRIES && nb->mounted; try++) {
		if (umount2(nb->options.mount_dir, UMOUNT_NOFOLLOW) == 0)
			nb->mounted = false;
		else if (errno != EBUSY)
			return -errno;
		else
			nanosleep(&pause, NULL);
	}
	return nb->mounted ? -EBUSY : 0;
}

/* On kernels that forbid it, nobody but the filesystem may open the device for writing. */
static int sharing_check(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY || errno == EPERM || errno == EACCES ? -EPERM : -errno;
	close(fd);
	return 0;
}

static void errors_dir_find(struct neighbour *nb)
{
	char path[PATH_MAX];
	const char *name;
	int n;

	if (!realpath(nb->options.device, path))
		return;
	name = strrchr(path, '/') + 1;
	n = snprintf(nb->errors_dir, sizeof(nb->errors_dir), "/sys/fs/ext4/%s", name);
	if (n < 0 || (size_t)n >= sizeof(nb->errors_dir) || access(nb->errors_dir, F_OK))
		nb->errors_dir[0] = 0;
}

static int mount_explain(const struct neighbour *nb, int rc, char *why, size_t len)
{
	const struct neighbour_options *o = &nb->options;

	if (rc == -EPERM || rc == -EBUSY)
		snprintf(
			why, len,
			"neighbour %s: cannot share %s (%s): this kernel forbids writing to a "
			"mounted device (boot with bdev_allow_write_mounted=1), or another program "
			"holds the device",
			o->profile.text, o->device, strerror(-rc));
	else if (rc == -ENODEV)
		snprintf(why, len,
			 "neighbour %s: this kernel has no %s: choose another --neighbour, or use "
			 "--no-neighbour",
			 o->profile.text, o->profile.type);
	else
		snprintf(why, len, "neighbour %s: cannot mount %s: %s", o->profile.text, o->device,
			 strerror(-rc));
	return rc;
}

static int tracing_start(struct neighbour *nb)
{
	struct stat st;

	if (fstat(nb->device_fd, &st))
		return -errno;
	return trace_open(st.st_rdev, &nb->trace);
}

static int layout_open(struct neighbour *nb)
{
	int rc;

	if (nb->options.profile.generic)
		return 0;
	rc = nb_layout_open(nb->options.device, &nb->layout);
	/* A build without libext2fs drives it like an unknown filesystem. */
	return rc == -ENOTSUP ? 0 : rc;
}

static int options_check(const struct neighbour_options *options)
{
	return options->threads >= 1 && options->threads <= NEIGHBOUR_THREADS_MAX ? 0 : -EINVAL;
}

int neighbour_mount(const struct neighbour_options *options, struct neighbour **out, char *why,
		    size_t len)
{
	struct neighbour *nb = calloc(1, sizeof(*nb));
	pthread_condattr_t attr;
	int rc = -ENOMEM;

	if (!nb)
		return rc;
	nb->options = *options;
	pthread_mutex_init(&nb->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&nb->changed, &attr);
	pthread_condattr_destroy(&attr);
	nb->device_fd = -1;
	rc = options_check(options);
	if (!rc) {
		nb->device_fd = open(options->device, O_RDONLY | O_CLOEXEC);
		rc = nb->device_fd < 0 ? -errno : mount_fs(nb);
	}
	if (!rc && !options->alone)
		rc = sharing_check(options->device);
	if (!rc)
		rc = layout_open(nb);
	if (rc) {
		mount_explain(nb, rc, why, len);
		neighbour_free(nb);
		return rc;
	}
	errors_dir_find(nb);
	nb->native_ext2 = strcmp(options->profile.type, "ext2") == 0 && !nb->errors_dir[0];
	*out = nb;
	return 0;
}

int neighbour_start(struct neighbour *nb, char *why, size_t len)
{
	int rc = nb_threads_prepare(nb, why, len);

	if (rc)
		return rc;
	rc = nb_threads_open(nb);
	if (!rc)
		rc = nb_pages_note(nb);
	/* Without counters the run is worth as much; it just cannot say as much. */
	if (!rc && nb->options.trace && tracing_start(nb))
		nb->trace = NULL;
	if (!rc) {
		nb->start_ns = clock_now_ns();
		rc = nb_threads_start(nb);
	}
	if (rc)
		snprintf(why, len, "neighbour %s: cannot start: %s", nb->options.profile.text,
			 strerror(-rc));
	return rc;
}

void neighbour_request_stop(struct neighbour *nb)
{
	pthread_mutex_lock(&nb->lock);
	atomic_store(&nb->stop, true);
	pthread_cond_broadcast(&nb->changed);
	pthread_mutex_unlock(&nb->lock);
}

void neighbour_stop(struct neighbour *nb)
{
	nb_threads_stop(nb);
	nb_threads_close(nb);
	if (!nb->end_ns)
		nb->end_ns = clock_now_ns();
}

static int check_unmounted(struct neighbour *nb, char *why, size_t len)
{
	int rc = unmount_fs(nb);

	if (rc) {
		snprintf(why, len, "neighbour %s: cannot unmount it: %s", nb->options.profile.text,
			 strerror(-rc));
		return rc;
	}
	return nb_fsck_run(nb, why, len);
}

int neighbour_check(struct neighbour *nb, char *why, size_t len)
{
	int rc = -EUCLEAN;

	neighbour_pause(nb);
	if (atomic_load(&nb->failed))
		goto out_resume;
	nb_threads_close(nb);
	rc = check_unmounted(nb, why, len);
	if (rc)
		goto out_resume;
	rc = mount_fs(nb);
	if (rc) {
		mount_explain(nb, rc, why, len);
		goto out_resume;
	}
	rc = nb_threads_open(nb);
	if (rc && !atomic_load(&nb->failed))
		nb_fail_call(nb, NEIGHBOUR_LEGS, "opening its files after a check", rc);
	if (rc)
		rc = -EUCLEAN;
out_resume:
	if (rc)
		neighbour_request_stop(nb);
	neighbour_resume(nb);
	return rc;
}

static void failure_excuse(struct neighbour *nb, const char *text)
{
	pthread_mutex_lock(&nb->lock);
	if (nb->failure.failed && nb->failure.newest_only) {
		nb->failure.fault = NEIGHBOUR_FS_ERROR;
		snprintf(nb->failure.text, sizeof(nb->failure.text), "neighbour %s: %s",
			 nb->options.profile.text, text);
	}
	pthread_mutex_unlock(&nb->lock);
}

int neighbour_finish(struct neighbour *nb, char *why, size_t len)
{
	char text[256];
	bool counted = nb->mounted && nb_errors_read(nb, text, sizeof(text));
	int rc = check_unmounted(nb, why, len);

	if (counted)
		failure_excuse(nb, text);
	/* e2fsck has had the first word: it names what is damaged. */
	if (counted)
		rc = nb_fail(nb, NEIGHBOUR_LEGS, NEIGHBOUR_FS_ERROR, -EUCLEAN, "neighbour %s: %s",
			     nb->options.profile.text, text);
	return rc ? rc : atomic_load(&nb->failed) ? -EUCLEAN : 0;
}

uint64_t neighbour_stuck_ns(const struct neighbour *nb)
{
	return nb->stuck_ns;
}

void neighbour_free(struct neighbour *nb)
{
	if (!nb)
		return;
	nb_threads_stop(nb);
	nb_threads_free(nb);
	unmount_fs(nb);
	trace_close(nb->trace);
	nb_layout_close(nb->layout);
	if (nb->device_fd >= 0)
		close(nb->device_fd);
	free(nb->fsck_log);
	free(nb->watched);
	pthread_cond_destroy(&nb->changed);
	pthread_mutex_destroy(&nb->lock);
	free(nb);
}

/*
 * Nothing counts lookups that the LRU does not answer, but each of these needs one: an update of
 * an inode (there are more inode-table blocks than the LRU holds; where raw inodes are written
 * late, each update is followed by an fsync(2)), and whatever is dirtied without
 * having been found there.
 */
static void lookups_get(struct neighbour *nb, struct neighbour_stats *stats)
{
	struct trace_counts counts = {0};
	uint64_t missed = stats->raw ? stats->updates : 0;

	if (nb->trace)
		trace_counts_get(nb->trace, &counts);
	stats->traced = counts.window_ns > 0;
	stats->dirtied = trace_estimate(&counts, counts.dirtied);
	stats->lookups_lru = trace_estimate(&counts, counts.touched);
	if (stats->dirtied > stats->lookups_lru && stats->dirtied - stats->lookups_lru > missed)
		missed = stats->dirtied - stats->lookups_lru;
	stats->lookups = stats->lookups_lru + missed;
}

void neighbour_stats_get(struct neighbour *nb, struct neighbour_stats *stats)
{
	*stats = (struct neighbour_stats){
		.absent = nb->absent,
		.raw = nb->layout != NULL,
		.raw_late = nb->native_ext2,
		.checks = nb->checks,
	};
	for (unsigned i = 0; i < nb->threads; i++) {
		struct nb_counters *count = &nb->thread[i].count;

		for (unsigned leg = 0; leg < NEIGHBOUR_LEGS; leg++) {
			stats->leg[leg] += atomic_load(&count->ops[leg]);
			stats->compared[leg] += atomic_load(&count->compared[leg]);
		}
		stats->verified += atomic_load(&count->verified);
	}
	stats->updates = stats->leg[NEIGHBOUR_INODES];
	if (nb->start_ns)
		stats->ns = (nb->end_ns ? nb->end_ns : clock_now_ns()) - nb->start_ns;
	lookups_get(nb, stats);
}

const char *neighbour_fsck_log(const struct neighbour *nb)
{
	return nb->fsck_log ? nb->fsck_log : "";
}
