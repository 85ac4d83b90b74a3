/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta_cases.h"
#include "unit.h"

int main(void)
{
	Suite *suite = suite_create("meta");

	suite_add_tcase(suite, meta_alloc_case());
	suite_add_tcase(suite, meta_extent_case());
	suite_add_tcase(suite, meta_extent_hostile_case());
	suite_add_tcase(suite, meta_dir_case());
	suite_add_tcase(suite, meta_symlink_case());
	suite_add_tcase(suite, meta_super_case());
	suite_add_tcase(suite, meta_volume_case());
	suite_add_tcase(suite, meta_fuzz_case());
	return unit_run(suite);
}
