/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse/edge.h"

#include <errno.h>
#include <string.h>

int edge_errno(int rc)
{
	/* Damage was logged and counted where it was found; for a caller it is a failed device. */
	if (rc == -EBADMSG || rc == -EUCLEAN)
		return EIO;
	return -rc;
}

void edge_reply(fuse_req_t req, int rc)
{
	fuse_reply_err(req, edge_errno(rc));
}

void edge_entry(fuse_req_t req, const struct fs_entry *entry, struct fuse_entry_param *param)
{
	memset(param, 0, sizeof(*param));
	param->ino = entry->ino;
	param->generation = entry->generation;
	param->attr = entry->attr;
	param->attr_timeout = edge_of(req)->timeout;
	param->entry_timeout = edge_of(req)->timeout;
}

void edge_reply_entry(fuse_req_t req, int rc, const struct fs_entry *entry)
{
	struct fuse_entry_param param;

	if (rc) {
		edge_reply(req, rc);
		return;
	}
	edge_entry(req, entry, &param);
	fuse_reply_entry(req, &param);
}

void edge_reply_attr(fuse_req_t req, int rc, const struct stat *attr)
{
	if (rc)
		edge_reply(req, rc);
	else
		fuse_reply_attr(req, attr, edge_of(req)->timeout);
}
