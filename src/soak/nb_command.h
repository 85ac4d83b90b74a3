/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the distribution: run, with all that they say kept. */
#ifndef CHURNFS_SOAK_NB_COMMAND_H
#define CHURNFS_SOAK_NB_COMMAND_H

#include <stddef.h>

/* Looks for NAME in PATH and where system programs are. Returns 0 or -ENOENT. */
int nb_command_find(const char *name, char *path, size_t len);

/*
 * Runs ARGV[0] (a name, see above) to its end, or until it has used CPU_S seconds of a processor
 * and is killed. *OUTPUT gets what it wrote to stdout and stderr, to be freed by the caller;
 * bounded, the beginning is kept. Returns its exit status, 128 + signal (SIGXCPU at the limit), or
 * a negative errno: -ENOENT: not found; -EDEADLK: it goes on in the kernel far beyond the limit,
 * where SIGKILL does not end it, and is left behind.
 */
int nb_command_run(char *const argv[], unsigned cpu_s, char **output, size_t *length);

#endif
