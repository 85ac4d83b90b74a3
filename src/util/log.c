/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

/* Set once at start-up, before there are threads; the sink may change when a daemon detaches. */
static const char *log_program = "churnfs";
static enum log_level log_max = LOG_LEVEL_NOTICE;
static atomic_bool log_syslog;

void log_init(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
}

void log_to_syslog(void)
{
	openlog(log_program, LOG_PID, LOG_DAEMON);
	atomic_store(&log_syslog, true);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG};
	char line[1024];
	va_list ap;
	int head, n;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	if (atomic_load(&log_syslog)) {
		vsyslog(priorities[level], fmt, ap);
		va_end(ap);
		return;
	}
	head = snprintf(line, sizeof(line), "%s: %s", log_program, names[level]);
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n += head;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* Nothing can be done about a closed stderr. */
	(void)!write(STDERR_FILENO, line, (size_t)n);
}
