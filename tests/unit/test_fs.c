/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs_cases.h"
#include "unit.h"

int main(void)
{
	Suite *suite = suite_create("fs");

	suite_add_tcase(suite, fs_names_case());
	suite_add_tcase(suite, fs_rename_case());
	suite_add_tcase(suite, fs_files_case());
	suite_add_tcase(suite, fs_dirs_case());
	suite_add_tcase(suite, fs_threads_case());
	return unit_run(suite);
}
