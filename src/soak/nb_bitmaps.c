/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bitmap leg: files of a few blocks come and go in all groups, and after each the bitmaps of
 * the groups it touched must have changed in exactly the bits that it owns. All that allocates in
 * the neighbour runs in one thread, so between its rounds no bitmap may change at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "soak/nb_map.h"
#include "soak/nb_private.h"
#include "util/bitmap.h"

#define DIRS 32u
#define SLOTS 24u /* names of a directory: no more than its first block holds */
#define BLOCKS_MAX 4u
#define OPS_PER_STEP 8u

struct slot {
	bool used;
	uint64_t ino;
	size_t runs;
	struct nb_run run[BLOCKS_MAX];
};

struct bitmaps {
	struct neighbour *nb;
	struct nb_counters *count;
	struct rng rng;
	const struct nb_geometry *geometry; /* NULL: generic */
	struct nb_shadow *inodes, *blocks;  /* by group */
	int64_t blocks_skew, inodes_skew;   /* free by statvfs(3) less clear bits: constant */
	unsigned next;
	int dirfd[DIRS];
	struct slot slot[DIRS][SLOTS];
};

static int failed_call(struct bitmaps *s, const char *what, int rc)
{
	return nb_fail_call(s->nb, NEIGHBOUR_BITMAPS, what, rc);
}

static int all_verify(struct bitmaps *s, const char *when)
{
	for (uint32_t g = 0; s->geometry && g < s->geometry->groups; g++) {
		int rc = nb_shadow_verify(s->nb, NEIGHBOUR_BITMAPS, &s->inodes[g], when);

		if (!rc)
			rc = nb_shadow_verify(s->nb, NEIGHBOUR_BITMAPS, &s->blocks[g], when);
		if (rc)
			return rc;
	}
	if (s->geometry)
		nb_count(&s->count->compared[NEIGHBOUR_BITMAPS], 2ULL * s->geometry->groups);
	return 0;
}

static int all_refresh(struct bitmaps *s)
{
	for (uint32_t g = 0; g < s->geometry->groups; g++) {
		int rc = nb_shadow_refresh(s->nb, &s->inodes[g]);

		if (!rc)
			rc = nb_shadow_refresh(s->nb, &s->blocks[g]);
		if (rc)
			return rc;
	}
	return 0;
}

/* Free blocks and inodes that the filesystem counts but the bitmaps do not show. */
static int skew_get(struct bitmaps *s, int64_t *blocks, int64_t *inodes)
{
	uint64_t clear_blocks = 0, clear_inodes = 0;
	struct statvfs fs;

	if (fstatvfs(s->dirfd[0], &fs))
		return -errno;
	for (uint32_t g = 0; g < s->geometry->groups; g++) {
		clear_blocks += s->geometry->blocks_per_group -
				bitmap_count_set(s->blocks[g].image, s->geometry->blocks_per_group);
		clear_inodes += s->geometry->inodes_per_group -
				bitmap_count_set(s->inodes[g].image, s->geometry->inodes_per_group);
	}
	*blocks = (int64_t)fs.f_bfree - (int64_t)clear_blocks;
	*inodes = (int64_t)fs.f_ffree - (int64_t)clear_inodes;
	return 0;
}

static int bitmaps_sweep(void *state)
{
	return all_verify(state, "when all was at rest");
}

int nb_bitmaps_round_end(void *state)
{
	struct bitmaps *s = state;
	int64_t blocks, inodes;
	int rc;

	if (!s->geometry)
		return 0;
	rc = all_refresh(s);
	if (!rc)
		rc = skew_get(s, &blocks, &inodes);
	if (rc)
		return failed_call(s, "reading the bitmaps", rc);
	if (blocks == s->blocks_skew && inodes == s->inodes_skew)
		return 0;
	return nb_fail(
		s->nb, NEIGHBOUR_BITMAPS, NEIGHBOUR_CORRUPT, -EUCLEAN,
		"neighbour %s (bitmaps): %s of the bitmaps are lost or made up: the "
		"filesystem counts %" PRId64 " more free than they show",
		s->nb->options.profile.text, blocks != s->blocks_skew ? "block bits" : "inode bits",
		blocks != s->blocks_skew ? blocks - s->blocks_skew : inodes - s->inodes_skew);
}

/* The one bit of MAP that the last call changed; then the whole block must be as expected. */
static void bit_expect(struct nb_shadow *shadow, uint32_t bit, bool set)
{
	uint8_t image[NEIGHBOUR_BLOCK_MAX];

	memcpy(image, shadow->image, shadow->size);
	if (set)
		bitmap_set(image, bit);
	else
		bitmap_clear(image, bit);
	nb_shadow_set(shadow, image);
}

static int run_expect(struct bitmaps *s, const struct nb_run *run, bool set)
{
	const struct nb_geometry *g = s->geometry;

	for (uint64_t b = run->physical; b < run->physical + run->count; b++) {
		uint64_t index = b - g->first_block;

		if (b < g->first_block || b >= g->blocks)
			return nb_fail(s->nb, NEIGHBOUR_BITMAPS, NEIGHBOUR_CORRUPT, -EUCLEAN,
				       "neighbour %s (bitmaps): a file has block %" PRIu64
				       ", which is none",
				       s->nb->options.profile.text, b);
		bit_expect(&s->blocks[index / g->blocks_per_group],
			   (uint32_t)(index % g->blocks_per_group), set);
	}
	return 0;
}

static int slot_expect(struct bitmaps *s, const struct slot *slot, bool set)
{
	const struct nb_geometry *g = s->geometry;
	uint64_t index = slot->ino - 1;
	struct nb_shadow *inodes;
	int rc;

	if (!g)
		return 0;
	if (index >= g->inodes)
		return failed_call(s, "fstat: an inode number out of range", -EUCLEAN);
	inodes = &s->inodes[index / g->inodes_per_group];
	bit_expect(inodes, (uint32_t)(index % g->inodes_per_group), set);
	for (size_t i = 0; i < slot->runs; i++) {
		rc = run_expect(s, &slot->run[i], set);
		if (rc)
			return rc;
	}
	rc = nb_shadow_verify(s->nb, NEIGHBOUR_BITMAPS, inodes, "after a file came or went");
	for (size_t i = 0; i < slot->runs && !rc; i++) {
		uint64_t first = slot->run[i].physical - g->first_block;

		rc = nb_shadow_verify(s->nb, NEIGHBOUR_BITMAPS,
				      &s->blocks[first / g->blocks_per_group],
				      "after a file came or went");
	}
	nb_count(&s->count->compared[NEIGHBOUR_BITMAPS], 1 + slot->runs);
	return rc;
}

static void slot_name(unsigned slot, char name[8])
{
	snprintf(name, 8, "%02u", slot);
}

static int slot_make(struct bitmaps *s, unsigned dir, unsigned index)
{
	struct slot *slot = &s->slot[dir][index];
	uint32_t block_size = s->geometry ? s->geometry->block_size : NEIGHBOUR_BLOCK_MAX;
	char name[8];
	struct stat st;
	int fd, rc;

	slot_name(index, name);
	fd = openat(s->dirfd[dir], name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed_call(s, "creating a file", -errno);
	rc = nb_map_allocate(fd, block_size, 0, 1 + rng_below(&s->rng, BLOCKS_MAX));
	if (!rc && fstat(fd, &st))
		rc = -errno;
	slot->runs = 0;
	if (!rc && s->geometry)
		rc = nb_map_runs(fd, block_size, slot->run, BLOCKS_MAX, &slot->runs);
	close(fd);
	if (rc)
		return failed_call(s, "giving blocks to a file", rc);
	slot->used = true;
	slot->ino = st.st_ino;
	return slot_expect(s, slot, true);
}

static int slot_remove(struct bitmaps *s, unsigned dir, unsigned index)
{
	struct slot *slot = &s->slot[dir][index];
	char name[8];

	slot_name(index, name);
	if (unlinkat(s->dirfd[dir], name, 0))
		return failed_call(s, "unlinking a file", -errno);
	slot->used = false;
	return slot_expect(s, slot, false);
}

static int bitmaps_step(void *state)
{
	struct bitmaps *s = state;

	for (unsigned n = 0; n < OPS_PER_STEP; n++) {
		unsigned dir = s->next++ % DIRS;
		unsigned index = (unsigned)rng_below(&s->rng, SLOTS);
		int rc = s->slot[dir][index].used ? slot_remove(s, dir, index)
						  : slot_make(s, dir, index);

		if (rc)
			return rc;
	}
	nb_count(&s->count->ops[NEIGHBOUR_BITMAPS], OPS_PER_STEP);
	return 0;
}

static void bitmaps_close(void *state)
{
	struct bitmaps *s = state;

	for (unsigned i = 0; i < DIRS; i++) {
		if (s->dirfd[i] >= 0)
			close(s->dirfd[i]);
		s->dirfd[i] = -1;
	}
}

static int bitmaps_open(void *state)
{
	struct bitmaps *s = state;
	int rc = 0;

	for (unsigned i = 0; i < DIRS; i++) {
		char name[24];

		snprintf(name, sizeof(name), "bitmaps%u", i);
		s->dirfd[i] = nb_open(s->nb, name, O_RDONLY | O_DIRECTORY);
		if (s->dirfd[i] < 0)
			return s->dirfd[i];
	}
	if (!s->geometry)
		return 0;
	/* After a mount they must be what they were before. */
	if (nb_shadow_known(&s->inodes[0]))
		return all_verify(s, "before it was unmounted");
	rc = all_refresh(s);
	return rc ? rc : skew_get(s, &s->blocks_skew, &s->inodes_skew);
}

static void bitmaps_free(void *state)
{
	struct bitmaps *s = state;

	bitmaps_close(s);
	for (uint32_t g = 0; s->geometry && g < s->geometry->groups; g++) {
		if (s->inodes)
			nb_shadow_free(&s->inodes[g]);
		if (s->blocks)
			nb_shadow_free(&s->blocks[g]);
	}
	free(s->inodes);
	free(s->blocks);
	free(s);
}

static int shadows_make(struct bitmaps *s)
{
	const struct nb_geometry *g = s->geometry;
	int rc = 0;

	s->inodes = calloc(g->groups, sizeof(*s->inodes));
	s->blocks = calloc(g->groups, sizeof(*s->blocks));
	if (!s->inodes || !s->blocks)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->groups && !rc; i++) {
		rc = nb_shadow_init(&s->inodes[i], NEIGHBOUR_BLOCK_INODE_BITMAP,
				    nb_layout_inode_bitmap(s->nb->layout, i), g->block_size);
		if (!rc)
			rc = nb_shadow_init(&s->blocks[i], NEIGHBOUR_BLOCK_BLOCK_BITMAP,
					    nb_layout_block_bitmap(s->nb->layout, i),
					    g->block_size);
	}
	return rc;
}

static int bitmaps_prepare(struct neighbour *nb, struct nb_counters *count, unsigned index,
			   void **state)
{
	struct bitmaps *s = calloc(1, sizeof(*s));
	int rc = 0;

	(void)index;
	if (!s)
		return -ENOMEM;
	s->nb = nb;
	s->count = count;
	rng_seed(&s->rng, nb->options.seed, 0xb17);
	s->geometry = nb->layout ? nb_layout_geometry(nb->layout) : NULL;
	for (unsigned i = 0; i < DIRS; i++)
		s->dirfd[i] = -1;
	if (s->geometry)
		rc = shadows_make(s);
	for (unsigned i = 0; i < DIRS && !rc; i++) {
		char path[4096];

		/* The kernel spreads folders of the root over the groups, and files follow them. */
		snprintf(path, sizeof(path), "%s/bitmaps%u", nb->options.mount_dir, i);
		rc = mkdir(path, 0700) ? -errno : 0;
	}
	if (rc) {
		bitmaps_free(s);
		return rc;
	}
	*state = s;
	return 0;
}

static void bitmaps_visit(void *state, nb_block_visitor visitor, void *arg)
{
	struct bitmaps *s = state;

	for (uint32_t g = 0; s->geometry && g < s->geometry->groups; g++) {
		visitor(arg, &(struct nb_watched){.type = NEIGHBOUR_BLOCK_INODE_BITMAP,
						  .block = s->inodes[g].block});
		visitor(arg, &(struct nb_watched){.type = NEIGHBOUR_BLOCK_BLOCK_BITMAP,
						  .block = s->blocks[g].block});
	}
}

const struct nb_leg_ops nb_bitmaps = {
	.leg = NEIGHBOUR_BITMAPS,
	.prepare = bitmaps_prepare,
	.open = bitmaps_open,
	.step = bitmaps_step,
	.sweep = bitmaps_sweep,
	.close = bitmaps_close,
	.free = bitmaps_free,
	.visit = bitmaps_visit,
};
