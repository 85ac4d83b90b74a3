/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/data.h"

#include <string.h>

#include "util/log.h"

static int error_note(struct volume *vol, const char *what, uint64_t offset, int rc)
{
	struct ledger_counters *counters = ledger_counters(vol->ledger);

	if (rc && atomic_fetch_add(&counters->io_errors, 1) == 0)
		log_error("%s of data at byte %llu failed: %s", what, (unsigned long long)offset,
			  strerror(-rc));
	return rc;
}

int data_read(struct volume *vol, void *buf, size_t len, uint64_t offset)
{
	return error_note(vol, "read", offset, blkdev_read(vol->dev, buf, len, offset));
}

int data_write(struct volume *vol, const struct blkdev_io *io, unsigned count)
{
	return error_note(vol, "write", io[0].offset, blkdev_write_batch(vol->dev, io, count));
}
