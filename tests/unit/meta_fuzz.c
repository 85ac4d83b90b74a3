/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images whose metadata blocks were changed at random and sealed again, so that every checksum is
 * right. Opening and using one may fail in any documented way, but never crash, hang or read what
 * is not there: the sanitizers and the time limit judge.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta/dir.h"
#include "meta/extent.h"
#include "meta/symlink.h"
#include "meta_cases.h"
#include "meta_fixture.h"
#include "util/log.h"
#include "util/rng.h"

#define IMAGE_BYTES (512u << 10)
#define BLOCK_SIZE 1024u
#define BLOCKS (IMAGE_BYTES / BLOCK_SIZE)
#define INODES 60u
#define ROUNDS 150u

static int file_fill(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode,
		     uint32_t first)
{
	int rc = 0;

	/* Two levels: more single runs than the root holds. */
	for (uint32_t i = 0; rc == 0 && i < 20; i++) {
		struct extent_run run = {.logical = first + 3 * i};

		rc = block_alloc(vol, txn, 0, 1, &run.block, &run.length);
		if (rc == 0)
			rc = extent_insert(vol, txn, ino, inode, &run);
	}
	return rc ? rc : inode_write(vol, txn, ino, inode);
}

static int link_fill(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode)
{
	char target[2000];
	int rc;

	memset(target, 'x', sizeof(target));
	inode->mode = S_IFLNK | 0777;
	rc = symlink_write(vol, txn, ino, inode, target, ino % 2 ? sizeof(target) : 50);
	return rc ? rc : inode_write(vol, txn, ino, inode);
}

static int dir_fill(struct volume *vol, struct txn *txn, uint64_t ino, struct inode_info *inode)
{
	char name[32];
	int rc = 0;

	for (unsigned n = 0; rc == 0 && n < 80; n++) {
		snprintf(name, sizeof(name), "name-%u", n);
		rc = dir_add(vol, txn, ino, inode, name, strlen(name), 1 + n % INODES, DT_REG);
	}
	return rc ? rc : inode_write(vol, txn, ino, inode);
}

/* Formats and fills the image, and returns its bytes. */
static uint8_t *image_make(void)
{
	uint8_t *bytes = malloc(IMAGE_BYTES);
	struct volume *vol;
	int fd, rc = 0;

	meta_format_sized(BLOCK_SIZE, IMAGE_BYTES, INODES, 0);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct inode_info inode;
		uint64_t ino = meta_inode_make(vol, (i % 4 ? S_IFREG : S_IFDIR) | 0600,
					       i == 7 ? 0 : 1, &inode);

		if (i % 4 == 0)
			IN_TXN(vol, rc, dir_fill(vol, &txn, ino, &inode));
		else if (i % 4 == 1)
			IN_TXN(vol, rc, link_fill(vol, &txn, ino, &inode));
		else
			IN_TXN(vol, rc, file_fill(vol, &txn, ino, &inode, 0));
		ck_assert_int_eq(rc, 0);
	}
	meta_close(vol);
	fd = open(meta_image(), O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, bytes, IMAGE_BYTES, 0), IMAGE_BYTES);
	close(fd);
	return bytes;
}

/* Changes a few fields of one block; most of a block is zeros, so look for something else. */
static void block_tamper(uint8_t *block, struct rng *rng)
{
	static const uint32_t values[] = {0, 1, 2, 7, 8, 0xff, 0xffff, 0x7fffffff, 0xffffffff};
	unsigned changes = 1 + (unsigned)rng_below(rng, 3);
	struct tag_info tag;

	tag_decode(block, &tag);
	tag_open(block, BLOCK_SIZE);
	for (unsigned i = 0; i < changes; i++) {
		uint32_t at = sizeof(struct cfs_tag), value;

		for (unsigned tries = 0; tries < 20; tries++) {
			at = (uint32_t)(sizeof(struct cfs_tag) +
					4 * rng_below(rng,
						      (BLOCK_SIZE - sizeof(struct cfs_tag)) / 4));
			if (block[at] || block[at + 1])
				break;
		}
		memcpy(&value, block + at, 4);
		if (rng_below(rng, 2))
			value ^= 1u << rng_below(rng, 32);
		else
			value = values[rng_below(rng, sizeof(values) / sizeof(values[0]))];
		memcpy(block + at, &value, 1 + rng_below(rng, 4));
	}
	tag_seal(block, BLOCK_SIZE, tag_uuid_seed(tag.uuid), &tag);
}

static void image_tamper(const uint8_t *good, struct rng *rng)
{
	uint8_t *bytes = malloc(IMAGE_BYTES);
	unsigned left = 1 + (unsigned)rng_below(rng, 2);
	int fd;

	memcpy(bytes, good, IMAGE_BYTES);
	while (left) {
		uint8_t *block = bytes + BLOCK_SIZE * rng_below(rng, BLOCKS);
		const struct cfs_tag *tag = (const void *)block;

		if (le32_get(tag->magic) != CFS_TAG_MAGIC)
			continue;
		block_tamper(block, rng);
		left--;
	}
	fd = open(meta_image(), O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, bytes, IMAGE_BYTES, 0), IMAGE_BYTES);
	close(fd);
	free(bytes);
}

static int entry_ignore(void *arg, const struct dir_entry *entry)
{
	*(unsigned *)arg += entry->name_len;
	return 0;
}

/* Does with the inode what its type allows; errors are the image's right. */
static int inode_use(struct volume *vol, struct txn *txn, uint64_t ino)
{
	char target[PATH_MAX];
	struct inode_info inode;
	struct extent_run run;
	unsigned sum = 0;
	bool done;
	int rc = inode_read(vol, txn, ino, &inode);

	if (rc)
		return rc;
	if (S_ISLNK(inode.mode))
		rc = symlink_read(vol, txn, ino, &inode, target);
	else if (S_ISDIR(inode.mode))
		rc = dir_iterate(vol, txn, ino, &inode, 0, entry_ignore, &sum);
	else
		rc = extent_lookup(vol, txn, ino, &inode, 5, &run);
	if (S_ISDIR(inode.mode) && rc == 0)
		rc = dir_add(vol, txn, ino, &inode, "another", 7, ino, DT_DIR);
	if (S_ISREG(inode.mode) && rc == 0)
		rc = file_fill(vol, txn, ino, &inode, 1);
	if (rc == 0)
		rc = extent_truncate(vol, txn, ino, &inode, (uint32_t)ino % 7, &done);
	return rc ? rc : inode_write(vol, txn, ino, &inode);
}

START_TEST(tampered_images)
{
	uint8_t *good = image_make();
	unsigned opened = 0;
	struct rng rng;

	rng_seed(&rng, 6, (uint64_t)_i);
	log_init("fuzz", LOG_LEVEL_ERROR);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct volume *vol;
		int rc;

		image_tamper(good, &rng);
		if (meta_try_open(false, &vol))
			continue;
		opened++;
		for (uint64_t ino = 1; ino <= layout_inode_count(&vol->super); ino++)
			IN_TXN(vol, rc, inode_use(vol, &txn, ino));
		ck_assert_int_ne(rc, -EDEADLK);
		volume_close(vol);
	}
	/* Some changes do no harm; were there none, or nothing else, the test would be blind. */
	ck_assert_uint_gt(opened, 0);
	ck_assert_uint_lt(opened, ROUNDS);
	free(good);
}
END_TEST

TCase *meta_fuzz_case(void)
{
	TCase *tc = tcase_create("fuzz");

	tcase_add_unchecked_fixture(tc, meta_folder_make, meta_folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tampered_images, 0, 4);
	return tc;
}
