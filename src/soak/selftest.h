/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `churnstress selftest`: faults of every kind are planted where one view alone shows each, in
 * between the verifiers must stay silent, and what they say is compared with what was done.
 */
#ifndef CHURNFS_SOAK_SELFTEST_H
#define CHURNFS_SOAK_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct selftest_options {
	uint64_t seeds; /* each plants every fault once */
	uint64_t seed;	/* the first */
	const char *json;
	unsigned left_out; /* bits of views: a detector that is broken on purpose */
	bool neighbour;
};

/* One kind of fault in one view. */
struct selftest_row {
	const char *kind, *view;
	uint64_t planted;
	uint64_t caught;
	uint64_t named;	       /* of these, with right kind, block and view */
	uint64_t clean_rounds; /* before plantings */
	uint64_t false_alarms; /* of these, rounds in which anything was reported */
	uint64_t *ns;	       /* times to detect, CAUGHT of them, in the order of planting */
};

#define SELFTEST_ROWS_MAX 32u

struct selftest_result {
	const struct selftest_options *options;
	unsigned rows;
	struct selftest_row row[SELFTEST_ROWS_MAX];
	uint64_t ns;	   /* it took */
	char first[256];   /* the first thing that went wrong, in words; empty if none */
	char trouble[512]; /* why it could not run (to the end); empty if it could */
};

/* Parses ARGV behind the subcommand and does all. Returns the exit code. */
int selftest_command(int argc, char **argv);

/*
 * selftest_views.c: the verifiers' views, one seed. Adds to the rows from FIRST on, one for each
 * kind and view. Returns 0 or a negative errno with RESULT->trouble.
 */
struct selftest_views;
int selftest_views_open(struct selftest_result *result, struct selftest_views **views);
int selftest_views_seed(struct selftest_views *views, uint64_t seed);
void selftest_views_close(struct selftest_views *views);

/* selftest_nb.c: the same for the neighbour's kinds. Calls mount(2); see sandbox.h. */
struct selftest_nb;
int selftest_nb_open(struct selftest_result *result, struct selftest_nb **nb);
int selftest_nb_seed(struct selftest_nb *nb, uint64_t seed);
void selftest_nb_close(struct selftest_nb *nb);

/* Adds a row with room for the times of all seeds. NULL when memory is short. */
struct selftest_row *selftest_row_add(struct selftest_result *result, const char *kind,
				      const char *view);

/* Notes what went wrong with a planting, if it is the first thing that did. */
void selftest_wrong(struct selftest_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* selftest_table.c: how it is told. */

/* True if all were caught and named rightly, and nothing was invented. */
bool selftest_good(const struct selftest_result *result);
void selftest_print(const struct selftest_result *result, FILE *out);

/* Writes the table as JSON to PATH, replacing it at once. Returns 0 or a negative errno. */
int selftest_json_write(const struct selftest_result *result, const char *path);

#endif
