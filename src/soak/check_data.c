/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparison of file contents with the model. */
#include <string.h>

#include "soak/worker.h"

/* Of holes longer than two of these only the ends and a part between them are read. */
#define HOLE_PROBE (16u * 1024)

/* How far behind a difference to look for data that can be told; a sector at least. */
#define SEARCH 1024u

/* So few differing bits in 16 bytes are no other data. */
#define FLIPPED_MAX 8u

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

/* What worker->buffer was read as, and where it first differs from the model. */
struct difference {
	const struct node *node;
	const char *path;
	uint64_t start; /* offset in the file of the buffer */
	size_t length;	/* of the buffer */
	size_t at;	/* first byte that differs, in the buffer */
	size_t end;	/* end of the segment or hole that it lies in, in the buffer */
};

/* The write that the model has at OFFSET; 0: a hole. */
static uint64_t write_at(const struct content *content, uint64_t offset)
{
	unsigned i = content_find(content, offset);

	if (i < content->count && content->segments[i].offset <= offset)
		return content->segments[i].write;
	return 0;
}

/* Whether some unit near the difference is what another write, or one elsewhere, has left. */
static bool origin_find(struct worker *worker, const struct difference *diff, char *text,
			size_t size)
{
	struct pattern found = worker->pattern;
	size_t last = diff->at + SEARCH < diff->length ? diff->at + SEARCH : diff->length;
	uint64_t unit = (diff->start + diff->at) / PATTERN_UNIT * PATTERN_UNIT, origin;

	if (unit < diff->start)
		unit += PATTERN_UNIT;
	for (; unit + PATTERN_UNIT <= diff->start + last; unit += PATTERN_UNIT) {
		if (!pattern_identify(&found, &origin, worker->buffer + (unit - diff->start)))
			continue;
		if (found.write == write_at(&diff->node->content, unit) && origin == unit &&
		    found.worker == worker->pattern.worker)
			continue;
		snprintf(text, size, "data of write %llu (worker %u, file %u, offset %llu)",
			 (unsigned long long)found.write, found.worker, found.file,
			 (unsigned long long)origin);
		return true;
	}
	return false;
}

/* Says in words what is there instead of EXPECTED (NULL: of a hole's zeros). */
static void found_describe(struct worker *worker, const struct difference *diff,
			   const struct pattern *expected, char *text, size_t size)
{
	const uint8_t *found = worker->buffer + diff->at;
	size_t length = diff->end - diff->at < PATTERN_UNIT ? diff->end - diff->at : PATTERN_UNIT;
	uint8_t good[PATTERN_UNIT] = {0};
	unsigned flipped;
	size_t n = 0;

	if (expected)
		pattern_fill(expected, diff->start + diff->at, good, length);
	flipped = bits_differing(good, found, length);
	if (flipped <= FLIPPED_MAX && length > FLIPPED_MAX) {
		snprintf(text, size, "the same with %u bits flipped", flipped);
		return;
	}
	if (origin_find(worker, diff, text, size))
		return;
	if (all_zero(found, length)) {
		snprintf(text, size, "zeros");
		return;
	}
	n = (size_t)snprintf(text, size, "unknown bytes");
	for (size_t i = 0; i < length && n + 4 < size; i++)
		n += (size_t)snprintf(text + n, size - n, " %02x", found[i]);
}

static int data_mismatch(struct worker *worker, const struct difference *diff,
			 const struct pattern *expected)
{
	char found[160], wanted[80] = "zeros of a hole";

	found_describe(worker, diff, expected, found, sizeof(found));
	if (expected)
		snprintf(wanted, sizeof(wanted), "data of write %llu (file %u)",
			 (unsigned long long)expected->write, expected->file);
	return worker_mismatch(worker, diff->path, "byte %llu of %llu: expected %s, found %s",
			       (unsigned long long)(diff->start + diff->at),
			       (unsigned long long)diff->node->content.size, wanted, found);
}

/* Compares [from, diff->end) of the buffer with a hole. */
static int hole_compare(struct worker *worker, struct difference *diff, size_t from)
{
	if (all_zero(worker->buffer + from, diff->end - from))
		return 0;
	for (diff->at = from; !worker->buffer[diff->at];)
		diff->at++;
	return data_mismatch(worker, diff, NULL);
}

static int segment_compare(struct worker *worker, struct difference *diff, size_t from,
			   const struct segment *segment)
{
	struct pattern expected = worker->pattern;

	expected.write = segment->write;
	expected.file = diff->node->number;
	diff->at = from + pattern_compare(&expected, diff->start + from, worker->buffer + from,
					  diff->end - from);
	return diff->at == diff->end ? 0 : data_mismatch(worker, diff, &expected);
}

static int buffer_compare(struct worker *worker, const struct node *node, const char *path,
			  uint64_t start, size_t length)
{
	struct difference diff = {.node = node, .path = path, .start = start, .length = length};
	const struct content *content = &node->content;
	unsigned i = content_find(content, start);
	int rc = 0;

	for (size_t at = 0; !rc && at < length; at = diff.end) {
		const struct segment *s = i < content->count ? &content->segments[i] : NULL;
		bool data = s && s->offset <= start + at;
		uint64_t end = start + length;

		if (data && s->offset + s->length < end)
			end = s->offset + s->length;
		if (!data && s && s->offset < end)
			end = s->offset;
		diff.end = (size_t)(end - start);
		rc = data ? segment_compare(worker, &diff, at, s) : hole_compare(worker, &diff, at);
		i += data;
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
