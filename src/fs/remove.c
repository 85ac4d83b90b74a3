/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking names away. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/core.h"
#include "meta/dir.h"
#include "meta/inode.h"
#include "meta/wallclock.h"

struct remove_op {
	struct fs *fs;
	struct inode *dir, *child; /* both locked for writing */
	const char *name;
	size_t len;
	bool directory; /* rmdir(2) */
	uint32_t links; /* result: what the child has left */
};

static int remove_check(struct remove_op *op, struct txn *txn, const struct inode_info *inode)
{
	if (!op->directory)
		return S_ISDIR(inode->mode) ? -EISDIR : 0;
	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	return dir_empty(op->fs->vol, txn, op->child->ino, inode);
}

static int links_update(struct remove_op *op, struct inode_info *dir, struct inode_info *inode)
{
	int rc = link_drop(inode);

	if (!rc && op->directory) {
		inode->links = 0;
		rc = link_drop(dir);
	}
	inode->ctime_ns = wallclock_now_ns();
	op->links = inode->links;
	return rc;
}

static int remove_step(struct remove_op *op, struct txn *txn)
{
	struct volume *vol = op->fs->vol;
	struct inode_info dir, inode;
	int rc = dir_fetch_live(op->fs, txn, op->dir->ino, &dir);

	if (!rc)
		rc = name_confirm(op->fs, txn, op->dir, &dir, op->name, op->len, op->child);
	if (!rc)
		rc = inode_fetch(op->fs, txn, op->child->ino, &inode);
	if (!rc)
		rc = remove_check(op, txn, &inode);
	if (!rc)
		rc = links_update(op, &dir, &inode);
	if (!rc)
		rc = dir_remove(vol, txn, op->dir->ino, &dir, op->name, op->len);
	if (rc)
		return rc;
	inode_touch(&dir);
	rc = inode_write(vol, txn, op->dir->ino, &dir);
	return rc ? rc : inode_write(vol, txn, op->child->ino, &inode);
}

static int remove_locked(struct remove_op *op)
{
	struct lock_set locks = {0};
	struct txn txn;
	int rc;

	/* On a damaged filesystem only: a directory within itself, or the root within another. */
	if (op->child == op->dir || op->child == op->fs->root)
		return -EUCLEAN;
	lock_set_add(&locks, op->dir);
	lock_set_add(&locks, op->child);
	lock_set_lock(&locks);
	do {
		txn_begin(&txn, op->fs->vol->txns);
		rc = remove_step(op, &txn);
	} while (txn_finish(&txn, &rc));
	if (!rc && op->links == 0)
		op->child->unlinked = true;
	lock_set_unlock(&locks);
	return rc;
}

static int name_remove(struct fs *fs, uint64_t parent, const char *name, bool directory)
{
	struct remove_op op = {.fs = fs, .name = name, .directory = directory};
	uint8_t type;
	int rc = name_check(name, &op.len);

	if (rc)
		return rc;
	op.dir = icache_find(&fs->icache, parent);
	if (!op.dir)
		return -ESTALE;
	do {
		rc = child_pin(fs, op.dir, name, op.len, &op.child, &type);
		if (rc)
			break;
		rc = remove_locked(&op);
		inode_unpin(fs, op.child);
	} while (rc == -EAGAIN);
	inode_unpin(fs, op.dir);
	return rc;
}

int fs_unlink(struct fs *fs, uint64_t parent, const char *name)
{
	return name_remove(fs, parent, name, false);
}

int fs_rmdir(struct fs *fs, uint64_t parent, const char *name)
{
	return name_remove(fs, parent, name, true);
}
