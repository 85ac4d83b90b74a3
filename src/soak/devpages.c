/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/devpages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* Documentation/admin-guide/mm/pagemap.rst, include/uapi/linux/kernel-page-flags.h */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)
#define KPAGE_DIRTY (1ULL << 4)
#define KPAGE_PRIVATE (1ULL << 35)

#define BATCH 512u
/* The largest folio that readahead makes, of a device too since 6.15. */
#define FOLIO_PAGES 512u
/* Index of a page beside its frame number in one sortable word: devices up to 64 GiB. */
#define INDEX_BITS 24u

int devpages_open(struct devpages *dp, const char *device, uint64_t bytes)
{
	int rc;

	*dp = (struct devpages){
		.fd = -1, .apart_fd = -1, .pagemap = -1, .kpageflags = -1, .map = MAP_FAILED};
	dp->pages = bytes / DEVPAGE_SIZE;
	if (dp->pages >> INDEX_BITS)
		dp->pages = (1u << INDEX_BITS) - 1;
	dp->fd = open(device, O_RDWR | O_CLOEXEC);
	dp->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	dp->kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (dp->fd < 0 || dp->pagemap < 0 || dp->kpageflags < 0)
		goto out_error;
	dp->map =
		mmap(NULL, dp->pages * DEVPAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dp->fd, 0);
	if (dp->map == MAP_FAILED)
		goto out_error;
	madvise(dp->map, dp->pages * DEVPAGE_SIZE, MADV_RANDOM);
	/* Without readahead every page is a folio of its own. */
	posix_fadvise(dp->fd, 0, 0, POSIX_FADV_RANDOM);
	return 0;

out_error:
	rc = -errno;
	devpages_close(dp);
	return rc;
}

/* One range of addresses for both, so that a page's number leads to it as before. */
int devpages_open_apart(struct devpages *dp, const char *device, uint64_t bytes)
{
	size_t first = dp->pages * DEVPAGE_SIZE, pages = bytes / DEVPAGE_SIZE;
	size_t len = pages * DEVPAGE_SIZE;
	char *map;

	if ((dp->pages + pages) >> INDEX_BITS)
		return -EFBIG;
	dp->apart_fd = open(device, O_RDONLY | O_CLOEXEC);
	if (dp->apart_fd < 0)
		return -errno;
	map = mremap(dp->map, first, first + len, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return -errno;
	dp->map = map;
	dp->apart_pages = pages;
	if (mmap(map + first, len, PROT_READ, MAP_SHARED | MAP_FIXED, dp->apart_fd, 0) ==
	    MAP_FAILED)
		return -errno;
	madvise(map + first, len, MADV_RANDOM);
	posix_fadvise(dp->apart_fd, 0, 0, POSIX_FADV_RANDOM);
	return 0;
}

void devpages_close(struct devpages *dp)
{
	if (dp->map != MAP_FAILED)
		munmap(dp->map, (dp->pages + dp->apart_pages) * DEVPAGE_SIZE);
	if (dp->apart_fd >= 0)
		close(dp->apart_fd);
	if (dp->fd >= 0)
		close(dp->fd);
	if (dp->pagemap >= 0)
		close(dp->pagemap);
	if (dp->kpageflags >= 0)
		close(dp->kpageflags);
}

int devpages_each_run(const uint32_t *pages, size_t count,
		      int (*fn)(void *arg, size_t first, size_t length, size_t position), void *arg)
{
	size_t end;

	for (size_t at = 0; at < count; at = end) {
		int rc;

		end = at + 1;
		while (end < count && pages[end] == pages[end - 1] + 1)
			end++;
		rc = fn(arg, pages[at], end - at, at);
		if (rc)
			return rc;
	}
	return 0;
}

int devpages_locate_memory(const struct devpages *dp, const void *addr, size_t pages, uint64_t *pfn)
{
	off_t at = (off_t)((uintptr_t)addr / DEVPAGE_SIZE * sizeof(*pfn));
	size_t want = pages * sizeof(*pfn), done = 0;

	while (done < want) {
		ssize_t n = pread(dp->pagemap, (char *)pfn + done, want - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	for (size_t i = 0; i < pages; i++)
		pfn[i] = pfn[i] & PAGEMAP_PRESENT ? pfn[i] & PAGEMAP_PFN : DEVPAGE_ABSENT;
	return 0;
}

int devpages_locate(const struct devpages *dp, size_t first, size_t count, uint64_t *pfn)
{
	return devpages_locate_memory(dp, dp->map + first * DEVPAGE_SIZE, count, pfn);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void devpages_flags(const struct devpages *dp, const uint64_t *pfn, size_t count, uint64_t *scratch,
		    uint8_t *flags)
{
	uint64_t batch[BATCH], loaded = UINT64_MAX;
	/* Few pages hardly lie in one batch. */
	size_t present = 0, unit = count < BATCH ? 1 : BATCH;

	memset(flags, 0, count);
	for (size_t i = 0; i < count; i++)
		if (pfn[i] != DEVPAGE_ABSENT)
			scratch[present++] = pfn[i] << INDEX_BITS | i;
	/* In order of memory, neighbours are read together. */
	qsort(scratch, present, sizeof(*scratch), compare_u64);
	for (size_t i = 0; i < present; i++) {
		uint64_t frame = scratch[i] >> INDEX_BITS, bits;
		size_t page = scratch[i] & ((1u << INDEX_BITS) - 1);

		if (frame / unit != loaded) {
			loaded = frame / unit;
			memset(batch, 0, unit * sizeof(*batch));
			/* What cannot be read counts as without flags. */
			(void)!pread(dp->kpageflags, batch, unit * sizeof(*batch),
				     (off_t)(loaded * unit * sizeof(*batch)));
		}
		bits = batch[frame % unit];
		flags[page] = (uint8_t)((bits & KPAGE_PRIVATE ? DEVPAGE_BUFFERS : 0) |
					(bits & KPAGE_DIRTY ? DEVPAGE_DIRTY : 0));
	}
}

void devpages_populate(const struct devpages *dp, size_t first, size_t count)
{
	char *start = dp->map + first * DEVPAGE_SIZE;

	if (madvise(start, count * DEVPAGE_SIZE, MADV_POPULATE_READ) == 0)
		return;
	for (size_t i = 0; i < count; i++)
		(void)*(volatile char *)(start + i * DEVPAGE_SIZE);
}

/* The descriptor for page FIRST and, in *AT, its place there. Runs never cross the border. */
static int device_of(const struct devpages *dp, size_t first, off_t *at)
{
	if (first < dp->pages) {
		*at = (off_t)(first * DEVPAGE_SIZE);
		return dp->fd;
	}
	*at = (off_t)((first - dp->pages) * DEVPAGE_SIZE);
	return dp->apart_fd;
}

void devpages_drop(const struct devpages *dp, size_t first, size_t count)
{
	off_t at, len = (off_t)(count * DEVPAGE_SIZE);
	int fd = device_of(dp, first, &at);

	/* A mapped page cannot be evicted. */
	madvise(dp->map + first * DEVPAGE_SIZE, (size_t)len, MADV_DONTNEED);
	posix_fadvise(fd, at, len, POSIX_FADV_DONTNEED);
}

static void evict(const struct devpages *dp, size_t first, size_t count)
{
	off_t at, len = (off_t)(count * DEVPAGE_SIZE);
	int fd = device_of(dp, first, &at);

	devpages_drop(dp, first, count);
	sync_file_range(fd, at, len,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	posix_fadvise(fd, at, len, POSIX_FADV_DONTNEED);
}

/* Evicts what the folios at the borders of a range may reach to; they are aligned in the file. */
static void evict_around(const struct devpages *dp, size_t first, size_t count)
{
	size_t from = first < dp->pages ? 0 : dp->pages;
	size_t to = first < dp->pages ? dp->pages : dp->pages + dp->apart_pages;
	size_t start = (first - from) / FOLIO_PAGES * FOLIO_PAGES + from;
	size_t end = (first - from + count + FOLIO_PAGES - 1) / FOLIO_PAGES * FOLIO_PAGES + from;

	evict(dp, start, (end < to ? end : to) - start);
}

void devpages_evict(const struct devpages *dp, size_t first, size_t count)
{
	evict(dp, first, count);
	if (count >= FOLIO_PAGES / 2 &&
	    (devpages_cached(dp, first, 1) || devpages_cached(dp, first + count - 1, 1)))
		evict_around(dp, first, count);
}

void devpages_read_back(const struct devpages *dp, size_t first, size_t count, void *buf)
{
	char *start = dp->map + first * DEVPAGE_SIZE;
	size_t len = count * DEVPAGE_SIZE;
	off_t at = (off_t)(first * DEVPAGE_SIZE);

	/*
	 * pread(2) fills pages by readahead, which attaches no buffers; a fault under MADV_RANDOM
	 * attaches them, but waits for each page. So pages are read in bulk, dirtied by write
	 * faults that change nothing, and writeback attaches the buffers.
	 */
	if (first < dp->pages && pread(dp->fd, buf, len, at) == (ssize_t)len &&
	    madvise(start, len, MADV_POPULATE_WRITE) == 0) {
		sync_file_range(dp->fd, at, (off_t)len, SYNC_FILE_RANGE_WRITE);
		return;
	}
	for (size_t i = 0; i < count; i++)
		(void)*(volatile char *)(start + i * DEVPAGE_SIZE);
}

size_t devpages_cached(const struct devpages *dp, size_t first, size_t count)
{
	unsigned char cached[DEVPAGES_ASKED];
	size_t n = 0;

	if (count > DEVPAGES_ASKED)
		count = DEVPAGES_ASKED;
	if (mincore(dp->map + first * DEVPAGE_SIZE, count * DEVPAGE_SIZE, cached))
		return 0;
	for (size_t i = 0; i < count; i++)
		n += cached[i] & 1;
	return n;
}

void devpages_populate_memory(void *addr, size_t bytes)
{
	if (madvise(addr, bytes, MADV_POPULATE_WRITE) == 0)
		return;
	for (size_t i = 0; i < bytes; i += DEVPAGE_SIZE)
		((volatile char *)addr)[i] = 1;
}
