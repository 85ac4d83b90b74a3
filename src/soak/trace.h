/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts what the kernel does with the buffers of one block device, by its own tracepoints:
 * block:block_dirty_buffer, and block:block_touch_buffer, which fires when a lookup is answered by
 * the per-CPU buffer LRU. Lookups that go past the LRU fire nothing.
 *
 * perf events count without storing anything and vanish with their descriptors, so that nothing is
 * left behind by a run that is killed. They run for TRACE_WINDOW_NS in each TRACE_PERIOD_NS only;
 * totals are estimates from these samples.
 */
#ifndef CHURNFS_SOAK_TRACE_H
#define CHURNFS_SOAK_TRACE_H

#include <stdint.h>
#include <sys/types.h>

#define TRACE_PERIOD_NS 1000000000ULL
#define TRACE_WINDOW_NS 100000000ULL

struct trace;

struct trace_counts {
	uint64_t touched; /* in the windows */
	uint64_t dirtied;
	uint64_t window_ns; /* length of all windows together */
	uint64_t total_ns;  /* since trace_open() */
};

/*
 * Starts counting for the device number DEV (st_rdev). Mounts tracefs for a moment where it is not
 * mounted, so call it in a private mount namespace. Returns 0 or a negative errno: -EPERM without
 * privileges, -ENOENT or -EOPNOTSUPP on kernels without these tracepoints or perf events.
 */
int trace_open(dev_t dev, struct trace **trace);
void trace_close(struct trace *trace);

/* Begins and ends windows when it is time; call it several times per window. One thread. */
void trace_poll(struct trace *trace);

/* Any thread. */
void trace_counts_get(struct trace *trace, struct trace_counts *counts);

/* COUNT in the windows, scaled up to the whole time. Pure. */
uint64_t trace_estimate(const struct trace_counts *counts, uint64_t count);

#endif
