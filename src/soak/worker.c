/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a worker: its folder, its loop, and the verification of its whole subtree. */
#include "soak/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "soak/ops.h"
#include "util/clock.h"

static int folder_path(const struct worker *worker, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s", worker->shared->root, worker->dir);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Makes the folder with a mode that neither the umask nor the parent decides. */
static int folder_make(struct worker *worker)
{
	char path[PATH_MAX];
	struct stat st;
	int64_t rc = folder_path(worker, path, sizeof(path));

	if (rc)
		return (int)rc;
	rc = CALL(mkdir(path, 0755));
	if (rc)
		return (int)rc;
	rc = worker_open(worker);
	if (!rc)
		rc = CALL(fchmod(worker->dirfd, 0755));
	if (!rc)
		rc = CALL(fstat(worker->dirfd, &st));
	if (rc)
		return (int)rc;
	worker->model->root->uid = st.st_uid;
	worker->model->root->gid = st.st_gid;
	return worker_probe(worker);
}

int worker_create(struct worker_shared *shared, unsigned index, struct worker **out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct rng rng;
	int rc = -ENOMEM;

	if (!worker)
		return -ENOMEM;
	worker->shared = shared;
	worker->index = index;
	worker->dirfd = -1;
	pthread_mutex_init(&worker->recent_lock, NULL);
	snprintf(worker->dir, sizeof(worker->dir), "w%02u", index);
	rng_seed(&worker->rng, shared->options.seed, index);
	/* The key is the same for all workers, so that one knows the data of another. */
	rng_seed(&rng, shared->options.seed, UINT64_MAX);
	worker->pattern.key = rng_next(&rng);
	worker->pattern.worker = (uint8_t)index;
	worker->buffer = malloc(WORKER_BUFFER);
	if (!worker->buffer || model_create(shared->options.max_nodes_per_worker, &worker->model))
		goto out;
	rc = folder_make(worker);
out:
	if (rc)
		worker_free(worker);
	else
		*out = worker;
	return rc;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->dirfd >= 0)
		close(worker->dirfd);
	model_free(worker->model);
	free(worker->buffer);
	pthread_mutex_destroy(&worker->recent_lock);
	free(worker);
}

int worker_open(struct worker *worker)
{
	char path[PATH_MAX];
	int64_t fd;
	int rc;

	if (worker->dirfd >= 0)
		return 0;
	rc = folder_path(worker, path, sizeof(path));
	if (rc)
		return rc;
	fd = CALL(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return (int)fd;
	worker->dirfd = (int)fd;
	return 0;
}

/*
 * Gives back what the worker holds open, whatever happened. Unlinked files are verified before they
 * are lost; after failure RC they are only closed. Returns RC, or the failure of that.
 */
static int worker_close(struct worker *worker, int rc)
{
	while (worker->orphan_count && !rc) {
		worker_op_begin(worker, WORKLOAD_OP_ORPHAN_CLOSE);
		rc = op_orphan_close(worker);
		worker_op_end(worker);
	}
	while (worker->orphan_count) {
		struct orphan *orphan = &worker->orphans[--worker->orphan_count];

		close(orphan->fd);
		node_drop(worker, orphan->node);
	}
	if (worker->dirfd >= 0)
		close(worker->dirfd);
	worker->dirfd = -1;
	return rc;
}

void *worker_run(void *arg)
{
	struct worker *worker = arg;
	int rc = 0;

	while (!rc && worker->op_index < worker->op_end &&
	       !atomic_load_explicit(&worker->shared->stop, memory_order_relaxed)) {
		enum workload_op op = op_pick(worker);

		worker_op_begin(worker, op);
		rc = op_run(worker, op);
		worker_op_end(worker);
	}
	worker->failed = worker_close(worker, rc) != 0;
	atomic_store(&worker->count.running, false);
	return NULL;
}

static int verify_dirs(struct worker *worker)
{
	struct model *model = worker->model;
	char path[WORKLOAD_PATH_MAX];
	int rc = check_dir(worker, model->root, ".");

	for (uint32_t i = 0; !rc && i < model->used_count[NODE_DIR]; i++) {
		struct node *dir = model->names[model->used[NODE_DIR][i]].node;

		model_path(model, dir, MODEL_NONE, path);
		rc = check_dir(worker, dir, path);
		worker_progress(worker);
	}
	return rc;
}

static int verify_file(struct worker *worker, struct node *node, const char *path)
{
	int64_t fd = CALL(openat(worker->dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	int rc;

	if (fd < 0)
		return worker_error(worker, path, fd);
	rc = check_contents(worker, node, path, (int)fd);
	close((int)fd);
	return rc;
}

/* The contents of a file with several names are read once, its attributes by each name. */
static int verify_name(struct worker *worker, uint32_t number)
{
	struct model *model = worker->model;
	struct node *node = model->names[number].node;
	char path[WORKLOAD_PATH_MAX];
	int rc;

	model_path(model, model->names[number].parent, number, path);
	rc = check_path(worker, node, path);
	if (rc || node->mark == model->mark)
		return rc;
	node->mark = model->mark;
	if (node->type == NODE_SYMLINK)
		return check_target(worker, node, path);
	return node->type == NODE_FILE ? verify_file(worker, node, path) : 0;
}

static int verify_tree(struct worker *worker)
{
	struct model *model = worker->model;
	int rc = worker_open(worker);

	worker_note(worker, ".", "verify %u names", model_name_count(model));
	if (rc)
		return worker_error(worker, ".", rc);
	rc = verify_dirs(worker);
	if (!rc)
		rc = check_path(worker, model->root, ".");
	model_mark_next(model);
	for (uint32_t number = 0; !rc && number < model->name_max; number++) {
		if (!model->names[number].node)
			continue;
		rc = verify_name(worker, number);
		worker_progress(worker);
	}
	return rc;
}

int worker_verify(struct worker *worker)
{
	int rc;

	worker_op_begin(worker, WORKLOAD_OP_VERIFY_ALL);
	rc = verify_tree(worker);
	worker_op_end(worker);
	return worker_close(worker, rc);
}
