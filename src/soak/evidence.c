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

/* The block once more, as the page cache and as the device have it now. */
static void view_keep(const struct report *report, const struct target *target, const char *name,
		      int flags)
{
	uint32_t bs = report->options->block_size;
	off_t at = (off_t)(report->finding.record.finding.block * bs);
	int fd = open(target->device, O_RDONLY | O_CLOEXEC | flags);
	void *buf = aligned_alloc(4096, 4096);

	if (fd >= 0 && buf && pread(fd, buf, bs, at) == (ssize_t)bs)
		bytes_keep(report, name, buf, bs);
	free(buf);
	if (fd >= 0)
		close(fd);
}

/* What a shared mapping shows, and the page's place and flags. */
static void page_keep(const struct report *report, const struct target *target)
{
	uint32_t bs = report->options->block_size;
	uint64_t at = report->finding.record.finding.block * bs, pfn, scratch;
	size_t page = at / DEVPAGE_SIZE;
	struct devpages dp;
	uint8_t flags;
	FILE *file;

	if (devpages_open(&dp, target->device, target->bytes))
		return;
	if (page < dp.pages) {
		bytes_keep(report, "view-mapped.bin", dp.map + at, bs);
		devpages_locate(&dp, page, 1, &pfn);
		devpages_flags(&dp, &pfn, 1, &scratch, &flags);
		file = file_new(report, "page.txt");
		if (file)
			fprintf(file, "page %zu of %s: pfn 0x%llx, buffers %s, %s\n", page,
				target->device, (unsigned long long)pfn,
				flags & DEVPAGE_BUFFERS ? "attached" : "none",
				flags & DEVPAGE_DIRTY ? "dirty" : "clean");
		file_end(file);
	}
	devpages_close(&dp);
}

static void block_keep(const struct report *report, const struct target *target)
{
	uint32_t bs = report->options->block_size;
	FILE *file;

	bytes_keep(report, "expected.bin", report->finding.expected, bs);
	bytes_keep(report, "found.bin", report->finding.found, bs);
	page_keep(report, target);
	view_keep(report, target, "view-buffered.bin", 0);
	/* Last: it makes the kernel write the page back first. */
	view_keep(report, target, "view-direct.bin", O_DIRECT);
	file = file_new(report, "finding.txt");
	if (file) {
		report_finding_print(report, file);
		fputs("whole difference:\n", file);
		hexdump_diff(file, report->finding.expected, report->finding.found, bs, SIZE_MAX);
	}
	file_end(file);
}

static void neighbour_keep(const struct report *report)
{
	const struct neighbour_failure *f = &report->neighbour_failure;
	FILE *file = file_new(report, "neighbour.txt");

	if (file) {
		fprintf(file, "%s\n", f->text);
		if (f->length)
			hexdump_diff(file, f->expected, f->found, f->length, SIZE_MAX);
	}
	file_end(file);
	if (!f->length)
		return;
	bytes_keep(report, "neighbour-expected.bin", f->expected, f->length);
	bytes_keep(report, "neighbour-found.bin", f->found, f->length);
}

void evidence_fsck(const struct report *report, const char *text)
{
	if (report->evidence[0] && text[0])
		bytes_keep(report, "e2fsck.txt", text, strlen(text));
}

static void log_keep(const struct report *report, const struct kmsg *kmsg)
{
	size_t len;
	const char *text = kmsg_text(kmsg, &len);

	if (len)
		bytes_keep(report, "kernel-log.txt", text, len);
}

int evidence_collect(struct report *report, const struct target *target, struct workload *workload,
		     const struct kmsg *kmsg)
{
	FILE *file;
	int fd, rc;

	if (target->daemon)
		kill(target->daemon, SIGSTOP);
	rc = folder_make(report);
	if (rc) {
		log_error("cannot make a folder for the evidence: %s", strerror(-rc));
		report->evidence[0] = 0;
		goto out;
	}
	if (report->finding.present && !report->finding.workload)
		block_keep(report, target);
	if (report->neighbour_failure.failed)
		neighbour_keep(report);
	if (workload) {
		file = file_new(report, "operations.txt");
		if (file)
			workload_recent_dump(workload, file);
		file_end(file);
	}
	text_copy(report, "vmstat.txt", "/proc/vmstat");
	text_copy(report, "kernel-version.txt", "/proc/version");
	text_copy(report, "kernel-command-line.txt", "/proc/cmdline");
	if (kmsg)
		log_keep(report, kmsg);
	fd = open(report->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
out:
	if (target->daemon)
		kill(target->daemon, SIGCONT);
	return rc;
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
