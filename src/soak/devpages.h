/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's pages in the page cache, seen through one shared mapping: where in memory each
 * lies (/proc/self/pagemap), what the kernel says of it (/proc/kpageflags), and how to put pages
 * out of the cache and bring them back.
 */
#ifndef CHURNFS_SOAK_DEVPAGES_H
#define CHURNFS_SOAK_DEVPAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVPAGE_SIZE 4096u
#define DEVPAGE_ABSENT UINT64_MAX

enum devpage_flags {
	DEVPAGE_BUFFERS = 1, /* buffer heads are attached */
	DEVPAGE_DIRTY = 2,
};

struct devpages {
	int fd;
	int apart_fd; /* of a second device, whose pages come after PAGES; -1: none */
	int pagemap;
	int kpageflags;
	char *map;
	size_t pages;	    /* of the device */
	size_t apart_pages; /* of the second one */
};

/* Opens and maps the device, for reading and writing. Returns 0 or a negative errno. */
int devpages_open(struct devpages *dp, const char *device, uint64_t bytes);

/*
 * Puts the first BYTES of a second device behind the first, for reading only: the kernel may allow
 * no more while it is mounted. Returns 0 or a negative errno.
 */
int devpages_open_apart(struct devpages *dp, const char *device, uint64_t bytes);
void devpages_close(struct devpages *dp);

/*
 * Calls FN for each run of consecutive numbers in the sorted PAGES[0..count), with the position of
 * its first in PAGES. Ends at the first non-zero result, and returns it.
 */
int devpages_each_run(const uint32_t *pages, size_t count,
		      int (*fn)(void *arg, size_t first, size_t length, size_t position),
		      void *arg);

/*
 * Page frame number of each page of [first, first + count), DEVPAGE_ABSENT where it is not in our
 * page tables. Touches nothing: a page that was migrated shows its new place, one that was
 * reclaimed is absent. Returns 0 or a negative errno.
 */
int devpages_locate(const struct devpages *dp, size_t first, size_t count, uint64_t *pfn);

/* Frame numbers of any memory of this process, as above. */
int devpages_locate_memory(const struct devpages *dp, const void *addr, size_t pages,
			   uint64_t *pfn);

/*
 * Flags (enum devpage_flags) of the pages at PFN[0..count). SCRATCH: room for COUNT numbers.
 * Frames that are absent get 0.
 */
void devpages_flags(const struct devpages *dp, const uint64_t *pfn, size_t count, uint64_t *scratch,
		    uint8_t *flags);

/* Maps the pages that are in the cache, reading in those that are not. */
void devpages_populate(const struct devpages *dp, size_t first, size_t count);

/*
 * Unmaps, and asks the kernel to evict what it can without waiting. A dirty page must stay; one
 * that is dropped nevertheless has lost what was written to it.
 */
void devpages_drop(const struct devpages *dp, size_t first, size_t count);

/*
 * Unmaps, writes back and evicts. Pages in use by others, or dirtied again, stay. A large folio at
 * the border of the range goes as a whole if that has 256 pages or more; else it stays: the kernel
 * evicts no part of one (find_lock_entries(), mm/filemap.c).
 */
void devpages_evict(const struct devpages *dp, size_t first, size_t count);

/*
 * Reads the range back, one folio per page, with buffers attached. BUF holds COUNT pages. Nothing
 * is changed on the way, but pages are dirtied to have buffers attached by writeback. Pages of a
 * second device are faulted in one by one instead.
 */
void devpages_read_back(const struct devpages *dp, size_t first, size_t count, void *buf);

/* How many of COUNT pages (at most DEVPAGES_ASKED) from FIRST on are in the page cache. */
#define DEVPAGES_ASKED 64u
size_t devpages_cached(const struct devpages *dp, size_t first, size_t count);

/* madvise(MADV_POPULATE_WRITE), or a touch of each page on kernels before 5.14. */
void devpages_populate_memory(void *addr, size_t bytes);

#endif
