/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/excerpt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/units.h"
#include "util/utf8.h"

/* Of a file that is too large to be read: the parts that the lines are taken from. */
#define HEAD_BYTES (1ULL << 20)
#define TAIL_BYTES (256ULL << 10)
#define FIELD_COLUMNS 12u
#define FIELD_MAX 8192u
/* A little over the edge hurts less than a fold; dumps of bytes end here. */
#define FOLD_FROM 80u

struct line {
	size_t len;
	uint64_t more; /* bytes that were cut off */
	char text[EXCERPT_LINE_MAX];
};

struct reader {
	FILE *in;
	uint64_t left; /* bytes that may yet be read */
};

/* Returns false at the end of the file, or of what may be read of it. */
static bool line_read(struct reader *reader, struct line *line)
{
	int c = EOF;

	line->len = 0;
	line->more = 0;
	while (reader->left && (c = getc_unlocked(reader->in)) != EOF) {
		reader->left--;
		if (c == '\n')
			break;
		if (line->len < sizeof(line->text))
			line->text[line->len++] = (char)c;
		else
			line->more++;
	}
	return line->len || c == '\n';
}

static size_t columns(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/*
 * Bytes of TEXT that go on this line of WIDTH columns: up to its last space there; a longer word
 * stays whole, to be copied.
 */
static size_t fold_at(const char *text, size_t width)
{
	size_t indent = strspn(text, " ");
	size_t at = 0, column = 0, i;

	for (i = 0; text[i]; i++) {
		if (text[i] == ' ' && i > indent)
			at = i;
		column += columns(text + i, 1);
		if (column > width && at)
			return at;
	}
	return i;
}

/* The first line begins at COLUMN already; the others are indented by INDENT. */
static void folded_print(FILE *out, const char *text, size_t column, unsigned indent)
{
	for (;;) {
		size_t len = fold_at(text, EXCERPT_WIDTH - column);

		fprintf(out, "%.*s\n", (int)len, text);
		text += len;
		text += strspn(text, " ");
		if (!*text)
			return;
		fprintf(out, "%*s", (int)indent, "");
		column = indent;
	}
}

/* utf8_escape() doubles backslashes, which would put the columns of dumps out of line. */
static void backslashes_halve(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		*to++ = *from;
		if (from[0] == '\\' && from[1] == '\\')
			from++;
	}
	*to = 0;
}

/* TEXT[0..LEN) with tabs as spaces and control characters made visible; to be freed. */
static char *visible(const char *text, size_t len)
{
	char *spaced = malloc(8 * len + 1);
	char *escaped = NULL;
	size_t n = 0;

	for (size_t i = 0; spaced && i < len; i++) {
		if (text[i] != '\t') {
			spaced[n++] = text[i];
			continue;
		}
		do
			spaced[n++] = ' ';
		while (n % 8);
	}
	if (spaced)
		escaped = malloc(UTF8_ESCAPED_MAX(n));
	if (escaped)
		backslashes_halve(utf8_escape(spaced, n, escaped));
	free(spaced);
	return escaped;
}

static void line_print(FILE *out, const struct line *line, bool fold)
{
	size_t len = line->len;
	char *text = visible(line->text, len);

	/* What must be made visible takes up to four times its room. */
	while (text && strlen(text) > EXCERPT_LINE_MAX) {
		free(text);
		len /= 2;
		text = visible(line->text, len);
	}
	if (!text)
		return;
	if (*text)
		fputs("  ", out);
	if (fold && columns(text, strlen(text)) > FOLD_FROM - 2)
		folded_print(out, text, 2, 6);
	else
		fprintf(out, "%s\n", text);
	if (line->more || len < line->len)
		fprintf(out, "      [%llu more bytes in this line]\n",
			(unsigned long long)(line->more + line->len - len));
	free(text);
}

/* The last lines so far. */
struct ring {
	struct line line[EXCERPT_TAIL_MAX + 1]; /* one is being read */
	uint64_t count;				/* that were ever put in */
	unsigned keep;
};

static void ring_fill(struct ring *ring, struct reader *reader)
{
	while (line_read(reader, &ring->line[ring->count % (ring->keep + 1)]))
		ring->count++;
}

static void ring_print(const struct ring *ring, bool fold, FILE *out)
{
	uint64_t first = ring->count > ring->keep ? ring->count - ring->keep : 0;

	for (uint64_t i = first; i < ring->count; i++)
		line_print(out, &ring->line[i % (ring->keep + 1)], fold);
}

/* Goes to the last lines of a file of SIZE bytes; what lies between is not read. */
static int skip_ahead(struct reader *reader, struct ring *ring, uint64_t size, FILE *out)
{
	off_t here = ftello(reader->in);
	off_t there = (off_t)(size - TAIL_BYTES);
	char skipped[32];

	if (here < 0 || fseeko(reader->in, there, SEEK_SET))
		return -errno;
	reader->left = TAIL_BYTES;
	/* The first one is hardly whole. */
	line_read(reader, &ring->line[0]);
	fprintf(out, "  [... about %s left out ...]\n",
		size_format((uint64_t)(there - here), skipped, sizeof(skipped)));
	return 0;
}

static int parts_print(struct reader *reader, const struct excerpt *shape, uint64_t size,
		       struct ring *ring, FILE *out)
{
	bool huge = size > EXCERPT_SCAN_MAX;
	int rc = 0;

	reader->left = huge ? HEAD_BYTES : EXCERPT_SCAN_MAX;
	for (unsigned i = 0; i < shape->head && line_read(reader, &ring->line[0]); i++)
		line_print(out, &ring->line[0], shape->fold);
	if (huge)
		rc = skip_ahead(reader, ring, size, out);
	if (rc)
		return rc;
	ring_fill(ring, reader);
	if (!huge && ring->count > ring->keep)
		fprintf(out, "  [... %llu lines left out ...]\n",
			(unsigned long long)(ring->count - ring->keep));
	ring_print(ring, shape->fold, out);
	return ferror(reader->in) ? -EIO : 0;
}

int excerpt_print(int fd, const struct excerpt *shape, FILE *out)
{
	struct reader reader = {0};
	struct stat st;
	struct ring *ring;
	int rc, copy;

	if (fstat(fd, &st))
		return -errno;
	if (shape->tail > EXCERPT_TAIL_MAX)
		return -EINVAL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	reader.in = fdopen(copy, "r");
	ring = calloc(1, sizeof(*ring));
	if (reader.in && ring) {
		ring->keep = shape->tail;
		rc = parts_print(&reader, shape, (uint64_t)st.st_size, ring, out);
	} else {
		rc = -ENOMEM;
	}
	free(ring);
	if (reader.in)
		fclose(reader.in);
	else
		close(copy);
	return rc;
}

void excerpt_field(FILE *out, const char *label, const char *text)
{
	size_t len = strnlen(text, FIELD_MAX);
	unsigned indent = label ? FIELD_COLUMNS : 0;
	char *shown = visible(text, len);

	fprintf(out, "%-*s", (int)indent, label ? label : "");
	if (shown && *shown)
		folded_print(out, shown, indent, indent);
	else
		fputc('\n', out);
	free(shown);
}
