/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations that add names. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "soak/ops.h"

#define LINKS_MAX 16u
#define FILL_MIN 20u
#define FILL_MAX 160u

/* A name that is not there yet. */
struct place {
	struct node *parent;
	uint32_t number;
	char path[WORKLOAD_PATH_MAX];
};

static void place_in(struct worker *worker, struct node *parent, struct place *place)
{
	place->parent = parent;
	place->number = model_pick_free(worker->model, &worker->rng);
	model_path(worker->model, parent, place->number, place->path);
}

static void place_pick(struct worker *worker, struct place *place)
{
	place_in(worker, model_pick_dir(worker->model, &worker->rng), place);
}

static struct node *node_make(struct worker *worker, enum node_type type, mode_t mode)
{
	struct node *node = model_node_new(worker->model, type, mode);

	if (!node)
		return NULL;
	node->uid = geteuid();
	node->gid = getegid();
	return node;
}

/* Judges the call that should have put NODE at PLACE: 0 it did, 1 there was no space, or failure.
 */
static int place_settle(struct worker *worker, const struct place *place, struct node *node,
			int64_t result)
{
	int rc;

	worker_result(worker, result < 0 ? result : 0);
	rc = worker_grown(worker, place->path, result);
	if (rc == 0) {
		model_set(worker->model, place->number, place->parent, node);
		return 0;
	}
	/* A failed call may have touched the directory all the same. */
	place->parent->mtime_known = false;
	if (node->links == 0)
		model_node_free(node);
	if (rc == 1) {
		rc = check_absent(worker, place->path);
		return rc ? rc : 1;
	}
	return rc;
}

static mode_t random_mode(struct worker *worker)
{
	static const mode_t modes[] = {0600, 0640, 0644, 0664, 0666, 0700, 0755, 0777};

	return modes[rng_below(&worker->rng, sizeof(modes) / sizeof(modes[0]))];
}

/* Creates a file at PLACE: 0 and *OUT_FD, 1 for no space, or a failure. */
static int file_create(struct worker *worker, const struct place *place, int *out_fd)
{
	mode_t mode = random_mode(worker);
	struct node *node = node_make(worker, NODE_FILE, mode & worker->features.create_mask);
	int64_t fd;
	int rc;

	if (!node)
		return worker_error(worker, place->path, -ENOMEM);
	fd = CALL(openat(worker->dirfd, place->path,
			 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
	rc = place_settle(worker, place, node, fd);
	if (rc == 0)
		*out_fd = (int)fd;
	return rc;
}

/* A failed close() is a failed write-back. */
static int file_close(struct worker *worker, const char *path, int fd)
{
	if (close(fd) && errno != EINTR)
		return worker_error(worker, path, -errno);
	return 0;
}

int op_create(struct worker *worker)
{
	struct place place;
	struct node *node;
	int fd, rc, rc_close;

	place_pick(worker, &place);
	worker_note(worker, place.path, "open O_CREAT|O_EXCL");
	rc = file_create(worker, &place, &fd);
	if (rc)
		return rc < 0 ? rc : 0;
	node = worker->model->names[place.number].node;
	if (worker_chance(worker, 2)) {
		size_t length = 1 + (size_t)rng_below(&worker->rng, 6000);

		if (worker->model->bytes + length <= worker->shared->options.max_bytes_per_worker)
			rc = data_write(worker, node, place.path, fd, 0, length);
	}
	if (!rc && worker_chance(worker, 4))
		rc = check_fd(worker, node, place.path, fd);
	rc_close = file_close(worker, place.path, fd);
	return rc ? rc : rc_close;
}

/* Many small files in one directory, so that it grows to several blocks. */
int op_fill_dir(struct worker *worker)
{
	struct model *model = worker->model;
	struct node *dir = model_pick_dir(model, &worker->rng);
	uint64_t count = FILL_MIN + rng_below(&worker->rng, FILL_MAX - FILL_MIN);
	char path[WORKLOAD_PATH_MAX];
	int rc = 0;

	if (count > model->free_count / 2)
		count = model->free_count / 2;
	model_path(model, dir, MODEL_NONE, path);
	worker_note(worker, path, "create %llu files", (unsigned long long)count);
	while (!rc && count--) {
		struct place place;
		int fd;

		place_in(worker, dir, &place);
		rc = file_create(worker, &place, &fd);
		if (!rc)
			rc = file_close(worker, place.path, fd);
	}
	if (rc >= 0)
		rc = check_dir(worker, dir, path);
	return rc;
}

int op_mkdir(struct worker *worker)
{
	mode_t mode = random_mode(worker) | 0700;
	struct place place;
	struct node *node;
	int rc;

	place_pick(worker, &place);
	if (model_depth(worker->model, place.parent) >= MODEL_DEPTH_MAX)
		place_in(worker, worker->model->root, &place);
	worker_note(worker, place.path, "mkdir");
	node = node_make(worker, NODE_DIR, mode & worker->features.create_mask);
	if (!node)
		return worker_error(worker, place.path, -ENOMEM);
	rc = place_settle(worker, &place, node, CALL(mkdirat(worker->dirfd, place.path, mode)));
	if (rc == 0 && worker_chance(worker, 4))
		rc = check_path(worker, node, place.path);
	return rc < 0 ? rc : 0;
}

/* Mostly short; some too long for an inode; a few as long as they may be. */
static uint32_t target_length(struct worker *worker)
{
	uint64_t kind = rng_below(&worker->rng, 16);
	uint64_t most = kind < 10 ? 100 : kind < 15 ? 500 : worker->features.target_max;

	return 1 + (uint32_t)rng_below(&worker->rng, most);
}

int op_symlink(struct worker *worker)
{
	char target[PATH_MAX];
	struct place place;
	struct node *node;
	int rc;

	place_pick(worker, &place);
	node = node_make(worker, NODE_SYMLINK, 0777);
	if (!node)
		return worker_error(worker, place.path, -ENOMEM);
	node->target_len = target_length(worker);
	worker_note(worker, place.path, "symlink to %u bytes", node->target_len);
	model_target_format(node, target);
	rc = place_settle(worker, &place, node, CALL(symlinkat(target, worker->dirfd, place.path)));
	if (rc == 0 && worker_chance(worker, 4))
		rc = check_target(worker, node, place.path);
	return rc < 0 ? rc : 0;
}

int op_link(struct worker *worker)
{
	struct model *model = worker->model;
	uint32_t number = model_pick_type(model, &worker->rng, NODE_FILE);
	struct node *node = model->names[number].node;
	char path[WORKLOAD_PATH_MAX];
	struct place place;
	int rc;

	model_path(model, model->names[number].parent, number, path);
	if (node->links >= LINKS_MAX) {
		worker_note(worker, path, "stat instead of a link too many");
		return check_path(worker, node, path);
	}
	place_pick(worker, &place);
	worker_note(worker, place.path, "link from %s", path);
	rc = place_settle(worker, &place, node,
			  CALL(linkat(worker->dirfd, path, worker->dirfd, place.path, 0)));
	if (rc == 0 && worker_chance(worker, 2))
		rc = check_path(worker, node, worker_chance(worker, 2) ? path : place.path);
	return rc < 0 ? rc : 0;
}
