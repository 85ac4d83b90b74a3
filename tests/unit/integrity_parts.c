/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "integrity_parts.h"

#include <string.h>
#include <sys/mman.h>

#include "integrity/tag.h"

uint32_t seal(void *image, uint32_t block_size, uint64_t block, uint64_t generation,
	      uint64_t previous)
{
	struct tag_info info = {
		.block = block,
		.generation = generation,
		.prev_generation = previous,
		.owner = block + 7,
		.type = CFS_BLOCK_DIR,
	};

	memcpy(info.uuid, uuid, sizeof(uuid));
	return tag_seal(image, block_size, tag_uuid_seed(uuid), &info);
}

struct ledger *ledger_make(int *fd, uint32_t block_size)
{
	struct ledger_geometry geometry = {.block_size = block_size, .blocks = BLOCKS};
	struct ledger *ledger = NULL;

	memcpy(geometry.uuid, uuid, sizeof(uuid));
	*fd = memfd_create("churnfs-test", MFD_CLOEXEC);
	ck_assert_int_ge(*fd, 0);
	ck_assert_int_eq(ledger_create(*fd, &geometry, &ledger), 0);
	return ledger;
}
