/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test cases of layer 5, one file each. */
#ifndef CHURNFS_TESTS_META_CASES_H
#define CHURNFS_TESTS_META_CASES_H

#include <check.h>

TCase *meta_alloc_case(void);
TCase *meta_extent_case(void);
TCase *meta_extent_hostile_case(void);
TCase *meta_dir_case(void);
TCase *meta_symlink_case(void);
TCase *meta_super_case(void);
TCase *meta_volume_case(void);
TCase *meta_fuzz_case(void);

#endif
