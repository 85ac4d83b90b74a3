/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages sent to and fro, against a model of what move_pages(2) does (do_pages_move()). */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdatomic.h>
#include <string.h>

#include "soak/trips.h"
#include "unit.h"
#include "util/clock.h"

#define PID 4711
#define PAGES 6u
#define MANY 5000u

static const int nodes_used[2] = {1, 3};

static struct {
	int node[MANY]; /* negative errno: not mapped */
	bool busy[MANY];
	uint32_t moves[MANY];
	unsigned calls; /* that move */
	unsigned long count;
	unsigned busy_calls; /* after so many nothing is busy; 0: for ever */
	long error;
	_Atomic bool *stop; /* is set by the first call */
} model;

static char memory[MANY];
static _Atomic bool stop;
static uint32_t moves[MANY];
static struct trips *trips;

static size_t page_of(const void *address)
{
	size_t page = (size_t)((const char *)address - memory);

	ck_assert_uint_lt(page, MANY);
	return page;
}

static bool is_busy(size_t page)
{
	return model.busy[page] && (!model.busy_calls || model.calls <= model.busy_calls);
}

/* Moves pages that were listed together. Returns how many could not be, then none is reported. */
static long together_move(void **pages, const int *nodes, int *status, size_t first, size_t end)
{
	long failed = 0;

	for (size_t at = first; at < end; at++) {
		size_t page = page_of(pages[at]);

		failed += is_busy(page);
		if (is_busy(page))
			continue;
		model.node[page] = nodes[at];
		model.moves[page]++;
	}
	for (size_t at = first; at < end && !failed; at++)
		status[at] = nodes[at];
	return failed;
}

static long model_move(pid_t pid, unsigned long count, void **pages, const int *nodes, int *status,
		       int flags)
{
	size_t first = 0;
	long rc = 0;

	ck_assert_int_eq(pid, PID);
	if (model.error)
		return model.error;
	if (!nodes) {
		for (size_t at = 0; at < count; at++)
			status[at] = model.node[page_of(pages[at])];
		return 0;
	}
	ck_assert_int_eq(flags, MPOL_MF_MOVE_ALL);
	model.calls++;
	model.count = count;
	if (model.stop)
		atomic_store(model.stop, true);
	for (size_t at = 0; at < count && !rc; at++) {
		int node;

		if (at > first && nodes[at] != nodes[first]) {
			rc = together_move(pages, nodes, status, first, at);
			first = at;
		}
		node = model.node[page_of(pages[at])];
		if (rc || (node >= 0 && node != nodes[at]))
			continue;
		status[at] = node;
		rc = together_move(pages, nodes, status, first, at);
		first = at + 1;
	}
	return rc ? rc : together_move(pages, nodes, status, first, count);
}

static void setup(void)
{
	memset(&model, 0, sizeof(model));
	for (size_t page = 0; page < MANY; page++)
		model.node[page] = nodes_used[0];
	memset(moves, 0xff, sizeof(moves));
	atomic_store(&stop, false);
	ck_assert_int_eq(trips_open(nodes_used, model_move, &trips), 0);
}

static void teardown(void)
{
	trips_close(trips);
}

static int make(size_t count, unsigned times, uint64_t ns)
{
	void *address[MANY];
	struct trips_request request = {.pid = PID,
					.address = address,
					.count = count,
					.trips = times,
					.ns = ns,
					.stop = &stop};

	for (size_t page = 0; page < MANY; page++)
		address[page] = memory + page;
	return trips_make(trips, &request, moves);
}

/* What is said to have moved is what has. */
static void check_counts(size_t count)
{
	for (size_t page = 0; page < count; page++)
		ck_assert_uint_eq(moves[page], model.moves[page]);
}

START_TEST(to_and_fro)
{
	model.node[1] = nodes_used[1];
	ck_assert_int_eq(make(PAGES, 7, NS_PER_SEC), 0);
	check_counts(PAGES);
	for (size_t page = 0; page < PAGES; page++) {
		ck_assert_uint_eq(moves[page], 7);
		ck_assert_int_eq(model.node[page], nodes_used[page != 1]);
	}
	ck_assert_uint_eq(model.calls, 1);
}
END_TEST

/* Whichever it is, and whatever the order of the nodes. */
START_TEST(one_stays_busy)
{
	for (unsigned sides = 0; sides < 1u << PAGES; sides++) {
		teardown();
		setup();
		for (size_t page = 0; page < PAGES; page++)
			model.node[page] = nodes_used[sides >> page & 1];
		model.busy[_i] = true;
		ck_assert_int_eq(make(PAGES, 9, NS_PER_SEC), 0);
		check_counts(PAGES);
		for (size_t page = 0; page < PAGES; page++)
			if (page != (size_t)_i)
				ck_assert_uint_ge(moves[page], 8);
		ck_assert_uint_eq(moves[_i], 0);
		ck_assert_uint_eq(model.calls, 2);
	}
}
END_TEST

/* It stays for the rest of these trips, and goes along the next time. */
START_TEST(one_is_busy_for_a_while)
{
	model.busy[2] = true;
	model.busy_calls = 1;
	ck_assert_int_eq(make(PAGES, 5, NS_PER_SEC), 0);
	check_counts(PAGES);
	ck_assert_uint_eq(moves[2], 0);
	memset(model.moves, 0, sizeof(model.moves));
	ck_assert_int_eq(make(PAGES, 5, NS_PER_SEC), 0);
	check_counts(PAGES);
	ck_assert_uint_eq(moves[2], 5);
}
END_TEST

START_TEST(all_are_busy)
{
	memset(model.busy, true, sizeof(model.busy));
	ck_assert_int_eq(make(PAGES, 99, NS_PER_SEC), 0);
	check_counts(PAGES);
	ck_assert_uint_eq(model.calls, 1);
}
END_TEST

START_TEST(some_are_not_mapped)
{
	model.node[0] = model.node[3] = -ENOENT;
	ck_assert_int_eq(make(PAGES, 3, NS_PER_SEC), 0);
	check_counts(PAGES);
	ck_assert_uint_eq(moves[0] + moves[3], 0);
	ck_assert_uint_eq(moves[1], 3);
}
END_TEST

START_TEST(no_call_begins)
{
	ck_assert_int_eq(make(PAGES, 3, 0), 0);
	ck_assert_int_eq(make(0, 3, NS_PER_SEC), 0);
	atomic_store(&stop, true);
	ck_assert_int_eq(make(PAGES, 3, NS_PER_SEC), 0);
	ck_assert_uint_eq(model.calls, 0);
	check_counts(PAGES);
	/* While one is made. */
	atomic_store(&stop, false);
	model.stop = &stop;
	model.busy[0] = true;
	ck_assert_int_eq(make(PAGES, 3, NS_PER_SEC), 0);
	ck_assert_uint_eq(model.calls, 1);
	check_counts(PAGES);
}
END_TEST

START_TEST(more_than_fit)
{
	ck_assert_int_eq(make(MANY, 99, NS_PER_SEC), 0);
	ck_assert_uint_eq(model.count, MANY);
	ck_assert_uint_eq(moves[MANY - 1], 1);
	check_counts(MANY);
	ck_assert_int_eq(make(1000, 99, NS_PER_SEC), 0);
	ck_assert_uint_eq(model.count, 7000);
	ck_assert_int_eq(make(TRIPS_ENTRIES_MAX + 1, 1, NS_PER_SEC), -E2BIG);
}
END_TEST

START_TEST(the_call_fails)
{
	model.error = -EPERM;
	ck_assert_int_eq(make(PAGES, 3, NS_PER_SEC), -EPERM);
}
END_TEST

/* No such process: the kernel's own words. */
START_TEST(the_kernel_is_asked)
{
	const struct trips_request request = {.pid = -1,
					      .address = (void *[]){memory},
					      .count = 1,
					      .trips = 1,
					      .ns = NS_PER_SEC,
					      .stop = &stop};
	struct trips *real;
	int rc;

	ck_assert_int_eq(trips_open(nodes_used, NULL, &real), 0);
	rc = trips_make(real, &request, moves);
	trips_close(real);
	/* ENOSYS: a kernel without CONFIG_NUMA. */
	ck_assert(rc == -ESRCH || rc == -ENOSYS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trips");
	TCase *tc = tcase_create("trips");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, to_and_fro);
	tcase_add_loop_test(tc, one_stays_busy, 0, PAGES);
	tcase_add_test(tc, one_is_busy_for_a_while);
	tcase_add_test(tc, all_are_busy);
	tcase_add_test(tc, some_are_not_mapped);
	tcase_add_test(tc, no_call_begins);
	tcase_add_test(tc, more_than_fit);
	tcase_add_test(tc, the_call_fails);
	tcase_add_test(tc, the_kernel_is_asked);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
