/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory blocks that really go, and come back when whoever took them is killed. They are the
 * machine's, so it is done only where CHURNFS_BLOCK_KILLS says how often.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "migrate_cases.h"
#include "soak/memblock.h"
#include "soak/offblock.h"
#include "soak/sandbox.h"

#define NONE_GOES 77
#define WAIT_TRIES 3000
#define MOMENT_MS 150

/* What the process that takes them offline knows. */
struct taker {
	struct memblocks blocks;
	struct offblock off;
	const struct memblock *block; /* that is on its way */
	bool dies;		      /* as soon as one has gone */
};

static int away(void *arg)
{
	struct taker *taker = arg;
	char path[MEMBLOCK_PATH_LEN];

	memblock_path(taker->block, path);
	if (taker->dies && !memblock_online(path))
		raise(SIGKILL);
	return 0;
}

/* Takes one after the other, from the FIRST on, until it is killed. */
static _Noreturn void take(size_t first, bool dies)
{
	struct taker taker = {.dies = dies};
	struct sandbox *sandbox;
	size_t gone = 0;
	int went;

	if (sandbox_create(SANDBOX_SHARED, &sandbox) || memblocks_read(&taker.blocks))
		_exit(1);
	offblock_open(&taker.off, sandbox);
	do {
		for (size_t i = 0; i < taker.blocks.count; i++) {
			taker.block = &taker.blocks.block[(first + i) % taker.blocks.count];
			if (!memblocks_spare(&taker.blocks, taker.block))
				continue;
			if (offblock_trip(&taker.off, taker.block, away, &taker, &went))
				_exit(1);
			gone += went == 0;
		}
	} while (gone);
	sandbox_destroy(sandbox);
	_exit(NONE_GOES);
}

/* How many blocks are not as in BEFORE. */
static size_t changed(const struct memblocks *before)
{
	struct memblocks now;
	size_t count = 0;

	ck_assert_int_eq(memblocks_read(&now), 0);
	ck_assert_uint_eq(now.count, before->count);
	for (size_t i = 0; i < now.count; i++)
		for (size_t j = 0; j < before->count; j++)
			if (now.block[i].number == before->block[j].number)
				count += now.block[i].online != before->block[j].online ||
					 strcmp(now.block[i].zone, before->block[j].zone) != 0;
	memblocks_free(&now);
	return count;
}

static void sleep_ms(long ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* One kill. Returns whether a block was offline then, or -1 if none goes here. */
static int kill_one(const struct memblocks *before, int turn)
{
	pid_t pid = fork();
	int status, tries = 0;
	size_t gone;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		take((size_t)rand() % before->count, turn % 2 == 0);
	if (turn % 2) {
		sleep_ms(rand() % MOMENT_MS);
		kill(pid, SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	gone = changed(before);
	if (WIFEXITED(status)) {
		ck_assert_int_eq(WEXITSTATUS(status), NONE_GOES);
		return -1;
	}
	/* Its guardian has not been waited for. */
	while (changed(before) && tries++ < WAIT_TRIES)
		sleep_ms(10);
	ck_assert_uint_eq(changed(before), 0);
	return gone != 0 || turn % 2 == 0;
}

START_TEST(killed_while_blocks_go)
{
	const char *text = getenv("CHURNFS_BLOCK_KILLS");
	int kills = text ? atoi(text) : 0, gone = 0;
	struct memblocks before;

	if (kills <= 0 || geteuid() != 0) {
		printf("# left out: takes memory offline (CHURNFS_BLOCK_KILLS=8, as root)\n");
		return;
	}
	if (memblocks_read(&before)) {
		printf("# left out: no memory blocks\n");
		return;
	}
	srand(1);
	for (int turn = 0; turn < kills; turn++) {
		int was = kill_one(&before, turn);

		if (was < 0) {
			printf("# left out: no memory block goes offline here\n");
			memblocks_free(&before);
			return;
		}
		gone += was;
	}
	memblocks_free(&before);
	printf("# killed %d times, %d of them while a block was offline: all came back\n", kills,
	       gone);
	ck_assert_int_ge(gone, (kills + 1) / 2);
}
END_TEST

TCase *migrate_blocks_case(void)
{
	TCase *tc = tcase_create("blocks");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, killed_while_blocks_go);
	return tc;
}
