/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "soak/devpages.h"
#include "util/hexdump.h"
#include "util/log.h"

#define MOVES_SHOWN 16u

int evidence_prepare(const char *path, char *why, size_t len)
{
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (mkdir(path, 0755) && errno != EEXIST) {
		rc = -errno;
		snprintf(why, len, "%s: %s", path, strerror(-rc));
		return rc;
	}
	dir = opendir(path);
	if (!dir) {
		rc = -errno;
		snprintf(why, len, "%s: %s", path, strerror(-rc));
		return rc;
	}
	while (!rc && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = -ENOTEMPTY;
	closedir(dir);
	if (rc)
		snprintf(why, len,
			 "%s: not empty, and evidence is never overwritten: name another "
			 "folder",
			 path);
	return rc;
}

/* --output has made the folder already. */
static int folder_make(struct report *report)
{
	char name[96];
	time_t now = time(NULL);
	struct tm tm;

	if (report->evidence[0])
		return 0;
	localtime_r(&now, &tm);
	strftime(name, sizeof(name), "churnstress-%Y%m%d-%H%M%S", &tm);
	snprintf(report->evidence, sizeof(report->evidence), "%s-%d", name, (int)getpid());
	return mkdir(report->evidence, 0755) ? -errno : 0;
}

/* Opens a new file of the folder; never an old one. */
static FILE *file_new(const struct report *report, const char *name)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", report->evidence, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	return fdopen(fd, "w");
}

static void file_end(FILE *file)
{
	if (!file)
		return;
	fflush(file);
	fsync(fileno(file));
	fclose(file);
}

static void bytes_keep(const struct report *report, const char *name, const void *bytes, size_t len)
{
	FILE *file = file_new(report, name);

	if (file)
		fwrite(bytes, 1, len, file);
	file_end(file);
}

static void text_copy(const struct report *report, const char *name, const char *source)
{
	FILE *in = fopen(source, "re"), *out;
	char line[512];

	if (!in)
		return;
	out = file_new(report, name);
	while (out && fgets(line, sizeof(line), in))
		fputs(line, out);
	file_end(out);
	fclose(in);
}

/* What was found, on whichever device. */
struct place {
	const char *device;
	uint64_t device_bytes;
	uint64_t offset;
	uint32_t length;
	uint64_t first; /* number of the device's first page in the move log */
};

/* The block once more, as the page cache and as the device have it now. */
static void view_keep(const struct report *report, const struct place *at, const char *name,
		      int flags)
{
	int fd = open(at->device, O_RDONLY | O_CLOEXEC | flags);
	void *buf = aligned_alloc(4096, 4096);

	if (fd >= 0 && buf && pread(fd, buf, at->length, (off_t)at->offset) == (ssize_t)at->length)
		bytes_keep(report, name, buf, at->length);
	free(buf);
	if (fd >= 0)
		close(fd);
}

static void moves_print(const struct place *at, struct movelog *moves, FILE *file)
{
	struct move last[MOVES_SHOWN];
	size_t count =
		movelog_find(moves, at->first + at->offset / DEVPAGE_SIZE, last, MOVES_SHOWN);

	fprintf(file,
		"its last moves (monotonic time, page frame number before and after; all trips\n"
		"of one move_pages(2) are one):\n");
	for (size_t i = 0; i < count; i++)
		fprintf(file, "  %.6f  0x%llx -> 0x%llx\n", (double)last[i].when_ns / 1e9,
			(unsigned long long)last[i].before, (unsigned long long)last[i].after);
	if (!count)
		fputs("  none was seen\n", file);
}

/* What a shared mapping shows, the page's place and flags, and where it was before. */
static void page_keep(const struct report *report, const struct place *at, struct movelog *moves)
{
	uint64_t page = at->offset / DEVPAGE_SIZE, pfn, scratch;
	FILE *file = file_new(report, "page.txt");
	struct devpages dp;
	uint8_t flags;

	if (!file)
		return;
	fprintf(file, "page %llu of %s\n", (unsigned long long)page, at->device);
	if (devpages_open(&dp, at->device, at->device_bytes) == 0) {
		bytes_keep(report, "view-mapped.bin", dp.map + at->offset, at->length);
		devpages_locate(&dp, page, 1, &pfn);
		devpages_flags(&dp, &pfn, 1, &scratch, &flags);
		fprintf(file, "now: page frame number 0x%llx, buffers %s, %s\n",
			(unsigned long long)pfn, flags & DEVPAGE_BUFFERS ? "attached" : "none",
			flags & DEVPAGE_DIRTY ? "dirty" : "clean");
		devpages_close(&dp);
	}
	if (moves)
		moves_print(at, moves, file);
	file_end(file);
}

static void place_keep(const struct report *report, const struct place *at, struct movelog *moves)
{
	page_keep(report, at, moves);
	view_keep(report, at, "view-buffered.bin", 0);
	/* Last: it makes the kernel write the page back first. */
	view_keep(report, at, "view-direct.bin", O_DIRECT);
}

static void block_keep(const struct report *report, const struct evidence_sources *from)
{
	uint32_t bs = report->options->block_size;
	const struct place at = {
		.device = from->target->device,
		.device_bytes = from->target->bytes,
		.offset = report->finding.record.finding.block * bs,
		.length = bs,
	};
	FILE *file;

	bytes_keep(report, "expected.bin", report->finding.expected, bs);
	bytes_keep(report, "found.bin", report->finding.found, bs);
	place_keep(report, &at, from->moves);
	file = file_new(report, "finding.txt");
	if (file) {
		report_finding_print(report, file);
		fputs("whole difference:\n", file);
		hexdump_diff(file, report->finding.expected, report->finding.found, bs, SIZE_MAX);
	}
	file_end(file);
}

static void neighbour_keep(const struct report *report, const struct evidence_sources *from)
{
	const struct neighbour_failure *f = &report->neighbour_failure;
	const struct target *target = from->target;
	bool apart = report->neighbour_apart;
	const struct place at = {
		.device = apart ? target->apart : target->device,
		.device_bytes = apart ? report->options->head_bytes : target->bytes,
		.offset = f->offset - f->offset % (f->length ? f->length : 1),
		.length = f->length,
		.first = apart ? target->bytes / DEVPAGE_SIZE : 0,
	};
	FILE *file = file_new(report, "neighbour.txt");

	if (file) {
		fprintf(file, "%s\n", f->text);
		if (f->length)
			fprintf(file,
				"%s block %llu at byte %llu: generation %llu expected, %llu "
				"found\n",
				neighbour_block_name(f->type), (unsigned long long)f->block,
				(unsigned long long)at.offset,
				(unsigned long long)f->expected_generation,
				(unsigned long long)f->found_generation);
		if (f->length)
			hexdump_diff(file, f->expected, f->found, f->length, SIZE_MAX);
	}
	file_end(file);
	if (!f->length)
		return;
	bytes_keep(report, "neighbour-expected.bin", f->expected, f->length);
	bytes_keep(report, "neighbour-found.bin", f->found, f->length);
	place_keep(report, &at, from->moves);
}

void evidence_fsck(const struct report *report, const char *text)
{
	if (report->evidence[0] && text[0])
		bytes_keep(report, "e2fsck.txt", text, strlen(text));
}

static void log_keep(const struct report *report, const struct kmsg *kmsg, const char *name)
{
	FILE *file = !kmsg || kmsg_empty(kmsg) ? NULL : file_new(report, name);

	if (file)
		kmsg_print(kmsg, file);
	file_end(file);
}

static void tasks_keep(const struct report *report, const char *tasks)
{
	if (tasks)
		bytes_keep(report, "tasks.txt", tasks, strlen(tasks));
}

static void trace_keep(const struct report *report, struct tracering *ring)
{
	FILE *file = ring ? file_new(report, "trace.txt") : NULL;

	if (file)
		tracering_print(ring, file);
	file_end(file);
}

static void folder_sync(const struct report *report)
{
	int fd = open(report->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static void finding_keep(const struct report *report, const struct evidence_sources *from)
{
	if (report->finding.present && !report->finding.workload)
		block_keep(report, from);
	else if (report->neighbour_failure.failed)
		neighbour_keep(report, from);
}

static void all_keep(const struct report *report, const struct evidence_sources *from)
{
	FILE *file;

	finding_keep(report, from);
	trace_keep(report, from->ring);
	if (from->workload) {
		file = file_new(report, "operations.txt");
		if (file)
			workload_recent_dump(from->workload, file);
		file_end(file);
	}
	text_copy(report, "vmstat.txt", "/proc/vmstat");
	text_copy(report, "kernel-version.txt", "/proc/version");
	text_copy(report, "kernel-command-line.txt", "/proc/cmdline");
	log_keep(report, from->kmsg, "kernel-log.txt");
	tasks_keep(report, from->tasks);
	folder_sync(report);
}

static void daemon_signal(const struct evidence_sources *from, int signal)
{
	if (from->target->daemon)
		kill(from->target->daemon, signal);
}

int evidence_collect(struct report *report, const struct evidence_sources *from)
{
	int rc;

	tracering_stop(from->ring);
	daemon_signal(from, SIGSTOP);
	rc = folder_make(report);
	if (rc) {
		log_error("cannot make a folder for the evidence: %s", strerror(-rc));
		report->evidence[0] = 0;
	} else {
		all_keep(report, from);
	}
	daemon_signal(from, SIGCONT);
	return rc;
}

void evidence_add(const struct report *report, const struct evidence_sources *from)
{
	if (!report->evidence[0])
		return;
	daemon_signal(from, SIGSTOP);
	finding_keep(report, from);
	log_keep(report, from->kmsg, "kernel-log-later.txt");
	tasks_keep(report, from->tasks);
	folder_sync(report);
	daemon_signal(from, SIGCONT);
}

int evidence_finish(struct report *report)
{
	char path[4200];
	FILE *file;

	if (!report->evidence[0])
		return 0;
	file = file_new(report, "report.txt");
	if (file)
		report_print(report, file);
	file_end(file);
	snprintf(path, sizeof(path), "%s/report.json", report->evidence);
	return report_json_write(report, path);
}

static bool file_there(const struct report *report, const char *name)
{
	char path[4200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", report->evidence, name);
	return stat(path, &st) == 0 && st.st_size > 0;
}

int evidence_complete(const struct report *report)
{
	static const char *const always[] = {"operations.txt", "report.txt", "report.json"};
	static const char *const block[] = {"finding.txt", "expected.bin",	"found.bin",
					    "page.txt",	   "view-buffered.bin", "view-mapped.bin"};
	bool whole = report->evidence[0] != 0;
	int fd, rc = 0;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		whole = whole && file_there(report, always[i]);
	if (report->finding.present && !report->finding.workload)
		for (size_t i = 0; i < sizeof(block) / sizeof(block[0]); i++)
			whole = whole && file_there(report, block[i]);
	else if (report->neighbour_failure.failed)
		whole = whole && file_there(report, "neighbour.txt");
	if (!whole)
		return -ENOENT;
	fd = open(report->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syncfs(fd))
		rc = -errno;
	close(fd);
	return rc;
}

void evidence_rerun(const struct report *report)
{
	FILE *file = file_new(report, "rerun.txt");

	if (file)
		report_rerun_print(report, file);
	file_end(file);
}
