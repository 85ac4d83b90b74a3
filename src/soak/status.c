/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/units.h"

#define TERMINAL_PERIOD (200 * NS_PER_MS)

/* 10 s, after ten minutes a minute, after ten hours an hour. */
static uint64_t plain_period(uint64_t elapsed_ns)
{
	if (elapsed_ns < 600 * NS_PER_SEC)
		return 10 * NS_PER_SEC;
	return elapsed_ns < 36000 * NS_PER_SEC ? 60 * NS_PER_SEC : 3600 * NS_PER_SEC;
}

void status_init(struct status *status, FILE *out)
{
	memset(status, 0, sizeof(*status));
	status->out = out;
	status->terminal = isatty(fileno(out));
}

void status_update(struct status *status, const struct status_values *v)
{
	uint64_t period = status->terminal ? TERMINAL_PERIOD : plain_period(v->elapsed_ns);
	uint64_t ns = v->elapsed_ns - status->last_ns;
	char ops[32], moved[32], blocks[32];

	if (ns < period)
		return;
	fprintf(status->out,
		"%s%4llu s  %s ops/s  %s pages moved  %s blocks verified  %.0f MB/s  %s%s",
		status->terminal ? "\r" : "", (unsigned long long)(v->elapsed_ns / NS_PER_SEC),
		count_format((v->operations - status->last.operations) * NS_PER_SEC / ns, ops,
			     sizeof(ops)),
		count_format(v->pages_moved, moved, sizeof(moved)),
		count_format(v->blocks_verified, blocks, sizeof(blocks)),
		(double)(v->bytes_verified - status->last.bytes_verified) * 1e3 / (double)ns,
		v->verdict, status->terminal ? "\033[K" : "\n");
	fflush(status->out);
	status->last = *v;
	status->last_ns = v->elapsed_ns;
}

void status_end(struct status *status)
{
	if (status->terminal && status->last_ns)
		fputc('\n', status->out);
}
