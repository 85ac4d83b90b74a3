/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_STATUS_H
#define CHURNFS_SOAK_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How far a run is, for someone who watches. */
struct status_values {
	uint64_t elapsed_ns;
	uint64_t operations;
	uint64_t pages_moved;
	uint64_t blocks_verified;
	uint64_t bytes_verified;
	const char *verdict; /* so far, in a word or two */
};

struct status {
	FILE *out;
	bool terminal;
	uint64_t last_ns; /* elapsed time of the last line */
	struct status_values last;
};

void status_init(struct status *status, FILE *out);

/*
 * Prints a line if one is due: several times a second in place on a terminal, else every 10 s, and
 * ever more seldom, so that a log of weeks stays short.
 */
void status_update(struct status *status, const struct status_values *values);

/* Leaves the line on a terminal. */
void status_end(struct status *status);

#endif
