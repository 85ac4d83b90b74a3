/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The workload on a healthy filesystem: it runs, replays, stops, resumes and meets its limits. */
#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak/content.h"
#include "soak/model.h"
#include "soak/pattern.h"
#include "soak/workload.h"
#include "unit.h"

#define SIZE 4096u

static char folder[256];

static void folder_make(void)
{
	const char *base = getenv("TMPDIR");

	/* In memory, because the many fsync() calls take long on a busy disk. */
	if (!base)
		base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	snprintf(folder, sizeof(folder), "%s/workload-XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void folder_remove(void)
{
	nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static struct workload_options options_for(uint64_t seed, unsigned workers, uint64_t ops)
{
	return (struct workload_options){
		.root = folder,
		.workers = workers,
		.seed = seed,
		.max_bytes_per_worker = 2u << 20,
		.max_nodes_per_worker = 300,
		.max_ops_per_worker = ops,
	};
}

static void wait_ended(struct workload *workload)
{
	struct workload_stats stats;

	do {
		usleep(1000);
		workload_stats_get(workload, &stats);
	} while (stats.running);
}

static void failure_print(struct workload *workload)
{
	struct workload_failure failure;

	workload_failure_get(workload, &failure);
	if (!failure.failed)
		return;
	fprintf(stderr, "worker %u op %llu: %s: %s: %s\n", failure.worker,
		(unsigned long long)failure.op_index, failure.operation, failure.path,
		failure.detail);
	workload_recent_dump(workload, stderr);
}

static void stop_clean(struct workload *workload)
{
	int rc = workload_stop(workload);

	failure_print(workload);
	ck_assert_int_eq(rc, 0);
}

START_TEST(test_pattern_slices)
{
	const struct pattern p = {.key = 7, .write = 0xffffffffff, .file = 0xffffff, .worker = 63};
	uint8_t whole[128], part[128];
	bool good = true;

	pattern_fill(&p, 4096, whole, sizeof(whole));
	for (size_t from = 0; from < 40; from++) {
		for (size_t len = 0; len <= sizeof(whole) - from; len++) {
			pattern_fill(&p, 4096 + from, part, len);
			good &= memcmp(part, whole + from, len) == 0 &&
				pattern_compare(&p, 4096 + from, part, len) == len;
		}
	}
	ck_assert(good);
	for (size_t at = 0; at < sizeof(whole); at++) {
		whole[at] ^= 0x10;
		ck_assert_uint_eq(pattern_compare(&p, 4096, whole, sizeof(whole)), at);
		whole[at] ^= 0x10;
	}
}
END_TEST

START_TEST(test_pattern_identify)
{
	struct rng rng;

	rng_seed(&rng, 1, 1);
	for (int i = 0; i < 1000; i++) {
		struct pattern p = {
			.key = rng_next(&rng),
			.write = rng_below(&rng, 1ULL << 40),
			.file = (uint32_t)rng_below(&rng, 1u << 24),
			.worker = (uint8_t)rng_below(&rng, 64),
		};
		struct pattern found = {.key = p.key}, foreign = {.key = rng_next(&rng)};
		uint64_t offset = rng_below(&rng, 1ULL << 32) * PATTERN_UNIT, where;
		uint8_t unit[PATTERN_UNIT];

		pattern_fill(&p, offset, unit, sizeof(unit));
		ck_assert(pattern_identify(&found, &where, unit));
		ck_assert_uint_eq(found.write, p.write);
		ck_assert_uint_eq(found.file, p.file);
		ck_assert_uint_eq(found.worker, p.worker);
		ck_assert_uint_eq(where, offset);
		ck_assert(!pattern_identify(&foreign, &where, unit));
		unit[rng_below(&rng, sizeof(unit))] ^= 1;
		ck_assert(!pattern_identify(&found, &where, unit) || where != offset ||
			  found.write != p.write || found.file != p.file);
	}
}
END_TEST

/*
 * Whether the segments agree with an array that has the write of every byte. No assertions in here:
 * Check writes each one to a file.
 */
static bool content_agrees(const struct content *content, const uint32_t *bytes, uint64_t size)
{
	uint64_t sum = 0, at = 0;
	bool good = content->size == size && content->count <= content->room;

	for (unsigned i = 0; good && i < content->count; i++) {
		const struct segment *s = &content->segments[i];

		good = s->length > 0 && s->offset >= at;
		for (; good && at < s->offset; at++)
			good = bytes[at] == 0;
		for (; good && at < s->offset + s->length; at++)
			good = bytes[at] == s->write;
		sum += s->length;
	}
	for (; good && at < SIZE; at++)
		good = bytes[at] == 0;
	return good && content->bytes == sum;
}

START_TEST(test_content)
{
	struct content content = {0};
	uint32_t bytes[SIZE] = {0};
	uint64_t size = 0;
	struct rng rng;

	rng_seed(&rng, (uint64_t)_i, 0);
	for (uint32_t write = 1; write < 600; write++) {
		uint64_t from = rng_below(&rng, SIZE), to = from + rng_below(&rng, SIZE - from) + 1;

		if (rng_below(&rng, 5) == 0) {
			content_truncate(&content, from);
			for (uint64_t i = from; i < SIZE; i++)
				bytes[i] = 0;
			size = from;
		} else {
			if (rng_below(&rng, 2) && to - from > 20)
				to = from + 20;
			ck_assert_int_eq(content_reserve(&content), 0);
			content_write(&content, from, to - from, write);
			for (uint64_t i = from; i < to; i++)
				bytes[i] = write;
			if (to > size)
				size = to;
		}
		ck_assert(content_agrees(&content, bytes, size));
	}
	content_free(&content);
}
END_TEST

START_TEST(test_model_names)
{
	char name[MODEL_NAME_SIZE], other[MODEL_NAME_SIZE + 1];
	struct model *model;
	size_t longest = 0;

	ck_assert_int_eq(model_create(5000, &model), 0);
	for (uint32_t number = 0; number < 5000; number++) {
		size_t length = model_name_format(number, name);

		ck_assert_uint_eq(length, strlen(name));
		ck_assert_uint_lt(length, MODEL_NAME_SIZE);
		ck_assert_uint_eq(model_name_parse(model, name), number);
		snprintf(other, sizeof(other), "%sx", name);
		ck_assert_uint_eq(model_name_parse(model, other), MODEL_NONE);
		longest = length > longest ? length : longest;
	}
	ck_assert_uint_gt(longest, 200);
	model_name_format(5000, name);
	ck_assert_uint_eq(model_name_parse(model, name), MODEL_NONE);
	ck_assert_uint_eq(model_name_parse(model, "n"), MODEL_NONE);
	ck_assert_uint_eq(model_name_parse(model, "n-1"), MODEL_NONE);
	model_free(model);
}
END_TEST

START_TEST(test_run)
{
	struct workload_options options = options_for((uint64_t)_i, 2, 5000);
	struct workload_stats stats;
	struct workload *workload;

	ck_assert_int_eq(workload_start(&options, &workload), 0);
	wait_ended(workload);
	stop_clean(workload);
	workload_stats_get(workload, &stats);
	ck_assert_uint_ge(stats.ops, 2 * 5000);
	ck_assert_uint_eq(stats.ops_by_kind[WORKLOAD_OP_VERIFY_ALL], 2);
	for (unsigned op = 0; op < WORKLOAD_OP_KINDS; op++) {
		if (op != WORKLOAD_OP_CHOWN || geteuid() == 0)
			ck_assert_msg(stats.ops_by_kind[op] > 0, "no %s",
				      workload_op_name((enum workload_op)op));
	}
	ck_assert_uint_gt(stats.bytes_written, 0);
	ck_assert_uint_gt(stats.bytes_read, 0);
	ck_assert_uint_gt(stats.verified_objects, 2 * 300);
	ck_assert_uint_gt(stats.verified_bytes, 0);
	workload_free(workload);
}
END_TEST

static uint64_t trace_of(uint64_t seed)
{
	struct workload_options options = options_for(seed, 2, 2000);
	struct workload_stats stats;
	struct workload *workload;

	ck_assert_int_eq(workload_start(&options, &workload), 0);
	wait_ended(workload);
	stop_clean(workload);
	workload_stats_get(workload, &stats);
	workload_free(workload);
	ck_assert_uint_ne(stats.worker[0].trace, stats.worker[1].trace);
	folder_remove();
	folder_make();
	return stats.worker[0].trace ^ stats.worker[1].trace << 1;
}

START_TEST(test_replay)
{
	uint64_t first = trace_of((uint64_t)_i);

	ck_assert_uint_eq(first, trace_of((uint64_t)_i));
	ck_assert_uint_ne(first, trace_of((uint64_t)_i + 1000));
}
END_TEST

START_TEST(test_stop_and_resume)
{
	struct workload_options options = options_for(5, 3, 0);
	struct workload_stats before, after;
	struct workload *workload;
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	ck_assert_int_eq(workload_start(&options, &workload), 0);
	ck_assert_int_eq(workload_resume(workload), -EBUSY);
	for (int i = 0; i < 20; i++) {
		out = open_memstream(&text, &length);
		workload_recent_dump(workload, out);
		fclose(out);
		free(text);
		usleep(2000);
	}
	stop_clean(workload);
	workload_stats_get(workload, &before);
	ck_assert_uint_eq(before.running, 0);
	ck_assert_int_eq(workload_resume(workload), 0);
	usleep(50000);
	stop_clean(workload);
	workload_stats_get(workload, &after);
	ck_assert_uint_gt(after.ops, before.ops + 3);
	ck_assert_int_eq(workload_verify(workload), 0);
	workload_free(workload);
}
END_TEST

START_TEST(test_recent)
{
	struct workload_options options = options_for(6, 1, 200);
	struct workload *workload;
	unsigned lines = 0;
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	ck_assert_int_eq(workload_start(&options, &workload), 0);
	wait_ended(workload);
	stop_clean(workload);
	out = open_memstream(&text, &length);
	workload_recent_dump(workload, out);
	fclose(out);
	for (char *p = text; *p; p++)
		lines += *p == '\n';
	ck_assert_uint_eq(lines, WORKLOAD_RECENT);
	ck_assert_ptr_nonnull(strstr(text, " check-stat w00/n"));
	ck_assert_ptr_nonnull(strstr(text, " verify-all w00/.: verify "));
	ck_assert_ptr_null(strstr(text, "(pending)"));
	free(text);
	workload_free(workload);
}
END_TEST

START_TEST(test_bad_options)
{
	struct workload_options options = options_for(1, 1, 10);
	struct workload *workload;

	options.workers = 0;
	ck_assert_int_eq(workload_start(&options, &workload), -EINVAL);
	options.workers = WORKLOAD_WORKERS_MAX + 1;
	ck_assert_int_eq(workload_start(&options, &workload), -EINVAL);
	options.workers = 1;
	options.max_nodes_per_worker = WORKLOAD_NODES_MIN - 1;
	ck_assert_int_eq(workload_start(&options, &workload), -EINVAL);
	options.max_nodes_per_worker = WORKLOAD_NODES_MAX + 1;
	ck_assert_int_eq(workload_start(&options, &workload), -EINVAL);
	options.max_nodes_per_worker = WORKLOAD_NODES_MIN;
	options.max_bytes_per_worker = WORKLOAD_BYTES_MIN - 1;
	ck_assert_int_eq(workload_start(&options, &workload), -EINVAL);
	options.max_bytes_per_worker = WORKLOAD_BYTES_MIN;
	options.root = "/nonexistent/folder";
	ck_assert_int_eq(workload_start(&options, &workload), -ENOENT);
	options.root = folder;
	ck_assert_int_eq(workload_start(&options, &workload), 0);
	stop_clean(workload);
	workload_free(workload);
	ck_assert_int_eq(workload_start(&options, &workload), -EEXIST);
}
END_TEST

START_TEST(test_smallest)
{
	struct workload_options options = options_for((uint64_t)_i, 1, 3000);
	struct workload *workload;

	options.max_nodes_per_worker = WORKLOAD_NODES_MIN;
	options.max_bytes_per_worker = WORKLOAD_BYTES_MIN;
	ck_assert_int_eq(workload_start(&options, &workload), 0);
	wait_ended(workload);
	stop_clean(workload);
	workload_free(workload);
}
END_TEST

/*
 * With keep_going the other workers go on after a failure. A worker holds its folder open while it
 * runs; the verification looks for it by name.
 */
START_TEST(test_keep_going)
{
	struct workload_options options = options_for(1, 3, 500);
	struct workload_failure failure;
	struct workload_stats stats;
	struct workload *workload;
	char path[300], away[300];

	options.keep_going = _i;
	ck_assert_int_eq(workload_start(&options, &workload), 0);
	snprintf(path, sizeof(path), "%s/w01", folder);
	snprintf(away, sizeof(away), "%s/away", folder);
	ck_assert_int_eq(rename(path, away), 0);
	wait_ended(workload);
	ck_assert_int_eq(workload_stop(workload), -EUCLEAN);
	workload_failure_get(workload, &failure);
	workload_stats_get(workload, &stats);
	ck_assert(failure.failed);
	ck_assert_uint_eq(failure.worker, 1);
	ck_assert_str_eq(failure.path, "w01/.");
	ck_assert_int_eq(failure.error, ENOENT);
	ck_assert_uint_eq(stats.ops_by_kind[WORKLOAD_OP_VERIFY_ALL], _i ? 3 : 2);
	workload_free(workload);
}
END_TEST

/* A filesystem that is full most of the time must cause no failure. */
START_TEST(test_no_space)
{
	struct workload_options options = options_for((uint64_t)_i, 2, 4000);
	struct workload_stats stats;
	struct workload *workload;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", folder, "tmpfs", 0, "size=1m,nr_inodes=150")) {
		fprintf(stderr, "skipped: a full filesystem needs the right to mount a tmpfs\n");
		return;
	}
	ck_assert_int_eq(workload_start(&options, &workload), 0);
	wait_ended(workload);
	stop_clean(workload);
	workload_stats_get(workload, &stats);
	ck_assert_uint_gt(stats.enospc, 0);
	ck_assert_uint_ge(stats.ops, 2 * 4000);
	workload_free(workload);
	ck_assert_int_eq(umount(folder), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workload");
	TCase *tcase = tcase_create("workload");

	tcase_add_checked_fixture(tcase, folder_make, folder_remove);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_pattern_slices);
	tcase_add_test(tcase, test_pattern_identify);
	tcase_add_loop_test(tcase, test_content, 0, 5);
	tcase_add_test(tcase, test_model_names);
	tcase_add_loop_test(tcase, test_run, 0, 6);
	tcase_add_loop_test(tcase, test_replay, 0, 3);
	tcase_add_test(tcase, test_stop_and_resume);
	tcase_add_test(tcase, test_recent);
	tcase_add_test(tcase, test_bad_options);
	tcase_add_loop_test(tcase, test_smallest, 0, 4);
	tcase_add_loop_test(tcase, test_keep_going, 0, 2);
	tcase_add_loop_test(tcase, test_no_space, 0, 4);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
