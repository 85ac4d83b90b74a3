/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who hangs is noticed and named, who does not is left alone, and the end comes in any case. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "neighbour_fixture.h"
#include "soak/migrate.h"
#include "soak/supervisor.h"
#include "soak/watchdog.h"
#include "unit.h"
#include "util/clock.h"

#define LIMIT_NS (300 * NS_PER_MS)
/* Long enough for anything here on a busy machine. */
#define PATIENCE_NS (30 * NS_PER_SEC)
#define HEAD (16ULL << 20)

static void sleep_ns(uint64_t ns)
{
	const struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SEC),
				    .tv_nsec = (long)(ns % NS_PER_SEC)};

	nanosleep(&ts, NULL);
}

struct watched {
	_Atomic uint64_t since_ns;
	_Atomic uint64_t looks;
	_Atomic bool expired;
	bool fresh; /* a new step begins whenever somebody looks */
	bool busy;  /* whoever looks is kept from looking again */
};

static void look(void *arg, struct watchdog_step *slowest)
{
	struct watched *watched = arg;

	atomic_fetch_add(&watched->looks, 1);
	if (watched->fresh)
		watched->since_ns = clock_now_ns();
	if (watched->busy)
		sleep_ns(2 * LIMIT_NS);
	watchdog_step_older(slowest, atomic_load(&watched->since_ns), "step %d", 5);
}

static void expired(void *arg)
{
	struct watched *watched = arg;

	atomic_store(&watched->expired, true);
}

static struct watchdog *start(struct watched *watched, uint64_t grace_ns)
{
	const struct watchdog_options options = {
		.limit_ns = LIMIT_NS,
		.grace_ns = grace_ns,
		.look = look,
		.expired = expired,
		.arg = watched,
	};
	struct watchdog *watchdog;

	ck_assert_int_eq(watchdog_start(&options, &watchdog), 0);
	return watchdog;
}

static bool hung_await(struct watchdog *watchdog, struct watchdog_step *step)
{
	uint64_t end = clock_now_ns() + PATIENCE_NS;

	while (!watchdog_hung(watchdog, step) && clock_now_ns() < end)
		sleep_ns(NS_PER_MS);
	return step->since_ns != 0;
}

START_TEST(the_oldest_step_counts)
{
	struct watchdog_step step = {0};

	watchdog_step_older(&step, 0, "nobody");
	ck_assert_uint_eq(step.since_ns, 0);
	watchdog_step_older(&step, 20, "second");
	watchdog_step_older(&step, 30, "third");
	watchdog_step_older(&step, 0, "nobody");
	ck_assert_str_eq(step.who, "second");
	watchdog_step_older(&step, 10, "first");
	ck_assert_str_eq(step.who, "first");
	ck_assert_uint_eq(step.since_ns, 10);
}
END_TEST

START_TEST(a_hang_is_named_and_kept)
{
	struct watched watched = {.since_ns = clock_now_ns()};
	struct watchdog *watchdog = start(&watched, PATIENCE_NS);
	uint64_t since = watched.since_ns;
	struct watchdog_step step;

	ck_assert(hung_await(watchdog, &step));
	ck_assert_uint_ge(clock_now_ns(), since + LIMIT_NS);
	ck_assert_str_eq(step.who, "step 5");
	ck_assert_uint_eq(step.since_ns, since);
	/* It may have been dissolved by what was done about it: it has hung all the same. */
	atomic_store(&watched.since_ns, 0);
	ck_assert(watchdog_hung(watchdog, &step));
	watchdog_stop(watchdog);
	/* The end came in time. */
	ck_assert(!watched.expired);
}
END_TEST

START_TEST(short_steps_do_not_hang)
{
	struct watched watched = {.fresh = true};
	uint64_t began = clock_now_ns();
	struct watchdog *watchdog = start(&watched, PATIENCE_NS);
	struct watchdog_step step;

	while (atomic_load(&watched.looks) < 10 || clock_now_ns() < began + 3 * LIMIT_NS)
		sleep_ns(NS_PER_MS);
	ck_assert(!watchdog_hung(watchdog, &step));
	watchdog_stop(watchdog);
	ck_assert(!watched.expired);
}
END_TEST

/* It polls every 100 ms, and other time does not count: three polls after the first. */
START_TEST(a_busy_machine_does_not_hang)
{
	struct watched watched = {.since_ns = clock_now_ns(), .busy = true};
	struct watchdog *watchdog = start(&watched, PATIENCE_NS);
	struct watchdog_step step;

	ck_assert(hung_await(watchdog, &step));
	ck_assert_uint_ge(atomic_load(&watched.looks), 4);
	watchdog_stop(watchdog);
}
END_TEST

START_TEST(without_an_end_it_expires)
{
	struct watched watched = {.since_ns = clock_now_ns()};
	struct watchdog *watchdog = start(&watched, LIMIT_NS);
	uint64_t end = clock_now_ns() + PATIENCE_NS;

	while (!atomic_load(&watched.expired) && clock_now_ns() < end)
		sleep_ns(NS_PER_MS);
	ck_assert(watched.expired);
	watchdog_stop(watchdog);
}
END_TEST

/* A driver that sleeps until it is let go. */
static int always(char *why, size_t len)
{
	(void)why;
	(void)len;
	return 0;
}

static int driver_start(const struct migrate_target *target, void **state)
{
	*state = (void *)(uintptr_t)target->stop;
	return 0;
}

static int cycle_sleeps(void *state, struct migrate_cycle *cycle)
{
	const _Atomic bool *go = state;

	(void)cycle;
	while (!atomic_load(go))
		sleep_ns(NS_PER_MS);
	return 0;
}

static void driver_stop(void *state)
{
	(void)state;
}

static const struct migrate_driver sleeper = {
	.name = "sleeper",
	.what = "",
	.probe = always,
	.start = driver_start,
	.cycle = cycle_sleeps,
	.stop = driver_stop,
};

START_TEST(a_driver_that_sleeps)
{
	/* Alone, and as one that takes turns. */
	const struct migrate_selection selection = {
		.count = 1, .turns = _i != 0, .driver = {&sleeper}};
	_Atomic bool go = false;
	const struct migrate_target target = {.device = "", .stop = &go};
	struct watchdog_step step = {0};
	struct migrator *migrator;
	uint64_t end = clock_now_ns() + PATIENCE_NS;
	char why[64] = "";

	ck_assert_int_eq(migrator_start(&selection, &target, &migrator, why, sizeof(why)), 0);
	while (!step.since_ns && clock_now_ns() < end)
		migrator_slowest(migrator, &step);
	ck_assert_str_eq(step.who, "migration driver sleeper");
	ck_assert_uint_le(step.since_ns, clock_now_ns());
	atomic_store(&go, true);
	migrator_stop(migrator);
	step = (struct watchdog_step){0};
	migrator_slowest(migrator, &step);
	ck_assert_uint_eq(step.since_ns, 0);
	migrator_free(migrator);
}
END_TEST

/* Threads of the neighbour that wait because they were told to do not hang. */
START_TEST(a_neighbour_at_rest)
{
	struct watchdog_step step = {0};
	struct neighbour_fixture f;
	uint64_t end = clock_now_ns() + PATIENCE_NS;

	neighbour_fixture_open(&f, NEIGHBOUR_PROFILE_DEFAULT, HEAD);
	neighbour_fixture_start(&f);
	while (!step.since_ns && clock_now_ns() < end)
		neighbour_slowest(f.nb, &step);
	ck_assert_ptr_nonnull(strstr(step.who, "neighbour"));
	neighbour_pause(f.nb);
	step = (struct watchdog_step){0};
	neighbour_slowest(f.nb, &step);
	ck_assert_msg(!step.since_ns, "%s", step.who);
	neighbour_resume(f.nb);
	neighbour_stop(f.nb);
	neighbour_slowest(f.nb, &step);
	ck_assert_msg(!step.since_ns, "%s", step.who);
	neighbour_fixture_close(&f);
}
END_TEST

static int body_returns(struct supervisor *supervisor, void *arg)
{
	(void)supervisor;
	return *(int *)arg;
}

/* It says how it ends, and does not. */
static void *leaves(void *arg)
{
	supervisor_leave(arg, 4);
}

static int body_leaves(struct supervisor *supervisor, void *arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, leaves, supervisor) == 0)
		pthread_join(thread, NULL);
	return 9;
}

static int body_dies(struct supervisor *supervisor, void *arg)
{
	(void)supervisor;
	(void)arg;
	raise(SIGKILL);
	return 9;
}

/* Whoever signals the process that was started means the run. */
static int body_waits(struct supervisor *supervisor, void *arg)
{
	const struct timespec patience = {.tv_sec = PATIENCE_NS / NS_PER_SEC};
	sigset_t set;

	(void)supervisor;
	sigemptyset(&set);
	sigaddset(&set, *(int *)arg);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getppid(), *(int *)arg);
	return sigtimedwait(&set, NULL, &patience) == *(int *)arg ? 7 : 9;
}

START_TEST(a_supervisor_ends_as_the_run_does)
{
	int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1}, code = 3;

	ck_assert_int_eq(supervisor_run(body_returns, &code), 3);
	ck_assert_int_eq(supervisor_run(body_leaves, NULL), 4);
	ck_assert_int_eq(supervisor_run(body_dies, NULL), 128 + SIGKILL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		ck_assert_int_eq(supervisor_run(body_waits, &signals[i]), 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hang");
	TCase *tc = tcase_create("hang");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, the_oldest_step_counts);
	tcase_add_test(tc, a_hang_is_named_and_kept);
	tcase_add_test(tc, short_steps_do_not_hang);
	tcase_add_test(tc, a_busy_machine_does_not_hang);
	tcase_add_test(tc, without_an_end_it_expires);
	tcase_add_loop_test(tc, a_driver_that_sleeps, 0, 2);
	tcase_add_test(tc, a_supervisor_ends_as_the_run_does);
	if (!neighbour_fixture_unavailable())
		tcase_add_test(tc, a_neighbour_at_rest);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
