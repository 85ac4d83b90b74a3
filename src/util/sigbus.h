/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading or writing a mapped device fails by SIGBUS. These calls turn that into -EIO, for the
 * thread that met it only; a SIGBUS from anywhere else still ends the process.
 */
#ifndef CHURNFS_UTIL_SIGBUS_H
#define CHURNFS_UTIL_SIGBUS_H

/*
 * Installs the handler, once for the process; later calls do nothing. A handler of the program's
 * own for SIGBUS must not be set afterwards.
 */
void sigbus_install(void);

/*
 * Calls FN(ARG), which touches the mapping and holds nothing that would have to be given back.
 * Returns what FN returns, or -EIO if it was cut short by SIGBUS. Must not be nested.
 */
int sigbus_guard(int (*fn)(void *arg), void *arg);

#endif
