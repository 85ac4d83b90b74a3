/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "integrity/ledger.h"
#include "migrate_cases.h"
#include "soak/hugepool.h"
#include "soak/loopdev.h"
#include "soak/migrate.h"
#include "soak/sandbox.h"
#include "util/clock.h"

#define DEVICE_BYTES (32ULL << 20)
#define BLOCK_SIZE 4096u
/* A driver moves such a part of the pages in one cycle at least, or it does not work. */
#define SHARE 16u
/* Tried for so long. Putting much memory in pieces may take longer: then there is no verdict. */
#define PATIENCE_NS (60 * NS_PER_SEC)
#define WAIT_TRIES 3000

static const char *const settings[] = {
	HUGEPOOL_2M,
	HUGEPOOL_1G,
	"/proc/sys/vm/compact_unevictable_allowed",
	"/sys/kernel/mm/transparent_hugepage/enabled",
	"/sys/kernel/mm/transparent_hugepage/defrag",
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* What the process that runs a driver tells the test; in shared memory. */
struct told {
	_Atomic uint64_t candidates, moved; /* of the best cycle */
	_Atomic bool changed;		    /* a setting is not what it was */
	_Atomic int error;
};

static const struct migrate_driver *driver_get(const char *name)
{
	for (size_t i = 0; migrate_drivers[i]; i++)
		if (strcmp(migrate_drivers[i]->name, name) == 0)
			return migrate_drivers[i];
	ck_abort_msg("no driver %s", name);
}

static bool selected(const struct migrate_selection *selection, const char *name)
{
	for (unsigned i = 0; i < selection->count; i++)
		if (strcmp(selection->driver[i]->name, name) == 0)
			return true;
	return false;
}

START_TEST(every_driver_has_a_name)
{
	static const char *const names[] = {"numa",    "compact", "node",	  "thp",
					    "hugetlb", "offline", "soft-offline", "cma"};
	size_t count = 0;

	while (migrate_drivers[count])
		count++;
	ck_assert_uint_eq(count, sizeof(names) / sizeof(names[0]));
	ck_assert_uint_le(count, MIGRATE_DRIVERS_MAX);
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_nonnull(driver_get(names[i])->cycle);
}
END_TEST

/* One that works says how, one that does not says why. */
START_TEST(probe_says_something)
{
	for (size_t i = 0; migrate_drivers[i]; i++) {
		char why[160] = "";
		int rc = migrate_drivers[i]->probe(why, sizeof(why));

		ck_assert_int_le(rc, 0);
		ck_assert_uint_gt(strlen(why), 0);
		ck_assert_uint_gt(strlen(migrate_drivers[i]->what), 0);
	}
}
END_TEST

START_TEST(auto_takes_nothing_dangerous)
{
	struct migrate_selection selection;
	char why[512] = "";
	int rc = migrate_select("auto", &selection, why, sizeof(why));

	ck_assert(rc == 0 || rc == -ENOTSUP);
	ck_assert(!selected(&selection, "offline"));
	ck_assert(!selected(&selection, "soft-offline"));
	ck_assert(!selected(&selection, "cma"));
	for (unsigned i = 0; i < selection.count; i++) {
		ck_assert_int_eq(selection.driver[i]->probe(why, sizeof(why)), 0);
		ck_assert_int_eq(migrate_automatic(selection.driver[i], why, sizeof(why)), 0);
	}
}
END_TEST

START_TEST(named_are_taken_if_they_work)
{
	for (size_t i = 0; migrate_drivers[i]; i++) {
		const char *name = migrate_drivers[i]->name;
		struct migrate_selection selection;
		char why[256] = "", reason[160];
		int works = migrate_drivers[i]->probe(reason, sizeof(reason));

		ck_assert_int_eq(migrate_select(name, &selection, why, sizeof(why)),
				 works ? -ENOTSUP : 0);
		ck_assert_int_eq(selected(&selection, name), works == 0);
		if (works)
			ck_assert_ptr_nonnull(strstr(why, reason));
	}
}
END_TEST

START_TEST(unknown_is_refused)
{
	static const char *const names[] = {"thpx", "off", "hugetlb2", "compact,soft"};
	struct migrate_selection selection;
	char why[256];

	ck_assert_int_eq(migrate_select(names[_i], &selection, why, sizeof(why)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "unknown"));
}
END_TEST

static void setting_read(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, len - 1);

	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

static void settings_read(char text[SETTINGS][128])
{
	for (size_t i = 0; i < SETTINGS; i++)
		setting_read(settings[i], text[i], sizeof(text[i]));
}

static bool settings_are(char text[SETTINGS][128])
{
	char now[SETTINGS][128];

	settings_read(now);
	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(text[i], now[i]) != 0)
			return false;
	return true;
}

/* Nine tenths of what is free: as much of it as possible goes into the pool, which is quick. */
static uint64_t memory_max(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return (uint64_t)kib * 1024 / 10 * 9;
}

static int device_make(char *path, size_t len, struct ledger **ledger)
{
	const struct ledger_geometry geometry = {.block_size = BLOCK_SIZE,
						 .blocks = DEVICE_BYTES / BLOCK_SIZE};
	const char *tmp = getenv("TMPDIR");
	int image = open(tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), device;
	int fd = memfd_create("ledger", MFD_CLOEXEC);

	/* The device lives as long as this process. */
	if (image < 0 || fd < 0 || ftruncate(image, (off_t)DEVICE_BYTES) ||
	    loopdev_attach(image, path, len, &device))
		return -errno;
	return ledger_create(fd, &geometry, ledger);
}

/* Runs cycles until enough has moved in one, or time is over; or POOL is not what it was. */
static int cycles_run(const struct migrate_driver *driver, void *state, long pool,
		      struct told *told)
{
	uint64_t end = clock_now_ns() + PATIENCE_NS;
	int rc = 0;

	while (!rc && told->moved <= told->candidates / SHARE && clock_now_ns() < end &&
	       (pool < 0 || hugepool_size(HUGEPOOL_2M) == pool)) {
		struct migrate_cycle cycle = {0};

		rc = driver->cycle(state, &cycle);
		if (cycle.candidates && cycle.moved >= told->moved) {
			told->candidates = cycle.candidates;
			told->moved = cycle.moved;
		}
	}
	return rc;
}

static int driver_run(const struct migrate_driver *driver, struct told *told, bool killed)
{
	_Atomic bool stop = false;
	struct migrate_target target = {
		.bytes = DEVICE_BYTES, .memory_max = memory_max(), .stop = &stop};
	/* To be killed while some of the memory is in it. */
	long pool = killed ? hugepool_size(HUGEPOOL_2M) : -1;
	char before[SETTINGS][128], path[64];
	void *state;
	int rc;

	settings_read(before);
	rc = sandbox_create(SANDBOX_ALONE, &target.sandbox);
	if (!rc)
		rc = device_make(path, sizeof(path), &target.ledger);
	target.device = path;
	if (!rc)
		rc = driver->start(&target, &state);
	if (rc)
		return rc;
	rc = cycles_run(driver, state, pool, told);
	told->changed = !settings_are(before);
	if (killed)
		raise(SIGKILL);
	driver->stop(state);
	return sandbox_destroy(target.sandbox) ? -EBUSY : rc;
}

/* In a process of its own, whose end detaches the device. Returns its wait status. */
static int driver_fork(const struct migrate_driver *driver, struct told *told, bool killed)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		told->error = driver_run(driver, told, killed);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static const char *unavailable(const struct migrate_driver *driver, char *why, size_t len)
{
	if (geteuid() != 0)
		return "needs root";
	if (access("/dev/loop-control", R_OK | W_OK))
		return "needs /dev/loop-control";
	if (!migrate_machine_free())
		return "another churnstress migrates on this machine";
	return driver->probe(why, len) ? why : NULL;
}

static struct told *told_create(void)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(told, MAP_FAILED);
	return told;
}

static const char *const movers[] = {"thp", "hugetlb", "node"};

/* The driver moves pages of a device, and nothing stays changed after a normal end. */
START_TEST(pages_move)
{
	const struct migrate_driver *driver = driver_get(movers[_i]);
	struct told *told = told_create();
	char before[SETTINGS][128], why[160];
	const char *reason = unavailable(driver, why, sizeof(why));
	int status;

	if (reason) {
		printf("# %s is left out: %s\n", driver->name, reason);
		return;
	}
	settings_read(before);
	status = driver_fork(driver, told, false);
	ck_assert(settings_are(before));
	ck_assert(WIFEXITED(status));
	if (told->error == -ENOSPC || (!told->error && !told->candidates)) {
		printf("# %s: no verdict: free memory could not be put in pieces\n", driver->name);
		return;
	}
	ck_assert_int_eq(told->error, 0);
	ck_assert_uint_gt(told->moved, told->candidates / SHARE);
	ck_assert(told->changed);
}
END_TEST

START_TEST(settings_come_back_after_a_kill)
{
	const struct migrate_driver *driver = driver_get(movers[_i]);
	const struct timespec pause = {.tv_nsec = 10000000};
	struct told *told = told_create();
	char before[SETTINGS][128], why[160];
	const char *reason = unavailable(driver, why, sizeof(why));
	int status;

	if (reason) {
		printf("# %s is left out: %s\n", driver->name, reason);
		return;
	}
	settings_read(before);
	status = driver_fork(driver, told, true);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	ck_assert(told->changed);
	for (int i = 0; i < WAIT_TRIES && !settings_are(before); i++)
		nanosleep(&pause, NULL);
	ck_assert(settings_are(before));
}
END_TEST

TCase *migrate_drivers_case(void)
{
	TCase *tc = tcase_create("drivers");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, every_driver_has_a_name);
	tcase_add_test(tc, probe_says_something);
	tcase_add_test(tc, auto_takes_nothing_dangerous);
	tcase_add_test(tc, named_are_taken_if_they_work);
	tcase_add_loop_test(tc, unknown_is_refused, 0, 4);
	tcase_add_loop_test(tc, pages_move, 0, 3);
	tcase_add_loop_test(tc, settings_come_back_after_a_kill, 0, 2);
	return tc;
}
