/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run did and found, its verdict, and how both are told. */
#ifndef CHURNFS_SOAK_REPORT_H
#define CHURNFS_SOAK_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "integrity/ledger.h"
#include "ondisk/format.h"
#include "soak/inject.h"
#include "soak/migrate.h"
#include "soak/nb_inject.h"
#include "soak/neighbour.h"
#include "soak/options.h"
#include "soak/verifier.h"
#include "soak/workload.h"

/* Also the exit codes. */
enum verdict {
	VERDICT_PASS = 0,
	VERDICT_CORRUPT = 1,
	VERDICT_ERROR = 2,
	VERDICT_INCONCLUSIVE = 3,
	VERDICT_KERNEL_FAULT = 4,
};

#define REPORT_SCHEMA 1

/* What a PASS needs at least. */
struct report_minimum {
	uint64_t pages_moved;
	uint64_t pages_moved_with_buffers;
	uint64_t blocks_verified;
	uint64_t operations;
	uint64_t lookups;	  /* with a neighbour: of its buffers, past the per-CPU LRU */
	uint64_t moved_neighbour; /* with a neighbour: moves of pages that are looked up */
};

/* The first finding, with what the device and the ledger held. */
struct report_finding {
	bool present;
	bool workload; /* the workload's model disagrees (see report.failure); no block is known */
	bool by_daemon;
	struct ledger_finding record;
	uint8_t expected[CFS_BLOCK_SIZE_MAX];
	uint8_t found[CFS_BLOCK_SIZE_MAX];
	uint64_t time_to_detect_ns; /* from the planting, or from the block's last good write */
	uint64_t count;		    /* mismatches in all */
};

/* What came of the same seed without migration. */
enum rerun_outcome {
	RERUN_NONE, /* it was not asked for, or there was no finding */
	RERUN_CLEAN,
	RERUN_CORRUPT,
	RERUN_UNKNOWN, /* it could not be run to an end: see why */
};

struct report_rerun {
	enum rerun_outcome outcome;
	uint64_t duration_ns;
	char why[512]; /* what was found, or what kept it; empty if it was clean */
};

struct report {
	enum verdict verdict;
	char reason[512];
	const struct run_options *options;
	struct utsname kernel;
	char device[256];
	uint64_t device_bytes;
	uint64_t duration_ns;
	uint64_t start_s;	     /* seconds since 1970 */
	uint64_t migration_start_ns; /* clock_now_ns() */
	bool neighbour_apart;	     /* on a device of its own, asked for or not to be avoided */
	bool interrupted;
	struct report_minimum minimum;
	struct workload_stats workload;
	struct workload_failure failure;
	struct verifier_stats verifier;
	unsigned drivers;
	struct migrate_stats driver[MIGRATE_DRIVERS_MAX];
	struct migrate_stats migration;
	uint64_t daemon_reads, daemon_writes, daemon_commits, io_errors;
	bool injected;
	struct injection injection;
	struct report_finding finding;
	struct neighbour_stats neighbour;
	struct neighbour_failure neighbour_failure;
	bool nb_injected;
	struct nb_injection nb_injection;
	struct report_rerun rerun;
	char evidence[4096]; /* folder; empty if none */
	char kmsg[256];	     /* the first suspicious line of the kernel's log */
	char trouble[512];   /* what kept the run from its end: daemon died, device failed, hang */
	bool daemon_died;  /* in the middle of the run: calls in progress fail, with EIO at times */
	bool kmsg_watched; /* the kernel's log could be read */
	bool kernel_fault; /* the kernel's log speaks of a fault */
	bool hung;	   /* something did not get on for too long */
};

/* "PASS", "CORRUPT", ... */
const char *verdict_name(enum verdict verdict);

/* Lookups of the neighbour's buffers that the per-CPU LRU did not answer: at least so many. */
uint64_t report_lookups_slow(const struct report *report);

/* True if in-kernel lookups past the per-CPU LRU met moves of the pages that were looked up. */
bool report_race_reachable(const struct report *report);

/* Prints the report for people. */
void report_print(const struct report *report, FILE *out);

/* One line about the rerun, or that there could be one; nothing without a finding. */
void report_rerun_print(const struct report *report, FILE *out);

/* Prints the finding alone: block, generations, difference. */
void report_finding_print(const struct report *report, FILE *out);

/*
 * Each of these writes to PATH, replacing it at once (see util/replacement.h), and returns 0 or a
 * negative errno: the report as JSON (keys: churnstress(8)), and its cases as JUnit's XML.
 */
int report_json_write(const struct report *report, const char *path);
int report_junit_write(const struct report *report, const char *path);

/* Prints the report's cases in KTAP, version 1 (Linux: Documentation/dev-tools/ktap.rst). */
void report_ktap_print(const struct report *report, FILE *out);

/* As JUnit's XML. Returns 0 or -ENOMEM. */
int report_junit_print(const struct report *report, FILE *out);

#endif
