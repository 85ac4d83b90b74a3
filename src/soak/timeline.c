/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/utf8.h"

#define OFTEN_NS (10 * NS_PER_SEC)
#define SELDOM_NS (60 * NS_PER_SEC)
#define SELDOM_AFTER_NS (3600 * NS_PER_SEC)

struct timeline {
	char path[4096];
	char older[4104];
	uint64_t limit; /* of the file */
	uint64_t size;	/* of the file now */
	int fd;
};

uint64_t timeline_period(uint64_t elapsed_ns)
{
	return elapsed_ns < SELDOM_AFTER_NS ? OFTEN_NS : SELDOM_NS;
}

static int append_all(struct timeline *t, const char *text, size_t len)
{
	ssize_t n = TEMP_FAILURE_RETRY(write(t->fd, text, len));

	if (n == (ssize_t)len) {
		t->size += len;
		return 0;
	}
	/* Half a line is worse than none. */
	if (n > 0 && ftruncate(t->fd, (off_t)t->size))
		return -errno;
	return n < 0 ? -errno : -ENOSPC;
}

/* A machine that went down in the middle of a line has left no end of it. */
static int last_line_end(struct timeline *t)
{
	char last;

	if (!t->size || pread(t->fd, &last, 1, (off_t)t->size - 1) != 1 || last == '\n')
		return 0;
	return append_all(t, "\n", 1);
}

static int file_check(struct timeline *t)
{
	struct stat st;

	if (fstat(t->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	t->size = (uint64_t)st.st_size;
	return last_line_end(t);
}

static void file_close(struct timeline *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* On error no file is open. */
static int file_open(struct timeline *t)
{
	int rc;

	/* Not to wait for the reader of a FIFO. */
	t->fd = open(t->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		     0644);
	if (t->fd < 0)
		return -errno;
	rc = file_check(t);
	if (rc)
		file_close(t);
	return rc;
}

int timeline_open(const char *path, uint64_t limit, struct timeline **timeline)
{
	struct timeline *t;
	int rc;

	if (limit < TIMELINE_LIMIT_MIN)
		return -EINVAL;
	if (strlen(path) >= sizeof(t->path))
		return -ENAMETOOLONG;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->limit = limit;
	strcpy(t->path, path);
	snprintf(t->older, sizeof(t->older), "%s.1", path);
	rc = file_open(t);
	if (rc) {
		timeline_close(t);
		return rc;
	}
	*timeline = t;
	return 0;
}

void timeline_close(struct timeline *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		fsync(t->fd);
	file_close(t);
	free(t);
}

static int make_room(struct timeline *t, size_t len)
{
	if (t->size + len <= t->limit)
		return 0;
	if (len > t->limit)
		return -EMSGSIZE;
	/* Somebody may have taken the file away, such as logrotate. */
	if (rename(t->path, t->older) && errno != ENOENT)
		return -errno;
	file_close(t);
	return file_open(t);
}

static json_int_t integer(uint64_t value)
{
	return (json_int_t)value;
}

/* A command line may hold anything. */
static json_t *text_json(const char *text)
{
	json_t *string = json_string(text);
	char *escaped;

	if (string)
		return string;
	escaped = malloc(UTF8_ESCAPED_MAX(strlen(text)));
	if (escaped)
		string = json_string(utf8_escape(text, strlen(text), escaped));
	free(escaped);
	return string;
}

static json_t *memory_json(const struct memory_use *use)
{
	if (!use->resident)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "resident", integer(use->resident), "anonymous",
			 integer(use->anonymous), "unlocked", integer(use->unlocked));
}

static json_t *drivers_json(const struct report *r)
{
	json_t *drivers = json_object();

	for (unsigned i = 0; i < r->drivers; i++)
		json_object_set_new(drivers, r->driver[i].name,
				    json_integer(integer(r->driver[i].moved)));
	return drivers;
}

static json_t *moment_json(const char *event, const struct moment *m)
{
	const struct report *r = m->report;

	return json_pack("{s:s, s:I, s:f, s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:o, s:o}",
			 "event", event,
			 "time", integer(m->time_s),
			 "elapsed_s", clock_seconds(m->elapsed_ns),
			 "verdict", moment_verdict(m),
			 "ops", integer(r->workload.ops),
			 "pages_moved", integer(r->migration.moved),
			 "drivers", drivers_json(r),
			 "blocks_verified", integer(r->verifier.blocks),
			 "mismatches", integer(r->finding.count),
			 "lookups", integer(r->neighbour.lookups),
			 "hot_pages_moved", integer(r->migration.moved_neighbour),
			 "memory_churnstress", memory_json(&m->own),
			 "memory_churnfs", memory_json(&m->daemon));
}

/* What the first and the last line of a run say besides. */
static void edges_add(json_t *line, const char *event, const struct report *r)
{
	if (strcmp(event, "start") == 0) {
		json_object_set_new(line, "kernel", text_json(r->kernel.release));
		json_object_set_new(line, "seed", json_integer(integer(r->options->seed)));
		json_object_set_new(line, "command", text_json(r->options->command));
	} else if (strcmp(event, "end") == 0) {
		json_object_set_new(line, "reason", text_json(r->reason));
		json_object_set_new(line, "evidence", text_json(r->evidence));
	}
}

int timeline_write(struct timeline *t, const char *event, const struct moment *m)
{
	json_t *line = moment_json(event, m);
	char *text = NULL, *whole = NULL;
	int len, rc;

	if (line) {
		edges_add(line, event, m->report);
		text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	}
	json_decref(line);
	len = text ? asprintf(&whole, "%s\n", text) : -1;
	free(text);
	if (len < 0)
		return -ENOMEM;
	/* After a rotation that failed there is no file, until one can be opened. */
	rc = t->fd < 0 ? file_open(t) : 0;
	if (!rc)
		rc = make_room(t, (size_t)len);
	if (!rc)
		rc = append_all(t, whole, (size_t)len);
	free(whole);
	return rc;
}
