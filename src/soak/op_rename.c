/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Renames of all kinds, the refused ones included. */
#include <fcntl.h>

#include "soak/ops.h"

struct move {
	uint32_t from;
	uint32_t to;
	struct node *from_parent;
	struct node *to_parent;
	struct node *node;     /* what moves */
	struct node *replaced; /* what is at TO; NULL: nothing */
	char from_path[WORKLOAD_PATH_MAX];
	char to_path[WORKLOAD_PATH_MAX];
};

/* A directory may go where it gets no deeper, or anywhere above the limit if it is flat. */
static bool node_fits(const struct model *model, const struct node *node,
		      const struct node *from_parent, const struct node *to_parent)
{
	unsigned depth = model_depth(model, to_parent);

	if (node->type != NODE_DIR || depth <= model_depth(model, from_parent))
		return true;
	return node->subdirs == 0 && depth < MODEL_DEPTH_MAX;
}

static void move_from(struct worker *worker, struct move *move)
{
	struct model *model = worker->model;

	move->from = model_pick_any(model, &worker->rng);
	move->from_parent = model->names[move->from].parent;
	move->node = model->names[move->from].node;
	model_path(model, move->from_parent, move->from, move->from_path);
}

static void move_to_free(struct worker *worker, struct move *move)
{
	struct model *model = worker->model;

	move->to_parent = move->from_parent;
	if (!worker_chance(worker, 3))
		move->to_parent = model_pick_dir(model, &worker->rng);
	/* A move into itself stays in: it must be refused. */
	if (!node_fits(model, move->node, move->from_parent, move->to_parent) &&
	    !model_contains(model, move->node, move->to_parent))
		move->to_parent = move->from_parent;
	move->to = model_pick_free(model, &worker->rng);
	/* The same name in another directory is the common case of mv. */
	if (move->to_parent != move->from_parent && worker_chance(worker, 2))
		move->to = move->from;
	move->replaced = NULL;
	model_path(model, move->to_parent, move->to, move->to_path);
}

static void move_to_used(struct worker *worker, struct move *move)
{
	struct model *model = worker->model;

	move->to = model_pick_any(model, &worker->rng);
	/* Directories are few; a move onto one of the other type is refused and tells little. */
	if (model->names[move->to].node->type != move->node->type && !worker_chance(worker, 4))
		move->to = model_pick_type(model, &worker->rng, move->node->type);
	move->to_parent = model->names[move->to].parent;
	move->replaced = model->names[move->to].node;
	model_path(model, move->to_parent, move->to, move->to_path);
}

/* What rename(2) without flags must say, in the order in which Linux looks. */
static int move_forecast(const struct model *model, const struct move *move)
{
	if (move->node->type == NODE_DIR && model_contains(model, move->node, move->to_parent))
		return -EINVAL;
	if (!move->replaced || move->replaced == move->node)
		return 0;
	if (move->replaced->type == NODE_DIR &&
	    model_contains(model, move->replaced, move->from_parent))
		return -ENOTEMPTY;
	if (move->node->type == NODE_DIR && move->replaced->type != NODE_DIR)
		return -ENOTDIR;
	if (move->node->type != NODE_DIR && move->replaced->type == NODE_DIR)
		return -EISDIR;
	return move->replaced->children ? -ENOTEMPTY : 0;
}

static int64_t move_call(struct worker *worker, const struct move *move, unsigned flags)
{
	int64_t rc;

	if (flags)
		rc = CALL(renameat2(worker->dirfd, move->from_path, worker->dirfd, move->to_path,
				    flags));
	else
		rc = CALL(renameat(worker->dirfd, move->from_path, worker->dirfd, move->to_path));
	worker_result(worker, rc);
	return rc;
}

/* Enters a rename that was done into the model. */
static void move_apply(struct worker *worker, const struct move *move)
{
	struct model *model = worker->model;

	/* Two names of one file: rename() does nothing and succeeds. */
	if (move->replaced == move->node)
		return;
	model_clear(model, move->from);
	if (move->replaced && model_clear(model, move->to)->links == 0)
		node_drop(worker, move->replaced);
	model_set(model, move->to, move->to_parent, move->node);
}

/* Does the move and judges its result against EXPECTED. */
static int move_do(struct worker *worker, const struct move *move, unsigned flags, int expected)
{
	bool same = move->replaced == move->node;
	int64_t result = move_call(worker, move, flags);
	int rc;

	if (expected)
		return worker_refused(worker, move->to_path, result, expected,
				      expected == -ENOTEMPTY ? -EEXIST : expected);
	rc = worker_grown(worker, move->to_path, result);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		move->from_parent->mtime_known = move->to_parent->mtime_known = false;
		return check_path(worker, move->node, move->from_path);
	}
	move_apply(worker, move);
	if (worker_chance(worker, 2))
		rc = check_path(worker, move->node, move->to_path);
	if (!rc && !same && worker_chance(worker, 4))
		rc = check_absent(worker, move->from_path);
	return rc;
}

int op_rename(struct worker *worker)
{
	struct move move;

	move_from(worker, &move);
	move_to_free(worker, &move);
	worker_note(worker, move.from_path, "rename to %s", move.to_path);
	return move_do(worker, &move, 0, move_forecast(worker->model, &move));
}

int op_rename_over(struct worker *worker)
{
	struct move move;

	move_from(worker, &move);
	move_to_used(worker, &move);
	/* Only a move that would succeed can make a tree too deep. */
	if (move_forecast(worker->model, &move) == 0 &&
	    !node_fits(worker->model, move.node, move.from_parent, move.to_parent))
		move_to_free(worker, &move);
	worker_note(worker, move.from_path, "rename over %s", move.to_path);
	return move_do(worker, &move, 0, move_forecast(worker->model, &move));
}

int op_rename_noreplace(struct worker *worker)
{
	struct move move;
	int expected = -EEXIST;

	move_from(worker, &move);
	if (worker_chance(worker, 2)) {
		move_to_used(worker, &move);
	} else {
		move_to_free(worker, &move);
		expected = move_forecast(worker->model, &move);
	}
	worker_note(worker, move.from_path, "rename NOREPLACE to %s", move.to_path);
	return move_do(worker, &move, RENAME_NOREPLACE, expected);
}

static bool contains_other(const struct model *model, const struct node *node,
			   const struct node *parent)
{
	return node->type == NODE_DIR && model_contains(model, node, parent);
}

int op_rename_exchange(struct worker *worker)
{
	struct model *model = worker->model;
	struct move move;
	int64_t result;
	int rc;

	move_from(worker, &move);
	move_to_used(worker, &move);
	worker_note(worker, move.from_path, "rename EXCHANGE with %s", move.to_path);
	if (contains_other(model, move.node, move.to_parent) ||
	    contains_other(model, move.replaced, move.from_parent)) {
		result = move_call(worker, &move, RENAME_EXCHANGE);
		return worker_refused(worker, move.to_path, result, -EINVAL, -EINVAL);
	}
	if (!node_fits(model, move.node, move.from_parent, move.to_parent) ||
	    !node_fits(model, move.replaced, move.to_parent, move.from_parent)) {
		worker_note(worker, move.from_path, "stat instead of an exchange too deep");
		return check_path(worker, move.node, move.from_path);
	}
	result = move_call(worker, &move, RENAME_EXCHANGE);
	rc = worker_grown(worker, move.to_path, result);
	if (rc < 0)
		return rc;
	if (rc == 1)
		move.from_parent->mtime_known = move.to_parent->mtime_known = false;
	if (rc == 0 && move.replaced != move.node) {
		model_clear(model, move.from);
		model_clear(model, move.to);
		model_set(model, move.to, move.to_parent, move.node);
		model_set(model, move.from, move.from_parent, move.replaced);
	}
	rc = check_path(worker, model->names[move.to].node, move.to_path);
	if (!rc)
		rc = check_path(worker, model->names[move.from].node, move.from_path);
	return rc;
}
