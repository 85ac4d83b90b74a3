/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line per message, written with one write(2) so that lines of several
 * threads do not mix. Messages go to stderr, or to syslog after log_to_syslog().
 */
#ifndef CHURNFS_UTIL_LOG_H
#define CHURNFS_UTIL_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG };

/* Names the program in every line and sets the least important level that is printed. */
void log_init(const char *program, enum log_level max);

/* From now on messages go to syslog(3) instead of stderr: for a daemon without a terminal. */
void log_to_syslog(void);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
