/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One at a time: two runs on a machine would take each other's settings for those to put back, and
 * each other's memory.
 */
#ifndef CHURNFS_SOAK_MACHINELOCK_H
#define CHURNFS_SOAK_MACHINELOCK_H

/*
 * Locks the folder of the kernel's memory settings with flock(2): nothing is left behind, and no
 * folder need be writable. Held as long as any process has the descriptor open. Waits up to WAIT_MS
 * for another run to put things back. Returns a descriptor; or -EBUSY, or the negative errno of
 * open(2) (-ENOENT: a kernel without such settings) or flock(2).
 */
int machinelock_take(unsigned wait_ms);

#endif
