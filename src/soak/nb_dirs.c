/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory leg: names that carry a generation are linked, renamed and unlinked in directories
 * of several blocks. Before each turn of a directory its blocks must be, byte for byte, what they
 * were after the last; after it getdents(2) must show exactly the names of the model.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/nb_dirs_model.h"
#include "soak/nb_private.h"

#define DIRS 48u
#define DIRS_PER_STEP 4u
#define OPS_PER_DIR 16u
/* Larger directories are watched in their first blocks only; the names are, in all. */
#define BLOCKS_MAX 16u
#define GETDENTS_BYTES 32768u
#define BASE "dirs.base"

struct dir {
	int fd;
	uint64_t ino;
	off_t size;
	struct nb_names names;
	size_t blocks;
	struct nb_shadow block[BLOCKS_MAX];
};

struct dirs {
	struct neighbour *nb;
	struct nb_counters *count;
	struct rng rng;
	bool raw;
	unsigned name_length;
	int base;
	unsigned next;
	const struct dir *changing; /* not at rest; NULL between steps */
	struct nb_past past;
	struct dir dir[DIRS];
};

static int failed_call(struct dirs *s, const char *what, int rc)
{
	return nb_fail_call(s->nb, NEIGHBOUR_DIRS, what, rc);
}

static int dir_verify(struct dirs *s, struct dir *dir, const char *when)
{
	for (size_t i = 0; i < dir->blocks; i++) {
		int rc = nb_shadow_verify(s->nb, NEIGHBOUR_DIRS, &dir->block[i], when);

		if (rc)
			return rc;
	}
	nb_count(&s->count->compared[NEIGHBOUR_DIRS], dir->blocks);
	return 0;
}

static int blocks_find(struct dirs *s, struct dir *dir)
{
	uint32_t block_size = nb_layout_geometry(s->nb->layout)->block_size;
	uint64_t blocks[BLOCKS_MAX];
	size_t count;
	int rc = nb_layout_blocks(s->nb->layout, dir->ino, NB_LAYOUT_DATA, blocks, BLOCKS_MAX,
				  &count);

	if (rc)
		return rc;
	if (count > BLOCKS_MAX)
		count = BLOCKS_MAX;
	rc = nb_shadows_place(dir->block, dir->blocks, blocks, count, NEIGHBOUR_BLOCK_DIRECTORY,
			      block_size, &s->past);
	if (!rc)
		dir->blocks = count;
	return rc;
}

static int dir_refresh(struct dirs *s, struct dir *dir)
{
	struct stat st;
	int rc = 0;

	if (!s->raw)
		return 0;
	if (fstat(dir->fd, &st))
		return -errno;
	if (st.st_size != dir->size)
		rc = blocks_find(s, dir);
	dir->size = st.st_size;
	for (size_t i = 0; i < dir->blocks && !rc; i++)
		rc = nb_shadow_refresh(s->nb, &dir->block[i]);
	return rc;
}

/* The block that holds NAME now or, if none does, held it after the last turn. */
static const struct nb_shadow *block_guess(struct dirs *s, const struct dir *dir, const char *name)
{
	uint8_t found[NEIGHBOUR_BLOCK_MAX];
	size_t len = strlen(name);

	for (size_t i = 0; i < dir->blocks; i++) {
		const struct nb_shadow *b = &dir->block[i];

		if (nb_read(s->nb, found, b->size, b->block * b->size) == 0 &&
		    memmem(found, b->size, name, len))
			return b;
	}
	for (size_t i = 0; i < dir->blocks; i++)
		if (memmem(dir->block[i].image, dir->block[i].size, name, len))
			return &dir->block[i];
	return NULL;
}

static int names_report(struct dirs *s, const struct dir *dir, const struct nb_names_wrong *wrong)
{
	const struct nb_shadow *b = block_guess(s, dir, wrong->name);
	char where[48] = "a directory";
	struct neighbour_failure f = {
		.leg = NEIGHBOUR_DIRS,
		.kind = wrong->known ? FAULT_STALE : FAULT_GARBAGE,
		.expected_generation = wrong->expected,
		.found_generation = wrong->found,
	};

	if (b) {
		/* For the evidence. "Expected" is what the block was after the last turn. */
		nb_fail_place(&f, b);
		if (nb_read(s->nb, f.found, b->size, f.offset))
			f.length = 0;
		snprintf(where, sizeof(where), "directory block %" PRIu64, f.block);
	}
	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (dirs): %s is %s: in dirs%u the name %.16s is %s (generation %u "
		 "expected, %u found)",
		 s->nb->options.profile.text, where, fault_kind_name(f.kind),
		 (unsigned)(dir - s->dir), wrong->name, wrong->what, wrong->expected, wrong->found);
	return nb_fail_block(s->nb, &f);
}

static int names_verify(struct dirs *s, struct dir *dir)
{
	char buf[GETDENTS_BYTES] __attribute__((aligned(16)));
	struct nb_names_wrong wrong = {0};
	struct nb_names_seen seen = {0};
	ssize_t n;

	if (lseek(dir->fd, 0, SEEK_SET) < 0)
		return failed_call(s, "lseek", -errno);
	while ((n = getdents64(dir->fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(buf + at);

			if (!nb_names_see(&dir->names, &seen, entry->d_name, s->name_length,
					  &wrong))
				return names_report(s, dir, &wrong);
			at += entry->d_reclen;
		}
	if (n < 0)
		return failed_call(s, "getdents", -errno);
	if (!nb_names_seen_all(&dir->names, &seen, s->name_length, &wrong))
		return names_report(s, dir, &wrong);
	nb_count(&s->count->compared[NEIGHBOUR_DIRS], NB_NAMES);
	return 0;
}

static int name_add(struct dirs *s, struct dir *dir, const char *name)
{
	int fd;

	if (s->base >= 0)
		return linkat(s->base, "", dir->fd, name, AT_EMPTY_PATH) ? -errno : 0;
	fd = openat(dir->fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* A name that is there and must not be, or the reverse, is looked for in the directory's blocks. */
static int failed_change(struct dirs *s, struct dir *dir, const char *what, int rc)
{
	int found = rc == -ENOENT || rc == -EEXIST ? names_verify(s, dir) : 0;

	return found ? found : failed_call(s, what, rc);
}

static int slot_change(struct dirs *s, struct dir *dir, unsigned slot)
{
	uint32_t *generation = &dir->names.generation[slot];
	char old[NB_NAME_MAX + 1], new[NB_NAME_MAX + 1];
	uint32_t next = ++dir->names.last;

	nb_names_format(slot, *generation, s->name_length, old);
	nb_names_format(slot, next, s->name_length, new);
	if (*generation == 0) {
		int rc = name_add(s, dir, new);

		if (rc)
			return failed_change(s, dir, "adding a name", rc);
		*generation = next;
	} else if (rng_below(&s->rng, 4)) {
		if (renameat(dir->fd, old, dir->fd, new))
			return failed_change(s, dir, "renaming", -errno);
		*generation = next;
	} else {
		if (unlinkat(dir->fd, old, 0))
			return failed_change(s, dir, "unlinking a name", -errno);
		*generation = 0;
	}
	return 0;
}

static int dir_step(struct dirs *s, struct dir *dir)
{
	int rc = dir_verify(s, dir, "when its directory was at rest");

	if (!rc)
		s->changing = dir;
	for (unsigned n = 0; n < OPS_PER_DIR && !rc; n++)
		rc = slot_change(s, dir, (unsigned)rng_below(&s->rng, NB_NAMES));
	if (!rc)
		rc = names_verify(s, dir);
	if (rc)
		return rc;
	rc = dir_refresh(s, dir);
	if (rc)
		return nb_fail_layout(s->nb, NEIGHBOUR_DIRS, "reading directory blocks", rc);
	s->changing = NULL;
	return 0;
}

static int dirs_step(void *state)
{
	struct dirs *s = state;

	for (unsigned n = 0; n < DIRS_PER_STEP; n++) {
		int rc = dir_step(s, &s->dir[s->next++ % DIRS]);

		if (rc)
			return rc;
	}
	nb_count(&s->count->ops[NEIGHBOUR_DIRS], DIRS_PER_STEP * OPS_PER_DIR);
	return 0;
}

static int dirs_sweep(void *state)
{
	struct dirs *s = state;
	int rc = 0;

	for (unsigned i = 0; i < DIRS && !rc; i++)
		if (&s->dir[i] != s->changing)
			rc = dir_verify(s, &s->dir[i], "when its directory was at rest");
	return rc;
}

static void dirs_close(void *state)
{
	struct dirs *s = state;

	for (unsigned i = 0; i < DIRS; i++) {
		if (s->dir[i].fd >= 0)
			close(s->dir[i].fd);
		s->dir[i].fd = -1;
	}
	if (s->base >= 0)
		close(s->base);
	s->base = -1;
}

static int dirs_open(void *state)
{
	struct dirs *s = state;
	int rc = 0;

	if (s->nb->layout) {
		s->base = nb_open(s->nb, BASE, O_RDONLY);
		if (s->base < 0)
			return s->base;
	}
	for (unsigned i = 0; i < DIRS && !rc; i++) {
		char name[24];

		snprintf(name, sizeof(name), "dirs%u", i);
		s->dir[i].fd = nb_open(s->nb, name, O_RDONLY | O_DIRECTORY);
		if (s->dir[i].fd < 0)
			return s->dir[i].fd;
		rc = dir_verify(s, &s->dir[i], "before it was unmounted");
	}
	return rc;
}

static void dirs_free(void *state)
{
	struct dirs *s = state;

	dirs_close(s);
	for (unsigned i = 0; i < DIRS; i++)
		for (unsigned k = 0; k < BLOCKS_MAX; k++)
			if (s->dir[i].block[k].image)
				nb_shadow_free(&s->dir[i].block[k]);
	free(s);
}

/* Fills it once, so that it has its full size from the start. */
static int dir_make(struct dirs *s, unsigned index)
{
	struct dir *dir = &s->dir[index];
	char path[4096], name[24];
	struct stat st;
	int rc = 0;

	snprintf(name, sizeof(name), "dirs%u", index);
	snprintf(path, sizeof(path), "%s/%s", s->nb->options.mount_dir, name);
	if (mkdir(path, 0700))
		return -errno;
	dir->fd = nb_open(s->nb, name, O_RDONLY | O_DIRECTORY);
	if (dir->fd < 0)
		return dir->fd;
	if (fstat(dir->fd, &st))
		return -errno;
	dir->ino = st.st_ino;
	for (unsigned slot = 0; slot < NB_NAMES && !rc; slot++) {
		char text[NB_NAME_MAX + 1];

		dir->names.generation[slot] = ++dir->names.last;
		nb_names_format(slot, dir->names.last, s->name_length, text);
		rc = name_add(s, dir, text);
	}
	return rc ? rc : dir_refresh(s, dir);
}

static int dirs_make(struct dirs *s)
{
	int rc = 0;

	if (s->nb->layout) {
		s->base = nb_open(s->nb, BASE, O_RDWR | O_CREAT | O_EXCL);
		if (s->base < 0)
			return s->base;
	}
	for (unsigned i = 0; i < DIRS && !rc; i++)
		rc = dir_make(s, i);
	return rc;
}

static int dirs_prepare(struct neighbour *nb, struct nb_counters *count, unsigned index,
			void **state)
{
	struct dirs *s = calloc(1, sizeof(*s));
	uint32_t block_size = nb->layout ? nb_layout_geometry(nb->layout)->block_size : 1024;
	int rc;

	(void)index;
	if (!s)
		return -ENOMEM;
	s->nb = nb;
	s->count = count;
	/* ext2's own driver keeps directories out of the device's cache. */
	s->raw = nb->layout && !nb->native_ext2;
	s->base = -1;
	s->name_length = block_size / 16 < NB_NAME_MAX ? block_size / 16 : NB_NAME_MAX;
	rng_seed(&s->rng, nb->options.seed, 0xd125);
	for (unsigned i = 0; i < DIRS; i++)
		s->dir[i].fd = -1;
	rc = dirs_make(s);
	dirs_close(s);
	if (rc) {
		dirs_free(s);
		return rc;
	}
	*state = s;
	return 0;
}

static void dirs_visit(void *state, nb_block_visitor visitor, void *arg)
{
	struct dirs *s = state;

	for (unsigned i = 0; i < DIRS; i++)
		for (size_t k = 0; k < s->dir[i].blocks; k++)
			visitor(arg, &(struct nb_watched){.type = NEIGHBOUR_BLOCK_DIRECTORY,
							  .block = s->dir[i].block[k].block});
}

const struct nb_leg_ops nb_dirs = {
	.leg = NEIGHBOUR_DIRS,
	.prepare = dirs_prepare,
	.open = dirs_open,
	.step = dirs_step,
	.sweep = dirs_sweep,
	.close = dirs_close,
	.free = dirs_free,
	.visit = dirs_visit,
};
