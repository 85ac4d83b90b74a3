/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests about one inode. */
#include <limits.h>

#include "fuse/edge.h"

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_entry entry;
	int rc = fs_lookup(edge_fs(req), parent, name, &entry);

	edge_reply_entry(req, rc, &entry);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fs_forget(edge_fs(req), ino, nlookup);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		fs_forget(edge_fs(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat attr;
	int rc = fs_getattr(edge_fs(req), ino, &attr);

	(void)fi;
	edge_reply_attr(req, rc, &attr);
}

/* The flags of a setattr request: theirs on the left, ours on the right. */
static unsigned set_flags(int to_set)
{
	static const struct {
		int theirs;
		unsigned ours;
	} flags[] = {
		{FUSE_SET_ATTR_MODE, FS_SET_MODE},   {FUSE_SET_ATTR_UID, FS_SET_UID},
		{FUSE_SET_ATTR_GID, FS_SET_GID},     {FUSE_SET_ATTR_SIZE, FS_SET_SIZE},
		{FUSE_SET_ATTR_ATIME, FS_SET_ATIME}, {FUSE_SET_ATTR_ATIME_NOW, FS_SET_ATIME},
		{FUSE_SET_ATTR_MTIME, FS_SET_MTIME}, {FUSE_SET_ATTR_MTIME_NOW, FS_SET_MTIME},
		{FUSE_SET_ATTR_CTIME, FS_SET_CTIME},
	};
	unsigned set = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (to_set & flags[i].theirs)
			set |= flags[i].ours;
	return set;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct fs_setattr set = {
		.set = set_flags(to_set),
		.mode = attr->st_mode,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.size = (uint64_t)attr->st_size,
		.atime = attr->st_atim,
		.mtime = attr->st_mtim,
		.ctime = attr->st_ctim,
	};
	struct stat result;
	int rc;

	(void)fi;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		set.atime.tv_nsec = UTIME_NOW;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		set.mtime.tv_nsec = UTIME_NOW;
	rc = fs_setattr(edge_fs(req), ino, &set, &result);
	edge_reply_attr(req, rc, &result);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	int rc = fs_readlink(edge_fs(req), ino, target);

	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_readlink(req, target);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int rc = fs_statfs(edge_fs(req), &st);

	(void)ino;
	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_statfs(req, &st);
}
