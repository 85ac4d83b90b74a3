/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/hotchunks.h"

/* Where the chunk is, or COUNT. */
static unsigned find(const struct hotchunks *hot, uint64_t first)
{
	unsigned i = 0;

	while (i < hot->count && hot->first[i] != first)
		i++;
	return i;
}

void hotchunks_note(struct hotchunks *hot, uint64_t first, uint64_t written_ns, uint64_t now_ns)
{
	unsigned i = find(hot, first);
	bool is_hot = written_ns + HOTCHUNKS_AGE_NS > now_ns;

	if (!is_hot && i < hot->count)
		hot->first[i] = hot->first[--hot->count];
	else if (is_hot && i == hot->count && hot->count < HOTCHUNKS_MAX)
		hot->first[hot->count++] = first;
}

bool hotchunks_due(const struct hotchunks *hot, uint64_t now_ns)
{
	return hot->count && now_ns >= hot->due_ns;
}

void hotchunks_done(struct hotchunks *hot, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t by_share = end_ns + (HOTCHUNKS_SHARE - 1) * (end_ns - start_ns);

	hot->due_ns = start_ns + HOTCHUNKS_PERIOD_NS;
	if (hot->due_ns < by_share)
		hot->due_ns = by_share;
}
