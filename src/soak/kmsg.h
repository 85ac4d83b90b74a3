/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's log since the start of a run, and what in it speaks of a fault. */
#ifndef CHURNFS_SOAK_KMSG_H
#define CHURNFS_SOAK_KMSG_H

#include <stdbool.h>
#include <stddef.h>

struct kmsg;

enum kmsg_class {
	KMSG_QUIET,
	KMSG_FAULT,  /* oops, BUG, WARNING, sanitizer or lock report, hung task */
	KMSG_DEVICE, /* the device under test failed reads or writes */
	KMSG_OOM,    /* the machine ran out of memory */
};

/*
 * Opens /dev/kmsg at its end. DEVICE is the name of the block device ("loop3") whose errors count.
 * Returns 0 or a negative errno (-EPERM, -ENOENT): a run goes on without.
 */
int kmsg_open(const char *device, struct kmsg **kmsg);
void kmsg_close(struct kmsg *kmsg);

/* Reads what is new. Returns the worst class met so far. */
enum kmsg_class kmsg_poll(struct kmsg *kmsg);

/* The first line of class FAULT, else DEVICE, else OOM; empty if there is none. */
const char *kmsg_first(const struct kmsg *kmsg);

/* Everything logged since kmsg_open(), bounded; *LEN bytes, not terminated. */
const char *kmsg_text(const struct kmsg *kmsg, size_t *len);

/* The class of one line. Pure. */
enum kmsg_class kmsg_classify(const char *line, const char *device);

#endif
