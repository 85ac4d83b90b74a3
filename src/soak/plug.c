/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/memzones.h"

#define PIPE_BYTES (1u << 20)
#define PIPES_MAX (PLUG_BYTES_MAX / PIPE_BYTES)
/* Gaps that are not worth a pipe. */
#define PAGES_LEFT 300u
/* Filled without fewer gaps, in a row: pages of per-CPU lists come first, so some mean nothing. */
#define STALE_MAX 8u

struct plug {
	unsigned pipes;
	int end[PIPES_MAX][2];
};

static int pipe_fill(struct plug *plug, const void *zeros)
{
	int *end = plug->end[plug->pipes];

	if (pipe2(end, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	plug->pipes++;
	if (fcntl(end[1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
		return -errno;
	return write(end[1], zeros, PIPE_BYTES) < 0 ? -errno : 0;
}

int plug_create(uint64_t bytes, struct plug **out)
{
	struct plug *plug = calloc(1, sizeof(*plug));
	void *zeros = calloc(1, PIPE_BYTES);
	uint64_t left = memzones_fragments("Unmovable"), least = left;
	unsigned stale = 0;

	if (!plug || !zeros) {
		free(plug);
		free(zeros);
		return -ENOMEM;
	}
	while (left > PAGES_LEFT && stale < STALE_MAX && plug->pipes < PIPES_MAX &&
	       (uint64_t)(plug->pipes + 1) * PIPE_BYTES <= bytes) {
		if (pipe_fill(plug, zeros))
			break;
		left = memzones_fragments("Unmovable");
		stale = left < least ? 0 : stale + 1;
		if (left < least)
			least = left;
	}
	free(zeros);
	*out = plug;
	return 0;
}

void plug_free(struct plug *plug)
{
	if (!plug)
		return;
	for (unsigned i = 0; i < plug->pipes; i++) {
		close(plug->end[i][0]);
		close(plug->end[i][1]);
	}
	free(plug);
}
