/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t segment_end(const struct segment *segment)
{
	return segment->offset + segment->length;
}

int content_reserve(struct content *content)
{
	struct segment *segments;
	unsigned room;

	/* A write into the middle of a segment leaves two pieces of it. */
	if (content->count + 2 <= content->room)
		return 0;
	room = content->room ? content->room * 2 : 4;
	segments = reallocarray(content->segments, room, sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	content->segments = segments;
	content->room = room;
	return 0;
}

unsigned content_find(const struct content *content, uint64_t offset)
{
	unsigned low = 0, high = content->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (segment_end(&content->segments[middle]) > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Replaces REMOVE segments from AT on by room for ADD. */
static void segments_splice(struct content *content, unsigned at, unsigned remove, unsigned add)
{
	struct segment *s = content->segments;

	memmove(s + at + add, s + at + remove, (content->count - at - remove) * sizeof(*s));
	content->count = content->count - remove + add;
}

/* Where [start, end) begins or ends inside a segment, cuts that segment in two. */
static void segment_split(struct content *content, uint64_t offset)
{
	unsigned at = content_find(content, offset);
	struct segment *s;

	if (at == content->count || content->segments[at].offset >= offset)
		return;
	segments_splice(content, at, 0, 1);
	s = &content->segments[at];
	s[0] = s[1];
	s[0].length = offset - s[0].offset;
	s[1].length -= s[0].length;
	s[1].offset = offset;
}

static void range_drop(struct content *content, uint64_t start, uint64_t end)
{
	unsigned from = content_find(content, start);
	unsigned to = from;

	while (to < content->count && content->segments[to].offset < end)
		content->bytes -= content->segments[to++].length;
	if (to > from)
		segments_splice(content, from, to - from, 0);
}

void content_write(struct content *content, uint64_t offset, uint64_t length, uint64_t write)
{
	unsigned at;

	segment_split(content, offset);
	segment_split(content, offset + length);
	range_drop(content, offset, offset + length);
	at = content_find(content, offset);
	segments_splice(content, at, 0, 1);
	content->segments[at] = (struct segment){offset, length, write};
	content->bytes += length;
	if (offset + length > content->size)
		content->size = offset + length;
}

void content_truncate(struct content *content, uint64_t size)
{
	unsigned at = content_find(content, size);

	if (at < content->count && content->segments[at].offset < size) {
		struct segment *s = &content->segments[at++];
		uint64_t cut = segment_end(s) - size;

		s->length -= cut;
		content->bytes -= cut;
	}
	for (unsigned i = at; i < content->count; i++)
		content->bytes -= content->segments[i].length;
	content->count = at;
	content->size = size;
}

void content_free(struct content *content)
{
	free(content->segments);
	*content = (struct content){0};
}
