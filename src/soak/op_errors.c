/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that must be refused, and with which error. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "soak/ops.h"

#define NAME_LIMIT 255

/* Opening must fail: a descriptor that is given all the same is closed again. */
static int64_t open_attempt(struct worker *worker, const char *path, int flags)
{
	int64_t fd = CALL(openat(worker->dirfd, path, flags | O_CLOEXEC, 0600));

	if (fd < 0)
		return fd;
	close((int)fd);
	return 0;
}

/* Every call that makes a name must refuse one that is there. */
static int error_exists(struct worker *worker, uint32_t number, const char *path)
{
	int fd = worker->dirfd;
	int64_t rc;

	switch (rng_below(&worker->rng, 4)) {
	case 0:
		rc = open_attempt(worker, path, O_RDWR | O_CREAT | O_EXCL);
		break;
	case 1:
		rc = CALL(mkdirat(fd, path, 0700));
		break;
	case 2:
		rc = CALL(symlinkat("nowhere", fd, path));
		break;
	default:
		if (worker->model->names[number].node->type == NODE_DIR)
			rc = CALL(mkdirat(fd, path, 0700));
		else
			rc = CALL(linkat(fd, path, fd, path, 0));
		break;
	}
	return worker_refused(worker, path, rc, -EEXIST, -EEXIST);
}

static int error_missing(struct worker *worker, const char *path)
{
	int fd = worker->dirfd;
	int64_t rc;

	switch (rng_below(&worker->rng, 5)) {
	case 0:
		rc = open_attempt(worker, path, O_RDWR);
		break;
	case 1:
		rc = CALL(unlinkat(fd, path, 0));
		break;
	case 2:
		rc = CALL(unlinkat(fd, path, AT_REMOVEDIR));
		break;
	case 3:
		rc = CALL(renameat(fd, path, fd, "n"));
		break;
	default:
		rc = CALL(fchmodat(fd, path, 0600, 0));
		break;
	}
	return worker_refused(worker, path, rc, -ENOENT, -ENOENT);
}

static int error_dir(struct worker *worker, const char *path)
{
	int fd = worker->dirfd;

	switch (rng_below(&worker->rng, 4)) {
	case 0:
		return worker_refused(worker, path, open_attempt(worker, path, O_WRONLY), -EISDIR,
				      -EISDIR);
	case 1:
		return worker_refused(worker, path, CALL(unlinkat(fd, path, 0)), -EISDIR, -EPERM);
	case 2:
		return worker_refused(worker, path, CALL(linkat(fd, path, fd, "n", 0)), -EPERM,
				      -EPERM);
	default:
		return worker_refused(worker, path, CALL(readlinkat(fd, path, (char[1]){0}, 1)),
				      -EINVAL, -EINVAL);
	}
}

static int error_file(struct worker *worker, const char *path)
{
	char below[WORKLOAD_PATH_MAX + 2];
	int fd = worker->dirfd;

	snprintf(below, sizeof(below), "%s/n", path);
	switch (rng_below(&worker->rng, 4)) {
	case 0:
		return worker_refused(worker, below, open_attempt(worker, below, O_RDONLY),
				      -ENOTDIR, -ENOTDIR);
	case 1:
		return worker_refused(worker, path, CALL(unlinkat(fd, path, AT_REMOVEDIR)),
				      -ENOTDIR, -ENOTDIR);
	case 2:
		return worker_refused(worker, path,
				      open_attempt(worker, path, O_RDONLY | O_DIRECTORY), -ENOTDIR,
				      -ENOTDIR);
	default:
		return worker_refused(worker, path, CALL(readlinkat(fd, path, (char[1]){0}, 1)),
				      -EINVAL, -EINVAL);
	}
}

static int error_symlink(struct worker *worker, const char *path)
{
	int fd = worker->dirfd;

	if (worker_chance(worker, 2))
		return worker_refused(worker, path,
				      open_attempt(worker, path, O_RDONLY | O_NOFOLLOW), -ELOOP,
				      -ELOOP);
	return worker_refused(worker, path, CALL(unlinkat(fd, path, AT_REMOVEDIR)), -ENOTDIR,
			      -ENOTDIR);
}

static int error_name_too_long(struct worker *worker)
{
	char name[NAME_LIMIT + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	worker_note(worker, name, "must be refused: a name too long");
	return worker_refused(worker, name, open_attempt(worker, name, O_RDWR | O_CREAT | O_EXCL),
			      -ENAMETOOLONG, -ENAMETOOLONG);
}

int op_check_error(struct worker *worker)
{
	static int (*const by_type[])(struct worker *, const char *) = {
		[NODE_FILE] = error_file,
		[NODE_DIR] = error_dir,
		[NODE_SYMLINK] = error_symlink,
	};
	struct model *model = worker->model;
	uint64_t kind = rng_below(&worker->rng, 16);
	uint32_t number = model_pick_any(model, &worker->rng);
	struct node *parent = model->names[number].parent;
	char path[WORKLOAD_PATH_MAX];

	if (kind == 0)
		return error_name_too_long(worker);
	if (kind < 5 && model->free_count) {
		number = model_pick_free(model, &worker->rng);
		model_path(model, parent, number, path);
		worker_note(worker, path, "must be refused: no such name");
		return error_missing(worker, path);
	}
	model_path(model, parent, number, path);
	if (kind < 9) {
		worker_note(worker, path, "must be refused: the name exists");
		return error_exists(worker, number, path);
	}
	worker_note(worker, path, "must be refused for its type");
	return by_type[model->names[number].node->type](worker, path);
}
