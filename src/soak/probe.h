/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_PROBE_H
#define CHURNFS_SOAK_PROBE_H

#include <stdio.h>

/*
 * Prints what this kernel, machine and build offer, and what a run will therefore exercise.
 * Returns 0 if a run is possible, else 2.
 */
int probe_print(FILE *out);

#endif
