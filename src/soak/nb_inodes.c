/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inode leg, by which the race of 2019 is found: times, modes and owners of inodes that lie in
 * different pages of the inode table change all the time, and after each change the raw inode is
 * read back through the device.
 *
 * Each page has a pair of adjacent inodes that are updated in turns and always read together: an
 * update writes its inode anew, and so hides that an older copy of the page has come back; the
 * other of the pair does not.
 *
 * A journal holds the buffers of its transactions, and so keeps their pages from being migrated.
 * There, the halves of the pairs rest in turns; one commit writes the resting half, and at the
 * next the journal lets go of its buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/nb_inodes.h"
#include "soak/nb_private.h"
#include "soak/nb_raw.h"
#include "util/clock.h"

#define PAGE_BYTES 4096u
/* More than the buffer LRU of a CPU holds (16). */
#define PAGES 32u
#define PAGES_JOURNAL (2 * PAGES)
#define REST_NS (3 * NS_PER_SEC)
/* From the first commit of a rest to the second. */
#define REST_COMMIT_NS (NS_PER_SEC / 4)
/* Files made at most to get inodes in that many pages; inodes of other pages stay unused. */
#define FILES_PER_PAGE 64u
#define BATCH 64u
#define BATCH_LATE 4u	/* with an fsync each */
#define OTHERS_BATCH 8u /* pairs that are read besides, in each batch of updates */
#define INODE_SIZE_MAX 1024u
/* One update in so many is a change of mode, and one of owner. */
#define OTHER_UPDATES 16u

struct pair {
	uint64_t offset;    /* of the first, on the device; 0: not known (generic) */
	unsigned number[2]; /* of the files */
	int fd[2];
	unsigned turn;
	struct nb_inode_model model[2];
};

struct inodes {
	struct neighbour *nb;
	struct nb_counters *count;
	struct rng rng;
	char dir[24];
	int dirfd;
	size_t inode_size;
	bool nanoseconds;
	unsigned pairs_wanted, pairs;
	unsigned first, active; /* pairs that are updated now */
	unsigned next;		/* of those */
	unsigned checked;	/* all pairs are read in turns, also those that rest */
	bool resting;		/* one half does */
	bool let_go;		/* the journal has no more of it */
	uint64_t turned_ns;
	struct pair pair[PAGES_JOURNAL];
};

static void file_name(unsigned number, char name[16])
{
	snprintf(name, 16, "%06u", number);
}

static int file_open(const struct inodes *s, unsigned number, int flags)
{
	char name[16];
	int fd;

	file_name(number, name);
	fd = openat(s->dirfd, name, flags | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

/* Makes file NUMBER. Returns its inode number in *INO. */
static int file_make(const struct inodes *s, unsigned number, uint64_t *ino)
{
	struct stat st;
	int fd = file_open(s, number, O_CREAT | O_EXCL);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		rc = -errno;
	else
		*ino = st.st_ino;
	close(fd);
	return rc;
}

/* True if no pair of ours lies in the page yet. */
static bool page_free(const struct inodes *s, uint64_t offset)
{
	for (unsigned i = 0; i < s->pairs; i++)
		if (s->pair[i].offset / PAGE_BYTES == offset / PAGE_BYTES)
			return false;
	return true;
}

/* File NUMBER has inode INO and the one made before it INO - 1: perhaps they make a pair. */
static void pair_offer(struct inodes *s, unsigned number, uint64_t ino)
{
	uint64_t offset = nb_layout_inode(s->nb->layout, ino - 1);

	/* The first of a pair lies at a multiple of two inodes, so both are in one block. */
	if (offset == 0 || offset % (2 * s->inode_size) || !page_free(s, offset))
		return;
	s->pair[s->pairs++] =
		(struct pair){.offset = offset, .number = {number - 1, number}, .fd = {-1, -1}};
}

static int pairs_find(struct inodes *s)
{
	uint64_t before = 0, ino = 0;

	for (unsigned n = 0; n < s->pairs_wanted * FILES_PER_PAGE && s->pairs < s->pairs_wanted;
	     n++) {
		int rc = file_make(s, n, &ino);

		if (rc)
			return rc;
		if (s->nb->layout && before && ino == before + 1)
			pair_offer(s, n, ino);
		else if (!s->nb->layout && n % 2)
			s->pair[s->pairs++] = (struct pair){.number = {n - 1, n}, .fd = {-1, -1}};
		before = ino;
	}
	s->active = s->resting ? (s->pairs + 1) / 2 : s->pairs;
	return s->pairs ? 0 : -ENOSPC;
}

static void rest_choose(struct inodes *s)
{
	s->resting = s->nb->layout && s->nb->options.profile.journal;
	s->pairs_wanted = s->resting ? PAGES_JOURNAL : PAGES;
}

static int times_set(struct pair *pair, unsigned which)
{
	uint32_t times = pair->model[which].times + 1;
	struct timespec ts[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = times, .tv_nsec = (long)nb_raw_nanoseconds(times)},
	};

	if (futimens(pair->fd[which], ts))
		return -errno;
	pair->model[which].times = times;
	return 0;
}

static int mode_set(struct pair *pair, unsigned which)
{
	if (fchmod(pair->fd[which], nb_raw_mode(pair->model[which].modes + 1)))
		return -errno;
	pair->model[which].modes++;
	return 0;
}

static int owner_set(struct pair *pair, unsigned which)
{
	uint32_t owners = pair->model[which].owners + 1;

	if (fchown(pair->fd[which], nb_raw_uid(owners), nb_raw_gid(owners)))
		return -errno;
	pair->model[which].owners = owners;
	return 0;
}

static int pair_update(struct inodes *s, struct pair *pair)
{
	uint64_t choice = rng_next(&s->rng) % (OTHER_UPDATES * 2);
	unsigned which = pair->turn;

	pair->turn = !which;
	if (choice == 0)
		return mode_set(pair, which);
	if (choice == 1)
		return owner_set(pair, which);
	return times_set(pair, which);
}

static int __attribute__((cold))
mismatch_report(struct inodes *s, const struct pair *pair, unsigned which, const uint8_t *raw)
{
	const struct nb_inode_model *model = &pair->model[which];
	uint32_t block_size = nb_layout_geometry(s->nb->layout)->block_size;
	struct neighbour_failure f = {.leg = NEIGHBOUR_INODES, .type = NEIGHBOUR_BLOCK_INODES};
	uint64_t inside = pair->offset % block_size;

	f.kind = nb_raw_classify(model, raw + which * s->inode_size, s->inode_size, s->nanoseconds,
				 &f.found_generation);
	f.block = pair->offset / block_size;
	f.offset = pair->offset + which * s->inode_size;
	f.expected_generation = nb_raw_generation(model);
	f.newest_only = f.kind == FAULT_STALE && f.found_generation + 1 == f.expected_generation;
	/* The block around is read later than the pair; the pair is put in as it was found. */
	if (nb_read(s->nb, f.found, block_size, pair->offset - inside) == 0) {
		f.length = block_size;
		memcpy(f.found + inside, raw, 2 * s->inode_size);
		memcpy(f.expected, f.found, block_size);
		for (unsigned i = 0; i < 2; i++)
			nb_raw_write(&pair->model[i], f.expected + inside + i * s->inode_size,
				     s->nanoseconds);
	}
	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (inodes): inode-table block %" PRIu64
		 " is %s: inode at byte %" PRIu64 " (file %s/%06u) has seen %" PRIu64
		 " updates where %" PRIu64 " were made",
		 s->nb->options.profile.text, f.block, fault_kind_name(f.kind), f.offset, s->dir,
		 pair->number[which], f.found_generation, f.expected_generation);
	return nb_fail_block(s->nb, &f);
}

static int pair_verify(struct inodes *s, const struct pair *pair)
{
	uint8_t raw[2 * INODE_SIZE_MAX];
	int rc = nb_read(s->nb, raw, 2 * s->inode_size, pair->offset);

	if (rc)
		return nb_fail_call(s->nb, NEIGHBOUR_INODES, "reading inodes from the device", rc);
	for (unsigned i = 0; i < 2; i++)
		if (!nb_raw_matches(&pair->model[i], raw + i * s->inode_size, s->nanoseconds))
			return mismatch_report(s, pair, i, raw);
	return 0;
}

/* Without the raw inode there is only what the filesystem itself says. */
static int pair_verify_generic(struct inodes *s, const struct pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct nb_inode_model *model = &pair->model[i];
		struct stat st;

		if (fstat(pair->fd[i], &st))
			return nb_fail_call(s->nb, NEIGHBOUR_INODES, "fstat", -errno);
		/* Some keep times to two seconds, and no modes or owners. */
		if (st.st_mtime != (time_t)model->times && st.st_mtime + 1 != (time_t)model->times)
			return nb_fail(s->nb, NEIGHBOUR_INODES, NEIGHBOUR_CORRUPT, -EUCLEAN,
				       "neighbour %s (inodes): file %s/%06u: mtime %lld where %u "
				       "was set",
				       s->nb->options.profile.text, s->dir, pair->number[i],
				       (long long)st.st_mtime, model->times);
	}
	return 0;
}

static void pair_next(struct inodes *s)
{
	s->next++;
	if (s->next >= s->first + s->active)
		s->next = s->first;
}

/* The halves change places when it is time. */
static int halves_turn(struct inodes *s)
{
	uint64_t rested = clock_now_ns() - s->turned_ns;

	if (rested >= REST_NS) {
		s->first = s->first ? 0 : s->pairs - s->active;
		s->next = s->first;
		s->turned_ns += rested;
		s->let_go = false;
	} else if (!s->let_go && rested >= REST_COMMIT_NS) {
		s->let_go = true;
	} else {
		return 0;
	}
	return syncfs(s->dirfd) ? nb_fail_call(s->nb, NEIGHBOUR_INODES, "syncfs", -errno) : 0;
}

/* Where updates do not come by soon: pairs that rest, and those of a slow writer. */
static int others_verify(struct inodes *s)
{
	int rc = 0;

	for (unsigned i = 0; i < OTHERS_BATCH && !rc; i++) {
		s->checked = (s->checked + 1) % s->pairs;
		rc = pair_verify(s, &s->pair[s->checked]);
	}
	return rc;
}

/* LATE: the driver of ext2 writes raw inodes when they are written back, and looks up only then. */
static int batch(struct inodes *s, unsigned count, bool late)
{
	int rc = s->resting ? halves_turn(s) : 0;

	if (!rc && (s->resting || late))
		rc = others_verify(s);

	for (unsigned n = 0; n < count && !rc; n++) {
		struct pair *pair = &s->pair[s->next];
		unsigned which = pair->turn;

		rc = pair_update(s, pair);
		if (!rc && late && fsync(pair->fd[which]))
			rc = -errno;
		if (rc)
			return nb_fail_call(s->nb, NEIGHBOUR_INODES, "updating an inode", rc);
		rc = pair_verify(s, pair);
		pair_next(s);
	}
	if (!rc)
		nb_count(&s->count->verified, count);
	return rc;
}

static int batch_generic(struct inodes *s, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		struct pair *pair = &s->pair[s->next];
		unsigned which = pair->turn;
		int rc;

		pair->turn = !which;
		rc = times_set(pair, which);
		if (rc)
			return nb_fail_call(s->nb, NEIGHBOUR_INODES, "updating an inode", rc);
		rc = pair_verify_generic(s, pair);
		if (rc)
			return rc;
		pair_next(s);
	}
	return 0;
}

static int inodes_step(void *state)
{
	struct inodes *s = state;
	bool late = s->nb->native_ext2;
	unsigned done = late ? BATCH_LATE : BATCH;
	int rc = s->nb->layout ? batch(s, done, late) : batch_generic(s, done);

	if (rc)
		return rc;
	nb_count(&s->count->ops[NEIGHBOUR_INODES], done);
	nb_count(&s->count->compared[NEIGHBOUR_INODES], 2ULL * done);
	return 0;
}

static void inodes_close(void *state)
{
	struct inodes *s = state;

	for (unsigned i = 0; i < s->pairs; i++)
		for (unsigned k = 0; k < 2; k++)
			if (s->pair[i].fd[k] >= 0) {
				close(s->pair[i].fd[k]);
				s->pair[i].fd[k] = -1;
			}
	if (s->dirfd >= 0)
		close(s->dirfd);
	s->dirfd = -1;
}

static int inodes_open(void *state)
{
	struct inodes *s = state;
	int rc = 0;

	s->dirfd = nb_open(s->nb, s->dir, O_RDONLY | O_DIRECTORY);
	if (s->dirfd < 0)
		return s->dirfd;
	for (unsigned i = 0; i < s->pairs; i++)
		for (unsigned k = 0; k < 2; k++) {
			s->pair[i].fd[k] = file_open(s, s->pair[i].number[k], 0);
			if (s->pair[i].fd[k] < 0)
				return s->pair[i].fd[k];
		}
	/* What was unmounted must have come back. */
	for (unsigned i = 0; i < s->pairs && s->nb->layout && !rc; i++)
		rc = pair_verify(s, &s->pair[i]);
	return rc;
}

/* Gives all inodes known values in all fields that are compared. */
static int models_start(struct inodes *s)
{
	uint8_t raw[INODE_SIZE_MAX];
	int rc = 0;

	for (unsigned i = 0; i < s->pairs; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct pair *pair = &s->pair[i];

			pair->fd[k] = file_open(s, pair->number[k], 0);
			if (pair->fd[k] < 0)
				return pair->fd[k];
			rc = times_set(pair, k);
			if (!rc && s->nb->layout)
				rc = mode_set(pair, k);
			if (!rc && s->nb->layout)
				rc = owner_set(pair, k);
			if (rc)
				return rc;
		}
	if (!s->nb->layout)
		return 0;
	if (syncfs(s->dirfd))
		return -errno;
	rc = nb_read(s->nb, raw, s->inode_size, s->pair[0].offset);
	s->nanoseconds = !s->nb->native_ext2 && nb_raw_has_nanoseconds(raw, s->inode_size);
	return rc;
}

static void inodes_free(void *state)
{
	if (state)
		inodes_close(state);
	free(state);
}

static int inodes_prepare(struct neighbour *nb, struct nb_counters *count, unsigned index,
			  void **state)
{
	struct inodes *s = calloc(1, sizeof(*s));
	char path[4096];
	int rc;

	if (!s)
		return -ENOMEM;
	s->nb = nb;
	s->count = count;
	s->dirfd = -1;
	rng_seed(&s->rng, nb->options.seed, 0x10de + index);
	s->inode_size = nb->layout ? nb_layout_geometry(nb->layout)->inode_size : 0;
	if (s->inode_size > INODE_SIZE_MAX || (nb->layout && s->inode_size < NB_RAW_SIZE_MIN)) {
		free(s);
		return -EOPNOTSUPP;
	}
	rest_choose(s);
	snprintf(s->dir, sizeof(s->dir), "inodes%u", index);
	snprintf(path, sizeof(path), "%s/%s", nb->options.mount_dir, s->dir);
	rc = mkdir(path, 0700) ? -errno : 0;
	if (!rc) {
		s->dirfd = nb_open(nb, s->dir, O_RDONLY | O_DIRECTORY);
		rc = s->dirfd < 0 ? s->dirfd : pairs_find(s);
	}
	if (!rc)
		rc = models_start(s);
	inodes_close(s);
	if (rc) {
		inodes_free(s);
		return rc;
	}
	*state = s;
	return 0;
}

size_t nb_inodes_pages(const void *state, uint64_t *offsets, size_t max)
{
	const struct inodes *s = state;

	if (!s->nb->layout)
		return 0;
	for (unsigned i = 0; i < s->pairs && i < max; i++)
		offsets[i] = s->pair[i].offset / PAGE_BYTES * PAGE_BYTES;
	return s->pairs;
}

static void inodes_visit(void *state, nb_block_visitor visitor, void *arg)
{
	struct inodes *s = state;
	uint32_t size = s->nb->layout ? nb_layout_geometry(s->nb->layout)->block_size : 0;

	for (unsigned i = 0; i < s->pairs && size; i++)
		visitor(arg, &(struct nb_watched){.type = NEIGHBOUR_BLOCK_INODES,
						  .block = s->pair[i].offset / size,
						  .from = (uint32_t)(s->pair[i].offset % size),
						  .length = (uint32_t)(2 * s->inode_size)});
}

const struct nb_leg_ops nb_inodes = {
	.leg = NEIGHBOUR_INODES,
	.prepare = inodes_prepare,
	.open = inodes_open,
	.step = inodes_step,
	.close = inodes_close,
	.free = inodes_free,
	.visit = inodes_visit,
};
