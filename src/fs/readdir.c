/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "fs/core.h"
#include "meta/dir.h"

/* Positions: 0 is ".", 1 is "..", and from there on the directory's own cookies. */
#define POSITION_DOTS 2

struct listing {
	struct fs *fs;
	struct txn *txn;
	bool plus;
	int (*emit)(void *arg, const struct fs_dirent *entry);
	void *arg;
};

/* An entry whose inode cannot be read is listed without it: whoever looks at it gets the error. */
static bool listing_enter(struct listing *ls, const struct dir_entry *entry,
			  struct fs_entry *result)
{
	struct inode_info info;

	/* No lock of the child: the name keeps it, and an inode is read in one piece. */
	return entry_fetch(ls->fs, ls->txn, entry->ino, entry->type, &info) == 0 &&
	       entry_make(ls->fs, entry->ino, &info, result) == 0;
}

static int listing_emit(void *arg, const struct dir_entry *entry)
{
	char name[CFS_NAME_MAX + 1];
	struct listing *ls = arg;
	struct fs_entry result;
	struct fs_dirent out = {
		.ino = entry->ino,
		.mode = DTTOIF((uint32_t)entry->type),
		.name = name,
		.next = (int64_t)entry->next + POSITION_DOTS,
	};
	int stop;

	memcpy(name, entry->name, entry->name_len);
	name[entry->name_len] = '\0';
	if (ls->plus && listing_enter(ls, entry, &result))
		out.entry = &result;
	stop = ls->emit(ls->arg, &out);
	if (stop && out.entry)
		fs_forget(ls->fs, entry->ino, 1);
	return stop;
}

/* "." and "..", which are not stored. Returns what EMIT does. */
static int dots_emit(struct listing *ls, uint64_t ino, uint64_t parent, int64_t *position)
{
	const uint64_t inos[POSITION_DOTS] = {ino, parent};
	static const char *const names[POSITION_DOTS] = {".", ".."};
	int stop = 0;

	while (!stop && *position < POSITION_DOTS) {
		struct fs_dirent out = {
			.ino = inos[*position],
			.mode = S_IFDIR,
			.name = names[*position],
			.next = *position + 1,
		};

		stop = ls->emit(ls->arg, &out);
		++*position;
	}
	return stop;
}

static int locked_readdir(struct listing *ls, uint64_t ino, int64_t position)
{
	struct inode_info dir;
	int rc = dir_fetch(ls->fs, ls->txn, ino, &dir);

	if (rc || dots_emit(ls, ino, dir.parent, &position))
		return rc;
	return dir_iterate(ls->fs->vol, ls->txn, ino, &dir, (uint64_t)position - POSITION_DOTS,
			   listing_emit, ls);
}

int fs_readdir(struct fs *fs, uint64_t ino, int64_t position, bool plus,
	       int (*emit)(void *arg, const struct fs_dirent *entry), void *arg)
{
	struct inode *inode = icache_find(&fs->icache, ino);
	struct txn txn;
	struct listing ls = {.fs = fs, .txn = &txn, .plus = plus, .emit = emit, .arg = arg};
	int rc;

	if (!inode)
		return -ESTALE;
	if (position < 0) {
		rc = -EINVAL;
		goto out;
	}
	pthread_rwlock_rdlock(&inode->lock);
	txn_begin(&txn, fs->vol->txns);
	rc = locked_readdir(&ls, ino, position);
	txn_abort(&txn);
	pthread_rwlock_unlock(&inode->lock);
out:
	inode_unpin(fs, inode);
	return rc;
}
