/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listing directories, with and without attributes. */
#include <errno.h>
#include <stdlib.h>

#include "fuse/edge.h"

/* A reply as it fills. */
struct dir_reply {
	fuse_req_t req;
	char *buf;
	size_t size, used;
};

static size_t plain_add(struct dir_reply *reply, const struct fs_dirent *entry)
{
	const struct stat attr = {.st_ino = entry->ino, .st_mode = entry->mode};

	return fuse_add_direntry(reply->req, reply->buf + reply->used, reply->size - reply->used,
				 entry->name, &attr, entry->next);
}

static size_t plus_add(struct dir_reply *reply, const struct fs_dirent *entry)
{
	/* Number 0 tells the kernel that nothing was looked up. */
	struct fuse_entry_param param = {
		.attr = {.st_ino = entry->ino, .st_mode = entry->mode},
	};

	if (entry->entry)
		edge_entry(reply->req, entry->entry, &param);
	return fuse_add_direntry_plus(reply->req, reply->buf + reply->used,
				      reply->size - reply->used, entry->name, &param, entry->next);
}

/* An entry that does not fit any more takes no room, and ends the walk. */
static int reply_take(struct dir_reply *reply, size_t len)
{
	if (len > reply->size - reply->used)
		return 1;
	reply->used += len;
	return 0;
}

static int plain_emit(void *arg, const struct fs_dirent *entry)
{
	return reply_take(arg, plain_add(arg, entry));
}

static int plus_emit(void *arg, const struct fs_dirent *entry)
{
	return reply_take(arg, plus_add(arg, entry));
}

static void dir_reply(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	struct dir_reply reply = {.req = req, .buf = malloc(size ? size : 1), .size = size};
	int rc = -ENOMEM;

	if (reply.buf)
		rc = fs_readdir(edge_fs(req), ino, offset, plus, plus ? plus_emit : plain_emit,
				&reply);
	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_buf(req, reply.buf, reply.used);
	free(reply.buf);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)fi;
	dir_reply(req, ino, size, offset, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)fi;
	dir_reply(req, ino, size, offset, true);
}
