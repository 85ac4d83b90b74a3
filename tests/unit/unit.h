/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_TESTS_UNIT_H
#define CHURNFS_TESTS_UNIT_H

#include <check.h>

/* As ck_assert(), for loops: Check writes to a file at each assertion of its own. */
#define unit_assert(condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("not true: %s", #condition);                                  \
	} while (0)

/*
 * Runs SUITE as the environment says (CK_VERBOSITY, CK_TAP_LOG_FILE_NAME, CK_FORK, ...). Returns
 * the exit status of the program.
 */
int unit_run(Suite *suite);

#endif
