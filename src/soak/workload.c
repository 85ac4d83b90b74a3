/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The workers together: start, stop, statistics, the failure of the first that met one. */
#include "soak/workload.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "soak/worker.h"

struct workload {
	struct worker_shared shared;
	struct worker *worker[WORKLOAD_WORKERS_MAX];
	unsigned workers;
};

static bool options_valid(const struct workload_options *options)
{
	return options->root && options->workers >= 1 && options->workers <= WORKLOAD_WORKERS_MAX &&
	       options->max_bytes_per_worker >= WORKLOAD_BYTES_MIN &&
	       options->max_nodes_per_worker >= WORKLOAD_NODES_MIN &&
	       options->max_nodes_per_worker <= WORKLOAD_NODES_MAX;
}

/* The workers take no signals: those are for the threads of the caller. */
static int worker_launch(struct worker *worker)
{
	uint64_t count = worker->shared->options.max_ops_per_worker;
	sigset_t all, before;
	int rc = worker_open(worker);

	if (rc)
		return rc;
	worker->op_end = count ? worker->op_index + count : UINT64_MAX;
	worker_progress(worker);
	atomic_store(&worker->count.running, true);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&worker->thread, NULL, worker_run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->joinable = rc == 0;
	if (rc)
		atomic_store(&worker->count.running, false);
	return rc;
}

void workload_join(struct workload *workload)
{
	workload_request_stop(workload);
	for (unsigned i = 0; i < workload->workers; i++) {
		struct worker *worker = workload->worker[i];

		if (worker->joinable)
			pthread_join(worker->thread, NULL);
		worker->joinable = false;
	}
}

static int workers_launch(struct workload *workload)
{
	int rc = 0;

	atomic_store(&workload->shared.stop, false);
	for (unsigned i = 0; !rc && i < workload->workers; i++)
		rc = worker_launch(workload->worker[i]);
	if (rc)
		workload_join(workload);
	return rc;
}

static int failure_code(struct workload *workload)
{
	struct workload_failure failure;

	workload_failure_get(workload, &failure);
	if (!failure.failed)
		return 0;
	return failure.kind == WORKLOAD_MISMATCH ? -EUCLEAN : -failure.error;
}

int workload_start(const struct workload_options *options, struct workload **out)
{
	struct workload *workload;
	int rc = 0;

	if (!options_valid(options))
		return -EINVAL;
	workload = calloc(1, sizeof(*workload));
	if (!workload)
		return -ENOMEM;
	pthread_mutex_init(&workload->shared.lock, NULL);
	workload->shared.options = *options;
	workload->shared.root = strdup(options->root);
	workload->shared.options.root = workload->shared.root;
	if (!workload->shared.root)
		rc = -ENOMEM;
	while (!rc && workload->workers < options->workers) {
		rc = worker_create(&workload->shared, workload->workers,
				   &workload->worker[workload->workers]);
		if (!rc)
			workload->workers++;
	}
	if (!rc)
		rc = workers_launch(workload);
	if (rc)
		workload_free(workload);
	else
		*out = workload;
	return rc;
}

void workload_request_stop(struct workload *workload)
{
	atomic_store(&workload->shared.stop, true);
}

int workload_stop(struct workload *workload)
{
	workload_join(workload);
	return workload_verify(workload);
}

int workload_verify(struct workload *workload)
{
	bool keep_going = workload->shared.options.keep_going;

	/* After a failure, what a worker left half-way is not in its model. */
	for (unsigned i = 0; i < workload->workers; i++) {
		struct worker *worker = workload->worker[i];

		if (!worker->failed && (keep_going || !failure_code(workload)))
			worker->failed = worker_verify(worker) != 0;
	}
	return failure_code(workload);
}

int workload_resume(struct workload *workload)
{
	int rc = failure_code(workload);

	if (rc)
		return rc;
	for (unsigned i = 0; i < workload->workers; i++) {
		if (workload->worker[i]->joinable)
			return -EBUSY;
	}
	return workers_launch(workload);
}

void workload_free(struct workload *workload)
{
	if (!workload)
		return;
	for (unsigned i = 0; i < workload->workers; i++)
		worker_free(workload->worker[i]);
	free(workload->shared.root);
	pthread_mutex_destroy(&workload->shared.lock);
	free(workload);
}

static uint64_t counter_get(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void stats_add(struct worker *worker, struct workload_stats *stats)
{
	struct workload_worker_stats *own = &stats->worker[worker->index];
	struct worker_counters *count = &worker->count;

	own->running = atomic_load(&count->running);
	own->ops = counter_get(&count->ops);
	own->last_progress_ns = counter_get(&count->progress_ns);
	own->trace = counter_get(&count->trace);
	for (unsigned op = 0; op < WORKLOAD_OP_KINDS; op++)
		stats->ops_by_kind[op] += counter_get(&count->by_kind[op]);
	stats->ops += own->ops;
	stats->running += own->running;
	stats->bytes_written += counter_get(&count->bytes_written);
	stats->bytes_read += counter_get(&count->bytes_read);
	stats->verified_objects += counter_get(&count->objects);
	stats->verified_bytes += counter_get(&count->verified_bytes);
	stats->enospc += counter_get(&count->enospc);
}

void workload_stats_get(struct workload *workload, struct workload_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->workers = workload->workers;
	for (unsigned i = 0; i < workload->workers; i++)
		stats_add(workload->worker[i], stats);
}

void workload_failure_get(struct workload *workload, struct workload_failure *failure)
{
	pthread_mutex_lock(&workload->shared.lock);
	*failure = workload->shared.failure;
	pthread_mutex_unlock(&workload->shared.lock);
}

void workload_recent_dump(struct workload *workload, FILE *out)
{
	for (unsigned i = 0; i < workload->workers; i++)
		worker_recent_dump(workload->worker[i], out);
}
