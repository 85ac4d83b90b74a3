/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which write each byte of a file came from: sorted segments without overlap, holes between them.
 */
#ifndef CHURNFS_SOAK_CONTENT_H
#define CHURNFS_SOAK_CONTENT_H

#include <stdint.h>

struct segment {
	uint64_t offset;
	uint64_t length;
	uint64_t write;
};

/* All zero is an empty file. No locks: owned by one worker. */
struct content {
	uint64_t size;	/* of the file */
	uint64_t bytes; /* in segments */
	struct segment *segments;
	unsigned count;
	unsigned room;
};

/* Makes sure that one content_write() has the memory that it needs. Returns 0 or -ENOMEM. */
int content_reserve(struct content *content);

/* Puts WRITE into [OFFSET, OFFSET + LENGTH), LENGTH > 0. content_reserve() came before. */
void content_write(struct content *content, uint64_t offset, uint64_t length, uint64_t write);

/* Cuts the file off at SIZE, or lets it grow by a hole. */
void content_truncate(struct content *content, uint64_t size);

/* Index of the first segment that ends behind OFFSET; content->count when there is none. */
unsigned content_find(const struct content *content, uint64_t offset);

void content_free(struct content *content);

#endif
