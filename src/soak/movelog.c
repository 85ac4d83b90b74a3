/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/movelog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define MOVES 65536u

struct movelog {
	pthread_mutex_t lock;
	uint64_t added;		 /* lock */
	struct move move[MOVES]; /* lock; a ring */
};

int movelog_create(struct movelog **out)
{
	struct movelog *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	pthread_mutex_init(&log->lock, NULL);
	*out = log;
	return 0;
}

void movelog_free(struct movelog *log)
{
	if (!log)
		return;
	pthread_mutex_destroy(&log->lock);
	free(log);
}

void movelog_add(struct movelog *log, const struct move *moves, size_t count)
{
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < count; i++)
		log->move[log->added++ % MOVES] = moves[i];
	pthread_mutex_unlock(&log->lock);
}

size_t movelog_find(struct movelog *log, uint64_t page, struct move *moves, size_t max)
{
	uint64_t oldest;
	size_t found = 0;

	pthread_mutex_lock(&log->lock);
	oldest = log->added > MOVES ? log->added - MOVES : 0;
	for (uint64_t i = log->added; i > oldest && found < max; i--)
		if (log->move[(i - 1) % MOVES].page == page)
			moves[found++] = log->move[(i - 1) % MOVES];
	pthread_mutex_unlock(&log->lock);
	for (size_t i = 0; i < found / 2; i++) {
		struct move swap = moves[i];

		moves[i] = moves[found - 1 - i];
		moves[found - 1 - i] = swap;
	}
	return found;
}
