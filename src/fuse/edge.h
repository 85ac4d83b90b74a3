/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The edge to the kernel: what every request handler of the daemon uses. A reply fails only when
 * the connection is gone; references that it would have handed out end with fs_unmount() then.
 */
#ifndef CHURNFS_FUSE_EDGE_H
#define CHURNFS_FUSE_EDGE_H

#include <fuse_lowlevel.h>

#include "fs/fs.h"

/* User data of the session. */
struct edge {
	struct fs *fs;
	double timeout; /* seconds that the kernel may keep names and attributes */
};

static inline struct edge *edge_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct fs *edge_fs(fuse_req_t req)
{
	return edge_of(req)->fs;
}

/* What the kernel is told for RC, 0 or a negative errno from below: a positive errno. */
int edge_errno(int rc);

/* Each of these replies once. RC other than 0 replies that error. */
void edge_reply(fuse_req_t req, int rc);
void edge_reply_entry(fuse_req_t req, int rc, const struct fs_entry *entry);
void edge_reply_attr(fuse_req_t req, int rc, const struct stat *attr);

/* Fills what fuse_reply_entry() and its kin want. */
void edge_entry(fuse_req_t req, const struct fs_entry *entry, struct fuse_entry_param *param);

/* Handlers of inode_ops.c, name_ops.c, file_ops.c and dir_ops.c, as fuse_lowlevel.h has them. */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags);

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	      struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi);

#endif
