/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_OPTIONS_H
#define CHURNFS_SOAK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "integrity/classify.h"
#include "soak/neighbour.h"

/* What `churnstress run` was asked for. Strings point into argv. */
struct run_options {
	uint64_t duration_ns;
	uint64_t size; /* bytes of the image */
	uint32_t block_size;
	uint64_t seed;
	unsigned workers;
	unsigned verifiers;
	const char *migrate;	/* "auto", "none" or names */
	const char *backend;	/* of the daemon */
	const char *device;	/* use this one; NULL: make an image */
	const char *image_dir;	/* where the image is made */
	const char *output;	/* folder for evidence; NULL: made when there is any */
	const char *json;	/* file for the JSON report; NULL: none */
	const char *junit;	/* likewise, the report for Jenkins */
	const char *prometheus; /* metrics while it runs */
	const char *timeline;	/* JSON lines while it runs */
	bool ktap;		/* KTAP on standard output instead of the report */
	uint64_t hang_ns;	/* a step that takes longer hangs */
	unsigned hurry;		/* what comes at intervals comes so many times as often */
	uint64_t memory_max;	/* bytes that migration may hold */
	bool force;
	bool keep_going;
	bool rerun;	      /* after a finding: the same without migration */
	bool neighbour;	      /* profile and head_bytes below count */
	bool neighbour_apart; /* on a device of its own */
	struct neighbour_profile profile;
	uint64_t head_bytes;		/* of the device, for the neighbour */
	enum neighbour_block nb_inject; /* NEIGHBOUR_BLOCK_NONE: none */
	enum fault_kind inject;		/* FAULT_NONE: none */
	char command[512];		/* to run the same again */
};

/*
 * Parses ARGV behind the subcommand. Returns 0; 1 when help was asked for and printed; -EINVAL
 * after one line on stderr.
 */
int run_options_parse(int argc, char **argv, struct run_options *options);

void run_options_usage(FILE *out);

#endif
