/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anonymous memory that compaction leaves where it is: locked, while
 * vm.compact_unevictable_allowed is 0. Pages of 4 KiB, taken and given back at will. One thread.
 */
#ifndef CHURNFS_SOAK_LOCKEDMEM_H
#define CHURNFS_SOAK_LOCKEDMEM_H

#include <stddef.h>

struct sandbox;

struct lockedmem {
	char *base;
	size_t pages;
};

/*
 * Sets what keeps compaction off locked memory, for the rest of the run. Returns 0 or a negative
 * errno. SANDBOX puts it back.
 */
int lockedmem_allow(struct sandbox *sandbox);

/* Room for PAGES, none of them taken. Returns 0 or a negative errno (-EPERM, -ENOMEM). */
int lockedmem_create(struct lockedmem *mem, size_t pages);
void lockedmem_free(struct lockedmem *mem);

/* Takes, or gives back, COUNT pages from FIRST on; those that are taken (given back) stay so. */
void lockedmem_take(const struct lockedmem *mem, size_t first, size_t count);
void lockedmem_release(const struct lockedmem *mem, size_t first, size_t count);

#endif
