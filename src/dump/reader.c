/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dump/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "integrity/tag.h"

/* A write of the daemon is over long before. */
#define READ_TRIES 4
#define RETRY_NS 1000000L

int reader_open(struct reader *reader, const char *path)
{
	const struct blkdev_options options = {.backend = BLKDEV_PREAD, .readonly = true};
	int rc;

	memset(reader, 0, sizeof(*reader));
	rc = blkdev_open(path, &options, &reader->dev);
	if (rc) {
		snprintf(reader->origin.message, sizeof(reader->origin.message),
			 "cannot be opened: %s",
			 rc == -ENOTBLK ? "neither a block device nor an image file"
					: strerror(-rc));
		return rc;
	}
	rc = super_locate(reader->dev, &reader->super, &reader->origin);
	if (rc) {
		if (!reader->origin.message[0])
			snprintf(reader->origin.message, sizeof(reader->origin.message),
				 "cannot be read: %s", strerror(-rc));
		reader_close(reader);
		return rc;
	}
	reader->uuid_seed = tag_uuid_seed(reader->super.uuid);
	return 0;
}

void reader_close(struct reader *reader)
{
	blkdev_close(reader->dev);
	reader->dev = NULL;
}

int reader_block_sealed(struct reader *reader, uint64_t block, void *image)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	uint32_t size = reader->super.block_size;
	uint8_t last[CFS_BLOCK_SIZE_MAX];
	int rc;

	if (block >= reader->super.total_blocks)
		return -EINVAL;
	for (int tries = 1;; tries++) {
		rc = blkdev_read(reader->dev, image, size, block * size);
		if (!rc)
			rc = tag_verify(image, size, reader->super.uuid, reader->uuid_seed, block);
		if ((rc != -EBADMSG && rc != -EUCLEAN) || tries == READ_TRIES ||
		    (tries > 1 && memcmp(image, last, size) == 0))
			return rc;
		memcpy(last, image, size);
		nanosleep(&pause, NULL);
	}
}

const char *reader_state_name(int rc)
{
	switch (rc) {
	case 0:
		return "ok";
	case -EBADMSG:
		return "bad checksum";
	case -EUCLEAN:
		return "wrong block or filesystem";
	case -EINVAL:
		return "beyond the end of the filesystem";
	default:
		return "unreadable";
	}
}

int reader_block(struct reader *reader, uint64_t block, enum cfs_block_type type, uint64_t owner,
		 void *image, const char **why)
{
	int rc = reader_block_sealed(reader, block, image);
	struct tag_info tag;

	*why = reader_state_name(rc);
	if (!rc) {
		tag_decode(image, &tag);
		if (tag.type != (uint32_t)type) {
			*why = "block of another type";
			rc = -EUCLEAN;
		} else if (tag.owner != owner) {
			*why = "block of another owner";
			rc = -EUCLEAN;
		}
	}
	if (rc)
		reader->damage++;
	else
		tag_open(image, reader->super.block_size);
	return rc;
}

int reader_inode(struct reader *reader, uint64_t ino, struct inode_info *inode, const char **why)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct cfs_inode *table = tag_payload(image);
	uint32_t slot;
	uint64_t block = layout_inode_block(&reader->super, ino, &slot);
	int rc = reader_block(reader, block, CFS_BLOCK_INODE_TABLE,
			      layout_inode_group(&reader->super, ino), image, why);

	if (rc)
		return rc;
	rc = inode_decode(&table[slot], inode, why);
	if (rc)
		reader->damage++;
	return rc;
}
