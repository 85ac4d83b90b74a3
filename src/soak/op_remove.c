/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations that remove names, and files that live on without one. */
#include <fcntl.h>

#include "soak/ops.h"

void node_drop(struct worker *worker, struct node *node)
{
	worker->model->bytes -= node->content.bytes;
	model_node_free(node);
}

/* Removes a name of the model that the filesystem has removed; HELD: the node is kept if unused. */
static struct node *name_forget(struct worker *worker, uint32_t number, bool held)
{
	struct node *node = model_clear(worker->model, number);

	if (node->links || held)
		return node;
	node_drop(worker, node);
	return NULL;
}

/* Removes the name of a file or symlink. */
static int name_unlink(struct worker *worker, uint32_t number, const char *path)
{
	int64_t rc = CALL(unlinkat(worker->dirfd, path, 0));

	worker_result(worker, rc);
	if (rc < 0)
		return worker_error(worker, path, rc);
	name_forget(worker, number, false);
	return worker_chance(worker, 4) ? check_absent(worker, path) : 0;
}

int op_unlink(struct worker *worker)
{
	struct model *model = worker->model;
	uint32_t files = model->used_count[NODE_FILE], links = model->used_count[NODE_SYMLINK];
	bool file = rng_below(&worker->rng, (uint64_t)files + links) < files;
	uint32_t number = model_pick_type(model, &worker->rng, file ? NODE_FILE : NODE_SYMLINK);
	char path[WORKLOAD_PATH_MAX];

	model_path(model, model->names[number].parent, number, path);
	worker_note(worker, path, "unlink");
	return name_unlink(worker, number, path);
}

int op_rmdir(struct worker *worker)
{
	struct model *model = worker->model;
	uint32_t number = model_pick_type(model, &worker->rng, NODE_DIR);
	struct node *node = model->names[number].node;
	char path[WORKLOAD_PATH_MAX];
	int64_t rc;

	/* A second look for one that is empty, else most attempts would be refused. */
	if (node->children) {
		number = model_pick_type(model, &worker->rng, NODE_DIR);
		node = model->names[number].node;
	}
	model_path(model, model->names[number].parent, number, path);
	worker_note(worker, path, "rmdir with %u names in it", node->children);
	rc = CALL(unlinkat(worker->dirfd, path, AT_REMOVEDIR));
	worker_result(worker, rc);
	if (node->children)
		return worker_refused(worker, path, rc, -ENOTEMPTY, -EEXIST);
	if (rc < 0)
		return worker_error(worker, path, rc);
	name_forget(worker, number, false);
	return worker_chance(worker, 4) ? check_absent(worker, path) : 0;
}

/* Removes what is no directory from one directory, oldest or newest name first. */
int op_empty_dir(struct worker *worker)
{
	struct model *model = worker->model;
	struct node *dir = model_pick_dir(model, &worker->rng);
	bool newest = worker_chance(worker, 2);
	char path[WORKLOAD_PATH_MAX];
	struct name *name, *next;
	int rc = 0;

	model_path(model, dir, MODEL_NONE, path);
	worker_note(worker, path, "unlink the files among %u names", dir->children);
	name = newest ? TAILQ_LAST(&dir->contents, name_list) : TAILQ_FIRST(&dir->contents);
	while (!rc && name) {
		uint32_t number = (uint32_t)(name - model->names);
		char file[WORKLOAD_PATH_MAX];

		next = newest ? TAILQ_PREV(name, name_list, siblings) : TAILQ_NEXT(name, siblings);
		if (name->node->type != NODE_DIR) {
			model_path(model, dir, number, file);
			rc = name_unlink(worker, number, file);
		}
		name = next;
	}
	return rc ? rc : check_dir(worker, dir, path);
}

/* Removes a name of a file while it is open; without a name left the file becomes an orphan. */
int op_orphan(struct worker *worker)
{
	struct model *model = worker->model;
	uint32_t number = model_pick_type(model, &worker->rng, NODE_FILE);
	char path[WORKLOAD_PATH_MAX];
	struct node *node;
	int64_t fd, rc;

	model_path(model, model->names[number].parent, number, path);
	worker_note(worker, path, "open, then unlink");
	fd = CALL(openat(worker->dirfd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return worker_error(worker, path, fd);
	rc = CALL(unlinkat(worker->dirfd, path, 0));
	worker_result(worker, rc);
	if (rc < 0) {
		close((int)fd);
		return worker_error(worker, path, rc);
	}
	node = name_forget(worker, number, true);
	if (!node->links) {
		worker->orphans[worker->orphan_count++] = (struct orphan){node, (int)fd};
		return check_fd(worker, node, path, (int)fd);
	}
	rc = check_fd(worker, node, path, (int)fd);
	close((int)fd);
	return (int)rc;
}

int op_orphan_close(struct worker *worker)
{
	uint64_t at = rng_below(&worker->rng, worker->orphan_count);
	struct orphan orphan = worker->orphans[at];
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "(unlinked file %u)", orphan.node->number);
	worker_note(worker, path, "verify and close");
	rc = check_fd(worker, orphan.node, path, orphan.fd);
	if (!rc)
		rc = check_contents(worker, orphan.node, path, orphan.fd);
	worker->orphans[at] = worker->orphans[--worker->orphan_count];
	if (close(orphan.fd) && errno != EINTR && !rc)
		rc = worker_error(worker, path, -errno);
	node_drop(worker, orphan.node);
	return rc;
}
