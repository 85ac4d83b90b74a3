/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The extent leg: sparse files in fragments of one block, so that each needs extent-tree or
 * indirect blocks; blocks are added and whole tails truncated. The kernel is made to forget what
 * it remembers of the tree, so that every look reads the blocks anew; FIEMAP must then show
 * exactly the blocks of the model, and at rest no block of the tree may change.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/nb_map.h"
#include "soak/nb_private.h"

#define FILES 24u
#define FILES_PER_STEP 2u
#define SLOTS_MAX 400u
#define SLOTS_MIN 16u
#define ADD_PER_STEP 12u
#define TRUNCATE_ONE_IN 12u
/* Distance of a file's blocks, so that no two make one extent. */
#define STRIDE 7u
#define MAP_BLOCKS_MAX 16u
/* This part of the device's free space is used. */
#define SPACE_PART 6u

struct file {
	int fd;
	uint64_t ino;
	bool used[SLOTS_MAX];
	uint64_t physical[SLOTS_MAX]; /* 0: not known */
	size_t blocks;
	struct nb_shadow block[MAP_BLOCKS_MAX];
};

struct extents {
	struct neighbour *nb;
	struct nb_counters *count;
	struct rng rng;
	uint32_t block_size;
	unsigned slots;
	unsigned next;
	const struct file *changing; /* not at rest; NULL between steps */
	struct nb_past past;
	struct file file[FILES];
};

static int failed_call(struct extents *s, const char *what, int rc)
{
	return nb_fail_call(s->nb, NEIGHBOUR_EXTENTS, what, rc);
}

static int blocks_verify(struct extents *s, struct file *file, const char *when)
{
	for (size_t i = 0; i < file->blocks; i++) {
		int rc = nb_shadow_verify(s->nb, NEIGHBOUR_EXTENTS, &file->block[i], when);

		if (rc)
			return rc;
	}
	nb_count(&s->count->compared[NEIGHBOUR_EXTENTS], file->blocks);
	return 0;
}

static int blocks_refresh(struct extents *s, struct file *file)
{
	uint64_t blocks[MAP_BLOCKS_MAX];
	size_t count;
	int rc;

	/* Raw inodes of ext2 come late, and with them the first of the blocks. */
	if (!s->nb->layout || s->nb->native_ext2)
		return 0;
	rc = nb_layout_blocks(s->nb->layout, file->ino, NB_LAYOUT_MAP, blocks, MAP_BLOCKS_MAX,
			      &count);
	if (rc)
		return rc;
	if (count > MAP_BLOCKS_MAX)
		count = MAP_BLOCKS_MAX;
	rc = nb_shadows_place(file->block, file->blocks, blocks, count, NEIGHBOUR_BLOCK_MAP,
			      s->block_size, &s->past);
	for (size_t i = 0; i < count && !rc; i++)
		rc = nb_shadow_refresh(s->nb, &file->block[i]);
	file->blocks = rc ? 0 : count;
	return rc;
}

static int map_report(struct extents *s, const struct file *file, uint64_t logical,
		      const char *what)
{
	struct neighbour_failure f = {
		.leg = NEIGHBOUR_EXTENTS,
		.kind = FAULT_STALE,
		.type = file->blocks ? NEIGHBOUR_BLOCK_MAP : NEIGHBOUR_BLOCK_NONE,
		.block = file->blocks ? file->block[0].block : 0,
	};

	f.offset = f.block * s->block_size;
	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (extents): the map of file extents/%02u, whose first block is "
		 "%" PRIu64 ", is stale: its block %" PRIu64 " %s",
		 s->nb->options.profile.text, (unsigned)(file - s->file), f.block, logical, what);
	return nb_fail_block(s->nb, &f);
}

/* Compares one run with the model; remembers where blocks lie. */
static int run_verify(struct extents *s, struct file *file, const struct nb_run *run, bool *seen)
{
	for (uint64_t b = 0; b < run->count; b++) {
		uint64_t logical = run->logical + b, slot = logical / STRIDE;

		if (logical % STRIDE || slot >= s->slots || !file->used[slot])
			return map_report(s, file, logical, "is there, and must not be");
		if (file->physical[slot] && file->physical[slot] != run->physical + b)
			return map_report(s, file, logical, "is at another place");
		file->physical[slot] = run->physical + b;
		seen[slot] = true;
	}
	return 0;
}

static int map_verify(struct extents *s, struct file *file)
{
	struct nb_run run[SLOTS_MAX];
	bool seen[SLOTS_MAX] = {false};
	size_t count;
	int rc;

	nb_map_forget(file->fd);
	rc = nb_map_runs(file->fd, s->block_size, run, SLOTS_MAX, &count);
	if (rc == -E2BIG)
		return map_report(s, file, run[SLOTS_MAX - 1].logical, "is one too many");
	if (rc)
		return failed_call(s, "FIEMAP", rc);
	for (size_t i = 0; i < count; i++) {
		rc = run_verify(s, file, &run[i], seen);
		if (rc)
			return rc;
	}
	for (unsigned slot = 0; slot < s->slots; slot++)
		if (file->used[slot] && !seen[slot])
			return map_report(s, file, (uint64_t)slot * STRIDE, "is missing");
	nb_count(&s->count->compared[NEIGHBOUR_EXTENTS], s->slots);
	return 0;
}

static int file_truncate(struct extents *s, struct file *file)
{
	unsigned keep = (unsigned)rng_below(&s->rng, s->slots);

	if (ftruncate(file->fd, (off_t)keep * STRIDE * s->block_size))
		return failed_call(s, "truncating", -errno);
	for (unsigned slot = keep; slot < s->slots; slot++) {
		file->used[slot] = false;
		file->physical[slot] = 0;
	}
	return 0;
}

static int file_grow(struct extents *s, struct file *file, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		unsigned slot = (unsigned)rng_below(&s->rng, s->slots);
		int rc;

		if (file->used[slot])
			continue;
		rc = nb_map_allocate(file->fd, s->block_size, (uint64_t)slot * STRIDE, 1);
		if (rc)
			return failed_call(s, "adding a block", rc);
		file->used[slot] = true;
	}
	return 0;
}

static int file_step(struct extents *s, struct file *file)
{
	int rc = blocks_verify(s, file, "when its file was at rest");

	if (!rc)
		rc = map_verify(s, file);
	if (rc)
		return rc;
	s->changing = file;
	rc = rng_below(&s->rng, TRUNCATE_ONE_IN) == 0 ? file_truncate(s, file)
						      : file_grow(s, file, ADD_PER_STEP);
	if (!rc)
		rc = map_verify(s, file);
	if (rc)
		return rc;
	rc = blocks_refresh(s, file);
	if (rc)
		return nb_fail_layout(s->nb, NEIGHBOUR_EXTENTS, "reading the blocks of a map", rc);
	s->changing = NULL;
	return 0;
}

static int extents_step(void *state)
{
	struct extents *s = state;

	for (unsigned n = 0; n < FILES_PER_STEP; n++) {
		int rc = file_step(s, &s->file[s->next++ % FILES]);

		if (rc)
			return rc;
	}
	nb_count(&s->count->ops[NEIGHBOUR_EXTENTS], FILES_PER_STEP * ADD_PER_STEP);
	return 0;
}

static int extents_sweep(void *state)
{
	struct extents *s = state;
	int rc = 0;

	for (unsigned i = 0; i < FILES && !rc; i++)
		if (&s->file[i] != s->changing)
			rc = blocks_verify(s, &s->file[i], "when its file was at rest");
	return rc;
}

static void extents_close(void *state)
{
	struct extents *s = state;

	for (unsigned i = 0; i < FILES; i++) {
		if (s->file[i].fd >= 0)
			close(s->file[i].fd);
		s->file[i].fd = -1;
	}
}

static int extents_open(void *state)
{
	struct extents *s = state;
	int rc = 0;

	for (unsigned i = 0; i < FILES && !rc; i++) {
		char name[24];

		snprintf(name, sizeof(name), "extents/%02u", i);
		s->file[i].fd = nb_open(s->nb, name, O_RDWR);
		if (s->file[i].fd < 0)
			return s->file[i].fd;
		rc = blocks_verify(s, &s->file[i], "before it was unmounted");
	}
	return rc;
}

static void extents_free(void *state)
{
	struct extents *s = state;

	extents_close(s);
	for (unsigned i = 0; i < FILES; i++)
		for (unsigned k = 0; k < MAP_BLOCKS_MAX; k++)
			if (s->file[i].block[k].image)
				nb_shadow_free(&s->file[i].block[k]);
	free(s);
}

static int file_make(struct extents *s, unsigned index)
{
	struct file *file = &s->file[index];
	struct nb_run run;
	struct stat st;
	char name[24];
	size_t count;
	int rc;

	snprintf(name, sizeof(name), "extents/%02u", index);
	file->fd = nb_open(s->nb, name, O_RDWR | O_CREAT | O_EXCL);
	if (file->fd < 0)
		return file->fd;
	if (fstat(file->fd, &st))
		return -errno;
	file->ino = st.st_ino;
	rc = nb_map_runs(file->fd, s->block_size, &run, 1, &count);
	if (!rc)
		rc = file_grow(s, file, s->slots);
	return rc ? rc : blocks_refresh(s, file);
}

static unsigned slots_choose(const struct extents *s)
{
	const struct nb_geometry *g = nb_layout_geometry(s->nb->layout);
	uint64_t slots = g->blocks / SPACE_PART / FILES;

	if (slots < SLOTS_MIN)
		return SLOTS_MIN;
	return slots < SLOTS_MAX ? (unsigned)slots : SLOTS_MAX;
}

static int extents_prepare(struct neighbour *nb, struct nb_counters *count, unsigned index,
			   void **state)
{
	struct extents *s;
	char path[4096];
	int rc;

	(void)index;
	/* What others map to where, and when they tell, is their own affair. */
	if (!nb->layout)
		return -EOPNOTSUPP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->nb = nb;
	s->count = count;
	rng_seed(&s->rng, nb->options.seed, 0xe47);
	s->block_size = nb_layout_geometry(nb->layout)->block_size;
	s->slots = slots_choose(s);
	for (unsigned i = 0; i < FILES; i++)
		s->file[i].fd = -1;
	snprintf(path, sizeof(path), "%s/extents", nb->options.mount_dir);
	rc = mkdir(path, 0700) ? -errno : 0;
	for (unsigned i = 0; i < FILES && !rc; i++)
		rc = file_make(s, i);
	extents_close(s);
	if (rc) {
		extents_free(s);
		return rc;
	}
	*state = s;
	return 0;
}

static void extents_visit(void *state, nb_block_visitor visitor, void *arg)
{
	struct extents *s = state;

	for (unsigned i = 0; i < FILES; i++)
		for (size_t k = 0; k < s->file[i].blocks; k++)
			visitor(arg, &(struct nb_watched){.type = NEIGHBOUR_BLOCK_MAP,
							  .block = s->file[i].block[k].block});
}

const struct nb_leg_ops nb_extents = {
	.leg = NEIGHBOUR_EXTENTS,
	.prepare = extents_prepare,
	.open = extents_open,
	.step = extents_step,
	.sweep = extents_sweep,
	.close = extents_close,
	.free = extents_free,
	.visit = extents_visit,
};
