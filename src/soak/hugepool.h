/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's pools of huge pages (hugetlb), by the file that holds their size. */
#ifndef CHURNFS_SOAK_HUGEPOOL_H
#define CHURNFS_SOAK_HUGEPOOL_H

struct sandbox;

#define HUGEPOOL_2M "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define HUGEPOOL_1G "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"

/* Pages in the pool, or a negative errno. */
long hugepool_size(const char *path);

/*
 * Asks for a pool of PAGES, and lets the sandbox put back what there was before the first time. The
 * kernel may give less: see hugepool_size(). Returns 0 or a negative errno.
 */
int hugepool_set(struct sandbox *sandbox, const char *path, long pages);

#endif
