/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct supervisor {
	int pipe; /* in the child: takes one byte, the exit code */
};

_Noreturn void supervisor_leave(struct supervisor *supervisor, int code)
{
	uint8_t byte = (uint8_t)code;

	fflush(NULL);
	(void)!write(supervisor->pipe, &byte, 1);
	_exit(code);
}

static void signals_passed(sigset_t *set)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
}

/* True when the child has ended. */
static bool child_ended(pid_t child, int *code)
{
	int status;
	pid_t pid = waitpid(child, &status, WNOHANG);

	if (pid != child)
		return false;
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

static void signals_take(int fd, pid_t child)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			kill(child, (int)info.ssi_signo);
}

static int child_await(pid_t child, int pipe, int signals)
{
	struct pollfd fds[] = {{.fd = pipe, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	uint8_t byte;
	int code;

	while (!child_ended(child, &code)) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents && read(pipe, &byte, 1) == 1)
			return byte;
		/* Closed: all that is left is to wait for its end. */
		if (fds[0].revents)
			fds[0].fd = -1;
		signals_take(signals, child);
	}
	/* It may have spoken last. */
	return read(pipe, &byte, 1) == 1 ? byte : code;
}

static _Noreturn void child_main(int (*body)(struct supervisor *, void *), void *arg, int pipe,
				 pid_t parent, const sigset_t *before)
{
	struct supervisor supervisor = {.pipe = pipe};
	int code;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, before, NULL);
	code = body(&supervisor, arg);
	exit(code);
}

int supervisor_run(int (*body)(struct supervisor *supervisor, void *arg), void *arg)
{
	sigset_t passed, watched, before;
	pid_t parent = getpid(), child;
	int ends[2], signals, rc;

	signals_passed(&passed);
	watched = passed;
	sigaddset(&watched, SIGCHLD);
	/* The run's guardian has the other end, too: never wait for that to be closed. */
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	sigprocmask(SIG_BLOCK, &watched, &before);
	fflush(NULL);
	signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	child = signals < 0 ? -1 : fork();
	if (child == 0) {
		close(ends[0]);
		close(signals);
		child_main(body, arg, ends[1], parent, &before);
	}
	rc = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!rc)
		rc = child_await(child, ends[0], signals);
	close(ends[0]);
	if (signals >= 0)
		close(signals);
	return rc;
}
