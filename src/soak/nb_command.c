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
#include <unistd.h>

#include "soak/child.h"

#define OUTPUT_MAX (4u << 20)

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
	/* One that catches the first signal is killed five seconds later. */
	const struct rlimit limit = {.rlim_cur = cpu_s, .rlim_max = cpu_s + 5};
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setpgid(0, 0);
	setrlimit(RLIMIT_CPU, &limit);
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
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			rc = -errno;
			goto out_close;
		}
	rc = output_read(out, output, length);
	if (!rc)
		rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
out_close:
	close(out);
	return rc;
}
