/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"
#include "soak/tracering.h"

#include <errno.h>

#ifdef HAVE_LIBTRACEFS

#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <tracefs.h>
#include <unistd.h>

/* For each CPU; some tens of thousands of events. */
#define BUFFER_KIB "2048"
/* As the kernel puts device numbers together inside (MINORBITS). */
#define KERNEL_MINOR_BITS 20

struct tracering {
	struct tracefs_instance *instance;
	bool stopped;
};

struct event {
	const char *system, *name;
	bool of_device; /* has a field "dev" */
};

/* Those that a kernel does not have are left out. */
static const struct event events[] = {
	{"migrate", "mm_migrate_pages", false},
	{"compaction", "mm_compaction_migratepages", false},
	{"block", "block_touch_buffer", true},
	{"block", "block_dirty_buffer", true},
};

/* fs/buffer.c; the name before 6.0 comes last. Both take mapping, destination and source. */
static const char *const migrate_functions[] = {
	"buffer_migrate_folio_norefs",
	"buffer_migrate_page_norefs",
};

/*
 * struct page and struct folio: flags, list, mapping, index. Two words for the list make the index
 * the fifth on all 64-bit kernels.
 */
#define PROBE_FORMAT "index=+32($arg3):u64 from=$arg3:x64 to=$arg2:x64"
#define PROBE_NAME "bdev_page"

bool tracering_built(void)
{
	return true;
}

static void event_enable(struct tracering *ring, const struct event *event, dev_t dev)
{
	char filter[48];

	snprintf(filter, sizeof(filter), "dev == %u", major(dev) << KERNEL_MINOR_BITS | minor(dev));
	if (event->of_device && tracefs_event_file_write(ring->instance, event->system, event->name,
							 "filter", filter) < 0)
		return;
	tracefs_event_enable(ring->instance, event->system, event->name);
}

static void probe_enable(struct tracering *ring, const char *system)
{
	for (size_t i = 0; i < sizeof(migrate_functions) / sizeof(migrate_functions[0]); i++) {
		if (tracefs_kprobe_raw(system, PROBE_NAME, migrate_functions[i], PROBE_FORMAT))
			continue;
		tracefs_event_enable(ring->instance, system, PROBE_NAME);
		return;
	}
}

static int instance_make(struct tracering *ring, struct sandbox *sandbox, const char *name)
{
	const char *tracing = tracefs_tracing_dir();
	int rc;

	if (!tracing)
		return -ENOENT;
	rc = sandbox_note_tracing(sandbox, tracing, name, PROBE_NAME);
	if (rc)
		return rc;
	ring->instance = tracefs_instance_create(name);
	return ring->instance ? 0 : errno ? -errno : -EIO;
}

int tracering_start(struct sandbox *sandbox, dev_t dev, struct tracering **out)
{
	struct tracering *ring = calloc(1, sizeof(*ring));
	char name[32];
	int rc;

	if (!ring)
		return -ENOMEM;
	/* Also the group of the probe, which allows letters, digits and "_" only. */
	snprintf(name, sizeof(name), "churnstress_%d", (int)getpid());
	errno = 0;
	rc = instance_make(ring, sandbox, name);
	if (rc) {
		free(ring);
		return rc;
	}
	tracefs_instance_file_write(ring->instance, "trace_clock", "mono");
	tracefs_instance_file_write(ring->instance, "buffer_size_kb", BUFFER_KIB);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		event_enable(ring, &events[i], dev);
	probe_enable(ring, name);
	tracefs_trace_on(ring->instance);
	*out = ring;
	return 0;
}

void tracering_stop(struct tracering *ring)
{
	if (!ring || ring->stopped)
		return;
	tracefs_trace_off(ring->instance);
	ring->stopped = true;
}

void tracering_print(struct tracering *ring, FILE *out)
{
	int fd = tracefs_instance_file_open(ring->instance, "trace", O_RDONLY);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, out);
	close(fd);
}

void tracering_free(struct tracering *ring)
{
	if (!ring)
		return;
	tracering_stop(ring);
	tracefs_instance_free(ring->instance);
	free(ring);
}

#else

bool tracering_built(void)
{
	return false;
}

int tracering_start(struct sandbox *sandbox, dev_t dev, struct tracering **ring)
{
	(void)sandbox;
	(void)dev;
	(void)ring;
	return -ENOTSUP;
}

void tracering_stop(struct tracering *ring)
{
	(void)ring;
}

void tracering_print(struct tracering *ring, FILE *out)
{
	(void)ring;
	(void)out;
}

void tracering_free(struct tracering *ring)
{
	(void)ring;
}

#endif
