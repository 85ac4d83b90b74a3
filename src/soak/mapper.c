/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/mapper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak/cpus.h"

/* Where close_range(2), of Linux 5.9, is missing, no more than so many are looked at. */
#define FDS_MAX 65536u

/* Shared by both processes; the one that has the word writes. */
struct request {
	size_t count;
	void *address[];
};

struct mapper {
	pid_t pid;
	int fd; /* a byte there and back for each request */
	size_t pages_max, request_bytes;
	struct request *request;
};

/* What else the process has open would stay so as long as the child lives. */
static void fds_close_from(unsigned first)
{
	struct rlimit limit;
	unsigned end = FDS_MAX;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end)
		end = (unsigned)limit.rlim_cur;
	for (unsigned fd = first; fd < end; fd++)
		close((int)fd);
}

/* The child: until the other end is closed. */
static _Noreturn void child_main(int fd, char *map, size_t bytes, const struct request *request)
{
	char word;

	/* Ctrl-C and requests for the status are not for it. */
	setpgid(0, 0);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGBUS, SIG_DFL);
	if (dup2(fd, 0) < 0)
		_exit(1);
	fds_close_from(1);
	while (read(0, &word, 1) == 1) {
		madvise(map, bytes, MADV_DONTNEED);
		for (size_t i = 0; i < request->count; i++)
			(void)*(volatile char *)request->address[i];
		if (send(0, &word, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(0);
}

static int child_start(struct mapper *mapper, void *map, size_t bytes, int nice)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return -errno;
	mapper->pid = fork();
	if (mapper->pid == 0) {
		cpus_nice(nice);
		child_main(fd[1], map, bytes, mapper->request);
	}
	close(fd[1]);
	if (mapper->pid < 0) {
		int rc = -errno;

		close(fd[0]);
		return rc;
	}
	mapper->fd = fd[0];
	return 0;
}

int mapper_start(void *map, size_t bytes, size_t pages_max, int nice, struct mapper **out)
{
	struct mapper *mapper = calloc(1, sizeof(*mapper));
	int rc = -ENOMEM;

	if (!mapper)
		return rc;
	mapper->pages_max = pages_max;
	mapper->request_bytes = sizeof(struct request) + pages_max * sizeof(void *);
	mapper->request = mmap(NULL, mapper->request_bytes, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mapper->request == MAP_FAILED)
		goto out_free;
	rc = child_start(mapper, map, bytes, nice);
	if (rc)
		goto out_unmap;
	*out = mapper;
	return 0;

out_unmap:
	munmap(mapper->request, mapper->request_bytes);
out_free:
	free(mapper);
	return rc;
}

pid_t mapper_pid(const struct mapper *mapper)
{
	return mapper->pid;
}

int mapper_set(struct mapper *mapper, void *const *address, size_t count)
{
	char word = 0;
	ssize_t n;

	if (count > mapper->pages_max)
		return -E2BIG;
	mapper->request->count = count;
	if (count)
		memcpy(mapper->request->address, address, count * sizeof(*address));
	if (send(mapper->fd, &word, 1, MSG_NOSIGNAL) != 1)
		return -EIO;
	do
		n = read(mapper->fd, &word, 1);
	while (n < 0 && errno == EINTR);
	/* It was ended by SIGBUS. */
	return n == 1 ? 0 : -EIO;
}

void mapper_stop(struct mapper *mapper)
{
	if (!mapper)
		return;
	close(mapper->fd);
	while (waitpid(mapper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(mapper->request, mapper->request_bytes);
	free(mapper);
}
