/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparisons of names, attributes and link targets with the model. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "soak/worker.h"

static const struct {
	mode_t mode;
	unsigned char dirent;
	const char *name;
} types[NODE_TYPES] = {
	[NODE_FILE] = {S_IFREG, DT_REG, "a file"},
	[NODE_DIR] = {S_IFDIR, DT_DIR, "a directory"},
	[NODE_SYMLINK] = {S_IFLNK, DT_LNK, "a symbolic link"},
};

static int check_number(struct worker *worker, const char *path, const char *what,
			uint64_t expected, uint64_t found)
{
	if (expected == found)
		return 0;
	return worker_mismatch(worker, path, "%s: expected %llu, found %llu", what,
			       (unsigned long long)expected, (unsigned long long)found);
}

/* A time that the kernel chose is learned when first seen and must stay so until the next change.
 */
static int check_mtime(struct worker *worker, struct node *node, const char *path,
		       const struct timespec *found)
{
	if (!node->mtime_known) {
		node->mtime = *found;
		node->mtime_known = true;
		return 0;
	}
	if (node->mtime.tv_sec == found->tv_sec && node->mtime.tv_nsec == found->tv_nsec)
		return 0;
	return worker_mismatch(worker, path, "mtime: expected %lld.%09ld, found %lld.%09ld",
			       (long long)node->mtime.tv_sec, node->mtime.tv_nsec,
			       (long long)found->tv_sec, found->tv_nsec);
}

static int check_links(struct worker *worker, const struct node *node, const char *path,
		       const struct stat *st)
{
	if (node->type != NODE_DIR)
		return check_number(worker, path, "link count", node->links, st->st_nlink);
	if (!worker->features.dir_links)
		return 0;
	return check_number(worker, path, "link count of the directory", 2 + node->subdirs,
			    st->st_nlink);
}

static int check_size(struct worker *worker, const struct node *node, const char *path,
		      const struct stat *st)
{
	uint64_t expected = node->type == NODE_FILE ? node->content.size : node->target_len;

	if (node->type == NODE_DIR)
		return 0;
	return check_number(worker, path, "size", expected, (uint64_t)st->st_size);
}

int check_stat(struct worker *worker, struct node *node, const char *path, const struct stat *st)
{
	int rc;

	counter_add(&worker->count.objects, 1);
	if ((st->st_mode & S_IFMT) != types[node->type].mode)
		return worker_mismatch(worker, path, "type: expected %s, found mode %o",
				       types[node->type].name, st->st_mode);
	if (node->type != NODE_SYMLINK && (st->st_mode & 07777) != node->mode)
		return worker_mismatch(worker, path, "mode: expected %04o, found %04o", node->mode,
				       st->st_mode & 07777);
	if (!node->ino)
		node->ino = st->st_ino;
	rc = check_number(worker, path, "inode number", node->ino, st->st_ino);
	if (!rc)
		rc = check_number(worker, path, "uid", node->uid, st->st_uid);
	if (!rc)
		rc = check_number(worker, path, "gid", node->gid, st->st_gid);
	if (!rc)
		rc = check_links(worker, node, path, st);
	if (!rc)
		rc = check_size(worker, node, path, st);
	if (!rc)
		rc = check_mtime(worker, node, path, &st->st_mtim);
	return rc;
}

int check_path(struct worker *worker, struct node *node, const char *path)
{
	struct stat st;
	int64_t rc = CALL(fstatat(worker->dirfd, path, &st, AT_SYMLINK_NOFOLLOW));

	if (rc == -ENOENT)
		return worker_mismatch(worker, path, "expected %s, found no such name",
				       types[node->type].name);
	if (rc < 0)
		return worker_error(worker, path, rc);
	return check_stat(worker, node, path, &st);
}

int check_fd(struct worker *worker, struct node *node, const char *path, int fd)
{
	struct stat st;
	int64_t rc = CALL(fstat(fd, &st));

	if (rc < 0)
		return worker_error(worker, path, rc);
	return check_stat(worker, node, path, &st);
}

int check_absent(struct worker *worker, const char *path)
{
	struct stat st;
	int64_t rc = CALL(fstatat(worker->dirfd, path, &st, AT_SYMLINK_NOFOLLOW));

	counter_add(&worker->count.objects, 1);
	if (rc == 0)
		return worker_mismatch(worker, path,
				       "expected no such name, found inode %llu with mode %o",
				       (unsigned long long)st.st_ino, st.st_mode);
	return rc == -ENOENT ? 0 : worker_error(worker, path, rc);
}

int check_target(struct worker *worker, const struct node *node, const char *path)
{
	char expected[PATH_MAX], found[PATH_MAX];
	int64_t n = CALL(readlinkat(worker->dirfd, path, found, sizeof(found)));

	if (n == -ENOENT || n == -EINVAL)
		return worker_mismatch(worker, path, "expected a symbolic link, found %s",
				       n == -ENOENT ? "no such name" : "something else");
	if (n < 0)
		return worker_error(worker, path, n);
	counter_add(&worker->count.objects, 1);
	if (n != node->target_len)
		return worker_mismatch(worker, path, "link target: expected %u bytes, found %lld",
				       node->target_len, (long long)n);
	model_target_format(node, expected);
	for (int64_t at = 0; at < n; at++) {
		if (expected[at] != found[at])
			return worker_mismatch(worker, path,
					       "link target: expected \"%.40s\" at byte %lld, "
					       "found \"%.*s\"",
					       expected + at, (long long)at,
					       n - at < 40 ? (int)(n - at) : 40, found + at);
	}
	return 0;
}

/* Judges one entry; counts it in *SEEN. */
static int check_entry(struct worker *worker, struct node *dir, const struct dirent *entry,
		       const char *path, uint32_t *seen)
{
	struct model *model = worker->model;
	uint32_t number = model_name_parse(model, entry->d_name);
	char full[WORKLOAD_PATH_MAX + MODEL_NAME_SIZE];
	unsigned char type = entry->d_type;
	struct name *name;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (dir == model->root)
		path = "";
	snprintf(full, sizeof(full), "%s%s%s", path, *path ? "/" : "", entry->d_name);
	if (number == MODEL_NONE || model->names[number].parent != dir)
		return worker_mismatch(worker, full,
				       "readdir: expected no such name, found inode %llu",
				       (unsigned long long)entry->d_ino);
	name = &model->names[number];
	if (name->mark == model->mark)
		return worker_mismatch(worker, full, "readdir: found the name twice");
	name->mark = model->mark;
	++*seen;
	if (type != types[name->node->type].dirent &&
	    (type != DT_UNKNOWN || worker->features.dir_types))
		return worker_mismatch(worker, full, "readdir: expected d_type %u, found %u",
				       types[name->node->type].dirent, type);
	return 0;
}

static int missing_report(struct worker *worker, struct node *dir, const char *path, uint32_t seen)
{
	char full[WORKLOAD_PATH_MAX];
	struct name *name;

	TAILQ_FOREACH(name, &dir->contents, siblings)
	{
		if (name->mark == worker->model->mark)
			continue;
		model_path(worker->model, dir, (uint32_t)(name - worker->model->names), full);
		return worker_mismatch(worker, full,
				       "readdir: the name is missing; expected %u names, found %u",
				       dir->children, seen);
	}
	return worker_mismatch(worker, path, "readdir: expected %u names, found %u", dir->children,
			       seen);
}

int check_dir(struct worker *worker, struct node *dir, const char *path)
{
	int64_t fd = CALL(openat(worker->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	uint32_t seen = 0;
	DIR *stream;
	int rc = 0;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return worker_mismatch(worker, path, "expected a directory, found %s",
				       fd == -ENOENT ? "no such name" : "something else");
	if (fd < 0)
		return worker_error(worker, path, fd);
	stream = fdopendir((int)fd);
	if (!stream) {
		rc = -errno;
		close((int)fd);
		return worker_error(worker, path, rc);
	}
	counter_add(&worker->count.objects, 1);
	model_mark_next(worker->model);
	while (!rc) {
		errno = 0;
		entry = readdir(stream);
		if (!entry)
			break;
		rc = check_entry(worker, dir, entry, path, &seen);
	}
	if (!rc && errno)
		rc = worker_error(worker, path, -errno);
	if (!rc && seen != dir->children)
		rc = missing_report(worker, dir, path, seen);
	closedir(stream);
	return rc;
}
