/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on file contents. */
#include <fcntl.h>

#include "soak/ops.h"

#define SEGMENTS_MAX 256u
#define SPARSE_GAP (1024u * 1024)
#define FAR_OFFSET (8ULL << 30) /* below the limit of block-mapped files of 1 KiB blocks */
#define SIZE_MAX_BITS 18u	/* of one write: 256 KiB */
#define BLOCK 1024u		/* smallest block size of interest */

/* An open file of the model: a random one with a name, now and then one without. */
struct target {
	struct node *node;
	int fd;
	bool orphan;
	char path[WORKLOAD_PATH_MAX];
};

static int target_open(struct worker *worker, int flags, struct target *target)
{
	struct model *model = worker->model;
	uint32_t number;
	int64_t fd;

	if (worker->orphan_count && worker_chance(worker, 8)) {
		struct orphan *orphan =
			&worker->orphans[rng_below(&worker->rng, worker->orphan_count)];

		target->node = orphan->node;
		target->fd = orphan->fd;
		target->orphan = true;
		snprintf(target->path, sizeof(target->path), "(unlinked file %u)",
			 orphan->node->number);
		return 0;
	}
	number = model_pick_type(model, &worker->rng, NODE_FILE);
	target->node = model->names[number].node;
	target->orphan = false;
	model_path(model, model->names[number].parent, number, target->path);
	worker_note(worker, target->path, "open");
	fd = CALL(openat(worker->dirfd, target->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags));
	target->fd = (int)fd;
	return fd < 0 ? worker_error(worker, target->path, fd) : 0;
}

/* Returns RC, or the failure of close() when RC is 0. */
static int target_close(struct worker *worker, struct target *target, int rc)
{
	if (target->orphan)
		return rc;
	if (close(target->fd) && errno != EINTR && !rc)
		rc = worker_error(worker, target->path, -errno);
	return rc;
}

/* As many small as large sizes on a logarithmic scale, most of them below 4 KiB. */
static size_t random_length(struct worker *worker)
{
	uint64_t bits = rng_below(&worker->rng, worker_chance(worker, 4) ? SIZE_MAX_BITS + 1 : 13);

	return 1 + (size_t)rng_below(&worker->rng, 1ULL << bits);
}

/* A place where something is: within SIZE, often where a block or a segment begins. */
static uint64_t random_offset(struct worker *worker, const struct content *content)
{
	uint64_t kind = rng_below(&worker->rng, 4);

	if (!content->size)
		return 0;
	if (kind == 0)
		return rng_below(&worker->rng, content->size) / BLOCK * BLOCK;
	if (kind == 1 && content->count) {
		uint64_t at = rng_below(&worker->rng, content->count);

		return content->segments[at].offset;
	}
	return rng_below(&worker->rng, content->size);
}

static int data_truncate(struct worker *worker, const struct target *target, uint64_t size)
{
	struct node *node = target->node;
	uint64_t before = node->content.bytes;
	int64_t rc;

	worker_note(worker, target->path, "truncate from %llu to %llu",
		    (unsigned long long)node->content.size, (unsigned long long)size);
	rc = CALL(ftruncate(target->fd, (off_t)size));
	worker_result(worker, rc);
	node->mtime_known = false;
	if (size > node->content.size)
		rc = worker_grown(worker, target->path, rc);
	else if (rc < 0)
		rc = worker_error(worker, target->path, rc);
	if (rc == 0) {
		content_truncate(&node->content, size);
		worker->model->bytes -= before - node->content.bytes;
	}
	return rc < 0 ? (int)rc : check_fd(worker, node, target->path, target->fd);
}

int data_write(struct worker *worker, struct node *node, const char *path, int fd, uint64_t offset,
	       size_t length)
{
	uint64_t before = node->content.bytes;
	int64_t n;
	int rc;

	if (content_reserve(&node->content))
		return worker_error(worker, path, -ENOMEM);
	worker->pattern.write++;
	worker->pattern.file = node->number;
	pattern_fill(&worker->pattern, offset, worker->buffer, length);
	worker_note(worker, path, "pwrite %zu bytes at %llu as write %llu", length,
		    (unsigned long long)offset, (unsigned long long)worker->pattern.write);
	n = CALL(pwrite(fd, worker->buffer, length, (off_t)offset));
	worker_result(worker, n);
	node->mtime_known = false;
	/* POSIX lets a write end early, by name with nothing written. */
	rc = worker_grown(worker, path, n == 0 ? -ENOSPC : n);
	if (rc < 0)
		return rc;
	if (rc == 1)
		return check_fd(worker, node, path, fd);
	if ((uint64_t)n > length)
		return worker_mismatch(worker, path,
				       "pwrite: expected at most %zu bytes, found %lld", length,
				       (long long)n);
	content_write(&node->content, offset, (uint64_t)n, worker->pattern.write);
	worker->model->bytes += node->content.bytes - before;
	counter_add(&worker->count.bytes_written, (uint64_t)n);
	return 0;
}

/* Writes, or makes room first if the file is in too many pieces or the worker has its share. */
static int target_write(struct worker *worker, const struct target *target, uint64_t offset,
			size_t length)
{
	const struct content *content = &target->node->content;
	uint64_t limit = worker->shared->options.max_bytes_per_worker;
	int rc;

	if (content->count >= SEGMENTS_MAX)
		return data_truncate(worker, target, 0);
	if (worker->model->bytes + length > limit)
		return data_truncate(worker, target, content->size / 2);
	rc = data_write(worker, target->node, target->path, target->fd, offset, length);
	if (!rc && worker_chance(worker, 8))
		rc = check_range(worker, target->node, target->path, target->fd,
				 offset < 64 ? 0 : offset - 64, length + 128);
	return rc;
}

int op_write(struct worker *worker)
{
	size_t length = random_length(worker);
	struct target target;
	uint64_t offset;
	int rc = target_open(worker, 0, &target);

	if (rc)
		return rc;
	offset = random_offset(worker, &target.node->content);
	if (length >= BLOCK && worker_chance(worker, 2))
		length -= length % BLOCK;
	rc = target_write(worker, &target, offset, length);
	return target_close(worker, &target, rc);
}

int op_append(struct worker *worker)
{
	size_t length = random_length(worker);
	struct target target;
	/* Linux appends whatever offset pwrite() names; the model knows where that is. */
	int rc = target_open(worker, O_APPEND, &target);

	if (rc)
		return rc;
	rc = target_write(worker, &target, target.node->content.size, length);
	return target_close(worker, &target, rc);
}

int op_write_sparse(struct worker *worker)
{
	size_t length = random_length(worker);
	struct target target;
	uint64_t offset;
	int rc = target_open(worker, 0, &target);

	if (rc)
		return rc;
	offset = target.node->content.size + rng_below(&worker->rng, SPARSE_GAP);
	if (worker_chance(worker, 16))
		offset = rng_below(&worker->rng, FAR_OFFSET);
	if (offset > FAR_OFFSET)
		offset = random_offset(worker, &target.node->content);
	rc = target_write(worker, &target, offset, length);
	return target_close(worker, &target, rc);
}

static uint64_t random_size(struct worker *worker, const struct content *content)
{
	uint64_t kind = rng_below(&worker->rng, 16);

	if (kind < 3)
		return 0;
	if (kind < 10 || content->size >= FAR_OFFSET)
		return random_offset(worker, content);
	if (kind == 10)
		return content->size;
	if (kind == 11 && worker_chance(worker, 2))
		return rng_below(&worker->rng, FAR_OFFSET);
	return content->size + rng_below(&worker->rng, SPARSE_GAP);
}

int op_truncate(struct worker *worker)
{
	bool at_open = worker_chance(worker, 16);
	struct target target;
	int rc = target_open(worker, at_open ? O_TRUNC : 0, &target);

	if (rc)
		return rc;
	if (at_open && !target.orphan) {
		worker->model->bytes -= target.node->content.bytes;
		content_truncate(&target.node->content, 0);
		target.node->mtime_known = false;
		rc = check_fd(worker, target.node, target.path, target.fd);
	} else {
		rc = data_truncate(worker, &target, random_size(worker, &target.node->content));
	}
	return target_close(worker, &target, rc);
}

static int dir_sync(struct worker *worker)
{
	struct model *model = worker->model;
	char path[WORKLOAD_PATH_MAX];
	int64_t fd, rc;

	model_path(model, model_pick_dir(model, &worker->rng), MODEL_NONE, path);
	worker_note(worker, path, "fsync the directory");
	fd = CALL(openat(worker->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return worker_error(worker, path, fd);
	rc = CALL(fsync((int)fd));
	close((int)fd);
	worker_result(worker, rc);
	return rc < 0 ? worker_error(worker, path, rc) : 0;
}

int op_sync(struct worker *worker)
{
	bool data_only = worker_chance(worker, 2);
	struct target target;
	int64_t result;
	int rc;

	if (worker_chance(worker, 4))
		return dir_sync(worker);
	rc = target_open(worker, 0, &target);
	if (rc)
		return rc;
	worker_note(worker, target.path, data_only ? "fdatasync" : "fsync");
	result = CALL(data_only ? fdatasync(target.fd) : fsync(target.fd));
	worker_result(worker, result);
	if (result < 0)
		rc = worker_error(worker, target.path, result);
	return target_close(worker, &target, rc);
}

int op_check_data(struct worker *worker)
{
	struct target target;
	const struct content *content;
	int rc = target_open(worker, 0, &target);

	if (rc)
		return rc;
	content = &target.node->content;
	/* Clean pages of the file's own cache go, so that the filesystem is asked again. */
	if (worker_chance(worker, 4))
		posix_fadvise(target.fd, 0, 0, POSIX_FADV_DONTNEED);
	if (worker_chance(worker, 8)) {
		worker_note(worker, target.path, "read all %llu bytes",
			    (unsigned long long)content->size);
		rc = check_contents(worker, target.node, target.path, target.fd);
	} else {
		uint64_t offset = random_offset(worker, content);
		size_t length = random_length(worker);

		worker_note(worker, target.path, "pread %zu bytes at %llu", length,
			    (unsigned long long)offset);
		rc = check_range(worker, target.node, target.path, target.fd, offset, length);
	}
	return target_close(worker, &target, rc);
}
