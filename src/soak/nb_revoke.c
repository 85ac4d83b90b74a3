/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The revoke leg: directory blocks are freed and taken again by file data. A journal must revoke
 * what it holds of them, for which it looks the buffers up by number, and must never write the
 * old metadata over the data. The data is read back from the device after it was evicted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/nb_dirs_model.h"
#include "soak/nb_private.h"
#include "util/clock.h"

#define NAMES 40u
#define DATA_BYTES 65536u
/* Writing data out takes a while on slow devices; the other legs shall not wait for it. */
#define PERIOD_NS (250 * NS_PER_MS)

struct revoke {
	struct neighbour *nb;
	struct nb_counters *count;
	uint64_t next_ns;
	uint64_t generation; /* of the data; 0: none was written */
	char dir[4096], data[4096];
};

static int failed_call(struct revoke *s, const char *what, int rc)
{
	return nb_fail_call(s->nb, NEIGHBOUR_REVOKE, what, rc);
}

/* A directory of several blocks comes and goes. */
static int directory_cycle(struct revoke *s)
{
	char name[NB_NAME_MAX + 1];
	int fd, rc = 0;

	if (mkdir(s->dir, 0700))
		return -errno;
	fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < NAMES && !rc; i++) {
		nb_names_format(i, 1, NB_NAME_MAX, name);
		rc = symlinkat("to", fd, name) ? -errno : 0;
	}
	for (unsigned i = 0; i < NAMES && !rc; i++) {
		nb_names_format(i, 1, NB_NAME_MAX, name);
		rc = unlinkat(fd, name, 0) ? -errno : 0;
	}
	close(fd);
	return rc ? rc : rmdir(s->dir) ? -errno : 0;
}

static void data_make(const struct revoke *s, uint8_t *data)
{
	struct rng rng;

	rng_seed(&rng, s->nb->options.seed, s->generation);
	rng_fill(&rng, data, DATA_BYTES);
}

static int data_write(struct revoke *s)
{
	uint8_t data[DATA_BYTES];
	ssize_t n;
	int fd, rc = 0;

	s->generation++;
	data_make(s, data);
	fd = open(s->data, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = pwrite(fd, data, sizeof(data), 0);
	if (n != (ssize_t)sizeof(data))
		rc = n < 0 ? -errno : -ENOSPC;
	else if (fdatasync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

static int data_verify(struct revoke *s)
{
	uint8_t want[DATA_BYTES], found[DATA_BYTES];
	size_t at = 0;
	ssize_t n;
	int fd;

	if (!s->generation)
		return 0;
	fd = open(s->data, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed_call(s, "opening its data", -errno);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	n = pread(fd, found, sizeof(found), 0);
	close(fd);
	if (n < 0)
		return failed_call(s, "reading its data", -errno);
	data_make(s, want);
	nb_count(&s->count->compared[NEIGHBOUR_REVOKE], 1);
	if ((size_t)n == sizeof(found) && memcmp(want, found, sizeof(found)) == 0)
		return 0;
	while (at < (size_t)n && want[at] == found[at])
		at++;
	return nb_fail(s->nb, NEIGHBOUR_REVOKE, NEIGHBOUR_CORRUPT, -EUCLEAN,
		       "neighbour %s (revoke): file data in blocks that held a directory is wrong "
		       "from byte %zu on: freed metadata was written over it",
		       s->nb->options.profile.text, at);
}

static int revoke_step(void *state)
{
	struct revoke *s = state;
	int rc;

	if (clock_now_ns() < s->next_ns)
		return 0;
	rc = data_verify(s);
	if (rc)
		return rc;
	/* The old data goes first, so that the directory gets its blocks and the data those. */
	if (s->generation && unlink(s->data))
		return failed_call(s, "unlinking its data", -errno);
	rc = directory_cycle(s);
	if (rc)
		return failed_call(s, "making and removing a directory", rc);
	rc = data_write(s);
	if (rc)
		return failed_call(s, "writing data", rc);
	rc = data_verify(s);
	nb_count(&s->count->ops[NEIGHBOUR_REVOKE], 1);
	s->next_ns = clock_now_ns() + PERIOD_NS;
	return rc;
}

static int revoke_open(void *state)
{
	return data_verify(state);
}

static void revoke_close(void *state)
{
	(void)state; /* nothing stays open between steps */
}

static int revoke_prepare(struct neighbour *nb, struct nb_counters *count, unsigned index,
			  void **state)
{
	struct revoke *s;

	(void)index;
	if (nb->options.profile.generic)
		return -EOPNOTSUPP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->nb = nb;
	s->count = count;
	snprintf(s->dir, sizeof(s->dir), "%s/revoke.dir", nb->options.mount_dir);
	snprintf(s->data, sizeof(s->data), "%s/revoke.data", nb->options.mount_dir);
	*state = s;
	return 0;
}

static void revoke_visit(void *state, nb_block_visitor visitor, void *arg)
{
	(void)state; /* its blocks are never at rest */
	(void)visitor;
	(void)arg;
}

const struct nb_leg_ops nb_revoke = {
	.leg = NEIGHBOUR_REVOKE,
	.prepare = revoke_prepare,
	.open = revoke_open,
	.step = revoke_step,
	.close = revoke_close,
	.free = free,
	.visit = revoke_visit,
};
