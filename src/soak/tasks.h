/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_TASKS_H
#define CHURNFS_SOAK_TASKS_H

#include <stdio.h>
#include <sys/types.h>

/*
 * Prints each thread of PID: name, state, what it waits for, and its stack in the kernel, as far as
 * /proc tells: what SysRq-t would say of them, also where there is no SysRq.
 */
void tasks_print(pid_t pid, FILE *out);

#endif
