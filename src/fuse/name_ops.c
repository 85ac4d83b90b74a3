/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that add, remove and move names. */
#include "fuse/edge.h"

static void create_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			 struct fs_create *create)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fs_entry entry;
	int rc;

	create->uid = ctx->uid;
	create->gid = ctx->gid;
	rc = fs_create(edge_fs(req), parent, name, create, &entry);
	edge_reply_entry(req, rc, &entry);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct fs_create create = {.mode = mode, .rdev = rdev};

	create_reply(req, parent, name, &create);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs_create create = {.mode = S_IFDIR | (mode & ~(mode_t)S_IFMT)};

	create_reply(req, parent, name, &create);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct fs_create create = {.mode = S_IFLNK | 0777, .target = target};

	create_reply(req, parent, name, &create);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct fs_entry entry;
	int rc = fs_link(edge_fs(req), ino, parent, name, &entry);

	edge_reply_entry(req, rc, &entry);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	edge_reply(req, fs_unlink(edge_fs(req), parent, name));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	edge_reply(req, fs_rmdir(edge_fs(req), parent, name));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags)
{
	edge_reply(req, fs_rename(edge_fs(req), parent, name, new_parent, new_name, flags));
}
