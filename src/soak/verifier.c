/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/verifier.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "soak/hotchunks.h"
#include "soak/watchdog.h"
#include "util/clock.h"
#include "util/log.h"

#define VERIFIER_THREADS_MAX 16u

struct verifier_thread {
	struct verifier *verifier;
	pthread_t thread;
	unsigned index; /* among those that share the page cache's views */
	bool direct;
	/* Written by the thread, read by verifier_stats_get(). */
	_Atomic uint64_t view_blocks[VERIFIER_VIEWS], view_passes[VERIFIER_VIEWS];
	_Atomic uint64_t view_mismatches[VERIFIER_VIEWS];
	_Atomic uint64_t bytes, retried, io_errors, ns;
	_Atomic uint64_t since_ns; /* when the present read began; 0: between reads */
	struct hotchunks hot;	   /* the thread's own */
};

struct verifier {
	struct checker checker;
	struct ledger_geometry geometry;
	struct verifier_options options;
	struct verifier_device device;
	pthread_rwlock_t pause;	    /* shared while reading; exclusive between pause and resume */
	pthread_mutex_t sleep_lock; /* for stop */
	pthread_cond_t sleep_cond;
	bool stop; /* protected by sleep_lock */
	unsigned threads;
	struct verifier_thread thread[VERIFIER_THREADS_MAX + 1];
};

static bool stopping(struct verifier *verifier)
{
	bool stop;

	pthread_mutex_lock(&verifier->sleep_lock);
	stop = verifier->stop;
	pthread_mutex_unlock(&verifier->sleep_lock);
	return stop;
}

static void sleep_until(struct verifier *verifier, uint64_t when)
{
	struct timespec ts = {
		.tv_sec = (time_t)(when / NS_PER_SEC),
		.tv_nsec = (long)(when % NS_PER_SEC),
	};

	pthread_mutex_lock(&verifier->sleep_lock);
	while (!verifier->stop && clock_now_ns() < when)
		pthread_cond_timedwait(&verifier->sleep_cond, &verifier->sleep_lock, &ts);
	pthread_mutex_unlock(&verifier->sleep_lock);
}

static void stats_add(struct verifier_thread *thread, enum verifier_view view,
		      const struct verifier_pass *pass)
{
	atomic_fetch_add(&thread->view_blocks[view], pass->blocks);
	atomic_fetch_add(&thread->bytes, pass->bytes);
	atomic_fetch_add(&thread->retried, pass->retried);
	atomic_fetch_add(&thread->view_mismatches[view], pass->mismatches);
}

/* The chunk that begins with block FIRST, in VIEW. */
static void chunk_run(struct verifier_thread *thread, enum verifier_view view, void *buf,
		      uint64_t first)
{
	struct verifier *verifier = thread->verifier;
	uint64_t per_chunk = VERIFIER_CHUNK / verifier->checker.block_size;
	uint64_t left = verifier->geometry.blocks - first;
	struct verifier_pass pass = {.quiet = verifier->options.quiet};
	int rc;

	if (view != VIEW_DIRECT)
		pthread_rwlock_rdlock(&verifier->pause);
	atomic_store(&thread->since_ns, clock_now_ns());
	rc = verifier_chunk(&verifier->checker, &verifier->device, view, buf, first,
			    left < per_chunk ? left : per_chunk, &pass);
	atomic_store(&thread->since_ns, 0);
	if (view != VIEW_DIRECT)
		pthread_rwlock_unlock(&verifier->pause);
	if (rc && atomic_fetch_add(&thread->io_errors, 1) == 0)
		log_error("verifier: read at block %llu failed: %s", (unsigned long long)first,
			  strerror(-rc));
	stats_add(thread, view, &pass);
	hotchunks_note(&thread->hot, first, pass.written_ns, clock_now_ns());
}

/* From the last to the first: one that has cooled down makes room for the last, which was seen. */
static void hot_run(struct verifier_thread *thread, enum verifier_view view, void *buf)
{
	uint64_t start = clock_now_ns();

	for (unsigned i = thread->hot.count; i-- > 0;)
		chunk_run(thread, view, buf, thread->hot.first[i]);
	hotchunks_done(&thread->hot, start, clock_now_ns());
}

/* Every THREADS-th chunk from INDEX on. TO_END: regardless of a stop. Returns false when stopped.
 */
static bool pass_run(struct verifier_thread *thread, enum verifier_view view, void *buf,
		     unsigned index, unsigned threads, bool to_end)
{
	struct verifier *verifier = thread->verifier;
	uint64_t per_chunk = VERIFIER_CHUNK / verifier->checker.block_size;

	for (uint64_t first = index * per_chunk; first < verifier->geometry.blocks;
	     first += threads * per_chunk) {
		if (!to_end && stopping(verifier))
			return false;
		chunk_run(thread, view, buf, first);
		/* A direct read has dirty pages written back: not more often than was asked for. */
		if (view != VIEW_DIRECT && !to_end && hotchunks_due(&thread->hot, clock_now_ns()))
			hot_run(thread, view, buf);
	}
	atomic_fetch_add(&thread->view_passes[view], 1);
	return true;
}

static void *thread_main(void *arg)
{
	struct verifier_thread *thread = arg;
	struct verifier *verifier = thread->verifier;
	uint64_t period =
		thread->direct ? verifier->options.direct_period_ns : verifier->options.period_ns;
	enum verifier_view view = thread->direct ? VIEW_DIRECT : VIEW_BUFFERED;
	void *buf = aligned_alloc(4096, VERIFIER_CHUNK);

	while (buf && !stopping(verifier)) {
		uint64_t start = clock_now_ns();

		if (!(verifier->options.left_out & 1u << view))
			pass_run(thread, view, buf, thread->index,
				 thread->direct ? 1 : verifier->options.threads, false);
		if (!thread->direct)
			view = view == VIEW_BUFFERED ? VIEW_MAPPED : VIEW_BUFFERED;
		atomic_fetch_add(&thread->ns, clock_now_ns() - start);
		sleep_until(verifier, start + period);
	}
	free(buf);
	return NULL;
}

static int thread_add(struct verifier *verifier, unsigned index, bool direct)
{
	struct verifier_thread *thread = &verifier->thread[verifier->threads];
	int rc;

	thread->verifier = verifier;
	thread->index = index;
	thread->direct = direct;
	rc = pthread_create(&thread->thread, NULL, thread_main, thread);
	if (rc)
		return -rc;
	verifier->threads++;
	return 0;
}

int verifier_start(const struct verifier_options *options, struct verifier **out)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	pthread_condattr_t attr;
	pthread_rwlockattr_t pause_attr;
	int rc;

	if (!verifier)
		return -ENOMEM;
	verifier->options = *options;
	if (verifier->options.threads > VERIFIER_THREADS_MAX)
		verifier->options.threads = VERIFIER_THREADS_MAX;
	checker_init(&verifier->checker, options->ledger);
	ledger_geometry_get(options->ledger, &verifier->geometry);
	pthread_rwlockattr_init(&pause_attr);
	/* The readers are never all away at once: a pause must not wait for that. */
	pthread_rwlockattr_setkind_np(&pause_attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&verifier->pause, &pause_attr);
	pthread_rwlockattr_destroy(&pause_attr);
	pthread_mutex_init(&verifier->sleep_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&verifier->sleep_cond, &attr);
	pthread_condattr_destroy(&attr);
	rc = verifier_device_open(&verifier->device, options->device,
				  verifier->geometry.blocks * verifier->geometry.block_size);
	if (rc)
		goto out_free;
	for (unsigned i = 0; i < verifier->options.threads && !rc; i++)
		rc = thread_add(verifier, i, false);
	if (!rc && options->direct_period_ns && verifier->device.direct_fd >= 0)
		rc = thread_add(verifier, 0, true);
	if (rc)
		goto out_stop;
	*out = verifier;
	return 0;

out_stop:
	verifier_stop(verifier);
out_free:
	verifier_free(verifier);
	return rc;
}

void verifier_stop(struct verifier *verifier)
{
	pthread_mutex_lock(&verifier->sleep_lock);
	verifier->stop = true;
	pthread_cond_broadcast(&verifier->sleep_cond);
	pthread_mutex_unlock(&verifier->sleep_lock);
	for (unsigned i = 0; i < verifier->threads; i++)
		if (verifier->thread[i].thread)
			pthread_join(verifier->thread[i].thread, NULL);
	for (unsigned i = 0; i < verifier->threads; i++)
		verifier->thread[i].thread = 0;
}

void verifier_free(struct verifier *verifier)
{
	if (!verifier)
		return;
	verifier_device_close(&verifier->device);
	pthread_rwlock_destroy(&verifier->pause);
	pthread_mutex_destroy(&verifier->sleep_lock);
	pthread_cond_destroy(&verifier->sleep_cond);
	free(verifier);
}

void verifier_stats_get(struct verifier *verifier, struct verifier_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->direct = verifier->device.direct_fd >= 0;
	for (unsigned i = 0; i < verifier->threads; i++) {
		struct verifier_thread *thread = &verifier->thread[i];

		for (unsigned view = 0; view < VERIFIER_VIEWS; view++) {
			uint64_t blocks = atomic_load(&thread->view_blocks[view]);

			stats->blocks += blocks;
			stats->view_blocks[view] += blocks;
			stats->view_mismatches[view] += atomic_load(&thread->view_mismatches[view]);
			if (thread->index == 0)
				stats->view_passes[view] += atomic_load(&thread->view_passes[view]);
		}
		stats->bytes += atomic_load(&thread->bytes);
		stats->retried += atomic_load(&thread->retried);
		stats->io_errors += atomic_load(&thread->io_errors);
		stats->ns += atomic_load(&thread->ns);
	}
	for (unsigned view = 0; view < VERIFIER_VIEWS; view++)
		stats->mismatches += stats->view_mismatches[view];
}

void verifier_slowest(struct verifier *verifier, struct watchdog_step *slowest)
{
	for (unsigned i = 0; i < verifier->threads; i++)
		watchdog_step_older(slowest, atomic_load(&verifier->thread[i].since_ns),
				    "verifier %u%s", i,
				    verifier->thread[i].direct ? " (O_DIRECT)" : "");
}

const struct verifier_device *verifier_device_get(const struct verifier *verifier)
{
	return &verifier->device;
}

int verifier_final_pass(struct verifier *verifier)
{
	void *buf = aligned_alloc(4096, VERIFIER_CHUNK);

	if (!buf)
		return -ENOMEM;
	for (unsigned i = 0; i < verifier->threads; i++) {
		struct verifier_thread *thread = &verifier->thread[i];

		if (thread->direct) {
			pass_run(thread, VIEW_DIRECT, buf, 0, 1, true);
		} else if (thread->index == 0) {
			pass_run(thread, VIEW_BUFFERED, buf, 0, 1, true);
			pass_run(thread, VIEW_MAPPED, buf, 0, 1, true);
		}
	}
	free(buf);
	return 0;
}

void verifier_unmap(struct verifier *verifier, uint64_t offset, uint64_t length)
{
	const struct verifier_device *device = &verifier->device;

	if (offset + length <= device->map_bytes)
		madvise((char *)(uintptr_t)device->map + offset, length, MADV_DONTNEED);
}

void verifier_pause(struct verifier *verifier)
{
	pthread_rwlock_wrlock(&verifier->pause);
	/* Mapped pages cannot be evicted. */
	madvise((void *)(uintptr_t)verifier->device.map, verifier->device.map_bytes, MADV_DONTNEED);
}

void verifier_resume(struct verifier *verifier)
{
	pthread_rwlock_unlock(&verifier->pause);
}
