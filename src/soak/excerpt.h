/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first and the last lines of a text file that nobody has to trust. */
#ifndef CHURNFS_SOAK_EXCERPT_H
#define CHURNFS_SOAK_EXCERPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A file larger than this is not read as a whole: what is left out is told in bytes, not lines. */
#define EXCERPT_SCAN_MAX (64ULL << 20)
/* Longer lines are cut off: mail allows 998 bytes. */
#define EXCERPT_LINE_MAX 960u
/* Columns that mail is written in. */
#define EXCERPT_WIDTH 72u

struct excerpt {
	unsigned head, tail; /* lines; if there are no more than both, all are printed */
	bool fold;	     /* break long lines at spaces; not for tables and logs */
};

#define EXCERPT_TAIL_MAX 64u

/*
 * Prints an excerpt of FD, a regular file at its beginning, indented by two columns. Control
 * characters and what is not UTF-8 become visible, tabs spaces. Says how much was left out.
 * Returns 0 or a negative errno.
 */
int excerpt_print(int fd, const struct excerpt *shape, FILE *out);

/*
 * Prints TEXT behind LABEL (padded to 12 columns; NULL: none), folded at spaces to EXCERPT_WIDTH,
 * made visible as above.
 */
void excerpt_field(FILE *out, const char *label, const char *text);

#endif
