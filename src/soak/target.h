/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filesystem under test: a device, mkfs, the daemon, its mount and its ledger. Set up as a
 * user would, with the installed programs; torn down in the reverse order.
 */
#ifndef CHURNFS_SOAK_TARGET_H
#define CHURNFS_SOAK_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "integrity/ledger.h"
#include "soak/options.h"
#include "soak/sandbox.h"

struct target {
	char mkfs[4096], program[4096]; /* mkfs.churnfs and the daemon */
	char device[256];
	char mount[256];
	uint64_t bytes;
	int device_fd;	 /* keeps a loop device alive; -1 if the device is not ours */
	char apart[256]; /* device of the neighbour alone; empty if it lives in the head of DEVICE
			  */
	int apart_fd;	 /* keeps it alive, or -1 */
	int ledger_fd;
	struct ledger *ledger;
	pid_t daemon;	   /* 0 when it has ended */
	bool daemon_ended; /* by itself, before it was asked to */
	int daemon_status; /* as waitpid(2) gives it */
};

/*
 * Checks what can be checked before anything is touched: privileges, /dev/fuse, the device; and
 * finds the programs, which is not possible any more in another mount namespace. Returns 0 or a
 * negative errno with one line in WHY.
 */
int target_preflight(const struct run_options *options, struct target *target, char *why,
		     size_t len);

/* After target_preflight(): device, mkfs, daemon, mount. On error WHY holds one line and TARGET is
 * closed again. */
int target_open(const struct run_options *options, struct sandbox *sandbox, struct target *target,
		char *why, size_t len);

/* Bytes at the start of the device that are left to the neighbour. */
uint64_t target_head_bytes(const struct run_options *options);

/*
 * Makes a loop device with a filesystem for the neighbour alone. Returns 0 or a negative errno with
 * WHY.
 */
int target_open_apart(const struct run_options *options, struct target *target, char *why,
		      size_t len);

/* Looks whether the daemon still runs. */
bool target_alive(struct target *target);

/*
 * Unmounts and waits for the daemon's end. Returns 0; -EIO when the daemon died or failed, or
 * -ETIMEDOUT when it had to be killed; WHY says what happened.
 */
int target_unmount(struct target *target, char *why, size_t len);

/* Frees what is left: ledger, descriptors; kills a daemon that still runs. */
void target_close(struct target *target);

#endif
