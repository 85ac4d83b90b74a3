/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's log since the start of a run, and what in it speaks of a fault. */
#ifndef CHURNFS_SOAK_KMSG_H
#define CHURNFS_SOAK_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define KMSG_DEVICES_MAX 4u

struct kmsg;

enum kmsg_class {
	KMSG_QUIET,
	KMSG_FAULT,	 /* oops, BUG, WARNING, sanitizer or lock report, stall, hung task */
	KMSG_FILESYSTEM, /* a filesystem on a device under test reported damage */
	KMSG_DEVICE,	 /* a device under test failed reads or writes */
	KMSG_OOM,	 /* the machine ran out of memory */
};

/* Opens /dev/kmsg at its end. Returns 0 or a negative errno (-EPERM, -ENOENT): a run goes on
 * without. */
int kmsg_open(struct kmsg **kmsg);
void kmsg_close(struct kmsg *kmsg);

/*
 * From now on errors of the block device at PATH count, by that name and by the one the kernel
 * gives it. More than KMSG_DEVICES_MAX are ignored.
 */
void kmsg_device_add(struct kmsg *kmsg, const char *path);

/*
 * Reads what is new, but not for ever: a flood is left for the next time. Returns the worst class
 * met so far.
 */
enum kmsg_class kmsg_poll(struct kmsg *kmsg);

/* True if nothing was logged since kmsg_open(). */
bool kmsg_empty(const struct kmsg *kmsg);

/* The first line of the worst class met so far; empty if there is none. */
const char *kmsg_first(const struct kmsg *kmsg);

/*
 * Takes one record as /dev/kmsg gives it, "priority,sequence,time,flags;text", which it changes.
 * kmsg_poll() does this; tests do, too. Only the kernel's own records are judged: anybody who may
 * write to /dev/kmsg can make others.
 */
void kmsg_record(struct kmsg *kmsg, char *record);

/* For tests: one that reads nothing by itself. NULL when out of memory. */
struct kmsg *kmsg_new(void);

/*
 * Prints everything logged since kmsg_open(): the first lines and the last ones, each at most some
 * hundred KiB, and how much was left out between.
 */
void kmsg_print(const struct kmsg *kmsg, FILE *out);

/* The class of one line. DEVICE is a name such as "loop3". Pure. */
enum kmsg_class kmsg_classify(const char *line, const char *device);

#endif
