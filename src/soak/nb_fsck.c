/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak/nb_command.h"
#include "soak/nb_private.h"
#include "util/clock.h"
#include "util/units.h"

/* Exit status of e2fsck(8), a sum of bits. */
#define FSCK_UNCORRECTED 4
/*
 * A thousand times what a sound filesystem of this size takes. Some damage leads e2fsck in circles
 * (row buffers-unlocked of the lab: five minutes, until the guest was ended).
 */
#define FSCK_CPU_S 60u
#define COPY_BYTES (1u << 20)
#define COPY_ALIGN 4096u
#define LOG_BYTES_MAX (256u << 10)

static bool attribute_read(const struct neighbour *nb, const char *name, char *value, size_t len)
{
	char path[192];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", nb->errors_dir, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	good = fgets(value, (int)len, file) != NULL;
	fclose(file);
	value[good ? strcspn(value, "\n") : 0] = 0;
	return good;
}

bool nb_errors_read(const struct neighbour *nb, char *text, size_t len)
{
	char count[32], function[64] = "?", line[32] = "?", ino[32] = "?", block[32] = "?";
	uint64_t n;

	if (!nb->errors_dir[0] || !attribute_read(nb, "errors_count", count, sizeof(count)) ||
	    number_parse(count, &n) || n == 0)
		return false;
	attribute_read(nb, "first_error_func", function, sizeof(function));
	attribute_read(nb, "first_error_line", line, sizeof(line));
	attribute_read(nb, "first_error_ino", ino, sizeof(ino));
	attribute_read(nb, "first_error_block", block, sizeof(block));
	snprintf(text, len,
		 "the kernel's filesystem has met %" PRIu64
		 " errors, the first in %s:%s (inode %s, block %s)",
		 n, function, line, ino, block);
	return true;
}

/* Of a run of weeks, the last checks. */
static void log_make_room(struct neighbour *nb, size_t length)
{
	const char *line;

	if (!nb->fsck_log || nb->fsck_log_len + length <= LOG_BYTES_MAX)
		return;
	line = memchr(nb->fsck_log + nb->fsck_log_len / 2, '\n', nb->fsck_log_len / 2);
	if (!line)
		return;
	nb->fsck_log_len -= (size_t)(line + 1 - nb->fsck_log);
	memmove(nb->fsck_log, line + 1, nb->fsck_log_len + 1);
}

static int log_append(struct neighbour *nb, const char *text, size_t length)
{
	char *log;

	log_make_room(nb, length);
	log = realloc(nb->fsck_log, nb->fsck_log_len + length + 1);
	if (!log)
		return -ENOMEM;
	memcpy(log + nb->fsck_log_len, text, length);
	nb->fsck_log = log;
	nb->fsck_log_len += length;
	log[nb->fsck_log_len] = 0;
	return 0;
}

/* The line that tells most: the first that is neither a banner nor progress. */
static void complaint_find(const char *output, char *line, size_t len)
{
	size_t length = strcspn(output, "\n");

	while (output[length] == '\n' && (length == 0 || strncmp(output, "Pass ", 5) == 0 ||
					  strncmp(output, "e2fsck ", 7) == 0)) {
		output += length + 1;
		length = strcspn(output, "\n");
	}
	snprintf(line, len, "%.*s", (int)length, output);
}

static int copy_fill(int to, int from, uint64_t bytes, uint8_t *buf)
{
	for (uint64_t at = 0; at < bytes; at += COPY_BYTES) {
		size_t want = bytes - at < COPY_BYTES ? (size_t)(bytes - at) : COPY_BYTES;
		ssize_t n = pread(from, buf, want, (off_t)at);

		if (n < 0)
			return -errno;
		if ((size_t)n != want || pwrite(to, buf, want, (off_t)at) != n)
			return -EIO;
	}
	return 0;
}

/*
 * ext2's own driver writes directories past the device's cache, which then holds what they were
 * before; others keep the device open, so unmounting does not empty it. What reached the device
 * is read directly. Returns the descriptor of a copy in memory, or a negative errno.
 */
static int device_copy(const struct neighbour *nb)
{
	const struct nb_geometry *g = nb_layout_geometry(nb->layout);
	int from = open(nb->options.device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int to = -1, rc;
	void *buf = NULL;

	if (from < 0)
		return -errno;
	to = memfd_create("neighbour", 0);
	rc = to < 0 ? -errno : -posix_memalign(&buf, COPY_ALIGN, COPY_BYTES);
	if (!rc)
		rc = copy_fill(to, from, g->blocks * g->block_size, buf);
	free(buf);
	close(from);
	if (rc && to >= 0)
		close(to);
	return rc ? rc : to;
}

/* Runs the checker on the device or, where that must be, on a copy. As nb_command_run(). */
static int checker_run(struct neighbour *nb, char **output, size_t *length)
{
	char name[256];
	/* How it would like extent trees to look is no damage. */
	char *argv[] = {"e2fsck", "-fn", "-E", "no_optimize_extents", name, NULL};
	int copy = -1, rc;

	if (nb->native_ext2 && nb->layout) {
		copy = device_copy(nb);
		if (copy < 0)
			return copy;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
	} else {
		snprintf(name, sizeof(name), "%s", nb->options.device);
	}
	rc = nb_command_run(argv, FSCK_CPU_S, output, length);
	if (copy >= 0)
		close(copy);
	return rc;
}

/* It keeps the device busy, and more of the kernel may wait for it: see neighbour_stuck_ns(). */
static int checker_stuck(struct neighbour *nb, uint64_t began_ns)
{
	nb->stuck_ns = began_ns;
	return nb_fail(
		nb, NEIGHBOUR_LEGS, NEIGHBOUR_FS_ERROR, -EUCLEAN,
		"neighbour %s: e2fsck -fn goes in circles in the kernel and cannot be killed",
		nb->options.profile.text);
}

int nb_fsck_run(struct neighbour *nb, char *why, size_t len)
{
	char *output = NULL, line[256];
	uint64_t began_ns = clock_now_ns();
	size_t length = 0;
	int rc;

	if (nb->options.profile.generic)
		return 0;
	if (nb->stuck_ns)
		return -EUCLEAN;
	rc = checker_run(nb, &output, &length);
	if (rc == -EDEADLK)
		return checker_stuck(nb, began_ns);
	if (rc < 0) {
		snprintf(why, len, "cannot run e2fsck: %s", strerror(-rc));
		return rc;
	}
	if (log_append(nb, output, length))
		rc = -ENOMEM;
	complaint_find(output, line, sizeof(line));
	free(output);
	if (rc == 0) {
		nb->checks++;
		return 0;
	}
	if (rc > 0 && (rc & FSCK_UNCORRECTED))
		return nb_fail(nb, NEIGHBOUR_LEGS, NEIGHBOUR_FSCK, -EUCLEAN,
			       "neighbour %s: e2fsck -fn found damage: %s",
			       nb->options.profile.text, line);
	if (rc == 128 + SIGXCPU)
		return nb_fail(
			nb, NEIGHBOUR_LEGS, NEIGHBOUR_FSCK, -EUCLEAN,
			"neighbour %s: damage leads e2fsck -fn in circles: no end in %u s of "
			"processor time",
			nb->options.profile.text, FSCK_CPU_S);
	snprintf(why, len, "e2fsck failed (%d): %s", rc, line);
	return -EIO;
}
