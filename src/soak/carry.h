/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings pages of the device to where the kernel has memory that it can move. Where it puts pages
 * that are read from a block device, it also puts memory that it cannot move (lower.h), page tables
 * and the like, so that a memory block that holds them can hardly go offline. Pages that were
 * migrated once lie elsewhere: move_pages(2) sends them to the other node; where there is one node
 * only, they take a step of compact_memory (migrate_compact). One thread; no locks.
 */
#ifndef CHURNFS_SOAK_CARRY_H
#define CHURNFS_SOAK_CARRY_H

#include "soak/pageset.h"

struct carry;

/*
 * For the pages of SET, which stays the caller's. NODE: between which two; NULL: there is one only.
 * Returns 0 or a negative errno.
 */
int carry_open(struct pageset *set, const int node[2], struct carry **carry);
/* NULL is ignored. */
void carry_close(struct carry *carry);

/*
 * Chooses pages of the set, and brings those that can be moved. What moves on the way is not
 * counted. Returns 0 or a negative errno.
 */
int carry_pages(struct carry *carry);

#endif
