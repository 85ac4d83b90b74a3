/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A neighbour on a loop device over a file without a name, in a private mount namespace. */
#ifndef CHURNFS_TESTS_NEIGHBOUR_FIXTURE_H
#define CHURNFS_TESTS_NEIGHBOUR_FIXTURE_H

#include "soak/neighbour.h"

struct neighbour_fixture {
	char device[64];
	int device_fd;
	char mount_dir[64];
	struct neighbour_options options;
	struct neighbour *nb;
};

/* NULL, or why there can be no fixture here. */
const char *neighbour_fixture_unavailable(void);

/*
 * Makes the device and the filesystem PROFILE on its first HEAD bytes. Options start
 * with two threads, all legs, seed 1; change them before neighbour_fixture_start(). Any error
 * fails the test.
 */
void neighbour_fixture_open(struct neighbour_fixture *fixture, const char *profile, uint64_t head);

/* Mounts and starts. */
void neighbour_fixture_start(struct neighbour_fixture *fixture);

/* Takes all down. */
void neighbour_fixture_close(struct neighbour_fixture *fixture);

/* Waits for a failure up to SECONDS. Returns true when there is one. */
bool neighbour_fixture_wait(struct neighbour_fixture *fixture, unsigned seconds,
			    struct neighbour_failure *failure);

#endif
