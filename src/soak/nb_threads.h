/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads of the neighbour: legs, monitor, and the gate at which they wait. */
#ifndef CHURNFS_SOAK_NB_THREADS_H
#define CHURNFS_SOAK_NB_THREADS_H

#include "soak/neighbour.h"

/* Prepares all legs. After an error WHY is set and nb_threads_free() cleans up. */
int nb_threads_prepare(struct neighbour *nb, char *why, size_t len);

/* (Re)opens the files of all legs, after mounting. Returns 0 or a negative errno. */
int nb_threads_open(struct neighbour *nb);
void nb_threads_close(struct neighbour *nb);

/* Starts the threads, or stops and joins those that run. */
int nb_threads_start(struct neighbour *nb);
void nb_threads_stop(struct neighbour *nb);

void nb_threads_free(struct neighbour *nb);

#endif
