/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE session: its handlers, its mount and its loop. */
#ifndef CHURNFS_FUSE_SESSION_H
#define CHURNFS_FUSE_SESSION_H

#include "fuse/edge.h"
#include "fuse/options.h"

/* NULL after an error that libfuse printed: an unknown option, or no memory. EDGE must stay. */
struct fuse_session *session_create(struct options *options, struct edge *edge);

/* Says in one line why no FUSE filesystem can be mounted here, if so. Returns 0 or -errno. */
int session_probe(void);

/*
 * Answers requests, in several threads, until the filesystem is unmounted or a signal comes.
 * Returns 0 or a negative errno.
 */
int session_run(struct fuse_session *session, const struct options *options);

#endif
