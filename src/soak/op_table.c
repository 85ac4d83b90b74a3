/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which operations there are, how often they come, and what they need. */
#include "soak/ops.h"

/* What must be there for an operation. */
enum need {
	NEED_NOTHING,
	NEED_ROOM, /* a free name */
	NEED_NAME,
	NEED_FILE,
	NEED_DIR,
	NEED_SYMLINK,
	NEED_UNLINKABLE, /* file or symlink */
	NEED_LINK,	 /* a file and a free name */
	NEED_MOVE,	 /* any name and a free one */
	NEED_MOVE_FLAGS, /* the same, and renameat2() with flags */
	NEED_OWNER,	 /* any name, and the right to chown() */
	NEED_ORPHAN,
	NEED_ORPHAN_ROOM, /* a file, and room for one more orphan */
	NEED_NEVER,
};

static const struct {
	const char *name;
	int (*run)(struct worker *worker);
	enum need need;
	unsigned weight;
	unsigned weight_full; /* when names or space are short */
} ops[WORKLOAD_OP_KINDS] = {
	[WORKLOAD_OP_CREATE] = {"create", op_create, NEED_ROOM, 60, 10},
	[WORKLOAD_OP_MKDIR] = {"mkdir", op_mkdir, NEED_ROOM, 20, 4},
	[WORKLOAD_OP_SYMLINK] = {"symlink", op_symlink, NEED_ROOM, 20, 4},
	[WORKLOAD_OP_LINK] = {"link", op_link, NEED_LINK, 20, 4},
	[WORKLOAD_OP_UNLINK] = {"unlink", op_unlink, NEED_UNLINKABLE, 60, 160},
	[WORKLOAD_OP_RMDIR] = {"rmdir", op_rmdir, NEED_DIR, 20, 40},
	[WORKLOAD_OP_FILL_DIR] = {"fill-dir", op_fill_dir, NEED_ROOM, 2, 0},
	[WORKLOAD_OP_EMPTY_DIR] = {"empty-dir", op_empty_dir, NEED_NOTHING, 1, 4},
	[WORKLOAD_OP_RENAME] = {"rename", op_rename, NEED_MOVE, 40, 30},
	[WORKLOAD_OP_RENAME_OVER] = {"rename-over", op_rename_over, NEED_MOVE, 15, 30},
	[WORKLOAD_OP_RENAME_NOREPLACE] = {"rename-noreplace", op_rename_noreplace, NEED_MOVE_FLAGS,
					  10, 10},
	[WORKLOAD_OP_RENAME_EXCHANGE] = {"rename-exchange", op_rename_exchange, NEED_MOVE_FLAGS, 15,
					 15},
	[WORKLOAD_OP_WRITE] = {"write", op_write, NEED_FILE, 80, 40},
	[WORKLOAD_OP_APPEND] = {"append", op_append, NEED_FILE, 40, 10},
	[WORKLOAD_OP_WRITE_SPARSE] = {"write-sparse", op_write_sparse, NEED_FILE, 20, 5},
	[WORKLOAD_OP_TRUNCATE] = {"truncate", op_truncate, NEED_FILE, 40, 60},
	[WORKLOAD_OP_SYNC] = {"sync", op_sync, NEED_FILE, 3, 3},
	[WORKLOAD_OP_ORPHAN] = {"orphan", op_orphan, NEED_ORPHAN_ROOM, 10, 10},
	[WORKLOAD_OP_ORPHAN_CLOSE] = {"orphan-close", op_orphan_close, NEED_ORPHAN, 8, 20},
	[WORKLOAD_OP_CHMOD] = {"chmod", op_chmod, NEED_NAME, 40, 40},
	[WORKLOAD_OP_CHOWN] = {"chown", op_chown, NEED_OWNER, 40, 40},
	[WORKLOAD_OP_UTIMES] = {"utimes", op_utimes, NEED_NAME, 50, 50},
	[WORKLOAD_OP_CHECK_STAT] = {"check-stat", op_check_stat, NEED_NAME, 120, 120},
	[WORKLOAD_OP_CHECK_DATA] = {"check-data", op_check_data, NEED_FILE, 100, 100},
	[WORKLOAD_OP_CHECK_LINK] = {"check-link", op_check_link, NEED_SYMLINK, 30, 30},
	[WORKLOAD_OP_CHECK_DIR] = {"check-dir", op_check_dir, NEED_NOTHING, 30, 30},
	[WORKLOAD_OP_CHECK_ABSENT] = {"check-absent", op_check_absent, NEED_NOTHING, 20, 20},
	[WORKLOAD_OP_CHECK_ERROR] = {"check-error", op_check_error, NEED_NAME, 30, 30},
	[WORKLOAD_OP_VERIFY_ALL] = {"verify-all", NULL, NEED_NEVER, 0, 0},
};

const char *workload_op_name(enum workload_op op)
{
	return (unsigned)op < WORKLOAD_OP_KINDS ? ops[op].name : "unknown";
}

static bool need_met(const struct worker *worker, enum need need)
{
	const struct model *model = worker->model;
	bool room = model->free_count > 0;
	bool any = model_name_count(model) > 0;

	switch (need) {
	case NEED_NOTHING:
		return true;
	case NEED_ROOM:
		return room;
	case NEED_NAME:
		return any;
	case NEED_FILE:
		return model->used_count[NODE_FILE] > 0;
	case NEED_DIR:
		return model->used_count[NODE_DIR] > 0;
	case NEED_SYMLINK:
		return model->used_count[NODE_SYMLINK] > 0;
	case NEED_UNLINKABLE:
		return model->used_count[NODE_FILE] + model->used_count[NODE_SYMLINK] > 0;
	case NEED_LINK:
		return room && model->used_count[NODE_FILE] > 0;
	case NEED_MOVE:
		return room && any;
	case NEED_MOVE_FLAGS:
		return room && any && worker->features.rename_flags;
	case NEED_OWNER:
		return any && worker->features.privileged;
	case NEED_ORPHAN:
		return worker->orphan_count > 0;
	case NEED_ORPHAN_ROOM:
		return worker->orphan_count < WORKER_ORPHANS && model->used_count[NODE_FILE] > 0;
	case NEED_NEVER:
		break;
	}
	return false;
}

static unsigned op_weight(const struct worker *worker, enum workload_op op, bool full)
{
	if (!need_met(worker, ops[op].need))
		return 0;
	return full ? ops[op].weight_full : ops[op].weight;
}

enum workload_op op_pick(struct worker *worker)
{
	bool full = worker->model->free_count < worker->model->name_max / 8 || worker->pressure;
	unsigned weights[WORKLOAD_OP_KINDS];
	unsigned op, sum = 0;
	uint64_t at;

	if (worker->pressure)
		worker->pressure--;
	for (op = 0; op < WORKLOAD_OP_KINDS; op++) {
		weights[op] = op_weight(worker, (enum workload_op)op, full);
		sum += weights[op];
	}
	at = rng_below(&worker->rng, sum);
	for (op = 0; at >= weights[op]; op++)
		at -= weights[op];
	return (enum workload_op)op;
}

int op_run(struct worker *worker, enum workload_op op)
{
	return ops[op].run(worker);
}
