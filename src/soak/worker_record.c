/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker tells about itself: recent operations, progress, the first failure. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "soak/worker.h"
#include "util/clock.h"

#define PRESSURE_OPS 64u

void worker_progress(struct worker *worker)
{
	atomic_store_explicit(&worker->count.progress_ns, clock_now_ns(), memory_order_relaxed);
}

/* The operation at hand; only the worker itself adds one, so its place needs no lock. */
static struct recent *recent_current(struct worker *worker)
{
	return &worker->recent[worker->op_index % WORKLOAD_RECENT];
}

void worker_op_begin(struct worker *worker, enum workload_op op)
{
	struct recent *recent = recent_current(worker);

	worker_progress(worker);
	pthread_mutex_lock(&worker->recent_lock);
	recent->index = worker->op_index;
	recent->op = op;
	recent->pending = true;
	recent->result = 0;
	recent->operation[0] = recent->path[0] = 0;
	pthread_mutex_unlock(&worker->recent_lock);
}

static uint64_t trace_add(uint64_t trace, const char *text)
{
	while (*text)
		trace = (trace ^ (uint8_t)*text++) * 0x100000001b3ULL;
	return trace;
}

void worker_op_end(struct worker *worker)
{
	struct recent *recent = recent_current(worker);
	uint64_t trace = atomic_load_explicit(&worker->count.trace, memory_order_relaxed);

	pthread_mutex_lock(&worker->recent_lock);
	recent->pending = false;
	pthread_mutex_unlock(&worker->recent_lock);
	trace = trace_add(trace_add(trace, recent->path), recent->operation);
	trace = (trace ^ (uint64_t)recent->op ^ (uint64_t)recent->result << 8) * 0x100000001b3ULL;
	atomic_store_explicit(&worker->count.trace, trace, memory_order_relaxed);
	counter_add(&worker->count.ops, 1);
	counter_add(&worker->count.by_kind[recent->op], 1);
	worker->op_index++;
	worker_progress(worker);
}

void worker_note(struct worker *worker, const char *path, const char *format, ...)
{
	struct recent *recent = recent_current(worker);
	va_list ap;

	va_start(ap, format);
	pthread_mutex_lock(&worker->recent_lock);
	vsnprintf(recent->operation, sizeof(recent->operation), format, ap);
	recent->path[0] = 0;
	strncat(recent->path, path, sizeof(recent->path) - 1);
	pthread_mutex_unlock(&worker->recent_lock);
	va_end(ap);
}

void worker_result(struct worker *worker, int64_t result)
{
	pthread_mutex_lock(&worker->recent_lock);
	recent_current(worker)->result = result;
	pthread_mutex_unlock(&worker->recent_lock);
}

/* Keeps the first failure of all workers and stops the others. */
static void failure_keep(struct worker *worker, enum workload_failure_kind kind, int error,
			 const char *path, const char *detail)
{
	struct worker_shared *shared = worker->shared;
	struct workload_failure *failure = &shared->failure;
	const struct recent *recent = recent_current(worker);

	pthread_mutex_lock(&shared->lock);
	if (!failure->failed) {
		failure->failed = true;
		failure->kind = kind;
		failure->worker = worker->index;
		failure->op_index = worker->op_index;
		failure->error = error;
		snprintf(failure->operation, sizeof(failure->operation), "%.20s: %.230s",
			 workload_op_name(recent->op), recent->operation);
		snprintf(failure->path, sizeof(failure->path), "%.8s/%.2200s", worker->dir, path);
		snprintf(failure->detail, sizeof(failure->detail), "%s", detail);
		failure->when_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&shared->lock);
	if (!shared->options.keep_going)
		atomic_store(&shared->stop, true);
}

int worker_mismatch(struct worker *worker, const char *path, const char *format, ...)
{
	char detail[sizeof(worker->shared->failure.detail)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);
	failure_keep(worker, WORKLOAD_MISMATCH, 0, path, detail);
	return -EUCLEAN;
}

/* These say that names or types are not what the model says; others, that a call went wrong. */
static bool error_is_mismatch(int64_t error)
{
	switch (error) {
	case -ENOENT:
	case -EEXIST:
	case -ENOTDIR:
	case -EISDIR:
	case -ENOTEMPTY:
	case -ELOOP:
		return true;
	default:
		return false;
	}
}

static int error_keep(struct worker *worker, const char *path, const char *expected, int64_t error)
{
	bool mismatch = error_is_mismatch(error);
	char detail[256], text[128];

	snprintf(detail, sizeof(detail), "expected %s, found error %d (%s)", expected, (int)-error,
		 strerror_r((int)-error, text, sizeof(text)));
	failure_keep(worker, mismatch ? WORKLOAD_MISMATCH : WORKLOAD_ERROR, (int)-error, path,
		     detail);
	return mismatch ? -EUCLEAN : (int)error;
}

int worker_error(struct worker *worker, const char *path, int64_t error)
{
	return error_keep(worker, path, "success", error);
}

int worker_grown(struct worker *worker, const char *path, int64_t result)
{
	if (result >= 0)
		return 0;
	if (result != -ENOSPC && result != -EDQUOT)
		return worker_error(worker, path, result);
	counter_add(&worker->count.enospc, 1);
	worker->pressure = PRESSURE_OPS;
	return 1;
}

int worker_refused(struct worker *worker, const char *path, int64_t result, int expected, int other)
{
	char refusal[128], text[128];

	worker_result(worker, result);
	counter_add(&worker->count.objects, 1);
	if (result == expected || result == other)
		return 0;
	snprintf(refusal, sizeof(refusal), "error %d (%s)", -expected,
		 strerror_r(-expected, text, sizeof(text)));
	if (result < 0)
		return error_keep(worker, path, refusal, result);
	return worker_mismatch(worker, path, "expected %s, found success", refusal);
}

void worker_recent_dump(struct worker *worker, FILE *out)
{
	struct recent *copy = calloc(WORKLOAD_RECENT, sizeof(*copy));
	unsigned first = 0;

	if (!copy)
		return;
	pthread_mutex_lock(&worker->recent_lock);
	memcpy(copy, worker->recent, sizeof(worker->recent));
	pthread_mutex_unlock(&worker->recent_lock);
	for (unsigned i = 1; i < WORKLOAD_RECENT; i++) {
		if (copy[i].index < copy[first].index)
			first = i;
	}
	for (unsigned i = 0; i < WORKLOAD_RECENT; i++) {
		const struct recent *recent = &copy[(first + i) % WORKLOAD_RECENT];

		if (!recent->operation[0] && !recent->pending)
			continue;
		fprintf(out, "worker %u op %llu %s %s/%s: %s", worker->index,
			(unsigned long long)recent->index, workload_op_name(recent->op),
			worker->dir, recent->path, recent->operation);
		if (recent->pending)
			fputs(" = (pending)\n", out);
		else
			fprintf(out, " = %lld\n", (long long)recent->result);
	}
	free(copy);
}
