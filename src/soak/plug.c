/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/devpages.h"
#include "soak/memzones.h"

#define PIPE_BYTES (1u << 20)
#define PIPES_MAX (PLUG_BYTES_MAX / PIPE_BYTES)
/* Gaps that are not worth a pipe. */
#define PAGES_LEFT 300u
/* Filled without fewer gaps, in a row: pages of per-CPU lists come first, so some mean nothing. */
#define STALE_MAX 8u

struct plug {
	unsigned pipes;
	int end[PIPES_MAX]; /* to read from: what is in a pipe stays without the other one */
	int pins[2];	    /* one more; [1] < 0: there is none */
	uint8_t zeros[PIPE_BYTES];
};

/* An empty pipe with room for PIPE_BYTES. */
static int pipe_open(int end[2])
{
	if (pipe2(end, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	return fcntl(end[1], F_SETPIPE_SZ, PIPE_BYTES) < 0 ? -errno : 0;
}

static int pipe_fill(struct plug *plug)
{
	int end[2] = {-1, -1};
	int rc = pipe_open(end);

	if (end[0] >= 0)
		plug->end[plug->pipes++] = end[0];
	if (!rc && write(end[1], plug->zeros, PIPE_BYTES) < 0)
		rc = -errno;
	if (end[1] >= 0)
		close(end[1]);
	return rc;
}

int plug_create(uint64_t bytes, struct plug **out)
{
	struct plug *plug = calloc(1, sizeof(*plug));
	uint64_t left = memzones_fragments("Unmovable"), least = left;
	unsigned stale = 0;

	if (!plug)
		return -ENOMEM;
	plug->pins[0] = plug->pins[1] = -1;
	(void)pipe_open(plug->pins);
	while (left > PAGES_LEFT && stale < STALE_MAX && plug->pipes < PIPES_MAX &&
	       (uint64_t)(plug->pipes + 1) * PIPE_BYTES <= bytes) {
		if (pipe_fill(plug))
			break;
		left = memzones_fragments("Unmovable");
		stale = left < least ? 0 : stale + 1;
		if (left < least)
			least = left;
	}
	*out = plug;
	return 0;
}

void plug_pin(struct plug *plug)
{
	if (plug->pins[1] >= 0)
		(void)!write(plug->pins[1], plug->zeros, DEVPAGE_SIZE);
}

void plug_free(struct plug *plug)
{
	if (!plug)
		return;
	for (unsigned i = 0; i < plug->pipes; i++)
		close(plug->end[i]);
	if (plug->pins[1] >= 0) {
		close(plug->pins[0]);
		close(plug->pins[1]);
	}
	free(plug);
}
