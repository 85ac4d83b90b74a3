/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a run writes for weeks, and reading those of others: what is replaced, what is
 * bounded, what is shown. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_fixture.h"
#include "soak/excerpt.h"
#include "soak/prometheus.h"
#include "soak/timeline.h"
#include "unit.h"
#include "util/clock.h"
#include "util/replacement.h"

#define LINES 100000u
#define NAME "made-up"

static char folder[] = "/tmp/churnfs-test.XXXXXX";
static struct report_fixture fixture;

static void folder_make(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void folder_remove(void)
{
	static const char *const names[] = {NAME, NAME ".1", NAME ".tmp", "link", "fifo", "x.prom"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	/* It fails if anything else was left. */
	ck_assert_int_eq(rmdir(folder), 0);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void file_put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static char *file_get(const char *path)
{
	static char text[65536];
	FILE *file = fopen(path, "re");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = 0;
	fclose(file);
	return text;
}

static void replace(const char *path, const char *text)
{
	struct replacement file;

	ck_assert_int_eq(replacement_begin(&file, path), 0);
	fputs(text, file.file);
	ck_assert_int_eq(replacement_commit(&file), 0);
}

START_TEST(replacement)
{
	struct replacement file;
	struct stat st;

	replace(NAME, "one");
	ck_assert_str_eq(file_get(NAME), "one");
	file_put(NAME ".tmp", "left by one that was killed");
	ck_assert_int_eq(replacement_begin(&file, NAME), 0);
	fputs("two", file.file);
	fflush(file.file);
	ck_assert_str_eq(file_get(NAME), "one");
	replacement_abandon(&file);
	ck_assert_str_eq(file_get(NAME), "one");
	ck_assert_int_ne(access(NAME ".tmp", F_OK), 0);
	/* The link stays one. */
	ck_assert_int_eq(symlink(NAME, "link"), 0);
	replace("link", "three");
	ck_assert_str_eq(file_get(NAME), "three");
	ck_assert_int_eq(lstat("link", &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
}
END_TEST

START_TEST(replacement_refused)
{
	struct replacement file;
	struct moment moment;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(replacement_begin(&file, "fifo"), -EINVAL);
	ck_assert_int_eq(replacement_begin(&file, "/dev/null"), -EINVAL);
	ck_assert_int_eq(replacement_begin(&file, "."), -EINVAL);
	ck_assert_int_eq(replacement_begin(&file, "missing/file"), -ENOENT);
	report_fixture_good(&fixture);
	moment_take(&fixture.report, true, 0, 0, &moment);
	ck_assert_int_eq(prometheus_write(&moment, "fifo"), -EINVAL);
	ck_assert_int_eq(prometheus_write(&moment, "./x.prom"), 0);
	ck_assert_ptr_nonnull(strstr(file_get("x.prom"), "churnstress_up{run=\"x\"} 1\n"));
}
END_TEST

static void moment_at(struct moment *moment, uint64_t elapsed_ns)
{
	*moment = (struct moment){
		.report = &fixture.report,
		.running = true,
		.elapsed_ns = elapsed_ns,
		.time_s = 1700000000 + elapsed_ns / NS_PER_SEC,
		.own = {.resident = 280981504, .anonymous = 211742720, .unlocked = 5242880},
		.daemon = {.resident = 13033472, .anonymous = 4759552, .unlocked = 4759552},
	};
}

/* Memory that is locked, such as the filler, counts as anonymous, but not as unlocked. */
START_TEST(moment_memory)
{
	const size_t bytes = 16 << 20, slack = 1 << 20;
	struct moment before, unlocked, locked;
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	report_fixture_good(&fixture);
	moment_take(&fixture.report, true, 0, 0, &before);
	memset(memory, 1, bytes);
	moment_take(&fixture.report, true, 0, getpid(), &unlocked);
	ck_assert_uint_ge(unlocked.own.anonymous, before.own.anonymous + bytes - slack);
	ck_assert_uint_ge(unlocked.own.unlocked, before.own.unlocked + bytes - slack);
	ck_assert_uint_ge(unlocked.own.resident, unlocked.own.anonymous);
	ck_assert_uint_gt(unlocked.daemon.unlocked, 0);
	/* Sanitizers make mlock(2) do nothing. */
	if (mlock2(memory, bytes, 0) == 0) {
		moment_take(&fixture.report, true, 0, 0, &locked);
		ck_assert_uint_ge(locked.own.anonymous, before.own.anonymous + bytes - slack);
		/* Not of "before": ThreadSanitizer's shadow of the memory came with the memory. */
		ck_assert_uint_le(locked.own.unlocked, unlocked.own.unlocked - bytes + slack);
		ck_assert_uint_eq(locked.daemon.resident, 0);
	}
	munmap(memory, bytes);
}
END_TEST

/* Lines of PATH, each an object, with "ops" counting up; *FIRST and *LAST of it. */
static uint64_t lines_check(const char *path, uint64_t *first, uint64_t *last)
{
	FILE *file = fopen(path, "re");
	char line[4096];
	uint64_t count = 0;

	unit_assert(file);
	while (fgets(line, sizeof(line), file)) {
		json_t *object = json_loads(line, 0, NULL);
		uint64_t ops = (uint64_t)json_integer_value(json_object_get(object, "ops"));

		unit_assert(json_is_object(object));
		unit_assert(line[strlen(line) - 1] == '\n');
		unit_assert(count == 0 || ops == *last + 1);
		if (count++ == 0)
			*first = ops;
		*last = ops;
		json_decref(object);
	}
	fclose(file);
	return count;
}

/* More than two months by the clock of the run; no line is lost where the file is changed. */
START_TEST(timeline_bounded)
{
	uint64_t elapsed = 0, first, last, older_first, older_last, total;
	struct timeline *timeline;
	struct moment moment;

	report_fixture_good(&fixture);
	ck_assert_int_eq(timeline_open(NAME, TIMELINE_LIMIT_MIN, &timeline), 0);
	for (unsigned i = 0; i < LINES; i++) {
		fixture.report.workload.ops = i;
		moment_at(&moment, elapsed);
		unit_assert(timeline_write(timeline, i ? "sample" : "start", &moment) == 0);
		elapsed += timeline_period(elapsed);
		if (i % 100 == 0)
			unit_assert(size_of(NAME) <= TIMELINE_LIMIT_MIN &&
				    size_of(NAME ".1") <= TIMELINE_LIMIT_MIN);
	}
	timeline_close(timeline);
	ck_assert_uint_gt(elapsed, 60ULL * 86400 * NS_PER_SEC);
	total = lines_check(NAME ".1", &older_first, &older_last);
	total += lines_check(NAME, &first, &last);
	ck_assert_uint_eq(last, LINES - 1);
	ck_assert_uint_eq(first, older_last + 1);
	ck_assert_uint_eq(total, last - older_first + 1);
	/* FILE.1 was full, or it would have been dropped too early. */
	ck_assert_uint_gt(size_of(NAME ".1"), TIMELINE_LIMIT_MIN - 1024);
}
END_TEST

/* What the manual promises: two weeks fit, in numbers that long. */
START_TEST(timeline_two_weeks)
{
	uint64_t elapsed = 0, lines = 0;
	struct timeline *timeline;
	struct moment moment;

	report_fixture_good(&fixture);
	fixture.report.workload.ops = fixture.report.neighbour.lookups = UINT64_MAX / 4;
	fixture.report.verifier.blocks = fixture.report.migration.moved = UINT64_MAX / 4;
	for (unsigned i = 0; i < fixture.report.drivers; i++)
		fixture.report.driver[i].moved = UINT64_MAX / 4;
	ck_assert_int_eq(timeline_open(NAME, TIMELINE_LIMIT_MIN, &timeline), 0);
	moment_at(&moment, 14ULL * 86400 * NS_PER_SEC + 123456789);
	ck_assert_int_eq(timeline_write(timeline, "sample", &moment), 0);
	timeline_close(timeline);
	for (; elapsed < 14ULL * 86400 * NS_PER_SEC; lines++)
		elapsed += timeline_period(elapsed);
	ck_assert_uint_lt(lines * size_of(NAME), TIMELINE_LIMIT);
}
END_TEST

START_TEST(timeline_goes_on)
{
	struct timeline *timeline;
	struct moment moment;
	char *text;

	report_fixture_hostile(&fixture);
	moment_at(&moment, 0);
	file_put(NAME, "{\"cut off by a pow");
	ck_assert_int_eq(timeline_open(NAME, TIMELINE_LIMIT_MIN, &timeline), 0);
	ck_assert_int_eq(timeline_write(timeline, "start", &moment), 0);
	ck_assert_int_eq(timeline_write(timeline, "end", &moment), 0);
	timeline_close(timeline);
	text = file_get(NAME);
	ck_assert_msg(strncmp(text, "{\"cut off by a pow\n{", 20) == 0, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "\n{\"event\":\"end\""));
	ck_assert_ptr_nonnull(strstr(text, "not ok 1 forged"));
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(timeline_open("fifo", TIMELINE_LIMIT_MIN, &timeline), -EINVAL);
	ck_assert_int_eq(timeline_open("/dev/null", TIMELINE_LIMIT_MIN, &timeline), -EINVAL);
	ck_assert_int_eq(timeline_open(NAME, TIMELINE_LIMIT_MIN - 1, &timeline), -EINVAL);
	ck_assert_int_eq(timeline_open("missing/file", TIMELINE_LIMIT, &timeline), -ENOENT);
}
END_TEST

static char *excerpt_of(const char *path, unsigned head, unsigned tail, bool fold)
{
	const struct excerpt shape = {head, tail, fold};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(excerpt_print(fd, &shape, memory), 0);
	fclose(memory);
	close(fd);
	return text;
}

static void excerpt_is(unsigned head, unsigned tail, bool fold, const char *expected)
{
	char *text = excerpt_of(NAME, head, tail, fold);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(excerpt_lines)
{
	file_put(NAME, "");
	excerpt_is(2, 2, false, "");
	file_put(NAME, "1\n\n3\n4\n");
	excerpt_is(2, 2, false, "  1\n\n  3\n  4\n");
	excerpt_is(9, 9, false, "  1\n\n  3\n  4\n");
	file_put(NAME, "1\n2\n3\n4\n5");
	excerpt_is(2, 2, false, "  1\n  2\n  [... 1 lines left out ...]\n  4\n  5\n");
	excerpt_is(0, 1, false, "  [... 4 lines left out ...]\n  5\n");
	excerpt_is(1, 0, false, "  1\n  [... 4 lines left out ...]\n");
	file_put(NAME, "a\tb\\c\x1b[1m\r\n\xff\x7f\n");
	excerpt_is(2, 2, false, "  a       b\\c\\x1b[1m\\x0d\n  \\xff\\x7f\n");
}
END_TEST

START_TEST(excerpt_folds)
{
	char word[101], *text;

	file_put(NAME, "seventy-two columns are what mail is written in, and so long lines "
		       "are folded at the spaces\n");
	excerpt_is(1, 1, true,
		   "  seventy-two columns are what mail is written in, and so long lines are\n"
		   "      folded at the spaces\n");
	/* To be copied, a word stays whole. */
	memset(word, 'w', 100);
	word[100] = 0;
	file_put(NAME, word);
	text = excerpt_of(NAME, 1, 1, true);
	ck_assert_uint_eq(strlen(text), 2 + 100 + 1);
	free(text);
}
END_TEST

/* A terabyte of nothing, and one long line: little is read, little is printed. */
START_TEST(excerpt_huge)
{
	char *text;

	file_put(NAME, "begin\n");
	ck_assert_int_eq(truncate(NAME, 1LL << 40), 0);
	text = excerpt_of(NAME, 3, 3, true);
	ck_assert_msg(strncmp(text, "  begin\n", 8) == 0, "%.80s", text);
	ck_assert_ptr_nonnull(strstr(text, "left out ...]\n"));
	ck_assert_ptr_nonnull(strstr(text, "more bytes in this line]\n"));
	ck_assert_uint_lt(strlen(text), 8192);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report files");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, folder_make, folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, replacement);
	tcase_add_test(tc, replacement_refused);
	tcase_add_test(tc, moment_memory);
	tcase_add_test(tc, timeline_bounded);
	tcase_add_test(tc, timeline_two_weeks);
	tcase_add_test(tc, timeline_goes_on);
	tcase_add_test(tc, excerpt_lines);
	tcase_add_test(tc, excerpt_folds);
	tcase_add_test(tc, excerpt_huge);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
