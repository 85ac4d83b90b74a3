/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/recover.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "meta/alloc.h"
#include "meta/extent.h"
#include "meta/inode.h"
#include "meta/retry.h"
#include "util/log.h"

/* First block behind the inode's end. */
static uint64_t size_blocks(const struct volume *vol, const struct inode_info *inode)
{
	uint32_t bs = vol->super.block_size;

	return inode->size / bs + (inode->size % bs != 0);
}

/* One transaction's worth of work. *DONE when nothing is left for this inode. */
static int inode_step(struct volume *vol, struct txn *txn, uint64_t ino, bool *done)
{
	struct inode_info inode;
	bool orphan;
	uint64_t from;
	int rc;

	rc = inode_read(vol, txn, ino, &inode);
	if (rc)
		return rc;
	orphan = inode.links == 0;
	from = orphan ? 0 : size_blocks(vol, &inode);
	*done = true;
	if (from <= UINT32_MAX)
		rc = extent_truncate(vol, txn, ino, &inode, (uint32_t)from, done);
	if (rc)
		return rc;
	if (!*done) {
		inode.flags |= CFS_INODE_TRUNCATE;
	} else if (orphan) {
		rc = inode_free(vol, txn, ino, S_ISDIR(inode.mode));
		inode = (struct inode_info){.generation = inode.generation};
	} else {
		inode.flags &= ~CFS_INODE_TRUNCATE;
	}
	return rc ? rc : inode_write(vol, txn, ino, &inode);
}

int inode_finish(struct volume *vol, uint64_t ino)
{
	bool done = false;
	int rc = 0;

	while (rc == 0 && !done) {
		struct txn txn;

		do {
			txn_begin(&txn, vol->txns);
			rc = inode_step(vol, &txn, ino, &done);
		} while (txn_finish(&txn, &rc));
	}
	return rc;
}

int volume_recover(struct volume *vol, const struct inode_list *unfinished)
{
	for (size_t i = 0; i < unfinished->count; i++) {
		int rc = inode_finish(vol, unfinished->inos[i]);

		if (rc) {
			log_error(
				"inode %u, left over from the last mount, cannot be cleaned up: %s",
				unfinished->inos[i], strerror(-rc));
			return rc;
		}
	}
	if (unfinished->count)
		log_notice("cleaned up %zu files that the last mount left unfinished",
			   unfinished->count);
	return 0;
}
