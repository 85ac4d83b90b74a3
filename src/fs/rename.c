/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fs/core.h"
#include "meta/dir.h"
#include "meta/inode.h"

/* One of the two names: where it is and what it leads to. */
struct rename_end {
	struct inode *dir;
	const char *name;
	size_t len;
	struct inode *child; /* NULL: the name does not exist (new end only) */
	uint8_t type;
};

struct rename_op {
	struct fs *fs;
	struct rename_end from, to;
	unsigned flags;
	bool victim_gone; /* result: the last name of to.child was replaced */
};

/* The inodes as read in one try. */
struct rename_state {
	struct inode_info from_dir, to_dir, source, victim;
	struct inode_info *to; /* from_dir or to_dir: both ends may be in one directory */
};

static bool same_dir(const struct rename_op *op)
{
	return op->from.dir == op->to.dir;
}

/*
 * -EINVAL when INO is DIR or above it. Goes up by the parents' numbers, which stand still: DIR
 * exists, so all above it do, and rename_lock is held. A ring, as only damage makes it, is found
 * by Brent's method.
 */
static int ancestor_refuse(struct rename_op *op, struct txn *txn, uint64_t dir, uint64_t ino)
{
	uint64_t mark = 0, steps = 0, limit = 1;
	struct inode_info info;

	for (;;) {
		int rc;

		if (dir == ino)
			return -EINVAL;
		if (dir == CFS_ROOT_INODE)
			return 0;
		if (dir == mark)
			return -EUCLEAN;
		if (++steps == limit) {
			mark = dir;
			limit *= 2;
			steps = 0;
		}
		rc = dir_fetch(op->fs, txn, dir, &info);
		if (rc == -ESTALE || rc == -ENOTDIR)
			return -EUCLEAN;
		if (rc)
			return rc;
		dir = info.parent;
	}
}

static int state_read(struct rename_op *op, struct txn *txn, struct rename_state *st)
{
	struct fs *fs = op->fs;
	int rc = dir_fetch_live(fs, txn, op->from.dir->ino, &st->from_dir);

	st->to = same_dir(op) ? &st->from_dir : &st->to_dir;
	if (!rc && !same_dir(op))
		rc = dir_fetch_live(fs, txn, op->to.dir->ino, &st->to_dir);
	if (!rc)
		rc = name_confirm(fs, txn, op->from.dir, &st->from_dir, op->from.name, op->from.len,
				  op->from.child);
	if (!rc)
		rc = name_confirm(fs, txn, op->to.dir, st->to, op->to.name, op->to.len,
				  op->to.child);
	if (!rc)
		rc = entry_fetch(fs, txn, op->from.child->ino, op->from.type, &st->source);
	if (!rc && op->to.child)
		rc = entry_fetch(fs, txn, op->to.child->ino, op->to.type, &st->victim);
	return rc;
}

static int replace_check(struct rename_op *op, struct txn *txn, const struct rename_state *st)
{
	bool source_dir = S_ISDIR(st->source.mode), victim_dir = S_ISDIR(st->victim.mode);

	if (source_dir && !victim_dir)
		return -ENOTDIR;
	if (!source_dir && victim_dir)
		return -EISDIR;
	return victim_dir ? dir_empty(op->fs->vol, txn, op->to.child->ino, &st->victim) : 0;
}

/* Sees to it that nothing forbids the move. */
static int move_check(struct rename_op *op, struct txn *txn, const struct rename_state *st)
{
	bool exchange = op->flags & RENAME_EXCHANGE;
	int rc = 0;

	if (!exchange && op->to.child)
		rc = replace_check(op, txn, st);
	if (!rc && !same_dir(op) && S_ISDIR(st->source.mode))
		rc = ancestor_refuse(op, txn, op->to.dir->ino, op->from.child->ino);
	if (!rc && !same_dir(op) && exchange && S_ISDIR(st->victim.mode))
		rc = ancestor_refuse(op, txn, op->from.dir->ino, op->to.child->ino);
	return rc;
}

/* A directory gets another parent: ".." is a link to it. */
static int reparent(struct rename_op *op, struct inode_info *child, struct inode_info *old_parent,
		    const struct inode *new_dir, struct inode_info *new_parent)
{
	int rc;

	if (same_dir(op) || !S_ISDIR(child->mode))
		return 0;
	child->parent = new_dir->ino;
	rc = link_drop(old_parent);
	return rc ? rc : link_add(new_parent);
}

static int names_exchange(struct rename_op *op, struct txn *txn, struct rename_state *st)
{
	struct volume *vol = op->fs->vol;
	int rc = dir_replace(vol, txn, op->from.dir->ino, &st->from_dir, op->from.name,
			     op->from.len, op->to.child->ino, op->to.type);

	if (!rc)
		rc = dir_replace(vol, txn, op->to.dir->ino, st->to, op->to.name, op->to.len,
				 op->from.child->ino, op->from.type);
	if (!rc)
		rc = reparent(op, &st->victim, st->to, op->from.dir, &st->from_dir);
	return rc;
}

/* The victim loses a name; a directory goes with it, and its "..". */
static int victim_drop(struct rename_op *op, struct rename_state *st)
{
	int rc = link_drop(&st->victim);

	if (!rc && S_ISDIR(st->victim.mode)) {
		st->victim.links = 0;
		rc = link_drop(st->to);
	}
	op->victim_gone = st->victim.links == 0;
	return rc;
}

static int names_move(struct rename_op *op, struct txn *txn, struct rename_state *st)
{
	struct volume *vol = op->fs->vol;
	const struct rename_end *from = &op->from, *to = &op->to;
	int rc;

	if (to->child)
		rc = dir_replace(vol, txn, to->dir->ino, st->to, to->name, to->len,
				 from->child->ino, from->type);
	else
		rc = dir_add(vol, txn, to->dir->ino, st->to, to->name, to->len, from->child->ino,
			     from->type);
	if (!rc)
		rc = dir_remove(vol, txn, from->dir->ino, &st->from_dir, from->name, from->len);
	if (!rc && to->child)
		rc = victim_drop(op, st);
	return rc;
}

static int state_write(struct rename_op *op, struct txn *txn, struct rename_state *st)
{
	struct volume *vol = op->fs->vol;
	int rc;

	inode_touch(&st->from_dir);
	st->source.ctime_ns = st->from_dir.ctime_ns;
	rc = inode_write(vol, txn, op->from.dir->ino, &st->from_dir);
	if (!rc && !same_dir(op)) {
		inode_touch(&st->to_dir);
		rc = inode_write(vol, txn, op->to.dir->ino, &st->to_dir);
	}
	if (!rc)
		rc = inode_write(vol, txn, op->from.child->ino, &st->source);
	if (!rc && op->to.child) {
		st->victim.ctime_ns = st->source.ctime_ns;
		rc = inode_write(vol, txn, op->to.child->ino, &st->victim);
	}
	return rc;
}

static int rename_step(struct rename_op *op, struct txn *txn)
{
	struct rename_state st;
	int rc = state_read(op, txn, &st);

	/* Two names of one inode: POSIX wants nothing done. */
	if (rc || op->from.child == op->to.child)
		return rc;
	rc = move_check(op, txn, &st);
	if (rc)
		return rc;
	if (op->flags & RENAME_EXCHANGE)
		rc = names_exchange(op, txn, &st);
	else
		rc = names_move(op, txn, &st);
	if (!rc)
		rc = reparent(op, &st.source, &st.from_dir, op->to.dir, st.to);
	return rc ? rc : state_write(op, txn, &st);
}

/* What flags and places say already; from here on the child of an end is not its directory. */
static int ends_check(const struct rename_op *op)
{
	const struct rename_end *from = &op->from, *to = &op->to;
	bool exchange = op->flags & RENAME_EXCHANGE;

	if (to->child && (op->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!to->child && exchange)
		return -ENOENT;
	if (from->child == to->dir && !same_dir(op))
		return -EINVAL;
	if (to->child == from->dir && !same_dir(op))
		return exchange ? -EINVAL : -ENOTEMPTY;
	/* On a damaged filesystem only: a directory within itself, or the root within another. */
	if (from->child == from->dir || (to->child && to->child == to->dir) ||
	    from->child == op->fs->root || to->child == op->fs->root)
		return -EUCLEAN;
	return 0;
}

static int rename_locked(struct rename_op *op)
{
	bool exchange = op->flags & RENAME_EXCHANGE;
	bool moves_dir = !same_dir(op) && (op->from.type == DT_DIR ||
					   (exchange && op->to.child && op->to.type == DT_DIR));
	struct lock_set locks = {0};
	struct txn txn;
	int rc = ends_check(op);

	if (rc)
		return rc;
	lock_set_add(&locks, op->from.dir);
	lock_set_add(&locks, op->to.dir);
	lock_set_add(&locks, op->from.child);
	lock_set_add(&locks, op->to.child);
	if (moves_dir)
		pthread_mutex_lock(&op->fs->rename_lock);
	lock_set_lock(&locks);
	do {
		op->victim_gone = false;
		txn_begin(&txn, op->fs->vol->txns);
		rc = rename_step(op, &txn);
	} while (txn_finish(&txn, &rc));
	if (!rc && op->victim_gone)
		op->to.child->unlinked = true;
	lock_set_unlock(&locks);
	if (moves_dir)
		pthread_mutex_unlock(&op->fs->rename_lock);
	return rc;
}

/* Finds out what the names lead to, and renames if they still do once all is locked. */
static int rename_try(struct rename_op *op)
{
	struct fs *fs = op->fs;
	struct rename_end *from = &op->from, *to = &op->to;
	int rc = child_pin(fs, from->dir, from->name, from->len, &from->child, &from->type);

	if (rc)
		return rc;
	rc = child_pin(fs, to->dir, to->name, to->len, &to->child, &to->type);
	if (rc == -ENOENT) {
		to->child = NULL;
		rc = 0;
	}
	if (!rc) {
		rc = rename_locked(op);
		if (to->child)
			inode_unpin(fs, to->child);
	}
	inode_unpin(fs, from->child);
	return rc;
}

int fs_rename(struct fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
	      const char *new_name, unsigned flags)
{
	struct rename_op op = {.fs = fs, .flags = flags};
	int rc;

	if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE)
		return -EINVAL;
	op.from.name = name;
	op.to.name = new_name;
	rc = name_check(name, &op.from.len);
	if (!rc)
		rc = name_check(new_name, &op.to.len);
	if (rc)
		return rc;
	op.from.dir = icache_find(&fs->icache, parent);
	if (!op.from.dir)
		return -ESTALE;
	op.to.dir = icache_find(&fs->icache, new_parent);
	if (!op.to.dir)
		rc = -ESTALE;
	else
		do {
			rc = rename_try(&op);
		} while (rc == -EAGAIN);
	if (op.to.dir)
		inode_unpin(fs, op.to.dir);
	inode_unpin(fs, op.from.dir);
	return rc;
}
