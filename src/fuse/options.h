/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's command line. */
#ifndef CHURNFS_FUSE_OPTIONS_H
#define CHURNFS_FUSE_OPTIONS_H

#include <fuse_lowlevel.h>

#include "blkdev/blkdev.h"

/* Exit status of the daemon, as in its manual page. */
enum daemon_exit { DAEMON_OK = 0, DAEMON_USAGE = 1, DAEMON_FAILED = 2 };

struct options {
	char *device;
	char *mountpoint; /* absolute */
	char *backend_name;
	enum blkdev_backend backend;
	int readonly;
	int ledger_fd; /* -1: none given */
	double timeout;
	int die_with_parent;
	struct fuse_cmdline_opts common; /* -f, -d, -s, clone_fd, max_threads, ... */
	struct fuse_args args;		 /* what is left for the session: mount options */
};

/*
 * Parses the command line. Returns true to go on; false when *STATUS is to be returned from
 * main(), after help or version were printed or an error was logged in one line. In either case
 * options_free() follows.
 */
bool options_parse(int argc, char **argv, struct options *options, enum daemon_exit *status);
void options_free(struct options *options);

#endif
