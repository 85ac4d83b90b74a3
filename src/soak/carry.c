/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/carry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/migrate.h"
#include "soak/migrate_compact.h"
#include "soak/trips.h"
#include "util/clock.h"
#include "util/log.h"

/* No call of move_pages(2) begins later than that. */
#define SEND_NS (2 * NS_PER_SEC)
/* Until a step of compact_memory is about pages that can be looked at. */
#define STEPS_MAX 16u

struct carry {
	struct pageset *set;
	struct trips *trips; /* NULL: there is one node only */
	void **address;	     /* of the set's pages, in which order they are */
	uint32_t *moves;
	void *compact; /* state of migrate_compact; NULL: not needed, or it does not work here */
};

static int trips_begin(struct carry *carry, const int node[2])
{
	carry->address = calloc(carry->set->max, sizeof(*carry->address));
	carry->moves = calloc(carry->set->max, sizeof(*carry->moves));
	if (!carry->address || !carry->moves)
		return -ENOMEM;
	return trips_open(node, NULL, &carry->trips);
}

/* Without it, pages stay where they are. */
static void compact_begin(struct carry *carry)
{
	char why[128];
	int rc = migrate_compact.probe(why, sizeof(why));

	if (!rc) {
		rc = migrate_compact.start(carry->set->target, &carry->compact);
		snprintf(why, sizeof(why), "%s", strerror(-rc));
	}
	if (rc)
		log_warning("pages stay among memory that cannot be moved: compact: %s", why);
}

int carry_open(struct pageset *set, const int node[2], struct carry **out)
{
	struct carry *carry = calloc(1, sizeof(*carry));
	int rc;

	if (!carry)
		return -ENOMEM;
	carry->set = set;
	if (!node) {
		compact_begin(carry);
	} else {
		rc = trips_begin(carry, node);
		if (rc) {
			carry_close(carry);
			return rc;
		}
	}
	*out = carry;
	return 0;
}

void carry_close(struct carry *carry)
{
	if (!carry)
		return;
	if (carry->compact)
		migrate_compact.stop(carry->compact);
	trips_close(carry->trips);
	free(carry->address);
	free(carry->moves);
	free(carry);
}

/* Each to the other node. */
static int set_send(struct carry *carry)
{
	struct pageset *set = carry->set;
	int rc = pageset_before(set);

	for (size_t i = 0; i < set->count; i++)
		carry->address[i] = set->dp.map + (size_t)set->pages[i] * DEVPAGE_SIZE;
	for (size_t done = 0; done < set->count && !rc; done += TRIPS_ENTRIES_MAX) {
		size_t left = set->count - done;
		const struct trips_request request = {
			.address = carry->address + done,
			.count = left < TRIPS_ENTRIES_MAX ? left : TRIPS_ENTRIES_MAX,
			.trips = 1,
			.ns = SEND_NS,
			.stop = set->target->stop,
		};

		rc = trips_make(carry->trips, &request, carry->moves + done);
	}
	return rc;
}

/* The set becomes what a step was about. */
static int step_take(struct carry *carry)
{
	struct migrate_cycle ignored = {0};
	const uint32_t *pages;
	size_t count = 0;

	for (unsigned i = 0; i < STEPS_MAX && !count; i++) {
		int rc = migrate_compact.cycle(carry->compact, &ignored);

		if (rc)
			return rc;
		count = migrate_compact_pages(carry->compact, &pages);
	}
	if (count)
		pageset_take(carry->set, pages, count);
	else
		pageset_choose(carry->set);
	return 0;
}

int carry_pages(struct carry *carry)
{
	if (carry->compact)
		return step_take(carry);
	pageset_choose(carry->set);
	return carry->trips ? set_send(carry) : 0;
}
