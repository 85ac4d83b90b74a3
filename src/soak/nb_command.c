/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak/child.h"
#include "util/clock.h"

#define OUTPUT_MAX (4u << 20)
/* One that catches the signal at its limit is killed so much later. */
#define KILLED_S 5u
#define LOOK_NS (2 * NS_PER_MS)

int nb_command_find(const char *name, char *path, size_t len)
{
	/* A root shell without its own PATH has none of these. */
	static const char *const dirs[] = {"/usr/sbin", "/sbin"};

	if (child_find(name, path, len) == 0)
		return 0;
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int n = snprintf(path, len, "%s/%s", dirs[i], name);

		if (n > 0 && (size_t)n < len && access(path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static _Noreturn void program_exec(const char *path, char *const argv[], unsigned cpu_s, int out)
{
	struct rlimit limit;
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setpgid(0, 0);
	if (getrlimit(RLIMIT_CPU, &limit) == 0 && cpu_s < limit.rlim_max) {
		limit.rlim_cur = cpu_s;
		setrlimit(RLIMIT_CPU, &limit);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	_exit(127);
}

static int output_read(int fd, char **output, size_t *length)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t want = size < 0 ? 0 : (size_t)size;
	ssize_t n;

	if (want > OUTPUT_MAX)
		want = OUTPUT_MAX;
	*output = malloc(want + 1);
	if (!*output)
		return -ENOMEM;
	n = pread(fd, *output, want, 0);
	*length = n < 0 ? 0 : (size_t)n;
	(*output)[*length] = 0;
	return 0;
}

/* Processor time that the process has used, whether in user space or in the kernel. */
static uint64_t cpu_used_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/*
 * Processor time tells a program that goes in circles from one that waits for a slow disk. A signal
 * does not reach one that does so in the kernel (row buffers-unlocked of the lab: e2fsck in
 * filemap_get_read_batch(), until the guest was ended).
 */
static int command_wait(pid_t pid, unsigned cpu_s, int *status)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	uint64_t limit_ns = (uint64_t)(cpu_s + KILLED_S) * NS_PER_SEC;
	uint64_t gone_ns = 0;

	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (gone_ns && clock_now_ns() >= gone_ns)
			return -EDEADLK;
		if (!gone_ns && cpu_used_ns(pid) >= limit_ns) {
			kill(pid, SIGKILL);
			/* It may have to wait for a disk before it can go. */
			gone_ns = clock_now_ns() + (cpu_s / 2 + 1) * NS_PER_SEC;
		}
		nanosleep(&pause, NULL);
	}
}

int nb_command_run(char *const argv[], unsigned cpu_s, char **output, size_t *length)
{
	char path[PATH_MAX];
	int rc = nb_command_find(argv[0], path, sizeof(path));
	int out, status;
	pid_t pid;

	if (rc)
		return rc;
	out = memfd_create("output", MFD_CLOEXEC);
	if (out < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		program_exec(path, argv, cpu_s, out);
	if (pid < 0) {
		rc = -errno;
		goto out_close;
	}
	rc = command_wait(pid, cpu_s, &status);
	if (!rc)
		rc = output_read(out, output, length);
	if (!rc)
		rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
out_close:
	close(out);
	return rc;
}
