/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of /proc, /sys and the like, which do something when a value is written to them. */
#ifndef CHURNFS_UTIL_SETTING_H
#define CHURNFS_UTIL_SETTING_H

/* Writes VALUE to the file PATH, in one write(2). Returns 0 or a negative errno. */
int setting_write(const char *path, const char *value);

#endif
