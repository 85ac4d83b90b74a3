/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Printing what dump.h returns, as JSON or as text. */
#ifndef CHURNFS_DUMP_OUTPUT_H
#define CHURNFS_DUMP_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *file;
	bool json;
	bool first; /* no item of the list was printed yet */
};

/* Prints one object and frees it. Returns 0 or -EIO. */
int output_object(struct output *output, json_t *object);

/* A list: begin, items, end. Items are printed as they come. All return 0 or -EIO. */
int output_list_begin(struct output *output);
int output_list_end(struct output *output);

/* For dump_emit: ARG is the output. One object in several lines, or one name in one line. */
int output_item(void *arg, json_t *item);
int output_name(void *arg, json_t *item);

#endif
