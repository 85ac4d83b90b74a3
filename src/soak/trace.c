/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/clock.h"

#define EVENTS 2
/* As the kernel puts device numbers together inside (MINORBITS). */
#define KERNEL_MINOR_BITS 20

static const char *const event_names[EVENTS] = {"block_touch_buffer", "block_dirty_buffer"};

struct trace {
	long cpus;
	int *fd; /* event by event, CPU by CPU; -1: that CPU is offline */
	uint64_t start_ns;
	uint64_t next_ns; /* when the window opens or closes */
	bool open;
	uint64_t opened_ns;
	pthread_mutex_t lock;
	struct trace_counts counts; /* lock */
};

static int id_read(const char *tracing, const char *event)
{
	char path[128];
	FILE *file;
	int id;

	snprintf(path, sizeof(path), "%s/events/block/%s/id", tracing, event);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (fscanf(file, "%d", &id) != 1 || id < 0)
		id = -EIO;
	fclose(file);
	return id;
}

static int ids_read_in(const char *tracing, int ids[EVENTS])
{
	for (int i = 0; i < EVENTS; i++) {
		ids[i] = id_read(tracing, event_names[i]);
		if (ids[i] < 0)
			return ids[i];
	}
	return 0;
}

static int ids_read(int ids[EVENTS])
{
	static const char where[] = "/sys/kernel/tracing";
	int rc = ids_read_in(where, ids);

	if (rc)
		rc = ids_read_in("/sys/kernel/debug/tracing", ids);
	if (rc && mount("tracefs", where, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0) {
		rc = ids_read_in(where, ids);
		umount2(where, MNT_DETACH);
	}
	return rc;
}

static int event_open(int id, int cpu, const char *filter)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = (unsigned)id,
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static int events_open(struct trace *trace, const int ids[EVENTS], dev_t dev)
{
	char filter[64];
	int rc = -ENODEV;

	snprintf(filter, sizeof(filter), "dev==%u", major(dev) << KERNEL_MINOR_BITS | minor(dev));
	for (int event = 0; event < EVENTS; event++)
		for (long cpu = 0; cpu < trace->cpus; cpu++) {
			int fd = event_open(ids[event], (int)cpu, filter);

			if (fd < 0 && fd != -ENODEV)
				return fd;
			if (fd >= 0)
				rc = 0;
			trace->fd[event * trace->cpus + cpu] = fd < 0 ? -1 : fd;
		}
	return rc;
}

int trace_open(dev_t dev, struct trace **out)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int ids[EVENTS];
	int rc = -ENOMEM;

	if (!trace)
		return -ENOMEM;
	pthread_mutex_init(&trace->lock, NULL);
	trace->cpus = sysconf(_SC_NPROCESSORS_CONF);
	trace->fd = malloc((size_t)trace->cpus * EVENTS * sizeof(*trace->fd));
	if (!trace->fd)
		goto out_close;
	for (long i = 0; i < trace->cpus * EVENTS; i++)
		trace->fd[i] = -1;
	rc = ids_read(ids);
	if (!rc)
		rc = events_open(trace, ids, dev);
	if (rc)
		goto out_close;
	trace->start_ns = trace->next_ns = clock_now_ns();
	*out = trace;
	return 0;

out_close:
	trace_close(trace);
	return rc;
}

void trace_close(struct trace *trace)
{
	if (!trace)
		return;
	for (long i = 0; trace->fd && i < trace->cpus * EVENTS; i++)
		if (trace->fd[i] >= 0)
			close(trace->fd[i]);
	free(trace->fd);
	pthread_mutex_destroy(&trace->lock);
	free(trace);
}

static void events_switch(struct trace *trace, unsigned long request)
{
	for (long i = 0; i < trace->cpus * EVENTS; i++)
		if (trace->fd[i] >= 0)
			ioctl(trace->fd[i], request, 0);
}

static uint64_t events_sum(const struct trace *trace, int event)
{
	uint64_t sum = 0, count;

	for (long cpu = 0; cpu < trace->cpus; cpu++) {
		int fd = trace->fd[event * trace->cpus + cpu];

		if (fd >= 0 && read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
			sum += count;
	}
	return sum;
}

void trace_poll(struct trace *trace)
{
	uint64_t now = clock_now_ns();

	if (now < trace->next_ns)
		return;
	trace->open = !trace->open;
	if (trace->open) {
		events_switch(trace, PERF_EVENT_IOC_ENABLE);
		trace->opened_ns = clock_now_ns();
		trace->next_ns = now + TRACE_WINDOW_NS;
		return;
	}
	events_switch(trace, PERF_EVENT_IOC_DISABLE);
	trace->next_ns = now + TRACE_PERIOD_NS - TRACE_WINDOW_NS;
	pthread_mutex_lock(&trace->lock);
	trace->counts.window_ns += clock_now_ns() - trace->opened_ns;
	trace->counts.touched = events_sum(trace, 0);
	trace->counts.dirtied = events_sum(trace, 1);
	pthread_mutex_unlock(&trace->lock);
}

void trace_counts_get(struct trace *trace, struct trace_counts *counts)
{
	pthread_mutex_lock(&trace->lock);
	*counts = trace->counts;
	pthread_mutex_unlock(&trace->lock);
	counts->total_ns = clock_now_ns() - trace->start_ns;
}

uint64_t trace_estimate(const struct trace_counts *counts, uint64_t count)
{
	if (counts->window_ns == 0)
		return 0;
	return (uint64_t)((double)count * (double)counts->total_ns / (double)counts->window_ns);
}
