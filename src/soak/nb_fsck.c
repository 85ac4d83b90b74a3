/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_fsck.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/nb_command.h"
#include "soak/nb_private.h"
#include "util/units.h"

/* Exit status of e2fsck(8), a sum of bits. */
#define FSCK_UNCORRECTED 4

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

static int log_append(struct neighbour *nb, const char *text, size_t length)
{
	char *log = realloc(nb->fsck_log, nb->fsck_log_len + length + 1);

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

int nb_fsck_run(struct neighbour *nb, char *why, size_t len)
{
	/* How it would like extent trees to look is no damage. */
	char *argv[] = {
		"e2fsck", "-fn", "-E", "no_optimize_extents", (char *)(uintptr_t)nb->options.device,
		NULL};
	char *output = NULL, line[256];
	size_t length = 0;
	int rc;

	if (nb->options.profile.generic)
		return 0;
	rc = nb_command_run(argv, &output, &length);
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
	snprintf(why, len, "e2fsck failed (%d): %s", rc, line);
	return -EIO;
}
