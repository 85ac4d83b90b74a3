/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ondisk/format.h"
#include "util/log.h"

#define TIMEOUT_MAX 1e9 /* seconds */

static const char usage_text[] =
	"Usage: churnfs [-f] [-d] [-o OPTION[,OPTION...]] DEVICE MOUNTPOINT\n"
	"Mount the churnfs on DEVICE, a block device or an image file.\n"
	"\n"
	"churnfs options:\n"
	"    -o backend=NAME        how to reach the device: auto, uring, pread or mmap\n"
	"    -o ro                  change nothing\n"
	"    -o timeout=SECONDS     how long the kernel may keep names and attributes (0)\n"
	"    -o ledger_fd=N         keep the ledger in this inherited descriptor\n"
	"    -o die_with_parent     with -f: unmount when the parent process ends\n"
	"\n"
	"Exit status: 0 done, 1 wrong usage, 2 DEVICE or MOUNTPOINT cannot be used or failed.\n"
	"\n"
	"FUSE options:\n";

static const struct fuse_opt option_specs[] = {
	{"backend=%s", offsetof(struct options, backend_name), 0},
	{"ledger_fd=%d", offsetof(struct options, ledger_fd), 0},
	{"timeout=%lf", offsetof(struct options, timeout), 0},
	{"die_with_parent", offsetof(struct options, die_with_parent), 1},
	{"ro", offsetof(struct options, readonly), 1},
	/* The kernel is to know it too. */
	{"ro", UINT_MAX, FUSE_OPT_KEY_KEEP},
	FUSE_OPT_END,
};

/* Keeps the first two words, which are no options. */
static int word_take(void *data, const char *arg, int key, struct fuse_args *out)
{
	struct options *options = data;
	char **word = options->device ? &options->mountpoint : &options->device;

	(void)out;
	if (key != FUSE_OPT_KEY_NONOPT)
		return 1;
	if (*word) {
		log_error("one argument too many: '%s'", arg);
		return -1;
	}
	*word = strdup(arg);
	return *word ? 0 : -1;
}

static int values_check(struct options *options)
{
	if (options->backend_name &&
	    blkdev_backend_parse(options->backend_name, &options->backend)) {
		log_error("backend '%s': must be auto, uring, pread or mmap",
			  options->backend_name);
		return -EINVAL;
	}
	if (!(options->timeout >= 0 && options->timeout <= TIMEOUT_MAX)) {
		log_error("timeout: must be a number of seconds from 0 to %.0f", TIMEOUT_MAX);
		return -EINVAL;
	}
	if (options->ledger_fd != -1 && fcntl(options->ledger_fd, F_GETFD) < 0) {
		log_error("ledger_fd: %d is not an open descriptor", options->ledger_fd);
		return -EINVAL;
	}
	if (options->die_with_parent && !options->common.foreground) {
		log_error("die_with_parent needs -f: else the parent ends at once");
		return -EINVAL;
	}
	if (!options->device || !options->mountpoint) {
		log_error("%s is missing; see churnfs --help",
			  options->device ? "MOUNTPOINT" : "DEVICE");
		return -EINVAL;
	}
	return 0;
}

/* Options that hold unless the user says otherwise, so they come before the user's. */
static int defaults_add(struct options *options)
{
	char *name = NULL, *fixed = NULL;
	int rc = -ENOMEM;

	if (asprintf(&name, "fsname=%s", options->device ? options->device : "") < 0)
		return -ENOMEM;
	if (fuse_opt_add_opt(&fixed, "default_permissions,subtype=churnfs") == 0 &&
	    fuse_opt_add_opt_escaped(&fixed, name) == 0 &&
	    fuse_opt_insert_arg(&options->args, 1, fixed) == 0 &&
	    fuse_opt_insert_arg(&options->args, 1, "-o") == 0)
		rc = 0;
	free(fixed);
	free(name);
	return rc;
}

/* Absolute, as the daemon changes its directory; and a directory, as the root is one. */
static int mountpoint_resolve(struct options *options)
{
	char *path = realpath(options->mountpoint, NULL);
	struct stat st;

	if (!path || stat(path, &st)) {
		log_error("mountpoint %s: %s", options->mountpoint, strerror(errno));
		free(path);
		return -EINVAL;
	}
	free(options->mountpoint);
	options->mountpoint = path;
	if (S_ISDIR(st.st_mode))
		return 0;
	log_error("mountpoint %s is not a directory", path);
	return -ENOTDIR;
}

static void help_print(void)
{
	fputs(usage_text, stdout);
	fuse_cmdline_help();
	fuse_lowlevel_help();
}

bool options_parse(int argc, char **argv, struct options *options, enum daemon_exit *status)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);

	*options = (struct options){.ledger_fd = -1, .args = args};
	*status = DAEMON_USAGE;
	if (fuse_opt_parse(&options->args, options, option_specs, word_take) ||
	    defaults_add(options) || fuse_parse_cmdline(&options->args, &options->common))
		return false;
	if (options->common.show_help || options->common.show_version) {
		*status = DAEMON_OK;
		if (options->common.show_help)
			help_print();
		else
			printf("churnfs: format version %d, libfuse %s\n", CFS_VERSION,
			       fuse_pkgversion());
		return false;
	}
	if (values_check(options))
		return false;
	*status = DAEMON_FAILED;
	if (mountpoint_resolve(options))
		return false;
	*status = DAEMON_OK;
	return true;
}

void options_free(struct options *options)
{
	free(options->device);
	free(options->mountpoint);
	free(options->backend_name);
	free(options->common.mountpoint);
	fuse_opt_free_args(&options->args);
}
