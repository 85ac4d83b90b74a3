/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#ifndef CHURNFS_SBINDIR
#error "the build must say where programs are installed to"
#endif

static bool runnable(const char *dir, size_t dir_len, const char *name, char *path, size_t len)
{
	int n = snprintf(path, len, "%.*s/%s", (int)dir_len, dir, name);

	return n > 0 && (size_t)n < len && access(path, X_OK) == 0;
}

int child_find(const char *name, char *path, size_t len)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dirs = getenv("PATH");

	if (n > 0) {
		self[n] = 0;
		if (runnable(self, (size_t)(strrchr(self, '/') - self), name, path, len))
			return 0;
	}
	if (runnable(CHURNFS_SBINDIR, strlen(CHURNFS_SBINDIR), name, path, len))
		return 0;
	while (dirs && *dirs) {
		size_t dir_len = strcspn(dirs, ":");

		if (dir_len && runnable(dirs, dir_len, name, path, len))
			return 0;
		dirs += dir_len;
		dirs += *dirs == ':';
	}
	return -ENOENT;
}

static _Noreturn void child_exec(char *const argv[])
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	/* Ctrl-C is for churnstress, which ends its children in order. */
	setpgid(0, 0);
	/* It asks churnstress for its status, and may be sent to all processes of a service. */
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(argv[0], argv);
	_exit(127);
}

int child_start(char *const argv[], pid_t *pid)
{
	*pid = fork();
	if (*pid < 0)
		return -errno;
	if (*pid == 0)
		child_exec(argv);
	return 0;
}

int child_run(char *const argv[])
{
	int status;
	pid_t pid;
	int rc = child_start(argv, &pid);

	if (rc)
		return rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool child_wait(pid_t pid, uint64_t timeout_ns, int *status)
{
	uint64_t end = clock_now_ns() + timeout_ns;

	for (;;) {
		struct timespec pause = {.tv_nsec = 2000000};
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid)
			return true;
		if (got < 0 && errno != EINTR) {
			/* Nobody knows how: never taken for a good end. */
			*status = EXIT_FAILURE << 8;
			return true;
		}
		if (clock_now_ns() >= end)
			return false;
		nanosleep(&pause, NULL);
	}
}

char *child_status_format(int status, char *buf, size_t len)
{
	if (WIFSIGNALED(status))
		snprintf(buf, len, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(buf, len, "exited with status %d", WEXITSTATUS(status));
	return buf;
}
