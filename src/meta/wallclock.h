/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_META_WALLCLOCK_H
#define CHURNFS_META_WALLCLOCK_H

#include "util/clock.h"

/* Nanoseconds since the epoch, as times are kept on disk. */
static inline int64_t wallclock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * (int64_t)NS_PER_SEC + ts.tv_nsec;
}

#endif
