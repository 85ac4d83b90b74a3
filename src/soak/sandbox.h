/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run changes on the machine, and who puts it back. A guardian process is forked before
 * anything is changed; everything that must be undone is noted in memory shared with it before
 * it is done. The guardian cleans up when the run's end of a pipe closes: at the end of a run, and
 * just the same when the run is killed. It has a session of its own and ignores the signals of the
 * terminal. Mounts live in a private mount namespace, so that nobody outside sees them. Loop
 * devices need no note: they detach themselves when their last user is gone. Settings of the
 * machine are changed by one run at a time, until its guardian is through.
 */
#ifndef CHURNFS_SOAK_SANDBOX_H
#define CHURNFS_SOAK_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sandbox;

enum sandbox_use {
	SANDBOX_SHARED, /* mounts only: others may be at work */
	SANDBOX_ALONE,	/* settings of the machine, too */
};

/*
 * Enters a private mount namespace, makes a temporary folder and forks the guardian. Call it
 * before there are threads. Returns 0, or -EPERM without the privileges, or -EBUSY when another
 * process is and stays alone, see machinelock_take(), or another errno.
 */
int sandbox_create(enum sandbox_use use, struct sandbox **sandbox);

/* Folder for mount points; removed with the sandbox. */
const char *sandbox_dir(const struct sandbox *sandbox);

/* Notes a mount point below sandbox_dir() that is about to be mounted. */
int sandbox_note_mount(struct sandbox *sandbox, const char *path);

/* Notes a process that must not outlive the run; 0 when it has been waited for. */
void sandbox_note_process(struct sandbox *sandbox, pid_t pid);

/*
 * Notes an ftrace instance below the tracefs folder TRACING, and a probe event of which its name
 * is the group, that are about to be made. One of each. Returns 0 or -ENAMETOOLONG.
 */
int sandbox_note_tracing(struct sandbox *sandbox, const char *tracing, const char *instance,
			 const char *probe);

/*
 * Remembers the present value of a setting (a file of /proc/sys or /sys), then writes VALUE.
 * The first remembered value is put back at the end. -ENOSPC when too many are noted. Any thread.
 */
int sandbox_set(struct sandbox *sandbox, const char *path, const char *value);

/* Who has something to undo; each for itself. */
enum sandbox_undo {
	SANDBOX_UNDO_BLOCK, /* a memory block that is offline */
	SANDBOX_UNDO_CMA,   /* memory that was allocated from an area */
	SANDBOX_UNDO_COUNT,
};

/*
 * Notes that VALUE must be written to the file PATH at the end, for something that is about to be
 * done; PATH NULL when it has been undone. Of each WHO, the last one counts. Returns 0 or
 * -ENAMETOOLONG.
 */
int sandbox_note_undo(struct sandbox *sandbox, enum sandbox_undo who, const char *path,
		      const char *value);

/*
 * Notes a page frame that is about to be taken out of use, to be given back at the end where the
 * kernel can do that (see sandbox_frames_path()). Returns 0 or -ENOSPC.
 */
int sandbox_note_frame(struct sandbox *sandbox, uint64_t pfn);
#define SANDBOX_FRAMES_MAX 64u

/* The file that gives page frames back: of debugfs, and only with CONFIG_HWPOISON_INJECT. */
const char *sandbox_frames_path(void);

/*
 * Lets the guardian put everything back although this process cannot end, and does not wait for
 * it. Nothing of the sandbox may be used afterwards. Any thread.
 */
void sandbox_abandon(struct sandbox *sandbox);

/*
 * Lets the guardian put everything back and waits for it. Returns 0, or -EBUSY when something
 * could not be put back; the guardian has then said what.
 */
int sandbox_destroy(struct sandbox *sandbox);

#endif
