/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process with a thread that can never end, stuck in the kernel, cannot end itself: its parent
 * waits in vain. So a run is the child of a process that does nothing but wait for it, pass
 * signals on, and exit as the run did, or as it says it would.
 */
#ifndef CHURNFS_SOAK_SUPERVISOR_H
#define CHURNFS_SOAK_SUPERVISOR_H

struct supervisor;

/*
 * Calls BODY(SUPERVISOR, ARG) in a child process, which is killed if this one is, and returns its
 * exit code; 128 + signal when a signal ended it. Call it before there are threads; SIGINT,
 * SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are blocked afterwards. A negative errno when there can be
 * no child.
 */
int supervisor_run(int (*body)(struct supervisor *supervisor, void *arg), void *arg);

/* In the child: ends it with CODE, also if it has threads that never will. */
_Noreturn void supervisor_leave(struct supervisor *supervisor, int code);

#endif
