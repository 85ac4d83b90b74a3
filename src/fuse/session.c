/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

#define FUSE_DEVICE "/dev/fuse"

static void op_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	/* Layer 6 clears set-user-ID on writes, so the kernel need not ask for it each time. */
	if (conn->capable & FUSE_CAP_HANDLE_KILLPRIV)
		conn->want |= FUSE_CAP_HANDLE_KILLPRIV;
}

struct fuse_session *session_create(struct options *options, struct edge *edge)
{
	/*
	 * What is missing the kernel does by itself (access, file locks), or answers without us
	 * from the second time on (flush, fallocate, extended attributes).
	 */
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init,
		.lookup = op_lookup,
		.forget = op_forget,
		.forget_multi = op_forget_multi,
		.getattr = op_getattr,
		.setattr = op_setattr,
		.readlink = op_readlink,
		.statfs = op_statfs,
		.mknod = op_mknod,
		.mkdir = op_mkdir,
		.symlink = op_symlink,
		.link = op_link,
		.unlink = op_unlink,
		.rmdir = op_rmdir,
		.rename = op_rename,
		.create = op_create,
		.open = op_open,
		.release = op_release,
		.read = op_read,
		.write = op_write,
		.fsync = op_fsync,
		.lseek = op_lseek,
		.opendir = op_open,
		.releasedir = op_release,
		.fsyncdir = op_fsync,
		.readdir = op_readdir,
		.readdirplus = op_readdirplus,
	};

	return fuse_session_new(&options->args, &ops, sizeof(ops), edge);
}

int session_probe(void)
{
	int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		int rc = -errno;

		log_error("cannot open " FUSE_DEVICE ": %s: load the fuse module or run with more "
			  "privileges",
			  strerror(-rc));
		return rc;
	}
	close(fd);
	return 0;
}

static int loop_run(struct fuse_session *session, const struct fuse_cmdline_opts *common)
{
	struct fuse_loop_config *config;
	int rc;

	if (common->singlethread)
		return fuse_session_loop(session);
	config = fuse_loop_cfg_create();
	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, (unsigned)common->clone_fd);
	fuse_loop_cfg_set_max_threads(config, common->max_threads);
	/* libfuse complains about its own default. */
	if (common->max_idle_threads != UINT_MAX)
		fuse_loop_cfg_set_idle_threads(config, common->max_idle_threads);
	rc = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	return rc;
}

int session_run(struct fuse_session *session, const struct options *options)
{
	int rc = loop_run(session, &options->common);

	if (rc >= 0)
		return 0; /* above 0: the signal that ended it */
	log_error("the FUSE session failed: %s", strerror(-rc));
	return rc;
}
