/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

/* Where this thread jumps to on SIGBUS; NULL outside of a guarded call. */
static _Thread_local sigjmp_buf *volatile guard_point;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *before = context;

	(void)info;
	if (guard_point) {
		/* The jump does not bring back what was blocked on the way in. */
		pthread_sigmask(SIG_SETMASK, &before->uc_sigmask, NULL);
		siglongjmp(*guard_point, 1);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void handler_set(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void sigbus_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, handler_set);
}

int sigbus_guard(int (*fn)(void *arg), void *arg)
{
	sigjmp_buf point;
	int rc;

	if (sigsetjmp(point, 0)) {
		guard_point = NULL;
		return -EIO;
	}
	guard_point = &point;
	rc = fn(arg);
	guard_point = NULL;
	return rc;
}
