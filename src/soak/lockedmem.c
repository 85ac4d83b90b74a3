/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/lockedmem.h"

#include <errno.h>
#include <sys/mman.h>

#include "soak/devpages.h"
#include "soak/sandbox.h"

/* Since 5.18, include/uapi/asm-generic/mman-common.h. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* Documentation/admin-guide/sysctl/vm.rst; there since 4.2. */
#define UNEVICTABLE_PATH "/proc/sys/vm/compact_unevictable_allowed"

int lockedmem_allow(struct sandbox *sandbox)
{
	return sandbox_set(sandbox, UNEVICTABLE_PATH, "0");
}

int lockedmem_create(struct lockedmem *mem, size_t pages)
{
	size_t bytes = pages * DEVPAGE_SIZE;
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc;

	*mem = (struct lockedmem){0};
	if (base == MAP_FAILED)
		return -errno;
	madvise(base, bytes, MADV_NOHUGEPAGE);
	/* What is released must be free at once, also while a child has not called execve() yet. */
	madvise(base, bytes, MADV_DONTFORK);
	if (mlock2(base, bytes, MLOCK_ONFAULT)) {
		rc = -errno;
		munmap(base, bytes);
		return rc;
	}
	*mem = (struct lockedmem){base, pages};
	return 0;
}

void lockedmem_free(struct lockedmem *mem)
{
	if (mem->base)
		munmap(mem->base, mem->pages * DEVPAGE_SIZE);
	*mem = (struct lockedmem){0};
}

void lockedmem_take(const struct lockedmem *mem, size_t first, size_t count)
{
	devpages_populate_memory(mem->base + first * DEVPAGE_SIZE, count * DEVPAGE_SIZE);
}

void lockedmem_release(const struct lockedmem *mem, size_t first, size_t count)
{
	char *start = mem->base + first * DEVPAGE_SIZE;
	size_t bytes = count * DEVPAGE_SIZE;

	if (madvise(start, bytes, MADV_DONTNEED_LOCKED) == 0)
		return;
	/* Older kernels refuse to drop locked pages. */
	munlock(start, bytes);
	madvise(start, bytes, MADV_DONTNEED);
	mlock2(start, bytes, MLOCK_ONFAULT);
}
