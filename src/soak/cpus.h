/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CPUs that this process may use, keeping threads to one of them, and their priority there. */
#ifndef CHURNFS_SOAK_CPUS_H
#define CHURNFS_SOAK_CPUS_H

#include <stdint.h>

/* CPU number NTH of those allowed, counted round and round from 0; -1 if they are not known. */
int cpus_nth(uint64_t nth);

/*
 * Keeps the calling thread to CPU; -1: to none in particular. Failure is none: a container may have
 * fewer CPUs than it shows.
 */
void cpus_pin(int cpu);

/* Sets the nice value of the calling thread alone, not of its process. Failure is none. */
void cpus_nice(int nice);

#endif
