/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_TESTS_FS_CASES_H
#define CHURNFS_TESTS_FS_CASES_H

#include <check.h>

TCase *fs_names_case(void);
TCase *fs_rename_case(void);
TCase *fs_files_case(void);
TCase *fs_dirs_case(void);
TCase *fs_threads_case(void);

#endif
