/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_TESTS_MIGRATE_CASES_H
#define CHURNFS_TESTS_MIGRATE_CASES_H

#include <check.h>
#include <stdbool.h>

/* The drivers there are: which are selected, what probe says of them, and thp and hugetlb at work.
 */
TCase *migrate_drivers_case(void);

/* The parts that drivers are made of: memory blocks, zones, notes of the sandbox. */
TCase *migrate_parts_case(void);

/* Memory blocks of this machine, taken offline by somebody who is killed. */
TCase *migrate_blocks_case(void);

/* False if somebody else's run migrates on this machine, and goes on for half a minute. */
bool migrate_machine_free(void);

#endif
