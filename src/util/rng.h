/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded pseudo-random numbers, the same on every machine for a given seed:
 * xoshiro256** seeded by splitmix64 (Blackman and Vigna, "Scrambled Linear
 * Pseudorandom Number Generators", 2019). No locks: one state per thread.
 */
#ifndef CHURNFS_UTIL_RNG_H
#define CHURNFS_UTIL_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* SEED and STREAM together choose the sequence; use one stream per worker. */
void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream);

uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound); BOUND must not be 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

void rng_fill(struct rng *rng, void *buf, size_t len);

#endif
