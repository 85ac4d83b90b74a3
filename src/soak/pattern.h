/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File contents that say where they belong. Each 16 aligned bytes of a file are an invertible
 * function of the key, the worker, the write, the file and the offset, so a block that is stale or
 * in the wrong place is recognised from what it holds.
 */
#ifndef CHURNFS_SOAK_PATTERN_H
#define CHURNFS_SOAK_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_UNIT 16u

struct pattern {
	uint64_t key;	/* the same for all workers of a run */
	uint64_t write; /* low 40 bits count */
	uint32_t file;	/* low 24 bits count */
	uint8_t worker;
};

/* Fills BUF with what PATTERN has at OFFSET (below 64 GiB) of the file. */
void pattern_fill(const struct pattern *pattern, uint64_t offset, void *buf, size_t len);

/* Index of the first byte of BUF that is not as pattern_fill() makes it; LEN when all are. */
size_t pattern_compare(const struct pattern *pattern, uint64_t offset, const void *buf, size_t len);

/*
 * Tells from PATTERN_UNIT bytes found at an aligned offset what they were written as: sets all but
 * the key of *FOUND and *OFFSET. Returns false when they are no pattern with FOUND->key.
 */
bool pattern_identify(struct pattern *found, uint64_t *offset, const void *unit);

#endif
