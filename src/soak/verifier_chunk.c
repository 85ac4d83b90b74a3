/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verifier's inner loop: one chunk of the device, in one view, against the ledger. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blkdev/blkdev.h"
#include "integrity/tag.h"
#include "ondisk/format.h"
#include "soak/verifier.h"
#include "util/log.h"
#include "util/sigbus.h"

#define CACHE_LINE 64u
#define CHUNK_BLOCKS_MAX (VERIFIER_CHUNK / CFS_BLOCK_SIZE_MIN)

/* A chunk at work. */
struct chunk {
	const struct checker *checker;
	enum verifier_view view;
	const char *bytes; /* of block FIRST + LOW */
	char *copy;	   /* room for one block */
	uint64_t first, low, high;
	struct verifier_pass *pass;
	struct ledger_snapshot snaps[CHUNK_BLOCKS_MAX];
};

int verifier_device_open(struct verifier_device *device, const char *path, uint64_t bytes)
{
	void *map;

	*device = (struct verifier_device){.fd = -1, .direct_fd = -1};
	device->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (device->fd < 0)
		return -errno;
	/* Readahead would bring large folios in, and pages that carry no buffers. */
	posix_fadvise(device->fd, 0, 0, POSIX_FADV_RANDOM);
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, device->fd, 0);
	if (map == MAP_FAILED) {
		int rc = -errno;

		verifier_device_close(device);
		return rc;
	}
	madvise(map, bytes, MADV_RANDOM);
	/* For each page that moves, the kernel looks into every mapping that there is. */
	madvise(map, bytes, MADV_DONTFORK);
	sigbus_install();
	device->map = map;
	device->map_bytes = bytes;
	device->direct_fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	return 0;
}

void verifier_device_close(struct verifier_device *device)
{
	if (device->map)
		munmap((void *)(uintptr_t)device->map, device->map_bytes);
	if (device->direct_fd >= 0)
		close(device->direct_fd);
	if (device->fd >= 0)
		close(device->fd);
}

const char *verifier_view_name(enum verifier_view view)
{
	static const char *const names[VERIFIER_VIEWS] = {"buffered", "mapped", "direct"};

	return names[view];
}

static void finding_log(const struct finding *f, enum verifier_view view)
{
	log_error("verifier (%s): block %llu (%s, owner %llu) is %s: "
		  "expected generation %llu, found %llu",
		  verifier_view_name(view), (unsigned long long)f->block, tag_type_name(f->type),
		  (unsigned long long)f->owner, fault_kind_name(f->kind),
		  (unsigned long long)f->expected_generation,
		  (unsigned long long)f->found_generation);
}

/* Blocks of the chunk that the ledger knows; a block in flight is left for the next pass. */
static bool chunk_snapshot(struct chunk *chunk, uint64_t count)
{
	bool known = false;

	for (uint64_t i = 0; i < count; i++) {
		struct ledger_snapshot *snap = &chunk->snaps[i];

		if (!ledger_snapshot(chunk->checker->ledger, chunk->first + i, snap)) {
			snap->generation = 0;
			chunk->pass->retried++;
		}
		if (!snap->generation)
			continue;
		if (snap->written_ns > chunk->pass->written_ns)
			chunk->pass->written_ns = snap->written_ns;
		if (!known)
			chunk->low = i;
		known = true;
		chunk->high = i + 1;
	}
	return known;
}

/*
 * A block that does not match. In the mapped view it may change while it is looked at: what is
 * judged and kept is a copy, and only if nothing was written since the snapshot.
 */
static void block_mismatch(struct chunk *chunk, uint64_t block, const struct ledger_snapshot *snap,
			   const char *image)
{
	struct finding finding;

	memcpy(chunk->copy, image, chunk->checker->block_size);
	if (!checker_report(chunk->checker, block, snap, chunk->copy, &finding)) {
		chunk->pass->retried++;
		return;
	}
	chunk->pass->mismatches++;
	/* Each pass finds it again: a run that goes on says no more than it keeps. */
	if (!chunk->pass->quiet &&
	    atomic_load(&ledger_counters(chunk->checker->ledger)->mismatches) <=
		    LEDGER_FINDINGS_MAX)
		finding_log(&finding, chunk->view);
}

/*
 * The checksum is made of several parts of a block at once, and where they come from memory, no CPU
 * guesses what is next: half of the time was spent waiting. (A buffered read has just copied them.)
 */
static void prefetch(const char *bytes, uint32_t count)
{
	for (uint32_t at = 0; at < count; at += CACHE_LINE)
		__builtin_prefetch(bytes + at);
}

static int chunk_check(void *arg)
{
	struct chunk *chunk = arg;
	uint32_t bs = chunk->checker->block_size;
	const char *image = chunk->bytes;

	for (uint64_t i = chunk->low; i < chunk->high; i++, image += bs) {
		const struct ledger_snapshot *snap = &chunk->snaps[i];

		/* For the next chunk: four cache lines apart is no stride to guess. */
		ledger_prefetch(chunk->checker->ledger, chunk->first + VERIFIER_CHUNK / bs + i);
		if (!snap->generation)
			continue;
		if (chunk->view == VIEW_MAPPED && i + 1 < chunk->high)
			prefetch(image + bs, bs);
		if (checker_match(chunk->checker, chunk->first + i, snap, image))
			chunk->pass->blocks++;
		else
			block_mismatch(chunk, chunk->first + i, snap, image);
	}
	return 0;
}

int verifier_chunk(const struct checker *checker, const struct verifier_device *device,
		   enum verifier_view view, void *buf, uint64_t first, uint64_t count,
		   struct verifier_pass *pass)
{
	char copy[CFS_BLOCK_SIZE_MAX];
	struct chunk chunk = {
		.checker = checker,
		.view = view,
		.copy = copy,
		.first = first,
		.pass = pass,
	};
	uint64_t offset, len;
	int rc;

	if (!chunk_snapshot(&chunk, count))
		return 0;
	offset = (first + chunk.low) * checker->block_size;
	len = (chunk.high - chunk.low) * checker->block_size;
	pass->bytes += len;
	if (view == VIEW_MAPPED) {
		chunk.bytes = device->map + offset;
		return sigbus_guard(chunk_check, &chunk);
	}
	rc = blkdev_pread_full(view == VIEW_DIRECT ? device->direct_fd : device->fd, buf, len,
			       offset);
	if (rc)
		return rc;
	chunk.bytes = buf;
	return chunk_check(&chunk);
}
