/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "integrity/tag.h"
#include "meta/alloc.h"
#include "meta/extent.h"
#include "mkfs/format.h"

#define INODES 3000u

static char folder[256];
static char image[300];

void meta_folder_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/churnfs-meta-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(image, sizeof(image), "%s/image", folder);
}

void meta_folder_remove(void)
{
	unlink(image);
	rmdir(folder);
}

const char *meta_image(void)
{
	return image;
}

struct blkdev *meta_device(void)
{
	struct blkdev_options options = {.backend = BLKDEV_PREAD};
	struct blkdev *dev;

	ck_assert_int_eq(blkdev_open(image, &options, &dev), 0);
	return dev;
}

struct super_info meta_format_sized(uint32_t block_size, uint64_t bytes, uint64_t inodes,
				    uint64_t reserve)
{
	struct mkfs_options options = {
		.block_size = block_size, .inodes = inodes, .reserve_bytes = reserve};
	struct super_info super;
	struct blkdev *dev;
	const char *why;
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
	dev = meta_device();
	ck_assert_int_eq(mkfs_format(dev, &options, &super, &why), 0);
	blkdev_close(dev);
	return super;
}

struct super_info meta_format(uint32_t block_size, uint64_t reserve)
{
	/* Bits of one bitmap block, which are the blocks of a group. */
	uint64_t group = (block_size - sizeof(struct cfs_tag)) * 8 * (uint64_t)block_size;
	uint64_t bytes = block_size == 1024 ? group * 5 / 2 : group * 5 / 4;

	return meta_format_sized(block_size, bytes + reserve, INODES, reserve);
}

int meta_try_open(bool readonly, struct volume **vol)
{
	struct volume_options options = {
		.device = {.backend = BLKDEV_PREAD}, .readonly = readonly, .ledger_fd = -1};

	return volume_open(image, &options, vol);
}

struct volume *meta_open(uint32_t block_size)
{
	struct volume *vol;

	meta_format(block_size, 0);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	return vol;
}

void meta_close(struct volume *vol)
{
	ck_assert_uint_eq(atomic_load(&ledger_counters(vol->ledger)->mismatches), 0);
	ck_assert_int_eq(volume_close(vol), 0);
}

struct volume *meta_reopen(struct volume *vol)
{
	meta_close(vol);
	ck_assert_int_eq(meta_try_open(false, &vol), 0);
	return vol;
}

void meta_damage(uint64_t offset)
{
	int fd = open(image, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
}

struct volume_usage meta_usage(struct volume *vol)
{
	struct volume_usage usage;

	ck_assert_int_eq(volume_usage(vol, &usage), 0);
	return usage;
}

static int inode_make(struct volume *vol, struct txn *txn, struct inode_info *inode, uint64_t *ino)
{
	int rc = inode_alloc(vol, txn, CFS_ROOT_INODE, S_ISDIR(inode->mode), ino);

	return rc ? rc : inode_write(vol, txn, *ino, inode);
}

uint64_t meta_inode_make(struct volume *vol, uint32_t mode, uint32_t links,
			 struct inode_info *inode)
{
	uint64_t ino = 0;
	int rc;

	*inode = (struct inode_info){.mode = mode, .links = links, .parent = CFS_ROOT_INODE};
	extent_init(inode);
	IN_TXN(vol, rc, inode_make(vol, &txn, inode, &ino));
	ck_assert_int_eq(rc, 0);
	return ino;
}

void meta_block_plant(struct volume *vol, const struct block_ref *ref, const void *payload,
		      size_t len)
{
	uint8_t block[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8))) = {0};
	uint32_t bs = vol->super.block_size, crc;
	struct tag_info tag = {
		.block = ref->block, .generation = 1, .owner = ref->owner, .type = ref->type};

	ck_assert_uint_le(len, layout_payload(bs));
	memcpy(tag.uuid, vol->super.uuid, sizeof(tag.uuid));
	memcpy(tag_payload(block), payload, len);
	crc = tag_seal(block, bs, tag_uuid_seed(tag.uuid), &tag);
	ck_assert_int_eq(blkdev_write(vol->dev, block, bs, ref->block * bs), 0);
	ledger_adopt(vol->ledger, ref->block, block, crc);
}

uint64_t meta_block_take(struct volume *vol)
{
	uint64_t block;
	uint32_t got;
	int rc;

	IN_TXN(vol, rc, block_alloc(vol, &txn, 0, 1, &block, &got));
	ck_assert_int_eq(rc, 0);
	return block;
}
