/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_log.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "fuse/options.h"
#include "util/log.h"

/* Exit status of the parent: what the child ends with unless it says that it is ready. */
static int child_status(int fd, pid_t child)
{
	char ready;
	ssize_t n;
	int status;

	do {
		n = read(fd, &ready, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return DAEMON_OK;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return DAEMON_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error("the daemon was killed by signal %d at start", WTERMSIG(status));
	return DAEMON_FAILED;
}

int detach_begin(struct detach *detach)
{
	int fds[2], rc;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0) {
		rc = -errno;
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (child > 0) {
		close(fds[1]);
		exit(child_status(fds[0], child));
	}
	close(fds[0]);
	detach->fd = fds[1];
	return 0;
}

/* libfuse's own messages, which its mt loop prints now and then. */
static void __attribute__((format(printf, 2, 0)))
fuse_message(enum fuse_log_level level, const char *fmt, va_list ap)
{
	vsyslog((int)level, fmt, ap);
}

void detach_ready(struct detach *detach)
{
	int null;

	if (detach->fd < 0)
		return;
	setsid();
	log_to_syslog();
	fuse_set_log_func(fuse_message);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	if (chdir("/"))
		log_warning("chdir to / failed");
	/* A parent that was killed meanwhile does not matter. */
	signal(SIGPIPE, SIG_IGN);
	(void)!write(detach->fd, "", 1);
	close(detach->fd);
	detach->fd = -1;
}
