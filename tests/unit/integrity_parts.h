/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of layer 3 share. */
#ifndef CHURNFS_TESTS_INTEGRITY_PARTS_H
#define CHURNFS_TESTS_INTEGRITY_PARTS_H

#include <stdint.h>

#include "integrity/ledger.h"
#include "unit.h"

#define BLOCKS 64u

static const uint32_t block_sizes[] = {1024, 2048, 4096};
static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* Completes IMAGE as a directory's BLOCK. Returns its checksum. */
uint32_t seal(void *image, uint32_t block_size, uint64_t block, uint64_t generation,
	      uint64_t previous);

/* A ledger of BLOCKS blocks in a memfd, which stays open as *FD. */
struct ledger *ledger_make(int *fd, uint32_t block_size);

/* Blocks that one thread writes while others verify them. */
TCase *integrity_hammer_case(void);

#endif
