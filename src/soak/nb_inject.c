/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak/nb_private.h"
#include "util/clock.h"

#define PREFIX "nb-stale-"
/* The older copy is between these two old. */
#define AGE_MIN_MS 20u
#define AGE_MAX_MS 150u
#define BLOCKS_MAX 4096u

struct samples {
	enum neighbour_block type;
	uint32_t size;
	size_t count;
	struct nb_watched watched[BLOCKS_MAX];
	uint8_t *image; /* of each */
};

int nb_inject_parse(const char *name, enum neighbour_block *type)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return -EINVAL;
	for (int i = NEIGHBOUR_BLOCK_NONE + 1; i < NEIGHBOUR_BLOCKS; i++)
		if (strcmp(name + strlen(PREFIX), neighbour_block_name((enum neighbour_block)i)) ==
		    0) {
			*type = (enum neighbour_block)i;
			return 0;
		}
	return -EINVAL;
}

static void sample_add(void *arg, const struct nb_watched *watched)
{
	struct samples *samples = arg;

	if (watched->type == samples->type && samples->count < BLOCKS_MAX)
		samples->watched[samples->count++] = *watched;
}

/* Paused. */
static void blocks_list(struct neighbour *nb, struct samples *samples)
{
	samples->count = 0;
	for (unsigned i = 0; i < nb->threads; i++)
		for (unsigned k = 0; k < nb->thread[i].legs; k++)
			nb->thread[i].leg[k].ops->visit(nb->thread[i].leg[k].state, sample_add,
							samples);
}

static int samples_take(struct neighbour *nb, struct samples *samples)
{
	int rc = 0;

	neighbour_pause(nb);
	blocks_list(nb, samples);
	samples->image = samples->count ? malloc(samples->count * samples->size) : NULL;
	if (!samples->image)
		rc = samples->count ? -ENOMEM : -EOPNOTSUPP;
	for (size_t i = 0; i < samples->count && !rc; i++)
		rc = nb_read(nb, samples->image + i * samples->size, samples->size,
			     samples->watched[i].block * samples->size);
	neighbour_resume(nb);
	return rc;
}

static bool still_watched(const struct samples *now, const struct nb_watched *watched)
{
	for (size_t i = 0; i < now->count; i++)
		if (now->watched[i].block == watched->block &&
		    now->watched[i].from == watched->from)
			return true;
	return false;
}

/* Elsewhere in the block others may have changed something, which nobody watches. */
static bool changed(const struct nb_watched *watched, const uint8_t *old, const uint8_t *now,
		    uint32_t size)
{
	uint32_t length = watched->length ? watched->length : size;

	return memcmp(old + watched->from, now + watched->from, length) != 0;
}

/* Paused. A block that is watched still and holds something else than its sample. */
static int changed_find(struct neighbour *nb, const struct samples *old, const struct samples *now,
			struct rng *rng, struct nb_injection *injection)
{
	size_t start = (size_t)rng_below(rng, old->count);

	for (size_t n = 0; n < old->count; n++) {
		size_t i = (start + n) % old->count;
		const uint8_t *image = old->image + i * old->size;
		int rc;

		if (!still_watched(now, &old->watched[i]))
			continue;
		injection->block = old->watched[i].block;
		injection->offset = injection->block * old->size;
		rc = nb_read(nb, injection->expected, old->size, injection->offset);
		if (rc)
			return rc;
		if (changed(&old->watched[i], image, injection->expected, old->size)) {
			memcpy(injection->planted, image, old->size);
			return 0;
		}
	}
	return -EAGAIN;
}

static int plant(struct neighbour *nb, struct nb_injection *injection)
{
	int fd = open(nb->options.device, O_RDWR | O_CLOEXEC);
	ssize_t n;
	int rc = 0;

	if (fd < 0)
		return -errno;
	injection->when_ns = clock_now_ns();
	n = pwrite(fd, injection->planted, injection->length, (off_t)injection->offset);
	if (n != (ssize_t)injection->length)
		rc = n < 0 ? -errno : -EIO;
	close(fd);
	return rc;
}

int nb_inject_plant(struct neighbour *nb, enum neighbour_block type, uint64_t seed,
		    struct nb_injection *injection)
{
	struct samples *samples;
	struct timespec age = {0};
	struct rng rng;
	int rc = -ENOMEM;

	if (!nb->layout)
		return -EOPNOTSUPP;
	samples = calloc(2, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	rng_seed(&rng, seed, 0x1217);
	samples[0].type = samples[1].type = injection->type = type;
	samples[0].size = injection->length = nb_layout_geometry(nb->layout)->block_size;
	age.tv_nsec = (long)(AGE_MIN_MS + rng_below(&rng, AGE_MAX_MS - AGE_MIN_MS)) * 1000000;
	rc = samples_take(nb, &samples[0]);
	if (rc)
		goto out_free;
	nanosleep(&age, NULL);
	neighbour_pause(nb);
	blocks_list(nb, &samples[1]);
	rc = changed_find(nb, &samples[0], &samples[1], &rng, injection);
	if (!rc && !atomic_load(&nb->failed))
		rc = plant(nb, injection);
	neighbour_resume(nb);
out_free:
	free(samples[0].image);
	free(samples);
	return rc;
}
