/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emudev.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define WORD sizeof(uint64_t)
#define PIECE_MAX 65536u

struct emudev {
	_Atomic uint64_t *words;
	_Atomic uint64_t writes;
	pthread_mutex_t lock; /* protects what follows */
	enum emu_fault fault;
	unsigned countdown; /* 0: nothing planned */
	uint64_t arg;
};

static bool fault_strikes(struct emudev *emu, enum emu_fault first, enum emu_fault last,
			  enum emu_fault *fault, uint64_t *arg)
{
	bool now = false;

	pthread_mutex_lock(&emu->lock);
	if (emu->countdown && emu->fault >= first && emu->fault <= last)
		now = --emu->countdown == 0;
	*fault = emu->fault;
	*arg = emu->arg;
	pthread_mutex_unlock(&emu->lock);
	return now;
}

static void words_load(const struct emudev *emu, void *buf, size_t len, uint64_t offset)
{
	char *to = buf;

	for (size_t i = 0; i < len; i += WORD) {
		uint64_t word = atomic_load_explicit(&emu->words[(offset + i) / WORD],
						     memory_order_relaxed);

		memcpy(to + i, &word, WORD);
	}
}

static void words_store(struct emudev *emu, const void *buf, size_t len, uint64_t offset)
{
	const char *from = buf;

	for (size_t i = 0; i < len; i += WORD) {
		uint64_t word;

		memcpy(&word, from + i, WORD);
		atomic_store_explicit(&emu->words[(offset + i) / WORD], word, memory_order_relaxed);
	}
}

static bool aligned(const struct blkdev *dev, uint64_t offset, size_t len)
{
	return offset % WORD == 0 && len % WORD == 0 && offset <= dev->size &&
	       len <= dev->size - offset;
}

static int emu_read(struct blkdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct emudev *emu = dev->priv;
	enum emu_fault fault;
	uint64_t arg;

	if (!aligned(dev, offset, len))
		return -EINVAL;
	if (fault_strikes(emu, EMU_READ_ERROR, EMU_READ_ERROR, &fault, &arg))
		return -EIO;
	words_load(emu, buf, len, offset);
	return 0;
}

static int piece_write(struct blkdev *dev, const struct blkdev_io *io)
{
	struct emudev *emu = dev->priv;
	uint64_t arg, offset = io->offset;
	uint8_t copy[PIECE_MAX];
	size_t len = io->len;
	enum emu_fault fault;

	if (!aligned(dev, offset, len) || len > sizeof(copy))
		return -EINVAL;
	atomic_fetch_add(&emu->writes, 1);
	memcpy(copy, io->buf, len);
	if (fault_strikes(emu, EMU_WRITE_ERROR, EMU_WRITE_SHORT, &fault, &arg)) {
		if (fault == EMU_WRITE_ERROR)
			return -EIO;
		if (fault == EMU_WRITE_DROP)
			return 0;
		if (fault == EMU_WRITE_FLIP)
			copy[arg / 8] = (uint8_t)(copy[arg / 8] ^ (1u << (arg % 8)));
		if (fault == EMU_WRITE_MISDIRECT)
			offset = arg;
		if (fault == EMU_WRITE_SHORT)
			len = (size_t)arg;
		if (!aligned(dev, offset, len))
			return -EINVAL;
	}
	words_store(emu, copy, len, offset);
	return 0;
}

static int emu_write(struct blkdev *dev, const struct blkdev_io *io, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int rc = piece_write(dev, &io[i]);

		if (rc)
			return rc;
	}
	return 0;
}

static int emu_sync(struct blkdev *dev)
{
	enum emu_fault fault;
	uint64_t arg;

	return fault_strikes(dev->priv, EMU_SYNC_ERROR, EMU_SYNC_ERROR, &fault, &arg) ? -EIO : 0;
}

static void emu_close(struct blkdev *dev)
{
	struct emudev *emu = dev->priv;

	pthread_mutex_destroy(&emu->lock);
	free(emu->words);
	free(emu);
}

struct blkdev *emudev_create(uint64_t size)
{
	static const struct blkdev_ops ops = {
		.name = "emulated",
		.read = emu_read,
		.write = emu_write,
		.sync = emu_sync,
		.close = emu_close,
	};
	struct blkdev *dev = calloc(1, sizeof(*dev));
	struct emudev *emu = calloc(1, sizeof(*emu));

	ck_assert_ptr_nonnull(dev);
	ck_assert_ptr_nonnull(emu);
	ck_assert_uint_eq(size % WORD, 0);
	emu->words = calloc(size / WORD, WORD);
	ck_assert_ptr_nonnull(emu->words);
	pthread_mutex_init(&emu->lock, NULL);
	dev->ops = &ops;
	dev->priv = emu;
	dev->fd = -1;
	dev->size = size;
	dev->logical_block = 512;
	return dev;
}

void emudev_inject(struct blkdev *dev, enum emu_fault fault, unsigned nth, uint64_t arg)
{
	struct emudev *emu = dev->priv;

	pthread_mutex_lock(&emu->lock);
	emu->fault = fault;
	emu->countdown = nth;
	emu->arg = arg;
	pthread_mutex_unlock(&emu->lock);
}

uint64_t emudev_writes(const struct blkdev *dev)
{
	const struct emudev *emu = dev->priv;

	return atomic_load(&emu->writes);
}
