/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What drivers ask of the driver of compact_memory that have it work for them (migrate.h). */
#ifndef CHURNFS_SOAK_MIGRATE_COMPACT_H
#define CHURNFS_SOAK_MIGRATE_COMPACT_H

#include <stddef.h>
#include <stdint.h>

/*
 * After a cycle of migrate_compact with STATE: the pages (sorted) that it was about, which lie
 * close together now, among memory that can be moved. Returns how many; 0 if it was about others.
 * They stay its own, until the next cycle.
 */
size_t migrate_compact_pages(const void *state, const uint32_t **pages);

#endif
