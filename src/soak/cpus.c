/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/cpus.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The main thread is never kept to one, so its set is that of the process. */
static int allowed_get(cpu_set_t *allowed)
{
	return sched_getaffinity(getpid(), sizeof(*allowed), allowed) || CPU_COUNT(allowed) == 0
		       ? -1
		       : 0;
}

int cpus_nth(uint64_t nth)
{
	cpu_set_t allowed;
	unsigned skip;

	if (allowed_get(&allowed))
		return -1;
	skip = (unsigned)(nth % (unsigned)CPU_COUNT(&allowed));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET((size_t)cpu, &allowed) && skip-- == 0)
			return cpu;
	return -1;
}

void cpus_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET((size_t)cpu, &set);
	else if (allowed_get(&set))
		return;
	sched_setaffinity(0, sizeof(set), &set);
}

void cpus_nice(int nice)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
}
