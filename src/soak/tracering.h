/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel did last to the buffers and pages of the device: an ftrace instance of our own
 * that overwrites its oldest events, kept for the evidence. Events: migrations and compactions,
 * buffers of the device looked up and dirtied, and, where kprobes work, each migration of a page
 * of a block device with its index. Times are those of clock_now_ns().
 */
#ifndef CHURNFS_SOAK_TRACERING_H
#define CHURNFS_SOAK_TRACERING_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "soak/sandbox.h"

struct tracering;

/* True if this build can trace (libtracefs). */
bool tracering_built(void);

/*
 * Starts tracing for the device number DEV (st_rdev). The instance is noted in the sandbox, whose
 * guardian removes it. Returns 0 or a negative errno: -ENOTSUP in a build without libtracefs,
 * -ENOENT or -EPERM where there is no tracefs. A run goes on without.
 */
int tracering_start(struct sandbox *sandbox, dev_t dev, struct tracering **ring);

/* Ends recording. May be called again. NULL is ignored. */
void tracering_stop(struct tracering *ring);

/* Writes what was recorded, oldest first. Only after tracering_stop(). */
void tracering_print(struct tracering *ring, FILE *out);

/* Frees; the guardian removes the instance when the sandbox goes. NULL is ignored. */
void tracering_free(struct tracering *ring);

#endif
