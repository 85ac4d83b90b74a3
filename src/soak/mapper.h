/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of its own that has pages mapped, for move_pages(2). A page that is migrated is taken
 * out of page tables first, and every processor that may know the mapping is interrupted and
 * awaited. A process of many threads is known to all of them; this one, which sleeps meanwhile, to
 * none. (Linux: mm_cpumask(), arch/x86/mm/tlb.c.)
 */
#ifndef CHURNFS_SOAK_MAPPER_H
#define CHURNFS_SOAK_MAPPER_H

#include <stddef.h>
#include <sys/types.h>

struct mapper;

/*
 * Forks. MAP, BYTES of shared memory of this process, will be at the same addresses there; so many
 * pages at most will be named at once. NICE: its priority, for whoever waits for it is as slow as
 * it is; one that may not be set is none. Returns 0 or a negative errno.
 */
int mapper_start(void *map, size_t bytes, size_t pages_max, int nice, struct mapper **mapper);

pid_t mapper_pid(const struct mapper *mapper);

/*
 * From now on it has the pages at ADDRESS[0..count) mapped, anew, and of the others of MAP only
 * those that the kernel maps along with them. COUNT 0: none. Returns 0, -EIO if a page cannot be
 * read, which ends the process, or another negative errno.
 */
int mapper_set(struct mapper *mapper, void *const *address, size_t count);

/* Ends the process, which also ends when this one does. NULL is ignored. */
void mapper_stop(struct mapper *mapper);

#endif
