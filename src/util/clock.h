/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_UTIL_CLOCK_H
#define CHURNFS_UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC 1000000000ULL
#define NS_PER_MS 1000000ULL

/* CLOCK_MONOTONIC in nanoseconds: the same clock in every process of the machine. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline double clock_seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* 0 for no time at all. */
static inline double clock_per_second(uint64_t count, uint64_t ns)
{
	return ns ? (double)count / clock_seconds(ns) : 0;
}

#endif
