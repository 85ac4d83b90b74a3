/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is kept of the log; the first lines matter most. */
#define TEXT_MAX (1u << 20)
#define RECORD_MAX 8192u

struct kmsg {
	int fd;
	char device[32];
	enum kmsg_class worst;
	char first[256];
	char *text;
	size_t len;
};

static const char *const fault_marks[] = {
	"BUG:",
	"WARNING: ",
	"Oops",
	"KASAN:",
	"KCSAN:",
	"UBSAN:",
	"general protection fault",
	"Kernel panic",
	"kernel BUG at",
	"INFO: task ", /* ... blocked for more than N seconds */
	"soft lockup",
	"hard LOCKUP",
	"self-detected stall",
	"possible circular locking dependency",
	"possible recursive locking",
	"inconsistent lock state",
	"bad page state",
	"Bad page",
};

static const char *const device_marks[] = {
	"I/O error",
	"lost async page write",
	"lost sync page write",
};

enum kmsg_class kmsg_classify(const char *line, const char *device)
{
	const char *name = strstr(line, device);
	size_t len = strlen(device);

	for (size_t i = 0; i < sizeof(fault_marks) / sizeof(fault_marks[0]); i++)
		if (strstr(line, fault_marks[i]))
			return KMSG_FAULT;
	if (strstr(line, "Out of memory: Killed process") || strstr(line, "oom-kill:"))
		return KMSG_OOM;
	/* loop1 is not loop12. */
	if (!len || !name || (name[len] >= '0' && name[len] <= '9'))
		return KMSG_QUIET;
	for (size_t i = 0; i < sizeof(device_marks) / sizeof(device_marks[0]); i++)
		if (strstr(line, device_marks[i]))
			return KMSG_DEVICE;
	return KMSG_QUIET;
}

int kmsg_open(const char *device, struct kmsg **out)
{
	struct kmsg *kmsg = calloc(1, sizeof(*kmsg));
	int rc;

	if (!kmsg)
		return -ENOMEM;
	snprintf(kmsg->device, sizeof(kmsg->device), "%s", device);
	kmsg->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg->fd < 0) {
		rc = -errno;
		free(kmsg);
		return rc;
	}
	lseek(kmsg->fd, 0, SEEK_END);
	*out = kmsg;
	return 0;
}

void kmsg_close(struct kmsg *kmsg)
{
	if (!kmsg)
		return;
	close(kmsg->fd);
	free(kmsg->text);
	free(kmsg);
}

static void text_append(struct kmsg *kmsg, const char *line)
{
	size_t n = strlen(line);

	if (!kmsg->text)
		kmsg->text = malloc(TEXT_MAX);
	if (!kmsg->text || kmsg->len + n + 1 > TEXT_MAX)
		return;
	memcpy(kmsg->text + kmsg->len, line, n);
	kmsg->text[kmsg->len + n] = '\n';
	kmsg->len += n + 1;
}

static unsigned severity(enum kmsg_class class)
{
	static const unsigned order[] = {
		[KMSG_QUIET] = 0, [KMSG_OOM] = 1, [KMSG_DEVICE] = 2, [KMSG_FAULT] = 3};

	return order[class];
}

/* A record is "priority,sequence,time,flags;text\n" and continuation lines. */
static void record_take(struct kmsg *kmsg, char *record)
{
	char *text = strchr(record, ';');
	enum kmsg_class class;

	if (!text)
		return;
	text++;
	text[strcspn(text, "\n")] = 0;
	text_append(kmsg, text);
	class = kmsg_classify(text, kmsg->device);
	if (severity(class) <= severity(kmsg->worst))
		return;
	kmsg->worst = class;
	snprintf(kmsg->first, sizeof(kmsg->first), "%s", text);
}

enum kmsg_class kmsg_poll(struct kmsg *kmsg)
{
	char record[RECORD_MAX];

	for (;;) {
		ssize_t n = read(kmsg->fd, record, sizeof(record) - 1);

		if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue; /* EPIPE: records were overwritten before they were read */
		if (n <= 0)
			return kmsg->worst;
		record[n] = 0;
		record_take(kmsg, record);
	}
}

const char *kmsg_first(const struct kmsg *kmsg)
{
	return kmsg->first;
}

const char *kmsg_text(const struct kmsg *kmsg, size_t *len)
{
	*len = kmsg->len;
	return kmsg->text;
}
