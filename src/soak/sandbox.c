/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak/machinelock.h"
#include "util/log.h"
#include "util/setting.h"

#define MOUNTS_MAX 4
#define SETTINGS_MAX 16
#define SETTING_LEN 64
#define UNDO_TRIES 300
/* A daemon that was asked to end gets this long before it is killed. */
#define PROCESS_GRACE_MS 3000
/* As long as a guardian may need after its run was killed. */
#define ALONE_MS 10000u

struct setting {
	char path[128];
	char value[SETTING_LEN];
};

struct pending {
	_Atomic bool noted;
	struct setting setting;
};

/* Shared with the guardian. The run writes an entry whole before it counts it. */
struct sandbox_notes {
	char dir[128];
	_Atomic int mounts;
	char mount[MOUNTS_MAX][192];
	_Atomic pid_t process;
	_Atomic int settings;
	struct setting setting[SETTINGS_MAX];
	struct pending pending[SANDBOX_UNDO_COUNT];
	_Atomic unsigned frames;
	uint64_t frame[SANDBOX_FRAMES_MAX];
	_Atomic bool tracing;
	char instance[192];
	char probes[128]; /* file that removes the probe */
	char probe[96];	  /* what to write to it */
};

struct sandbox {
	pthread_mutex_t lock; /* of adding settings and frames: drivers have threads */
	struct sandbox_notes *notes;
	pid_t guardian;
	int pipe;  /* the guardian sees its end when the run goes */
	int alone; /* see machinelock_take(), the guardian holds it too; -1: shared */
};

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static void process_end(pid_t pid)
{
	/* Not our child: it is gone when no signal can reach it. */
	if (kill(pid, SIGTERM))
		return;
	for (int ms = 0; ms < PROCESS_GRACE_MS; ms += 10) {
		if (kill(pid, 0))
			return;
		sleep_ms(10);
	}
	kill(pid, SIGKILL);
}

static bool mount_undo(const char *path)
{
	for (int try = 0; try < 100; try++) {
		if (umount2(path, UMOUNT_NOFOLLOW) == 0)
			continue; /* there may be another below */
		if (errno != EBUSY)
			break;
		sleep_ms(10);
	}
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL ||
	    errno == ENOENT) {
		rmdir(path);
		return true;
	}
	log_error("cannot unmount %s: %s", path, strerror(errno));
	return false;
}

static bool settings_undo(struct sandbox_notes *notes)
{
	bool good = true;

	for (int i = atomic_load(&notes->settings) - 1; i >= 0; i--) {
		int rc = setting_write(notes->setting[i].path, notes->setting[i].value);

		if (rc) {
			log_error("cannot put %s back to %s: %s", notes->setting[i].path,
				  notes->setting[i].value, strerror(-rc));
			good = false;
		}
	}
	return good;
}

/* The run's last write of the kind may still be at work, or done. */
static bool pending_undo(struct pending *pending)
{
	const struct setting *setting = &pending->setting;
	int rc = -EBUSY;

	if (!atomic_load(&pending->noted))
		return true;
	for (int try = 0; try < UNDO_TRIES && rc; try++) {
		rc = setting_write(setting->path, setting->value);
		if (rc == -EINVAL)
			rc = 0; /* nothing to undo */
		if (rc)
			sleep_ms(10);
	}
	if (rc)
		log_error("cannot write %s to %s: %s", setting->value, setting->path,
			  strerror(-rc));
	return rc == 0;
}

/* Without the file they stay out of use, as whoever asked for that was told. */
static void frames_undo(struct sandbox_notes *notes)
{
	unsigned frames = atomic_load(&notes->frames);

	for (unsigned i = 0; i < frames; i++) {
		char text[32];

		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)notes->frame[i]);
		(void)setting_write(sandbox_frames_path(), text);
	}
}

/* The instance goes when nobody has files of it open any more; then its probe is free. */
static bool tracing_undo(struct sandbox_notes *notes)
{
	bool gone = false;
	int fd;

	if (!atomic_load(&notes->tracing))
		return true;
	for (int try = 0; try < 100 && !gone; try++) {
		gone = rmdir(notes->instance) == 0 || errno == ENOENT;
		if (!gone)
			sleep_ms(10);
	}
	if (!gone)
		log_error("cannot remove %s: %s", notes->instance, strerror(errno));
	/* There may be none. */
	fd = open(notes->probes, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, notes->probe, strlen(notes->probe));
		close(fd);
	}
	return gone;
}

/* Puts back in the reverse order of use: tracing, what is pending, settings, frames, daemon,
 * mounts, folder. */
static int notes_undo(struct sandbox_notes *notes)
{
	bool good = tracing_undo(notes);
	pid_t process = atomic_load(&notes->process);

	for (int i = 0; i < SANDBOX_UNDO_COUNT; i++)
		good &= pending_undo(&notes->pending[i]);
	good &= settings_undo(notes);
	frames_undo(notes);
	if (process > 0)
		process_end(process);
	for (int i = atomic_load(&notes->mounts) - 1; i >= 0; i--)
		good &= mount_undo(notes->mount[i]);
	if (rmdir(notes->dir) && errno != ENOENT) {
		log_error("cannot remove %s: %s", notes->dir, strerror(errno));
		good = false;
	}
	return good ? 0 : 1;
}

static _Noreturn void guardian_main(struct sandbox_notes *notes, int pipe)
{
	char byte;

	setsid();
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGCHLD)
			signal(sig, SIG_IGN);
	while (read(pipe, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(notes_undo(notes));
}

static int namespace_enter(void)
{
	if (unshare(CLONE_NEWNS))
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	return 0;
}

static int guardian_fork(struct sandbox *sandbox)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	sandbox->guardian = fork();
	if (sandbox->guardian < 0) {
		int rc = -errno;

		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	if (sandbox->guardian == 0) {
		close(ends[1]);
		guardian_main(sandbox->notes, ends[0]);
	}
	close(ends[0]);
	sandbox->pipe = ends[1];
	return 0;
}

/* A kernel without memory settings has none to quarrel about. */
static int alone_take(enum sandbox_use use, int *alone)
{
	int fd = use == SANDBOX_ALONE ? machinelock_take(ALONE_MS) : -ENOENT;

	*alone = fd < 0 ? -1 : fd;
	return fd < 0 && fd != -ENOENT ? fd : 0;
}

static void alone_drop(struct sandbox *sandbox)
{
	if (sandbox->alone >= 0)
		close(sandbox->alone);
}

int sandbox_create(enum sandbox_use use, struct sandbox **out)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
	const char *tmp = getenv("TMPDIR");
	int rc;

	if (!sandbox)
		return -ENOMEM;
	pthread_mutex_init(&sandbox->lock, NULL);
	rc = alone_take(use, &sandbox->alone);
	if (rc)
		goto out_free;
	sandbox->notes = mmap(NULL, sizeof(*sandbox->notes), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sandbox->notes == MAP_FAILED) {
		rc = -errno;
		goto out_drop;
	}
	rc = namespace_enter();
	if (rc)
		goto out_unmap;
	snprintf(sandbox->notes->dir, sizeof(sandbox->notes->dir), "%s/churnstress-XXXXXX",
		 tmp && *tmp && strlen(tmp) < 90 ? tmp : "/tmp");
	if (!mkdtemp(sandbox->notes->dir)) {
		rc = -errno;
		goto out_unmap;
	}
	rc = guardian_fork(sandbox);
	if (rc)
		goto out_rmdir;
	*out = sandbox;
	return 0;

out_rmdir:
	rmdir(sandbox->notes->dir);
out_unmap:
	munmap(sandbox->notes, sizeof(*sandbox->notes));
out_drop:
	alone_drop(sandbox);
out_free:
	free(sandbox);
	return rc;
}

const char *sandbox_dir(const struct sandbox *sandbox)
{
	return sandbox->notes->dir;
}

int sandbox_note_mount(struct sandbox *sandbox, const char *path)
{
	int n = atomic_load(&sandbox->notes->mounts);

	if (n == MOUNTS_MAX)
		return -ENOSPC;
	if (strlen(path) >= sizeof(sandbox->notes->mount[0]))
		return -ENAMETOOLONG;
	strcpy(sandbox->notes->mount[n], path);
	atomic_store(&sandbox->notes->mounts, n + 1);
	return 0;
}

void sandbox_note_process(struct sandbox *sandbox, pid_t pid)
{
	atomic_store(&sandbox->notes->process, pid);
}

int sandbox_note_tracing(struct sandbox *sandbox, const char *tracing, const char *instance,
			 const char *probe)
{
	struct sandbox_notes *notes = sandbox->notes;
	int n;

	n = snprintf(notes->instance, sizeof(notes->instance), "%s/instances/%s", tracing,
		     instance);
	if (n < 0 || (size_t)n >= sizeof(notes->instance))
		return -ENAMETOOLONG;
	n = snprintf(notes->probes, sizeof(notes->probes), "%s/kprobe_events", tracing);
	if (n < 0 || (size_t)n >= sizeof(notes->probes))
		return -ENAMETOOLONG;
	n = snprintf(notes->probe, sizeof(notes->probe), "-:%s/%s\n", instance, probe);
	if (n < 0 || (size_t)n >= sizeof(notes->probe))
		return -ENAMETOOLONG;
	atomic_store(&notes->tracing, true);
	return 0;
}

int sandbox_note_undo(struct sandbox *sandbox, enum sandbox_undo who, const char *path,
		      const char *value)
{
	struct pending *pending = &sandbox->notes->pending[who];

	atomic_store(&pending->noted, false);
	if (!path)
		return 0;
	if (strlen(path) >= sizeof(pending->setting.path) || strlen(value) >= SETTING_LEN)
		return -ENAMETOOLONG;
	strcpy(pending->setting.path, path);
	strcpy(pending->setting.value, value);
	atomic_store(&pending->noted, true);
	return 0;
}

int sandbox_note_frame(struct sandbox *sandbox, uint64_t pfn)
{
	struct sandbox_notes *notes = sandbox->notes;
	unsigned n;

	pthread_mutex_lock(&sandbox->lock);
	n = atomic_load(&notes->frames);
	if (n < SANDBOX_FRAMES_MAX) {
		notes->frame[n] = pfn;
		atomic_store(&notes->frames, n + 1);
	}
	pthread_mutex_unlock(&sandbox->lock);
	return n < SANDBOX_FRAMES_MAX ? 0 : -ENOSPC;
}

const char *sandbox_frames_path(void)
{
	return "/sys/kernel/debug/hwpoison/unpoison-pfn";
}

static int setting_read(const char *path, char *value, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, value, len - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	value[n] = 0;
	value[strcspn(value, "\n")] = 0;
	return 0;
}

/* Remembers the present value, unless there is one. */
static int setting_note(struct sandbox *sandbox, const char *path)
{
	struct sandbox_notes *notes = sandbox->notes;
	int n = atomic_load(&notes->settings), rc;
	struct setting *entry;

	for (int i = 0; i < n; i++)
		if (strcmp(notes->setting[i].path, path) == 0)
			return 0;
	if (n == SETTINGS_MAX)
		return -ENOSPC;
	entry = &notes->setting[n];
	if (strlen(path) >= sizeof(entry->path))
		return -ENAMETOOLONG;
	rc = setting_read(path, entry->value, sizeof(entry->value));
	if (rc)
		return rc;
	strcpy(entry->path, path);
	atomic_store(&notes->settings, n + 1);
	return 0;
}

int sandbox_set(struct sandbox *sandbox, const char *path, const char *value)
{
	int rc;

	pthread_mutex_lock(&sandbox->lock);
	rc = setting_note(sandbox, path);
	pthread_mutex_unlock(&sandbox->lock);
	return rc ? rc : setting_write(path, value);
}

void sandbox_abandon(struct sandbox *sandbox)
{
	/* A thread that hangs keeps the pipe open. */
	(void)!write(sandbox->pipe, "", 1);
}

int sandbox_destroy(struct sandbox *sandbox)
{
	int status = 0;
	pid_t pid;

	close(sandbox->pipe);
	do {
		pid = waitpid(sandbox->guardian, &status, 0);
	} while (pid < 0 && errno == EINTR);
	munmap(sandbox->notes, sizeof(*sandbox->notes));
	alone_drop(sandbox);
	free(sandbox);
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}
