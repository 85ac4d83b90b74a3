/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on open files and directories. */
#include <errno.h>
#include <stdlib.h>

#include "fuse/edge.h"

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fs_create create = {.mode = mode, .uid = ctx->uid, .gid = ctx->gid};
	struct fuse_entry_param param;
	struct fs_entry entry;
	int rc = fs_create(edge_fs(req), parent, name, &create, &entry);

	if (!rc) {
		rc = fs_open(edge_fs(req), entry.ino, 0);
		if (rc)
			fs_forget(edge_fs(req), entry.ino, 1);
	}
	if (rc) {
		edge_reply(req, rc);
		return;
	}
	edge_entry(req, &entry, &param);
	fuse_reply_create(req, &param, fi);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int rc = fs_open(edge_fs(req), ino, fi->flags);

	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_open(req, fi);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	fs_release(edge_fs(req), ino);
	edge_reply(req, 0);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	char *buf = malloc(size ? size : 1);
	size_t done;
	int rc;

	(void)fi;
	if (buf)
		rc = fs_read(edge_fs(req), ino, buf, size, (uint64_t)offset, &done);
	else
		rc = -ENOMEM;
	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_buf(req, buf, done);
	free(buf);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	      struct fuse_file_info *fi)
{
	size_t done;
	int rc = fs_write(edge_fs(req), ino, buf, size, (uint64_t)offset, &done);

	(void)fi;
	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_write(req, done);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	edge_reply(req, fs_sync(edge_fs(req)));
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	int64_t found;
	int rc = fs_seek(edge_fs(req), ino, offset, whence, &found);

	(void)fi;
	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_lseek(req, found);
}
