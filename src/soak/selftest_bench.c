/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/selftest_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "integrity/tag.h"
#include "soak/loopdev.h"

#define BENCH_BYTES ((size_t)BENCH_BLOCKS * CFS_BLOCK_SIZE_MAX)
/* Updates of any blocks before a planting, so that there is a history. */
#define UPDATES_MAX (3 * BENCH_BLOCKS)
#define CHANGED_BYTES_MAX 16u

static int write_all(int fd, const void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	do {
		n = pwrite(fd, buf, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int bench_open(struct bench *bench)
{
	int rc;

	*bench = (struct bench){.attached_fd = -1, .fd = -1, .pin = MAP_FAILED};
	bench->image_fd = memfd_create("churnstress-selftest", MFD_CLOEXEC);
	if (bench->image_fd < 0)
		return -errno;
	if (ftruncate(bench->image_fd, (off_t)BENCH_BYTES)) {
		rc = -errno;
		goto out_close;
	}
	rc = loopdev_attach(bench->image_fd, bench->device, sizeof(bench->device),
			    &bench->attached_fd);
	if (rc)
		goto out_close;
	bench->fd = open(bench->device, O_RDWR | O_CLOEXEC);
	if (bench->fd < 0) {
		rc = -errno;
		goto out_close;
	}
	/* A bad page that is clean must not be evicted: it would come back good. */
	bench->pin = mmap(NULL, BENCH_BYTES, PROT_READ, MAP_SHARED, bench->fd, 0);
	if (bench->pin == MAP_FAILED || mlock(bench->pin, BENCH_BYTES)) {
		rc = -errno;
		goto out_close;
	}
	return 0;

out_close:
	bench_close(bench);
	return rc;
}

void bench_close(struct bench *bench)
{
	ledger_detach(bench->ledger);
	bench->ledger = NULL;
	if (bench->pin != MAP_FAILED)
		munmap(bench->pin, BENCH_BYTES);
	if (bench->fd >= 0)
		close(bench->fd);
	if (bench->attached_fd >= 0)
		close(bench->attached_fd);
	close(bench->image_fd);
}

static int ledger_renew(struct bench *bench)
{
	int fd = memfd_create("churnstress-selftest-ledger", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	ledger_detach(bench->ledger);
	bench->ledger = NULL;
	rc = ledger_create(fd, &bench->geometry, &bench->ledger);
	close(fd);
	return rc;
}

static void seal(struct bench *bench, uint64_t block, const struct tag_info *before)
{
	struct tag_info tag = *before;

	tag.prev_generation = tag.generation;
	tag.generation = ++bench->generation;
	tag_seal(bench->now[block], bench->geometry.block_size, bench->uuid_seed, &tag);
}

static void make_first(struct bench *bench, uint64_t block)
{
	struct tag_info tag = {
		.block = block,
		.owner = rng_below(&bench->rng, 1000),
		.type = CFS_BLOCK_GROUP +
			(uint32_t)rng_below(&bench->rng, CFS_BLOCK_JOURNAL - CFS_BLOCK_GROUP),
	};

	memcpy(tag.uuid, bench->geometry.uuid, sizeof(tag.uuid));
	rng_fill(&bench->rng, bench->now[block], bench->geometry.block_size);
	seal(bench, block, &tag);
}

void bench_next(struct bench *bench, uint64_t block)
{
	uint32_t bs = bench->geometry.block_size;
	uint8_t *payload = tag_payload(bench->now[block]);
	uint64_t len = 1 + rng_below(&bench->rng, CHANGED_BYTES_MAX);
	struct tag_info tag;

	tag_decode(bench->now[block], &tag);
	tag_open(bench->now[block], bs);
	rng_fill(&bench->rng, payload + rng_below(&bench->rng, bs - sizeof(struct cfs_tag) - len),
		 len);
	seal(bench, block, &tag);
}

static uint32_t crc_of(const uint8_t *image)
{
	const struct cfs_tag *tag = (const void *)image;

	return le32_get(tag->crc);
}

static int block_write(struct bench *bench, uint64_t block)
{
	uint32_t bs = bench->geometry.block_size;
	const uint8_t *image = bench->now[block];
	int rc;

	ledger_write_begin(bench->ledger, block);
	rc = write_all(bench->fd, image, bs, block * bs);
	if (rc)
		ledger_write_failed(bench->ledger, block);
	else
		ledger_write_end(bench->ledger, block, image, crc_of(image));
	return rc;
}

int bench_rewrite(struct bench *bench, uint64_t block)
{
	bench_next(bench, block);
	return block_write(bench, block);
}

int bench_update(struct bench *bench)
{
	uint64_t block;

	do {
		block = rng_below(&bench->rng, BENCH_BLOCKS);
	} while (block - bench->held < bench->held_count);
	return bench_rewrite(bench, block);
}

int bench_renew(struct bench *bench, uint64_t seed, uint32_t block_size)
{
	uint64_t updates;
	int rc;

	rng_seed(&bench->rng, seed, 0x5e1f);
	bench->geometry =
		(struct ledger_geometry){.block_size = block_size, .blocks = BENCH_BLOCKS};
	rng_fill(&bench->rng, bench->geometry.uuid, sizeof(bench->geometry.uuid));
	bench->uuid_seed = tag_uuid_seed(bench->geometry.uuid);
	bench->generation = rng_below(&bench->rng, 1u << 20);
	bench->held_count = 0;
	rc = ledger_renew(bench);
	for (uint64_t block = 0; block < BENCH_BLOCKS && !rc; block++) {
		make_first(bench, block);
		rc = block_write(bench, block);
	}
	updates = rng_below(&bench->rng, UPDATES_MAX);
	for (uint64_t i = 0; i < updates && !rc; i++)
		rc = bench_update(bench);
	return rc;
}

/* From now on page tables lead to a page of the verifier's own, with IMAGE in place of BLOCK. */
static int page_divert(struct bench *bench, const struct verifier_device *device, uint64_t block,
		       const uint8_t *image)
{
	uint32_t bs = bench->geometry.block_size;
	uint64_t start = block * bs / BENCH_PAGE * BENCH_PAGE;
	uint8_t *page =
		mmap(NULL, BENCH_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *at = (void *)(uintptr_t)(device->map + start);
	int rc = 0;

	if (page == MAP_FAILED)
		return -errno;
	if (pread(bench->fd, page, BENCH_PAGE, (off_t)start) != BENCH_PAGE)
		rc = -EIO;
	memcpy(page + (block * bs - start), image, bs);
	/* At once: a verifier that reads here sees either the old page or this one. */
	if (!rc && mremap(page, BENCH_PAGE, BENCH_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
		rc = -errno;
	if (rc)
		munmap(page, BENCH_PAGE);
	return rc;
}

static int place_buffered(struct bench *bench, const struct verifier_device *device,
			  const struct bench_planting *p, uint64_t offset)
{
	uint32_t bs = bench->geometry.block_size;
	int rc = page_divert(bench, device, p->block, p->good);

	if (!rc)
		rc = write_all(bench->fd, p->bad, bs, offset);
	/* Dirty, it would be written to the device before a direct read. */
	if (!rc && fdatasync(bench->fd))
		rc = -errno;
	return rc ? rc : write_all(bench->image_fd, p->good, bs, offset);
}

static int place_direct(struct bench *bench, const struct bench_planting *p, uint64_t offset)
{
	if (fdatasync(bench->fd))
		return -errno;
	return write_all(bench->image_fd, p->bad, bench->geometry.block_size, offset);
}

int bench_plant(struct bench *bench, const struct verifier_device *device,
		const struct bench_planting *p)
{
	uint32_t bs = bench->geometry.block_size;
	uint64_t offset = p->block * bs;
	int rc;

	ledger_write_begin(bench->ledger, p->block);
	rc = write_all(bench->fd, p->good, bs, offset);
	if (!rc && p->view == VIEW_BUFFERED)
		rc = place_buffered(bench, device, p, offset);
	else if (!rc && p->view == VIEW_MAPPED)
		rc = page_divert(bench, device, p->block, p->bad);
	else if (!rc)
		rc = place_direct(bench, p, offset);
	if (rc)
		ledger_write_failed(bench->ledger, p->block);
	else
		ledger_write_end(bench->ledger, p->block, p->good, crc_of(p->good));
	return rc;
}
