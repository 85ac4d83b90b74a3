/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back end on io_uring(7), one ring per thread: a ring needs no lock then, and its completions
 * belong to the thread that waits. A thread that gets no ring (memory lock limit, seccomp) uses
 * pread and pwrite. Short, zero, -EAGAIN and -EINTR completions are carried on.
 */
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "blkdev/blkdev.h"

#define RING_ENTRIES 32u

struct uring_thread {
	struct io_uring ring;
	struct uring_thread *next;
};

struct uring_dev {
	pthread_key_t key;	   /* this thread's struct uring_thread */
	pthread_mutex_t lock;	   /* protects list */
	struct uring_thread *list; /* all rings, for close */
};

/* Progress of one transfer of a batch. */
struct transfer {
	char *buf;
	size_t len;
	uint64_t offset;
};

static struct uring_thread *ring_get(struct blkdev *dev)
{
	struct uring_dev *priv = dev->priv;
	struct uring_thread *thread = pthread_getspecific(priv->key);

	if (thread)
		return thread;
	thread = malloc(sizeof(*thread));
	if (!thread)
		return NULL;
	if (io_uring_queue_init(RING_ENTRIES, &thread->ring, 0) < 0) {
		free(thread);
		return NULL;
	}
	pthread_mutex_lock(&priv->lock);
	thread->next = priv->list;
	priv->list = thread;
	pthread_mutex_unlock(&priv->lock);
	pthread_setspecific(priv->key, thread);
	return thread;
}

static void transfer_queue(struct io_uring *ring, int fd, struct transfer *t, bool write)
{
	/* At most RING_ENTRIES transfers are under way, so that there is always a free entry. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (write)
		io_uring_prep_write(sqe, fd, t->buf, (unsigned)t->len, t->offset);
	else
		io_uring_prep_read(sqe, fd, t->buf, (unsigned)t->len, t->offset);
	io_uring_sqe_set_data(sqe, t);
}

/* Takes one completion into account. Returns 1 when the transfer is whole, 0 to queue it again. */
static int transfer_advance(struct transfer *t, int res)
{
	if (res == -EAGAIN || res == -EINTR)
		return 0;
	if (res < 0)
		return res;
	if (res == 0)
		return -EIO;
	t->buf += res;
	t->offset += (uint64_t)res;
	t->len -= (size_t)res;
	return t->len == 0;
}

static int submit_retry(struct io_uring *ring)
{
	for (;;) {
		int rc = io_uring_submit_and_wait(ring, 1);

		if (rc >= 0)
			return 0;
		if (rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
			return rc;
	}
}

/*
 * Runs COUNT <= RING_ENTRIES transfers to their end. After an error the rest is still waited for:
 * the kernel may use their buffers.
 */
static int transfers_run(struct io_uring *ring, int fd, struct transfer *t, unsigned count,
			 bool write)
{
	unsigned pending = count;
	int error = 0;

	for (unsigned i = 0; i < count; i++)
		transfer_queue(ring, fd, &t[i], write);
	while (pending) {
		struct io_uring_cqe *cqe;
		int rc = submit_retry(ring);

		if (rc)
			return rc;
		while (io_uring_peek_cqe(ring, &cqe) == 0) {
			struct transfer *done = io_uring_cqe_get_data(cqe);
			int res = cqe->res;

			io_uring_cqe_seen(ring, cqe);
			rc = transfer_advance(done, res);
			if (rc == 0 && !error) {
				transfer_queue(ring, fd, done, write);
				continue;
			}
			if (rc < 0 && !error)
				error = rc;
			pending--;
		}
	}
	return error;
}

static int uring_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct uring_thread *thread = ring_get(dev);
	struct transfer t = {.buf = buf, .len = len, .offset = offset};

	if (len == 0)
		return 0;
	if (!thread)
		return blkdev_pread_full(dev->fd, buf, len, offset);
	return transfers_run(&thread->ring, dev->fd, &t, 1, false);
}

static int uring_write(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	struct uring_thread *thread = ring_get(dev);
	struct transfer t[RING_ENTRIES];

	while (count) {
		unsigned n = count < RING_ENTRIES ? count : RING_ENTRIES;
		int rc = 0;

		for (unsigned i = 0; i < n; i++) {
			t[i].buf = (char *)(uintptr_t)io[i].buf;
			t[i].len = io[i].len;
			t[i].offset = io[i].offset;
			if (!thread && !rc)
				rc = blkdev_pwrite_full(dev->fd, io[i].buf, io[i].len,
							io[i].offset);
		}
		if (thread)
			rc = transfers_run(&thread->ring, dev->fd, t, n, true);
		if (rc)
			return rc;
		io += n;
		count -= n;
	}
	return 0;
}

static int uring_sync(struct blkdev *dev)
{
	return fdatasync(dev->fd) ? -errno : 0;
}

static void uring_close(struct blkdev *dev)
{
	struct uring_dev *priv = dev->priv;

	while (priv->list) {
		struct uring_thread *thread = priv->list;

		priv->list = thread->next;
		io_uring_queue_exit(&thread->ring);
		free(thread);
	}
	pthread_key_delete(priv->key);
	pthread_mutex_destroy(&priv->lock);
	free(priv);
}

/* IORING_OP_READ and _WRITE came in 5.6; before, a ring can be made but takes only vectors. */
int blkdev_uring_probe(void)
{
	struct io_uring_probe *probe = io_uring_get_probe();
	int ok;

	if (!probe)
		return -ENOSYS;
	ok = io_uring_opcode_supported(probe, IORING_OP_READ) &&
	     io_uring_opcode_supported(probe, IORING_OP_WRITE);
	io_uring_free_probe(probe);
	return ok ? 0 : -ENOSYS;
}

int blkdev_uring_attach(struct blkdev *dev)
{
	static const struct blkdev_ops ops = {
		.name = "io_uring",
		.read = uring_read,
		.write = uring_write,
		.sync = uring_sync,
		.close = uring_close,
	};
	struct uring_dev *priv;
	int rc = blkdev_uring_probe();

	if (rc)
		return rc;
	priv = calloc(1, sizeof(*priv));
	if (!priv)
		return -ENOMEM;
	rc = pthread_key_create(&priv->key, NULL);
	if (rc) {
		free(priv);
		return -rc;
	}
	pthread_mutex_init(&priv->lock, NULL);
	dev->priv = priv;
	dev->ops = &ops;
	return 0;
}
