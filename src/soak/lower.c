/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/lower.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "soak/plug.h"
#include "soak/verifier.h"

/* Pages are put low in small pieces: workers have little time to dirty them again. */
#define PIECE_PAGES 256u
#define READERS 4u

/* What is done to each piece of a range. */
struct task {
	const struct lower *lower;
	const uint32_t *pages;
	size_t count;
	bool evict, read_back, pin;
	void *buf; /* PIECE_PAGES */
};

int lower_open(struct lower *lower, const struct migrate_target *target, const struct devpages *dp,
	       struct filler *filler, uint64_t plug_max)
{
	*lower = (struct lower){
		.target = target,
		.dp = dp,
		.filler = filler,
		.plug_max = plug_max,
		.buf = malloc((size_t)READERS * PIECE_PAGES * DEVPAGE_SIZE),
	};
	return lower->buf ? 0 : -ENOMEM;
}

void lower_close(struct lower *lower)
{
	plug_free(lower->plug);
	free(lower->buf);
	*lower = (struct lower){0};
}

bool lower_whole(const struct lower *lower)
{
	return lower->dp->pages <= filler_pages(lower->filler) / 2;
}

static int run_task(void *arg, size_t first, size_t length, size_t position)
{
	const struct task *task = arg;

	(void)position;
	for (size_t done = 0; done < length; done += PIECE_PAGES) {
		size_t n = length - done < PIECE_PAGES ? length - done : PIECE_PAGES;

		if (*task->lower->target->stop)
			return -ECANCELED;
		if (task->evict)
			devpages_evict(task->lower->dp, first + done, n);
		if (task->read_back)
			devpages_read_back(task->lower->dp, first + done, n, task->buf);
		if (task->pin)
			plug_pin(task->lower->plug);
	}
	return 0;
}

static void *reader_main(void *arg)
{
	struct task *task = arg;

	devpages_each_run(task->pages, task->count, run_task, task);
	return NULL;
}

static void put_low(struct lower *lower, const uint32_t *pages, size_t count)
{
	struct task tasks[READERS];
	pthread_t threads[READERS];
	bool started[READERS] = {false};
	size_t share = count / READERS;

	for (unsigned i = 0; i < READERS; i++) {
		tasks[i] = (struct task){
			.lower = lower,
			.pages = pages + i * share,
			.count = i + 1 == READERS ? count - i * share : share,
			.evict = true,
			.read_back = true,
			.buf = (char *)lower->buf + (size_t)i * PIECE_PAGES * DEVPAGE_SIZE,
		};
		started[i] = pthread_create(&threads[i], NULL, reader_main, &tasks[i]) == 0;
		if (!started[i])
			reader_main(&tasks[i]);
	}
	for (unsigned i = 0; i < READERS; i++)
		if (started[i])
			pthread_join(threads[i], NULL);
}

/* The whole device if the filler makes room for it, else PAGES. */
static int each_piece(const struct lower *lower, struct task *task)
{
	size_t head = lower->target->head_bytes / DEVPAGE_SIZE;

	if (lower_whole(lower))
		return run_task(task, head, lower->dp->pages - head, 0);
	return devpages_each_run(task->pages, task->count, run_task, task);
}

static int arrange_anew(struct lower *lower, const uint32_t *pages, size_t count)
{
	struct task task = {
		.lower = lower, .pages = pages, .count = count, .evict = true, .buf = lower->buf};
	size_t room = lower_whole(lower) ? lower->dp->pages : count;
	int rc = each_piece(lower, &task);

	if (rc)
		return rc;
	plug_free(lower->plug);
	lower->plug = NULL;
	rc = plug_create(lower->plug_max, &lower->plug);
	/* Others need some of it at the same time. */
	filler_open_low(lower->filler, room + room / 4);
	task.evict = false;
	task.read_back = task.pin = true;
	return rc ? rc : each_piece(lower, &task);
}

int lower_pages(struct lower *lower, const uint32_t *pages, size_t count, bool arrange)
{
	int rc = 0;

	/* The verifiers map the pages, which would keep them. */
	if (lower->target->verifier)
		verifier_pause(lower->target->verifier);
	if (arrange)
		rc = arrange_anew(lower, pages, count);
	if (!rc)
		put_low(lower, pages, count);
	if (lower->target->verifier)
		verifier_resume(lower->target->verifier);
	return rc;
}
