/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparison of file contents with the model. */
#include <string.h>

#include "soak/worker.h"

/* Of holes longer than two of these only the ends and a part between them are read. */
#define HOLE_PROBE (16u * 1024)

static bool all_zero(const uint8_t *p, size_t len)
{
	return !len || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static unsigned bits_differing(const uint8_t *a, const uint8_t *b, size_t len)
{
	unsigned count = 0;

	for (size_t i = 0; i < len; i++)
		count += (unsigned)__builtin_popcount(a[i] ^ b[i]);
	return count;
}

/* Says in words what UNIT, found where write EXPECTED (NULL: a hole) belongs, looks like. */
static void unit_describe(const struct pattern *expected, const struct pattern *key,
			  uint64_t offset, const uint8_t *unit, char *text, size_t size)
{
	struct pattern found = *key;
	uint8_t good[PATTERN_UNIT] = {0};
	uint64_t origin;
	unsigned bits;

	if (all_zero(unit, PATTERN_UNIT)) {
		snprintf(text, size, "zeros");
		return;
	}
	if (expected)
		pattern_fill(expected, offset, good, PATTERN_UNIT);
	bits = bits_differing(good, unit, PATTERN_UNIT);
	if (bits <= 16)
		snprintf(text, size, "the expected data with %u bits flipped", bits);
	else if (pattern_identify(&found, &origin, unit))
		snprintf(text, size, "data of write %llu (worker %u, file %u, offset %llu)",
			 (unsigned long long)found.write, found.worker, found.file,
			 (unsigned long long)origin);
	else
		snprintf(text, size, "unknown data, %02x %02x %02x %02x %02x %02x %02x %02x ...",
			 unit[0], unit[1], unit[2], unit[3], unit[4], unit[5], unit[6], unit[7]);
}

/*
 * Reports that worker->buffer, read from START on, LEN bytes, differs at byte AT from EXPECTED.
 * [from, to) of it is what EXPECTED covers: a unit that lies whole in there tells the most.
 */
static int data_mismatch(struct worker *worker, const struct node *node, const char *path,
			 const struct pattern *expected, uint64_t start, size_t from, size_t to,
			 size_t at)
{
	uint64_t unit = (start + at) / PATTERN_UNIT * PATTERN_UNIT;
	char found[160] = "other data (too little to tell which)", wanted[80] = "a hole's zeros";

	if (unit < start + from)
		unit += PATTERN_UNIT;
	if (unit + PATTERN_UNIT <= start + to)
		unit_describe(expected, &worker->pattern, unit, worker->buffer + (unit - start),
			      found, sizeof(found));
	if (expected)
		snprintf(wanted, sizeof(wanted), "data of write %llu (file %u)",
			 (unsigned long long)expected->write, expected->file);
	return worker_mismatch(worker, path, "byte %llu of %llu: expected %s, found %s",
			       (unsigned long long)(start + at),
			       (unsigned long long)node->content.size, wanted, found);
}

/* Compares [from, to) of worker->buffer, which was read from START on, with a hole. */
static int hole_compare(struct worker *worker, const struct node *node, const char *path,
			uint64_t start, size_t from, size_t to)
{
	size_t at = from;

	if (all_zero(worker->buffer + from, to - from))
		return 0;
	while (!worker->buffer[at])
		at++;
	return data_mismatch(worker, node, path, NULL, start, from, to, at);
}

static int segment_compare(struct worker *worker, const struct node *node, const char *path,
			   const struct segment *segment, uint64_t start, size_t from, size_t to)
{
	struct pattern expected = worker->pattern;
	size_t at;

	expected.write = segment->write;
	expected.file = node->number;
	at = pattern_compare(&expected, start + from, worker->buffer + from, to - from);
	if (at == to - from)
		return 0;
	return data_mismatch(worker, node, path, &expected, start, from, to, from + at);
}

static int buffer_compare(struct worker *worker, const struct node *node, const char *path,
			  uint64_t start, size_t len)
{
	const struct content *content = &node->content;
	unsigned i = content_find(content, start);
	size_t at = 0;
	int rc = 0;

	while (!rc && at < len) {
		const struct segment *s = i < content->count ? &content->segments[i] : NULL;
		uint64_t end = start + len;

		if (s && s->offset <= start + at) {
			if (s->offset + s->length < end)
				end = s->offset + s->length;
			rc = segment_compare(worker, node, path, s, start, at,
					     (size_t)(end - start));
			i++;
		} else {
			if (s && s->offset < end)
				end = s->offset;
			rc = hole_compare(worker, node, path, start, at, (size_t)(end - start));
		}
		at = (size_t)(end - start);
	}
	return rc;
}

/* Reads until LEN bytes are there or the file ends. Returns the number of bytes. */
static int64_t buffer_read(struct worker *worker, int fd, uint64_t offset, size_t len)
{
	size_t done = 0;

	while (done < len) {
		int64_t n =
			CALL(pread(fd, worker->buffer + done, len - done, (off_t)(offset + done)));

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	counter_add(&worker->count.bytes_read, done);
	return (int64_t)done;
}

int check_range(struct worker *worker, const struct node *node, const char *path, int fd,
		uint64_t offset, uint64_t length)
{
	int rc = 0;

	while (!rc && length) {
		size_t ask = length < WORKER_BUFFER ? (size_t)length : WORKER_BUFFER;
		uint64_t size = node->content.size;
		uint64_t there = offset < size ? size - offset : 0;
		size_t expected = there < ask ? (size_t)there : ask;
		int64_t n = buffer_read(worker, fd, offset, ask);

		if (n < 0)
			return worker_error(worker, path, n);
		if ((size_t)n != expected)
			return worker_mismatch(worker, path,
					       "reading at %llu: expected %zu bytes before the end "
					       "at %llu, found %lld",
					       (unsigned long long)offset, expected,
					       (unsigned long long)size, (long long)n);
		rc = buffer_compare(worker, node, path, offset, expected);
		counter_add(&worker->count.verified_bytes, expected);
		if (expected < ask)
			break;
		offset += ask;
		length -= ask;
	}
	return rc;
}

static int check_hole(struct worker *worker, const struct node *node, const char *path, int fd,
		      uint64_t from, uint64_t to)
{
	uint64_t middle;
	int rc;

	if (to - from <= 2 * HOLE_PROBE)
		return check_range(worker, node, path, fd, from, to - from);
	/* Not drawn from the worker's random numbers: a check must not change what follows. */
	middle = from + (node->number * 0x9e3779b97f4a7c15ULL) % (to - from - HOLE_PROBE);
	rc = check_range(worker, node, path, fd, from, HOLE_PROBE);
	if (!rc)
		rc = check_range(worker, node, path, fd, middle, HOLE_PROBE);
	if (!rc)
		rc = check_range(worker, node, path, fd, to - HOLE_PROBE, HOLE_PROBE);
	return rc;
}

int check_contents(struct worker *worker, const struct node *node, const char *path, int fd)
{
	const struct content *content = &node->content;
	uint64_t at = 0;
	unsigned i = 0;
	int rc = 0;

	while (!rc && i < content->count) {
		uint64_t from = content->segments[i].offset, to = from;

		if (from > at) {
			rc = check_hole(worker, node, path, fd, at, from);
			if (rc)
				break;
		}
		/* One long read instead of one per write. */
		while (i < content->count && content->segments[i].offset == to)
			to += content->segments[i++].length;
		rc = check_range(worker, node, path, fd, from, to - from);
		at = to;
	}
	if (!rc && content->size > at)
		rc = check_hole(worker, node, path, fd, at, content->size);
	/* Nothing may follow. */
	if (!rc)
		rc = check_range(worker, node, path, fd, content->size, 1);
	return rc;
}
