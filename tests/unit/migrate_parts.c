/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "migrate_cases.h"
#include "soak/machinelock.h"
#include "soak/mapper.h"
#include "soak/memblock.h"
#include "soak/memzones.h"
#include "soak/sandbox.h"

#define WAIT_TRIES 3000
#define OTHERS_MS 30000

static struct memblock block_make(uint64_t number, int node, const char *zone)
{
	struct memblock block = {.number = number, .node = node, .online = true, .removable = true};

	snprintf(block.zone, sizeof(block.zone), "%s", zone);
	return block;
}

/* Only one between two others of its node and zone goes. */
START_TEST(zones_keep_their_ends)
{
	static const bool spare[] = {false, true, true, false, false, false, false, false};
	struct memblock block[8];
	struct memblocks blocks = {.count = 8, .block = block};

	for (uint64_t i = 0; i < 4; i++)
		block[i] = block_make(i, 0, "Normal");
	block[4] = block_make(4, 0, "Movable");
	block[5] = block_make(5, 0, "Movable");
	block[6] = block_make(6, 1, "Movable");
	block[7] = block_make(7, 1, "Normal");
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(memblocks_spare(&blocks, &block[i]), spare[i]);
	/* One that is offline counts no more, and cannot go. */
	block[0].online = block[2].online = false;
	for (unsigned i = 0; i < 8; i++)
		ck_assert(!memblocks_spare(&blocks, &block[i]));
}
END_TEST

START_TEST(some_blocks_never_go)
{
	struct memblock block[8];
	struct memblocks blocks = {.count = 8, .block = block};

	for (uint64_t i = 0; i < 8; i++)
		block[i] = block_make(i, 0, "Normal");
	ck_assert(memblocks_spare(&blocks, &block[3]));
	block[3].removable = false;
	ck_assert(!memblocks_spare(&blocks, &block[3]));
	for (uint64_t i = 0; i < 8; i++)
		block[i] = block_make(i, 0, "none");
	ck_assert(!memblocks_spare(&blocks, &block[3]));
	for (uint64_t i = 0; i < 8; i++)
		block[i] = block_make(i, -1, "Normal");
	ck_assert(!memblocks_spare(&blocks, &block[3]));
}
END_TEST

START_TEST(block_comes_back_to_its_zone)
{
	struct memblock movable = block_make(7, 0, "Movable"), normal = block_make(8, 0, "Normal");
	char path[MEMBLOCK_PATH_LEN];

	ck_assert_str_eq(memblock_online_value(&movable), "online_movable");
	ck_assert_str_eq(memblock_online_value(&normal), "online_kernel");
	memblock_path(&movable, path);
	ck_assert_str_eq(path, "/sys/devices/system/memory/memory7/state");
}
END_TEST

/* Against the machine: blocks are as large as the kernel says and lie side by side. */
START_TEST(blocks_of_this_machine)
{
	struct memblocks blocks;
	int rc = memblocks_read(&blocks);

	if (rc == -ENOENT)
		return; /* a kernel without */
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(blocks.count, 0);
	for (size_t i = 0; i < blocks.count; i++) {
		const struct memblock *block = &blocks.block[i];

		ck_assert_uint_eq((block->end - block->start) * 4096, blocks.block_bytes);
		ck_assert_uint_eq(block->start, block->number * (blocks.block_bytes / 4096));
		ck_assert_uint_gt(strlen(block->zone), 0);
	}
	memblocks_free(&blocks);
}
END_TEST

START_TEST(zones_of_this_machine)
{
	struct memzone zone[MEMZONES_MAX];
	int zones = memzones_read(zone);
	bool large = false;

	ck_assert_int_gt(zones, 0);
	for (int i = 0; i < zones; i++) {
		ck_assert_str_ne(zone[i].name, "DMA");
		ck_assert_uint_gt(zone[i].managed, 0);
		ck_assert_uint_le(zone[i].managed, zone[i].end - zone[i].start);
		ck_assert_uint_le(zone[i].blocks_free << MEMZONE_BLOCK_SHIFT, zone[i].managed);
		large |= memzone_large(zone, (unsigned)zones, &zone[i]);
	}
	ck_assert(large);
}
END_TEST

static void file_read(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = read(fd, text, len - 1);
	ck_assert_int_ge(n, 0);
	text[n] = 0;
	close(fd);
}

static bool file_becomes(const char *path, const char *wanted)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	char text[64];

	for (int i = 0; i < WAIT_TRIES; i++) {
		file_read(path, text, sizeof(text));
		if (strcmp(text, wanted) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* A run that notes PATH, and perhaps undoes that, before it is killed. */
static void killed_with_note(const char *path, bool withdrawn)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct sandbox *sandbox;

		if (sandbox_create(SANDBOX_SHARED, &sandbox) ||
		    sandbox_note_undo(sandbox, SANDBOX_UNDO_BLOCK, "/nonexistent", "x") ||
		    sandbox_note_undo(sandbox, SANDBOX_UNDO_BLOCK, path, "online"))
			_exit(1);
		if (withdrawn)
			sandbox_note_undo(sandbox, SANDBOX_UNDO_BLOCK, NULL, NULL);
		/* Something that tells when the guardian is through. */
		if (sandbox_set(sandbox, getenv("MIGRATE_DONE"), "set"))
			_exit(1);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(what_is_pending_is_undone)
{
	char path[] = "/tmp/churnfs-undo-XXXXXX", done[] = "/tmp/churnfs-done-XXXXXX", text[64];
	int fd = mkstemp(path), done_fd = mkstemp(done);

	if (geteuid() != 0) {
		printf("# left out: a sandbox needs root\n");
		return;
	}
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(done_fd, 0);
	ck_assert_int_eq(write(done_fd, "put back", 8), 8);
	ck_assert_int_eq(setenv("MIGRATE_DONE", done, 1), 0);
	killed_with_note(path, true);
	ck_assert(file_becomes(done, "put back"));
	file_read(path, text, sizeof(text));
	ck_assert_str_eq(text, "");
	killed_with_note(path, false);
	ck_assert(file_becomes(path, "online"));
	close(fd);
	close(done_fd);
	unlink(path);
	unlink(done);
}
END_TEST

bool migrate_machine_free(void)
{
	int fd = machinelock_take(OTHERS_MS);

	if (fd >= 0)
		close(fd);
	return fd != -EBUSY;
}

/* A run that is alone until it is killed; its guardian takes a moment. */
START_TEST(one_run_at_a_time)
{
	int ready[2], status, fd;
	char byte;
	pid_t pid;

	if (geteuid() != 0) {
		printf("# left out: a sandbox needs root\n");
		return;
	}
	if (!migrate_machine_free()) {
		printf("# left out: another churnstress migrates on this machine\n");
		return;
	}
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct sandbox *sandbox;
		/* Somebody else on this machine may be alone. */
		int rc = -EBUSY;

		while (rc == -EBUSY)
			rc = sandbox_create(SANDBOX_ALONE, &sandbox);
		if (rc || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(machinelock_take(0), -EBUSY);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	while ((fd = machinelock_take(1000)) == -EBUSY)
		;
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

START_TEST(frames_are_bounded)
{
	struct sandbox *sandbox;

	if (geteuid() != 0) {
		printf("# left out: a sandbox needs root\n");
		return;
	}
	if (access(sandbox_frames_path(), F_OK) == 0)
		return; /* would give these frames back */
	ck_assert_int_eq(sandbox_create(SANDBOX_SHARED, &sandbox), 0);
	for (uint64_t i = 0; i < SANDBOX_FRAMES_MAX; i++)
		ck_assert_int_eq(sandbox_note_frame(sandbox, i), 0);
	ck_assert_int_eq(sandbox_note_frame(sandbox, 1), -ENOSPC);
	/* A kernel that cannot give them back is no failure. */
	ck_assert_int_eq(sandbox_destroy(sandbox), 0);
}
END_TEST

#define MAPPED_PAGES 4u

/* Whether page I of MAP is in the page tables of process PID. */
static bool is_mapped(pid_t pid, const char *map, size_t i)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char path[64];
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &entry, sizeof(entry),
			       (off_t)(((uintptr_t)map / page + i) * sizeof(entry))),
			 sizeof(entry));
	close(fd);
	return entry >> 63;
}

static unsigned fds_open(pid_t pid)
{
	unsigned count = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* A file of three pages, mapped as if it had four. */
static char *file_map(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	FILE *file = tmpfile();
	char *map;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(ftruncate(fileno(file), (off_t)(3 * page)), 0);
	map = mmap(NULL, MAPPED_PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	fclose(file);
	return map;
}

START_TEST(another_process_maps)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = file_map();
	void *address[] = {map + 2 * page, map, map + 3 * page};
	struct mapper *mapper;
	pid_t pid;

	ck_assert_int_eq(mapper_start(map, MAPPED_PAGES * page, 3, 0, &mapper), 0);
	pid = mapper_pid(mapper);
	for (int turn = 0; turn < 3; turn++) {
		ck_assert_int_eq(mapper_set(mapper, address, 2), 0);
		ck_assert(is_mapped(pid, map, 0) && is_mapped(pid, map, 2));
		ck_assert(!is_mapped(pid, map, 3));
		ck_assert(!is_mapped(getpid(), map, 0));
		ck_assert_int_eq(mapper_set(mapper, NULL, 0), 0);
		ck_assert(!is_mapped(pid, map, 0) && !is_mapped(pid, map, 2));
	}
	/* Nothing that this process has open is kept open. */
	ck_assert_uint_eq(fds_open(pid), 1);
	ck_assert_int_eq(mapper_set(mapper, address, 4), -E2BIG);
	mapper_stop(mapper);
	ck_assert(waitpid(pid, NULL, WNOHANG) == -1 && errno == ECHILD);
	munmap(map, MAPPED_PAGES * page);
}
END_TEST

/* As where the device fails a read: it is that process that ends. */
START_TEST(another_process_ends)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = file_map();
	void *address[] = {map, map + 3 * page};
	struct mapper *mapper;

	ck_assert_int_eq(mapper_start(map, MAPPED_PAGES * page, 2, 0, &mapper), 0);
	ck_assert_int_eq(mapper_set(mapper, address, 2), -EIO);
	ck_assert_int_eq(mapper_set(mapper, address, 1), -EIO);
	mapper_stop(mapper);
	munmap(map, MAPPED_PAGES * page);
}
END_TEST

TCase *migrate_parts_case(void)
{
	TCase *tc = tcase_create("parts");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, zones_keep_their_ends);
	tcase_add_test(tc, some_blocks_never_go);
	tcase_add_test(tc, block_comes_back_to_its_zone);
	tcase_add_test(tc, blocks_of_this_machine);
	tcase_add_test(tc, zones_of_this_machine);
	tcase_add_test(tc, what_is_pending_is_undone);
	tcase_add_test(tc, one_run_at_a_time);
	tcase_add_test(tc, frames_are_bounded);
	tcase_add_test(tc, another_process_maps);
	tcase_add_test(tc, another_process_ends);
	return tc;
}
