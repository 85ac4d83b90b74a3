/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that is replaced as a whole: it is written beside the old one and renamed over it once it
 * is on stable storage, so that readers see either the old contents or the new ones.
 */
#ifndef CHURNFS_UTIL_REPLACEMENT_H
#define CHURNFS_UTIL_REPLACEMENT_H

#include <limits.h>
#include <stdio.h>

struct replacement {
	char path[PATH_MAX];
	char temporary[PATH_MAX + 8];
	FILE *file; /* to be written to */
};

/*
 * Opens PATH.tmp for the new contents; what an earlier process left there goes. If PATH is a
 * symbolic link, the file that it leads to is the one. Returns 0; -EINVAL when PATH is something
 * else than a regular file, such as a device; or another negative errno.
 */
int replacement_begin(struct replacement *replacement, const char *path);

/*
 * Puts the new contents in place. Returns 0, or the negative errno of whatever failed since
 * replacement_begin(), with the old contents left as they were.
 */
int replacement_commit(struct replacement *replacement);

/* Leaves the old contents as they are. */
void replacement_abandon(struct replacement *replacement);

#endif
