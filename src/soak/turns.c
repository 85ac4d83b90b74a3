/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/turns.h"

static double score(const struct turn *turn)
{
	return ((double)turn->moved + TURNS_HOT_WEIGHT * (double)turn->moved_neighbour) /
	       (double)(turn->ns + 1);
}

static bool measured(const struct turn *turn)
{
	return turn->ns >= (turn->moved ? TURNS_MEASURE_NS : TURNS_IMPRESSION_NS);
}

/* TURNS_NONE if nobody is known to move pages. */
static unsigned best_find(const struct turns *turns)
{
	unsigned best = TURNS_NONE;

	for (unsigned i = 0; i < turns->count; i++) {
		const struct turn *turn = &turns->turn[i];

		if (turn->gave_up || !turn->moved || turn->ns < TURNS_IMPRESSION_NS)
			continue;
		if (best == TURNS_NONE || score(turn) > score(&turns->turn[best]))
			best = i;
	}
	return best;
}

static uint64_t others_ns(const struct turns *turns, unsigned best)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < turns->count; i++)
		if (i != best)
			sum += turns->turn[i].ns;
	return sum;
}

/*
 * The next to be measured, or TURNS_NONE: in their order until one is known to move pages, then the
 * least known.
 */
static unsigned measure_next(const struct turns *turns, unsigned best)
{
	unsigned next = TURNS_NONE;

	for (unsigned i = 0; i < turns->count; i++) {
		const struct turn *turn = &turns->turn[i];

		if (i == best || turn->gave_up || measured(turn))
			continue;
		if (next == TURNS_NONE || (best != TURNS_NONE && turn->ns < turns->turn[next].ns))
			next = i;
	}
	return next;
}

/* The one that has used least of its share. */
static unsigned share_next(const struct turns *turns, unsigned best)
{
	unsigned next = TURNS_NONE;
	double used, least = 0;

	for (unsigned i = 0; i < turns->count; i++) {
		if (turns->turn[i].gave_up)
			continue;
		used = (double)turns->turn[i].ns / (i == best ? TURNS_BEST : TURNS_OTHERS);
		if (next == TURNS_NONE || used < least) {
			next = i;
			least = used;
		}
	}
	return next;
}

static unsigned choose(const struct turns *turns)
{
	unsigned best = best_find(turns);
	unsigned next = measure_next(turns, best);

	if (next == TURNS_NONE)
		return share_next(turns, best);
	if (best == TURNS_NONE)
		return next;
	if (turns->turn[best].ns < TURNS_FIRST_NS + TURNS_BEST_SO_FAR * others_ns(turns, best))
		return best;
	return next;
}

static bool keeps_turn(const struct turns *turns, uint64_t now_ns)
{
	const struct turn *now;

	if (!turns->begun)
		return false;
	now = &turns->turn[turns->now];
	return now->keeps && !now->gave_up && now_ns - turns->since_ns < TURNS_KEEP_NS;
}

unsigned turns_next(struct turns *turns, uint64_t now_ns)
{
	unsigned next;

	if (keeps_turn(turns, now_ns))
		return turns->now;
	next = choose(turns);
	if (!turns->begun || next != turns->now)
		turns->since_ns = now_ns;
	turns->begun = next != TURNS_NONE;
	turns->now = next;
	return next;
}
