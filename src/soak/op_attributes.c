/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations that change attributes, and those that only look. */
#include <fcntl.h>
#include <sys/stat.h>

#include "soak/ops.h"

struct subject {
	struct node *node;
	char path[WORKLOAD_PATH_MAX];
};

static void subject_set(struct worker *worker, uint32_t number, struct subject *subject)
{
	subject->node = worker->model->names[number].node;
	model_path(worker->model, worker->model->names[number].parent, number, subject->path);
}

static void subject_pick(struct worker *worker, struct subject *subject)
{
	subject_set(worker, model_pick_any(worker->model, &worker->rng), subject);
}

/* Judges a change of attributes; it is in the model already. Some are looked at right away. */
static int change_settle(struct worker *worker, const struct subject *subject, int64_t result)
{
	worker_result(worker, result);
	if (result < 0)
		return worker_error(worker, subject->path, result);
	return worker_chance(worker, 4) ? check_path(worker, subject->node, subject->path) : 0;
}

/* No set-id bits: writes and chown() take them away by rules of their own. */
int op_chmod(struct worker *worker)
{
	mode_t mode = (mode_t)rng_below(&worker->rng, 02000);
	struct subject subject;

	subject_pick(worker, &subject);
	if (subject.node->type == NODE_SYMLINK) {
		worker_note(worker, subject.path, "stat instead of a chmod of a symlink");
		return check_path(worker, subject.node, subject.path);
	}
	if (!worker->features.privileged)
		mode = (mode & 0777) | (subject.node->type == NODE_DIR ? 0700 : 0600);
	worker_note(worker, subject.path, "chmod %04o", mode);
	subject.node->mode = mode;
	return change_settle(worker, &subject,
			     CALL(fchmodat(worker->dirfd, subject.path, mode, 0)));
}

int op_chown(struct worker *worker)
{
	/* All ids are mapped even in a small user namespace. */
	static const unsigned ids[] = {0, 1, 65, 1000, 4242, 60000};
	uid_t uid = ids[rng_below(&worker->rng, sizeof(ids) / sizeof(ids[0]))];
	gid_t gid = ids[rng_below(&worker->rng, sizeof(ids) / sizeof(ids[0]))];
	uint64_t kind = rng_below(&worker->rng, 3);
	struct subject subject;

	subject_pick(worker, &subject);
	if (kind == 0)
		uid = (uid_t)-1;
	else if (kind == 1)
		gid = (gid_t)-1;
	worker_note(worker, subject.path, "chown %d:%d", (int)uid, (int)gid);
	if (uid != (uid_t)-1)
		subject.node->uid = uid;
	if (gid != (gid_t)-1)
		subject.node->gid = gid;
	return change_settle(
		worker, &subject,
		CALL(fchownat(worker->dirfd, subject.path, uid, gid, AT_SYMLINK_NOFOLLOW)));
}

static struct timespec random_time(struct worker *worker)
{
	struct timespec time = {.tv_sec = (time_t)(1 + rng_below(&worker->rng, INT32_MAX - 1))};

	if (!worker->features.seconds)
		time.tv_nsec = (long)rng_below(&worker->rng, 1000000000);
	return time;
}

int op_utimes(struct worker *worker)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, random_time(worker)};
	struct subject subject;

	subject_pick(worker, &subject);
	if (worker_chance(worker, 2))
		times[0] = random_time(worker);
	/* At most one of the two times is omitted: nothing to do is no change. */
	if (worker_chance(worker, 8))
		times[1].tv_nsec = UTIME_NOW;
	else if (worker_chance(worker, 8) && times[0].tv_nsec != UTIME_OMIT)
		times[1].tv_nsec = UTIME_OMIT;
	worker_note(worker, subject.path, "utimensat mtime %lld.%09ld", (long long)times[1].tv_sec,
		    times[1].tv_nsec);
	if (times[1].tv_nsec == UTIME_NOW) {
		subject.node->mtime_known = false;
	} else if (times[1].tv_nsec != UTIME_OMIT) {
		subject.node->mtime_known = true;
		subject.node->mtime = times[1];
	}
	return change_settle(
		worker, &subject,
		CALL(utimensat(worker->dirfd, subject.path, times, AT_SYMLINK_NOFOLLOW)));
}

int op_check_stat(struct worker *worker)
{
	struct subject subject;

	subject_pick(worker, &subject);
	worker_note(worker, subject.path, "stat");
	return check_path(worker, subject.node, subject.path);
}

int op_check_link(struct worker *worker)
{
	struct subject subject;

	subject_set(worker, model_pick_type(worker->model, &worker->rng, NODE_SYMLINK), &subject);
	worker_note(worker, subject.path, "readlink");
	return check_target(worker, subject.node, subject.path);
}

int op_check_dir(struct worker *worker)
{
	struct subject subject;
	int rc;

	subject.node = model_pick_dir(worker->model, &worker->rng);
	model_path(worker->model, subject.node, MODEL_NONE, subject.path);
	worker_note(worker, subject.path, "readdir of %u names", subject.node->children);
	rc = check_dir(worker, subject.node, subject.path);
	return rc ? rc : check_path(worker, subject.node, subject.path);
}

/* A number has one use in the whole subtree, so it must not be found in any other directory. */
int op_check_absent(struct worker *worker)
{
	struct model *model = worker->model;
	struct node *dir = model_pick_dir(model, &worker->rng);
	uint32_t number = (uint32_t)rng_below(&worker->rng, model->name_max);
	char path[WORKLOAD_PATH_MAX];

	model_path(model, dir, number, path);
	if (model->names[number].parent == dir) {
		worker_note(worker, path, "stat");
		return check_path(worker, model->names[number].node, path);
	}
	worker_note(worker, path, "stat of no such name");
	return check_absent(worker, path);
}
