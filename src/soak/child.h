/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs under test as child processes: mkfs.churnfs and the daemon. */
#ifndef CHURNFS_SOAK_CHILD_H
#define CHURNFS_SOAK_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Finds a program of this package: beside this executable, then where it was installed to, then
 * in PATH. Returns 0 or -ENOENT.
 */
int child_find(const char *name, char *path, size_t len);

/* Starts ARGV[0] with stdin from /dev/null, in a process group of its own. Returns 0 or -errno. */
int child_start(char *const argv[], pid_t *pid);

/* Runs a program to its end. Returns its exit status, 128 + signal, or a negative errno. */
int child_run(char *const argv[]);

/*
 * Waits up to TIMEOUT_NS for the end of PID. Returns true when it has ended and fills *STATUS as
 * waitpid(2) does. 0: only looks.
 */
bool child_wait(pid_t pid, uint64_t timeout_ns, int *status);

/* "exited with status 2", "was killed by signal 9 (Killed)" */
char *child_status_format(int status, char *buf, size_t len);

#endif
