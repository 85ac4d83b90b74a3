/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/evidence_mail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/excerpt.h"
#include "soak/regular.h"
#include "util/log.h"
#include "util/units.h"
#include "util/utf8.h"

#define JSON_BYTES_MAX (1 << 20)
#define OTHERS_MAX 40u

/* In the order of printing: what most readers want first. */
static const struct {
	const char *name;
	const char *instead_of; /* left out when this one is there, which says the same */
	struct excerpt shape;
} files[] = {
	{"report.txt", NULL, {90, 30, true}},
	{"finding.txt", "report.txt", {90, 30, true}},
	{"neighbour.txt", NULL, {60, 10, true}},
	{"page.txt", NULL, {30, 10, true}},
	{"e2fsck.txt", NULL, {30, 20, false}},
	{"kernel-log.txt", NULL, {60, 60, false}},
	{"kernel-log-later.txt", NULL, {4, 60, false}},
	{"trace.txt", NULL, {12, 40, false}},
	{"operations.txt", NULL, {12, 12, true}},
	{"kernel-version.txt", NULL, {2, 2, true}},
	{"kernel-command-line.txt", NULL, {2, 2, true}},
};

#define FILES (sizeof(files) / sizeof(files[0]))

static bool regular_exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static bool is_evidence(int dir)
{
	for (size_t i = 0; i < FILES; i++)
		if (regular_exists(dir, files[i].name))
			return true;
	return false;
}

/* NULL if it is not there, too large or no report: the run may have been killed. */
static json_t *report_load(int dir)
{
	json_t *root = NULL;
	uint64_t size;
	int fd = regular_open(dir, "report.json", O_NOFOLLOW, &size);

	if (fd < 0)
		return NULL;
	if (size <= JSON_BYTES_MAX)
		root = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	if (json_is_string(json_object_get(root, "verdict")))
		return root;
	json_decref(root);
	return NULL;
}

/* The value as text in BUF; empty if it is not there, or null, or has parts. */
static const char *text_of(const json_t *object, const char *key, char *buf, size_t len)
{
	const json_t *value = json_object_get(object, key);

	buf[0] = 0;
	if (json_is_string(value))
		snprintf(buf, len, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, len, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, len, "%.3f", json_real_value(value));
	return buf;
}

static void field_of(FILE *out, const char *label, const json_t *object, const char *key,
		     const char *unit)
{
	char text[4096], whole[4160];

	if (!*text_of(object, key, text, sizeof(text)))
		return;
	snprintf(whole, sizeof(whole), "%s%s", text, unit);
	excerpt_field(out, label, whole);
}

static void finding_fields(const json_t *root, FILE *out)
{
	static const struct {
		const char *key, *label, *unit;
	} fields[] = {
		{"where", "Where:", ""},
		{"kind", "Kind:", ""},
		{"type", "Type:", ""},
		{"block", "Block:", ""},
		{"operation", "Operation:", ""},
		{"path", "Path:", ""},
		{"detail", "Detail:", ""},
		{"expected_generation", "Expected:", " (generation)"},
		{"found_generation", "Found:", " (generation)"},
	};
	const json_t *finding = json_object_get(root, "finding");

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		/* The neighbour's detail is the reason, which was printed. */
		if (!json_equal(json_object_get(finding, fields[i].key),
				json_object_get(root, "reason")))
			field_of(out, fields[i].label, finding, fields[i].key, fields[i].unit);
}

/* From when the time to detect is counted depends on what is known. */
static const char *detected_since(const json_t *root)
{
	const json_t *finding = json_object_get(root, "finding");
	char where[32];

	if (json_object_get(root, "injected"))
		return " s after it was planted";
	text_of(finding, "where", where, sizeof(where));
	return strcmp(where, "neighbour") == 0 ? " s after migration began"
					       : " s after the block was last written";
}

static void head_print(const json_t *root, FILE *out)
{
	const json_t *injected = json_object_get(root, "injected");
	const json_t *finding = json_object_get(root, "finding");
	char verdict[64], kernel[256], title[400];

	text_of(root, "verdict", verdict, sizeof(verdict));
	text_of(root, "kernel", kernel, sizeof(kernel));
	snprintf(title, sizeof(title), "churnstress: %s on Linux %s", verdict, kernel);
	excerpt_field(out, NULL, title);
	fputc('\n', out);
	field_of(out, NULL, root, "reason", "");
	fputc('\n', out);
	finding_fields(root, out);
	field_of(out, "Detected:", finding, "time_to_detect_s", detected_since(root));
	if (injected)
		excerpt_field(out, "Planted:",
			      "by --inject, to test the detector: it says nothing against this "
			      "kernel");
	field_of(out, "Kernel:", root, "kernel", "");
	field_of(out, "Device:", root, "device", "");
	field_of(out, "Run for:", root, "duration_s", " s");
	field_of(out, "Command:", root, "command", "");
	field_of(out, "Seed:", root, "seed", "");
}

static const char *why_left_out(int rc)
{
	if (rc == -ELOOP)
		return "a symbolic link";
	return rc == -EINVAL || rc == -ENXIO ? "not a regular file" : strerror(-rc);
}

static void file_print(int dir, size_t i, FILE *out)
{
	const char *name = files[i].name;
	char bytes[32];
	uint64_t size;
	int rc, fd = regular_open(dir, name, O_NOFOLLOW, &size);

	if (fd == -ENOENT)
		return;
	if (fd < 0) {
		fprintf(out, "\n%s: left out: %s\n", name, why_left_out(fd));
		return;
	}
	fprintf(out, "\n%s (%s):\n\n", name, size_format(size, bytes, sizeof(bytes)));
	rc = excerpt_print(fd, &files[i].shape, out);
	if (rc)
		fprintf(out, "  [cannot be read on: %s]\n", strerror(-rc));
	close(fd);
}

static bool is_printed(int dir, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	for (size_t i = 0; i < FILES; i++)
		if (strcmp(name, files[i].name) == 0)
			return !files[i].instead_of || !regular_exists(dir, files[i].instead_of);
	return false;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void other_print(int dir, const char *name, FILE *out)
{
	char shown[UTF8_ESCAPED_MAX(NAME_MAX)], bytes[32];
	struct stat st;

	utf8_escape(name, strlen(name), shown);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		fprintf(out, "  %s (not a regular file)\n", shown);
	else
		fprintf(out, "  %s (%s)\n", shown,
			size_format((uint64_t)st.st_size, bytes, sizeof(bytes)));
}

/* What is in the folder besides: binary files, and those that say little in a mail. */
static void others_print(int dir, FILE *out)
{
	struct dirent **entries = NULL;
	int count = scandirat(dir, ".", &entries, NULL, by_name);
	unsigned shown = 0, more = 0;

	for (int i = 0; i < count; i++) {
		if (!is_printed(dir, entries[i]->d_name)) {
			if (!shown)
				fputs("\nAlso in the folder:\n\n", out);
			if (shown++ < OTHERS_MAX)
				other_print(dir, entries[i]->d_name, out);
			else
				more++;
		}
		free(entries[i]);
	}
	free(entries);
	if (more)
		fprintf(out, "  and %u more\n", more);
}

static void mail_print(int dir, FILE *out)
{
	json_t *root = report_load(dir);

	if (root)
		head_print(root, out);
	else
		fputs("churnstress: there is no report.json that could be read: the run may have\n"
		      "been killed before its verdict. This is what it left:\n",
		      out);
	json_decref(root);
	for (size_t i = 0; i < FILES; i++)
		if (!files[i].instead_of || !regular_exists(dir, files[i].instead_of))
			file_print(dir, i, out);
	others_print(dir, out);
}

int evidence_mail(const char *path, FILE *out)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0) {
		int rc = -errno;

		log_error("%s: %s", path, strerror(-rc));
		return rc;
	}
	if (!is_evidence(dir)) {
		log_error("%s: no evidence of churnstress: neither report.txt nor any other file "
			  "of it is there",
			  path);
		close(dir);
		return -EINVAL;
	}
	mail_print(dir, out);
	close(dir);
	if (fflush(out) || ferror(out)) {
		log_error("cannot write the report: %s", strerror(errno));
		return -EIO;
	}
	return 0;
}
