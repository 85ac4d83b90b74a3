/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going into the background before anything is opened: io_uring rings, locks and threads do not
 * survive a fork. The parent waits until the child is ready, so that the user sees its errors and
 * its exit status.
 */
#ifndef CHURNFS_FUSE_DETACH_H
#define CHURNFS_FUSE_DETACH_H

struct detach {
	int fd; /* the waiting parent; -1: in the foreground */
};

/*
 * Forks. Returns in the child only, or -errno where there is none; the parent exits with 0 once
 * the child is ready, or else with its exit status.
 */
int detach_begin(struct detach *detach);

/*
 * The child works from now on: lets the parent go, leaves terminal and directory behind and logs
 * to syslog. Nothing to do in the foreground.
 */
void detach_ready(struct detach *detach);

#endif
