/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding names and adding them. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "fs/core.h"
#include "meta/alloc.h"
#include "meta/dir.h"
#include "meta/extent.h"
#include "meta/inode.h"
#include "meta/symlink.h"
#include "meta/wallclock.h"

int fs_lookup(struct fs *fs, uint64_t parent, const char *name, struct fs_entry *entry)
{
	struct inode_info info;
	struct inode *dir;
	struct txn txn;
	uint64_t ino;
	uint8_t type;
	size_t len;
	int rc = name_check(name, &len);

	if (rc)
		return rc;
	dir = icache_find(&fs->icache, parent);
	if (!dir)
		return -ESTALE;
	pthread_rwlock_rdlock(&dir->lock);
	txn_begin(&txn, fs->vol->txns);
	rc = dir_fetch(fs, &txn, parent, &info);
	if (!rc)
		rc = dir_lookup(fs->vol, &txn, parent, &info, name, len, &ino, &type);
	/* Without the child's lock: the entry keeps it, and an inode is read in one piece. */
	if (!rc)
		rc = entry_fetch(fs, &txn, ino, type, &info);
	if (!rc)
		rc = entry_make(fs, ino, &info, entry);
	txn_abort(&txn);
	pthread_rwlock_unlock(&dir->lock);
	inode_unpin(fs, dir);
	return rc;
}

/* A name that is being added, in one try after the other. */
struct add_op {
	struct fs *fs;
	struct inode *dir;
	const char *name;
	size_t len;
	const struct fs_create *create; /* for a new inode */
	uint64_t ino;			/* given for a link; result else */
	struct inode_info inode;	/* result */
};

/* Reads the directory and sees to it that the name can be added. */
static int add_prepare(struct add_op *op, struct txn *txn, struct inode_info *dir)
{
	int rc = dir_fetch_live(op->fs, txn, op->dir->ino, dir);

	if (rc)
		return rc;
	rc = name_confirm(op->fs, txn, op->dir, dir, op->name, op->len, NULL);
	return rc == -EAGAIN ? -EEXIST : rc;
}

/* Enters the name and writes both inodes. */
static int add_finish(struct add_op *op, struct txn *txn, struct inode_info *dir)
{
	uint8_t type = (uint8_t)IFTODT(op->inode.mode);
	int rc = inode_write(op->fs->vol, txn, op->ino, &op->inode);

	if (rc)
		return rc;
	rc = dir_add(op->fs->vol, txn, op->dir->ino, dir, op->name, op->len, op->ino, type);
	if (rc)
		return rc;
	inode_touch(dir);
	return inode_write(op->fs->vol, txn, op->dir->ino, dir);
}

static void inode_new(const struct add_op *op, const struct inode_info *dir,
		      struct inode_info *inode)
{
	const struct fs_create *create = op->create;

	memset(inode, 0, sizeof(*inode));
	inode->mode = create->mode & S_IFMT ? create->mode : create->mode | S_IFREG;
	inode->uid = create->uid;
	inode->gid = create->gid;
	/* A set-group-ID directory hands its group down. */
	if (dir->mode & S_ISGID) {
		inode->gid = dir->gid;
		if (S_ISDIR(inode->mode))
			inode->mode |= S_ISGID;
	}
	inode->links = S_ISDIR(inode->mode) ? 2 : 1;
	if (S_ISDIR(inode->mode))
		inode->parent = op->dir->ino;
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		inode->rdev = (uint32_t)create->rdev;
	inode_touch(inode);
	inode->atime_ns = inode->crtime_ns = inode->ctime_ns;
	/* The number was freed, if ever used, by a transaction with a smaller id. */
	inode->generation = txn_mgr_next_generation(op->fs->vol->txns);
	extent_init(inode);
}

static int create_step(struct add_op *op, struct txn *txn)
{
	struct volume *vol = op->fs->vol;
	struct inode_info dir;
	int rc = add_prepare(op, txn, &dir);

	if (rc)
		return rc;
	rc = inode_alloc(vol, txn, op->dir->ino, S_ISDIR(op->create->mode), &op->ino);
	if (rc)
		return rc;
	inode_new(op, &dir, &op->inode);
	if (op->create->target)
		rc = symlink_write(vol, txn, op->ino, &op->inode, op->create->target,
				   strlen(op->create->target));
	if (!rc && S_ISDIR(op->inode.mode))
		rc = link_add(&dir);
	return rc ? rc : add_finish(op, txn, &dir);
}

static int create_check(const struct fs_create *create)
{
	size_t len = create->target ? strlen(create->target) : 0;

	if (S_ISLNK(create->mode) != !!create->target)
		return -EINVAL;
	if (create->target && len == 0)
		return -ENOENT;
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int fs_create(struct fs *fs, uint64_t parent, const char *name, const struct fs_create *create,
	      struct fs_entry *entry)
{
	struct add_op op = {.fs = fs, .name = name, .create = create};
	struct txn txn;
	int rc = name_check(name, &op.len);

	if (!rc)
		rc = create_check(create);
	if (rc)
		return rc;
	op.dir = icache_find(&fs->icache, parent);
	if (!op.dir)
		return -ESTALE;
	pthread_rwlock_wrlock(&op.dir->lock);
	do {
		txn_begin(&txn, fs->vol->txns);
		rc = create_step(&op, &txn);
	} while (txn_finish(&txn, &rc));
	if (!rc)
		rc = entry_make(fs, op.ino, &op.inode, entry);
	pthread_rwlock_unlock(&op.dir->lock);
	inode_unpin(fs, op.dir);
	return rc;
}

static int link_step(struct add_op *op, struct txn *txn)
{
	struct inode_info dir;
	int rc = add_prepare(op, txn, &dir);

	if (rc)
		return rc;
	rc = inode_fetch(op->fs, txn, op->ino, &op->inode);
	if (rc)
		return rc;
	if (S_ISDIR(op->inode.mode))
		return -EPERM;
	/* Its last name went, and it with it, once it is closed. */
	if (op->inode.links == 0)
		return -ENOENT;
	rc = link_add(&op->inode);
	if (rc)
		return rc;
	op->inode.ctime_ns = wallclock_now_ns();
	return add_finish(op, txn, &dir);
}

static int link_locked(struct add_op *op, struct inode *inode, struct fs_entry *entry)
{
	struct lock_set locks = {0};
	struct txn txn;
	int rc;

	lock_set_add(&locks, op->dir);
	lock_set_add(&locks, inode);
	lock_set_lock(&locks);
	do {
		txn_begin(&txn, op->fs->vol->txns);
		rc = link_step(op, &txn);
	} while (txn_finish(&txn, &rc));
	if (!rc)
		rc = entry_make(op->fs, op->ino, &op->inode, entry);
	lock_set_unlock(&locks);
	return rc;
}

int fs_link(struct fs *fs, uint64_t ino, uint64_t parent, const char *name, struct fs_entry *entry)
{
	struct add_op op = {.fs = fs, .name = name, .ino = ino};
	struct inode *inode;
	int rc = name_check(name, &op.len);

	if (rc)
		return rc;
	inode = icache_find(&fs->icache, ino);
	if (!inode)
		return -ESTALE;
	op.dir = icache_find(&fs->icache, parent);
	rc = op.dir ? link_locked(&op, inode, entry) : -ESTALE;
	if (op.dir)
		inode_unpin(fs, op.dir);
	inode_unpin(fs, inode);
	return rc;
}
