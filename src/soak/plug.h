/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills the gaps between memory that the kernel cannot move, where it would put a block device's
 * pages first when they are read by user space: they could come out of there, but for the kernel
 * to want to, they must lie where a pageblock can become free. The pages of pipes are of the same
 * kind, and go into these gaps. One thread; no locks.
 */
#ifndef CHURNFS_SOAK_PLUG_H
#define CHURNFS_SOAK_PLUG_H

#include <stdint.h>

/* More is never of use. */
#define PLUG_BYTES_MAX (512ULL << 20)

struct plug;

/*
 * Fills gaps with at most BYTES. The fewer remain the better, so there is no error if some do, or
 * if nobody can tell how many there are (/proc/pagetypeinfo). Returns 0 or -ENOMEM.
 */
int plug_create(uint64_t bytes, struct plug **plug);

/*
 * Has one more page of that kind, where the device's pages go at this moment. The pageblocks that
 * they were given can then not become free as a whole when they have left, which would make them
 * blocks for movable memory again (__isolate_free_page(), mm/page_alloc.c): free page reporting
 * does that to a virtual machine's within seconds. So the pages find their way back there. At most
 * 256 times.
 */
void plug_pin(struct plug *plug);

void plug_free(struct plug *plug);

#endif
