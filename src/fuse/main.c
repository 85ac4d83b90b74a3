/* SPDX-License-Identifier: GPL-2.0-or-later */
/* churnfs: mounts a churnfs and serves it. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fuse/detach.h"
#include "fuse/device.h"
#include "fuse/options.h"
#include "fuse/session.h"
#include "util/log.h"

/* The signal unmounts in order. A parent that ended before it was asked for gives none. */
static int follow_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* Mounts, serves and unmounts the open filesystem of EDGE. */
static int serve(struct fuse_session *session, const struct options *options, struct detach *detach)
{
	int rc = -EIO;

	if (fuse_set_signal_handlers(session)) {
		log_error("the signal handlers cannot be set");
		return rc;
	}
	/* libfuse has said why if this fails. */
	if (fuse_session_mount(session, options->mountpoint))
		goto out;
	detach_ready(detach);
	rc = session_run(session, options);
	fuse_session_unmount(session);
out:
	fuse_remove_signal_handlers(session);
	return rc;
}

static int serve_device(struct fuse_session *session, struct edge *edge,
			const struct options *options, struct detach *detach)
{
	struct volume *volume;
	int lock, rc, error;

	rc = device_open(options, &volume, &lock);
	if (rc)
		return rc;
	rc = fs_mount(volume, &edge->fs);
	if (!rc) {
		rc = serve(session, options, detach);
		error = fs_unmount(edge->fs);
		if (error)
			log_error("%s was not left in order: %s", options->device,
				  strerror(-error));
		if (!rc)
			rc = error;
	}
	close(lock);
	return rc;
}

static enum daemon_exit run(struct options *options, pid_t parent)
{
	struct edge edge = {.timeout = options->timeout};
	struct detach detach = {.fd = -1};
	struct fuse_session *session;
	int rc;

	session = session_create(options, &edge);
	if (!session)
		return DAEMON_USAGE;
	rc = session_probe();
	if (!rc && options->die_with_parent)
		rc = follow_parent(parent);
	if (!rc && !options->common.foreground)
		rc = detach_begin(&detach);
	if (!rc)
		rc = serve_device(session, &edge, options, &detach);
	fuse_session_destroy(session);
	return rc ? DAEMON_FAILED : DAEMON_OK;
}

int main(int argc, char **argv)
{
	struct options options;
	enum daemon_exit status;
	pid_t parent = getppid();

	log_init("churnfs", LOG_LEVEL_NOTICE);
	/* Ignored, it would tell nothing of how the daemon ended at start (wait(2)). */
	signal(SIGCHLD, SIG_DFL);
	if (options_parse(argc, argv, &options, &status))
		status = run(&options, parent);
	options_free(&options);
	return (int)status;
}
