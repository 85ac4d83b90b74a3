/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/kmsg.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A run of weeks may log without end: what is kept of the start, and of the end. */
#define HEAD_MAX (256u << 10)
#define TAIL_MAX (768u << 10)
#define RECORD_MAX 8192u
#define RECORDS_PER_POLL 100000u
#define NAME_MAX_LEN 64u

struct kmsg {
	int fd;
	unsigned devices;
	char device[KMSG_DEVICES_MAX][NAME_MAX_LEN];
	enum kmsg_class worst;
	char first[256];
	size_t total; /* bytes logged */
	size_t head_len;
	char head[HEAD_MAX];
	char tail[TAIL_MAX]; /* ring of what did not fit; TOTAL - HEAD_LEN bytes went through it */
};

static const char *const fault_marks[] = {
	"BUG:",	     /* also KASAN, KCSAN, KFENCE, soft and workqueue lockups */
	"WARNING: ", /* also lockdep */
	"Oops",
	"KASAN:",
	"KCSAN:",
	"KMSAN:",
	"UBSAN:",
	"general protection fault",
	"Unable to handle kernel",
	"Kernel panic",
	"kernel BUG at",
	"INFO: task ", /* ... blocked for more than N seconds */
	"INFO: trying to register non-static key",
	"soft lockup",
	"hard LOCKUP",
	"self-detected stall",
	"detected stalls on",
	"detected expedited stalls on",
	"possible circular locking dependency",
	"possible recursive locking",
	"inconsistent lock state",
	"suspicious RCU usage",
	"bad page state",
	"Bad page",
};

static const char *const device_marks[] = {
	"I/O error",
	"critical medium error",
	"critical target error",
	"lost async page write",
	"lost sync page write",
};

/* As they stand beside the name of the device; the filesystem's own name comes first. */
static const char *const filesystem_marks[] = {
	"-fs error (device ", /* ext4, ext2 */
	"): error",	      /* FAT, F2FS */
	"BTRFS error (device ",
	"BTRFS critical (device ",
	"Aborting journal on device ",
	": Metadata corruption detected",
	": Metadata CRC error detected",
	": Corruption ",
	": Inconsistent ",
};

static bool any_mark(const char *line, const char *const *marks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(line, marks[i]))
			return true;
	return false;
}
#define ANY_MARK(line, marks) any_mark(line, marks, sizeof(marks) / sizeof((marks)[0]))

/* loop1 is neither loop12 nor myloop1; loop1-8 is its journal. */
static bool names(const char *line, const char *device)
{
	size_t len = strlen(device);

	for (const char *at = line; len && (at = strstr(at, device)); at += len)
		if ((at == line || !isalnum((unsigned char)at[-1])) &&
		    !isdigit((unsigned char)at[len]))
			return true;
	return false;
}

enum kmsg_class kmsg_classify(const char *line, const char *device)
{
	if (ANY_MARK(line, fault_marks))
		return KMSG_FAULT;
	if (strstr(line, "Out of memory: Killed process") || strstr(line, "oom-kill:"))
		return KMSG_OOM;
	if (!names(line, device))
		return KMSG_QUIET;
	if (ANY_MARK(line, filesystem_marks))
		return KMSG_FILESYSTEM;
	return ANY_MARK(line, device_marks) ? KMSG_DEVICE : KMSG_QUIET;
}

struct kmsg *kmsg_new(void)
{
	struct kmsg *kmsg = calloc(1, sizeof(*kmsg));

	if (kmsg)
		kmsg->fd = -1;
	return kmsg;
}

int kmsg_open(struct kmsg **out)
{
	struct kmsg *kmsg = kmsg_new();
	int rc;

	if (!kmsg)
		return -ENOMEM;
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
	if (kmsg->fd >= 0)
		close(kmsg->fd);
	free(kmsg);
}

static void name_add(struct kmsg *kmsg, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (kmsg->devices == KMSG_DEVICES_MAX || !*name || strlen(name) >= NAME_MAX_LEN)
		return;
	for (unsigned i = 0; i < kmsg->devices; i++)
		if (strcmp(kmsg->device[i], name) == 0)
			return;
	strcpy(kmsg->device[kmsg->devices++], name);
}

void kmsg_device_add(struct kmsg *kmsg, const char *path)
{
	char real[PATH_MAX];

	name_add(kmsg, path);
	if (realpath(path, real))
		name_add(kmsg, real);
}

static void tail_append(struct kmsg *kmsg, const char *bytes, size_t len)
{
	size_t at = (kmsg->total - kmsg->head_len) % TAIL_MAX;
	size_t first = len < TAIL_MAX - at ? len : TAIL_MAX - at;

	memcpy(kmsg->tail + at, bytes, first);
	memcpy(kmsg->tail, bytes + first, len - first);
	kmsg->total += len;
}

/* LINE ends with a newline. */
static void text_append(struct kmsg *kmsg, const char *line, size_t len)
{
	bool tail = kmsg->total > kmsg->head_len;

	if (tail || kmsg->head_len + len > HEAD_MAX) {
		tail_append(kmsg, line, len);
		return;
	}
	memcpy(kmsg->head + kmsg->head_len, line, len);
	kmsg->head_len += len;
	kmsg->total += len;
}

/* What follows from another, or says less, counts less. */
static unsigned severity(enum kmsg_class class)
{
	static const unsigned order[] = {
		[KMSG_QUIET] = 0,  [KMSG_OOM] = 1,   [KMSG_FILESYSTEM] = 2,
		[KMSG_DEVICE] = 3, [KMSG_FAULT] = 4,
	};

	return order[class];
}

static void line_judge(struct kmsg *kmsg, const char *line)
{
	enum kmsg_class class = kmsg_classify(line, "");

	for (unsigned i = 0; i < kmsg->devices && class == KMSG_QUIET; i++)
		class = kmsg_classify(line, kmsg->device[i]);
	if (severity(class) <= severity(kmsg->worst))
		return;
	kmsg->worst = class;
	snprintf(kmsg->first, sizeof(kmsg->first), "%s", line);
}

/* Continuation lines, which hold a dictionary, are left out. */
void kmsg_record(struct kmsg *kmsg, char *record)
{
	char *text = strchr(record, ';');
	bool kernel = strtoul(record, NULL, 10) >> 3 == 0; /* the facility */
	size_t len;

	if (!text)
		return;
	text++;
	len = strcspn(text, "\n");
	text[len] = 0;
	if (kernel)
		line_judge(kmsg, text);
	text[len] = '\n';
	text_append(kmsg, text, len + 1);
}

enum kmsg_class kmsg_poll(struct kmsg *kmsg)
{
	char record[RECORD_MAX];

	for (unsigned i = 0; i < RECORDS_PER_POLL; i++) {
		/* Room for a newline where there is none. */
		ssize_t n = read(kmsg->fd, record, sizeof(record) - 2);

		if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue; /* EPIPE: records were overwritten before they were read */
		if (n <= 0)
			break;
		record[n] = record[n + 1] = 0;
		kmsg_record(kmsg, record);
	}
	return kmsg->worst;
}

bool kmsg_empty(const struct kmsg *kmsg)
{
	return kmsg->total == 0;
}

const char *kmsg_first(const struct kmsg *kmsg)
{
	return kmsg->first;
}

void kmsg_print(const struct kmsg *kmsg, FILE *out)
{
	size_t through = kmsg->total - kmsg->head_len;
	size_t len = through < TAIL_MAX ? through : TAIL_MAX;
	size_t at = through < TAIL_MAX ? 0 : through % TAIL_MAX;
	size_t first = len < TAIL_MAX - at ? len : TAIL_MAX - at;

	fwrite(kmsg->head, 1, kmsg->head_len, out);
	if (through > len)
		fprintf(out, "[%zu bytes are left out here]\n", through - len);
	fwrite(kmsg->tail + at, 1, first, out);
	fwrite(kmsg->tail, 1, len - first, out);
}
