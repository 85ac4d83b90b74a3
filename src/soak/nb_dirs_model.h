/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of a directory, each with a generation in it, and what getdents(2) may show. Pure. */
#ifndef CHURNFS_SOAK_NB_DIRS_MODEL_H
#define CHURNFS_SOAK_NB_DIRS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define NB_NAMES 40u /* slots of a directory */
#define NB_NAME_MIN 16u
#define NB_NAME_MAX 200u

struct nb_names {
	uint32_t last;		       /* generation given out last */
	uint32_t generation[NB_NAMES]; /* of the name in each slot; 0: there is none */
};

/* What one pass over the directory has shown so far. */
struct nb_names_seen {
	bool slot[NB_NAMES];
};

struct nb_names_wrong {
	const char *what; /* "missing", "twice", ... */
	bool known;	  /* an older state of this directory explains it */
	uint32_t expected, found;
	char name[NB_NAME_MAX + 1];
};

/* The name of SLOT, LENGTH (NB_NAME_MIN to NB_NAME_MAX) bytes. */
void nb_names_format(unsigned slot, uint32_t generation, unsigned length,
		     char name[NB_NAME_MAX + 1]);

/* One entry met. False, with *WRONG filled, if it must not be there. */
bool nb_names_see(const struct nb_names *names, struct nb_names_seen *seen, const char *name,
		  unsigned length, struct nb_names_wrong *wrong);

/* At the end: false, with *WRONG filled, if one was not met. */
bool nb_names_seen_all(const struct nb_names *names, const struct nb_names_seen *seen,
		       unsigned length, struct nb_names_wrong *wrong);

#endif
