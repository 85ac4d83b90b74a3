/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The xattr leg: values that fill most of a block of their own and carry a generation. Each is
 * read, and its block compared through the device, before and after it is set.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "soak/nb_private.h"

#define FILES 48u
#define FILES_PER_STEP 8u
#define NAME "user.churn"
/* Block header, entry and end, with room for what security modules add. */
#define OVERHEAD 256u
#define VALUE_MAX (NEIGHBOUR_BLOCK_MAX - OVERHEAD)
/* Once in so many times the block is given up and another one taken. */
#define REPLACE_ONE_IN 32u
/* Offsets of the block number in a raw inode. */
#define RAW_FILE_ACL 0x68
#define RAW_FILE_ACL_HIGH 0x76
#define RAW_BYTES 128u

struct file {
	int fd;
	uint64_t ino;
	uint64_t generation;	/* 0: no value yet */
	struct nb_shadow block; /* unless generic */
};

struct xattrs {
	struct neighbour *nb;
	struct nb_counters *count;
	struct rng rng;
	uint32_t block_size;
	size_t length;
	unsigned next;
	const struct file *changing; /* not at rest; NULL between steps */
	struct nb_past past;
	struct file file[FILES];
};

/* Differs in every byte from file to file and from generation to generation, or nearly so. */
static void value_make(const struct xattrs *s, unsigned index, uint64_t generation, uint8_t *value)
{
	struct rng rng;

	memcpy(value, &generation, sizeof(generation));
	rng_seed(&rng, generation, index);
	rng_fill(&rng, value + sizeof(generation), s->length - sizeof(generation));
}

static int value_set(const struct xattrs *s, unsigned index, uint64_t generation)
{
	uint8_t value[VALUE_MAX];

	value_make(s, index, generation, value);
	return fsetxattr(s->file[index].fd, NAME, value, s->length, 0) ? -errno : 0;
}

static int value_report(struct xattrs *s, unsigned index, uint64_t generation, const char *when)
{
	const struct file *file = &s->file[index];
	struct neighbour_failure f = {
		.leg = NEIGHBOUR_XATTRS,
		.kind = generation && generation < file->generation ? FAULT_STALE : FAULT_GARBAGE,
		.type = nb_shadow_known(&file->block) ? NEIGHBOUR_BLOCK_XATTR
						      : NEIGHBOUR_BLOCK_NONE,
		.block = file->block.block,
		.offset = file->block.block * s->block_size,
		.expected_generation = file->generation,
		.found_generation = generation,
	};

	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (xattrs): xattr block %" PRIu64
		 " is %s: the value of xattrs/%02u has "
		 "generation %" PRIu64 " where %" PRIu64 " was written, %s",
		 s->nb->options.profile.text, f.block, fault_kind_name(f.kind), index, generation,
		 file->generation, when);
	return nb_fail_block(s->nb, &f);
}

static int value_verify(struct xattrs *s, unsigned index, const char *when)
{
	struct file *file = &s->file[index];
	uint8_t want[VALUE_MAX], found[VALUE_MAX];
	ssize_t n = fgetxattr(file->fd, NAME, found, s->length);
	uint64_t generation = 0;

	if (n < 0)
		return nb_fail_call(s->nb, NEIGHBOUR_XATTRS, "fgetxattr", -errno);
	value_make(s, index, file->generation, want);
	nb_count(&s->count->compared[NEIGHBOUR_XATTRS], 1);
	if ((size_t)n == s->length && memcmp(want, found, s->length) == 0)
		return 0;
	if ((size_t)n >= sizeof(generation))
		memcpy(&generation, found, sizeof(generation));
	return value_report(s, index, generation, when);
}

/* The block that the raw inode names, 0 if none. */
static int block_find(const struct xattrs *s, const struct file *file, uint64_t *block)
{
	uint8_t raw[RAW_BYTES];
	int rc = nb_read(s->nb, raw, sizeof(raw), nb_layout_inode(s->nb->layout, file->ino));

	*block = (uint64_t)raw[RAW_FILE_ACL] | (uint64_t)raw[RAW_FILE_ACL + 1] << 8 |
		 (uint64_t)raw[RAW_FILE_ACL + 2] << 16 | (uint64_t)raw[RAW_FILE_ACL + 3] << 24 |
		 (uint64_t)raw[RAW_FILE_ACL_HIGH] << 32 |
		 (uint64_t)raw[RAW_FILE_ACL_HIGH + 1] << 40;
	return rc;
}

static int block_verify(struct xattrs *s, struct file *file, const char *when)
{
	if (!s->nb->layout || !nb_shadow_known(&file->block))
		return 0;
	nb_count(&s->count->compared[NEIGHBOUR_XATTRS], 1);
	return nb_shadow_verify(s->nb, NEIGHBOUR_XATTRS, &file->block, when);
}

static int block_refresh(struct xattrs *s, struct file *file)
{
	uint64_t block;
	int rc;

	if (!s->nb->layout)
		return 0;
	rc = block_find(s, file, &block);
	if (rc)
		return rc;
	if (block == 0 || block >= nb_layout_geometry(s->nb->layout)->blocks)
		return nb_fail(s->nb, NEIGHBOUR_XATTRS, NEIGHBOUR_CORRUPT, -EUCLEAN,
			       "neighbour %s (xattrs): the inode at byte %" PRIu64
			       " names xattr block %" PRIu64,
			       s->nb->options.profile.text,
			       nb_layout_inode(s->nb->layout, file->ino), block);
	if (block != file->block.block)
		nb_shadow_rebase(&file->block, &s->past, block);
	return nb_shadow_refresh(s->nb, &file->block);
}

static int file_step(struct xattrs *s, unsigned index)
{
	struct file *file = &s->file[index];
	int rc = block_verify(s, file, "when its file was at rest");

	if (!rc)
		rc = value_verify(s, index, "when its file was at rest");
	if (rc)
		return rc;
	s->changing = file;
	/* Raw inodes of ext2 come late, and with them the number of another block. */
	if (!s->nb->native_ext2 && rng_below(&s->rng, REPLACE_ONE_IN) == 0 &&
	    fremovexattr(file->fd, NAME))
		return nb_fail_call(s->nb, NEIGHBOUR_XATTRS, "fremovexattr", -errno);
	rc = value_set(s, index, file->generation + 1);
	if (rc)
		return nb_fail_call(s->nb, NEIGHBOUR_XATTRS, "fsetxattr", rc);
	file->generation++;
	rc = value_verify(s, index, "right after it was set");
	if (rc)
		return rc;
	rc = block_refresh(s, file);
	if (rc && rc != -EUCLEAN)
		return nb_fail_call(s->nb, NEIGHBOUR_XATTRS, "reading an xattr block", rc);
	if (!rc)
		s->changing = NULL;
	return rc;
}

static int xattr_step(void *state)
{
	struct xattrs *s = state;

	for (unsigned n = 0; n < FILES_PER_STEP; n++) {
		int rc = file_step(s, s->next++ % FILES);

		if (rc)
			return rc;
	}
	nb_count(&s->count->ops[NEIGHBOUR_XATTRS], FILES_PER_STEP);
	return 0;
}

static int xattr_sweep(void *state)
{
	struct xattrs *s = state;
	int rc = 0;

	for (unsigned i = 0; i < FILES && !rc; i++)
		if (&s->file[i] != s->changing)
			rc = block_verify(s, &s->file[i], "when its file was at rest");
	return rc;
}

static void xattr_close(void *state)
{
	struct xattrs *s = state;

	for (unsigned i = 0; i < FILES; i++) {
		if (s->file[i].fd >= 0)
			close(s->file[i].fd);
		s->file[i].fd = -1;
	}
}

static int xattr_open(void *state)
{
	struct xattrs *s = state;
	int rc = 0;

	for (unsigned i = 0; i < FILES && !rc; i++) {
		char name[24];

		snprintf(name, sizeof(name), "xattrs/%02u", i);
		s->file[i].fd = nb_open(s->nb, name, O_RDWR);
		if (s->file[i].fd < 0)
			return s->file[i].fd;
		rc = block_verify(s, &s->file[i], "before it was unmounted");
	}
	return rc;
}

static void xattr_free(void *state)
{
	struct xattrs *s = state;

	xattr_close(s);
	for (unsigned i = 0; i < FILES; i++)
		nb_shadow_free(&s->file[i].block);
	free(s);
}

static int file_make(struct xattrs *s, unsigned index)
{
	struct file *file = &s->file[index];
	struct stat st;
	char name[24];
	int rc;

	rc = nb_shadow_init(&file->block, NEIGHBOUR_BLOCK_XATTR, 0, s->block_size);
	if (rc)
		return rc;
	snprintf(name, sizeof(name), "xattrs/%02u", index);
	file->fd = nb_open(s->nb, name, O_RDWR | O_CREAT | O_EXCL);
	if (file->fd < 0)
		return file->fd;
	if (fstat(file->fd, &st))
		return -errno;
	file->ino = st.st_ino;
	file->generation = 1;
	rc = value_set(s, index, 1);
	if (rc)
		return rc;
	if (s->nb->native_ext2 && fsync(file->fd))
		return -errno;
	return block_refresh(s, file);
}

static int xattr_prepare(struct neighbour *nb, struct nb_counters *count, unsigned index,
			 void **state)
{
	struct xattrs *s = calloc(1, sizeof(*s));
	char path[4096];
	int rc;

	(void)index;
	if (!s)
		return -ENOMEM;
	s->nb = nb;
	s->count = count;
	rng_seed(&s->rng, nb->options.seed, 0xa77);
	s->block_size = nb->layout ? nb_layout_geometry(nb->layout)->block_size : 1024;
	s->length = s->block_size - OVERHEAD;
	for (unsigned i = 0; i < FILES; i++)
		s->file[i].fd = -1;
	snprintf(path, sizeof(path), "%s/xattrs", nb->options.mount_dir);
	rc = mkdir(path, 0700) ? -errno : 0;
	for (unsigned i = 0; i < FILES && !rc; i++)
		rc = file_make(s, i);
	xattr_close(s);
	if (rc) {
		xattr_free(s);
		return rc;
	}
	*state = s;
	return 0;
}

static void xattr_visit(void *state, nb_block_visitor visitor, void *arg)
{
	struct xattrs *s = state;

	for (unsigned i = 0; i < FILES; i++)
		if (nb_shadow_known(&s->file[i].block))
			visitor(arg, &(struct nb_watched){.type = NEIGHBOUR_BLOCK_XATTR,
							  .block = s->file[i].block.block});
}

const struct nb_leg_ops nb_xattr = {
	.leg = NEIGHBOUR_XATTRS,
	.prepare = xattr_prepare,
	.open = xattr_open,
	.step = xattr_step,
	.sweep = xattr_sweep,
	.close = xattr_close,
	.free = xattr_free,
	.visit = xattr_visit,
};
