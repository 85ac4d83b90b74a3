/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mkfs/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "integrity/tag.h"
#include "mkfs/old.h"
#include "ondisk/layout.h"
#include "util/bitmap.h"
#include "util/clock.h"

#define FIRST_GENERATION 1u
#define STREAM_BYTES 65536u

/* Consecutive blocks on their way to the device, sent in large pieces. */
struct stream {
	char *buf;	/* STREAM_BYTES */
	uint64_t block; /* number of the first block in buf */
	uint32_t count; /* blocks in buf */
};

struct formatter {
	struct blkdev *dev;
	const struct mkfs_options *options;
	struct super_info super;
	uint32_t uuid_seed;
	uint64_t root_block; /* the root directory's only block */
	struct stream stream;
};

static int stream_flush(struct formatter *f)
{
	struct stream *s = &f->stream;
	size_t len = (size_t)s->count * f->super.block_size;
	int rc = blkdev_write(f->dev, s->buf, len, s->block * f->super.block_size);

	s->block += s->count;
	s->count = 0;
	return rc;
}

static void stream_begin(struct formatter *f, uint64_t block)
{
	f->stream.block = block;
	f->stream.count = 0;
}

/* The next block of the stream, zeroed; to be filled before the next call. */
static int stream_next(struct formatter *f, void **image, uint64_t *block)
{
	struct stream *s = &f->stream;
	int rc;

	if ((s->count + 1) * f->super.block_size > STREAM_BYTES) {
		rc = stream_flush(f);
		if (rc)
			return rc;
	}
	*image = s->buf + (size_t)s->count * f->super.block_size;
	*block = s->block + s->count;
	memset(*image, 0, f->super.block_size);
	s->count++;
	return 0;
}

static void block_seal(const struct formatter *f, void *image, uint64_t block,
		       enum cfs_block_type type, uint64_t owner)
{
	struct tag_info tag = {
		.block = block,
		.generation = FIRST_GENERATION,
		.owner = owner,
		.type = type,
	};

	memcpy(tag.uuid, f->super.uuid, sizeof(tag.uuid));
	tag_seal(image, f->super.block_size, f->uuid_seed, &tag);
}

/* Appends one block of the layout with the LEN bytes at PAYLOAD. */
static int fixed_append(struct formatter *f, const void *payload, size_t len)
{
	uint64_t block;
	void *image;
	int rc = stream_next(f, &image, &block);

	if (rc)
		return rc;
	if (len)
		memcpy(tag_payload(image), payload, len);
	block_seal(f, image, block, layout_block_type(&f->super, block),
		   layout_block_owner(&f->super, block));
	return 0;
}

static int zeros_append(struct formatter *f, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t block;
		void *image;
		int rc = stream_next(f, &image, &block);

		if (rc)
			return rc;
	}
	return 0;
}

static void block_bitmap_fill(const struct formatter *f, uint32_t group, uint8_t *map)
{
	const struct super_info *super = &f->super;
	uint64_t start = layout_group_start(super, group);
	uint32_t blocks = layout_group_blocks(super, group);

	bitmap_set_range(map, 0, (uint32_t)(layout_group_data(super, group) - start));
	bitmap_set_range(map, blocks, layout_payload(super->block_size) * 8 - blocks);
	if (group == 0) {
		bitmap_set_range(map, (uint32_t)(super->journal_start - start),
				 super->journal_blocks);
		bitmap_set(map, (uint32_t)(f->root_block - start));
	}
}

static void inode_bitmap_fill(const struct formatter *f, uint32_t group, uint8_t *map)
{
	uint32_t inodes = f->super.inodes_per_group;

	bitmap_set_range(map, inodes, layout_payload(f->super.block_size) * 8 - inodes);
	if (group == 0)
		bitmap_set(map, CFS_ROOT_INODE - 1);
}

static void root_inode_encode(const struct formatter *f, struct cfs_inode *disk)
{
	const struct mkfs_options *options = f->options;
	uint32_t permissions = options->root_mode ? options->root_mode & 07777 : 0755;
	struct inode_info inode = {
		.mode = S_IFDIR | permissions,
		.uid = options->root_uid,
		.gid = options->root_gid,
		.links = 2,
		.size = f->super.block_size,
		.blocks = 1,
		.atime_ns = f->super.created_ns,
		.mtime_ns = f->super.created_ns,
		.ctime_ns = f->super.created_ns,
		.crtime_ns = f->super.created_ns,
		.generation = 1,
		.parent = CFS_ROOT_INODE,
	};
	struct cfs_extent_head head = {
		.count = le16_make(1),
		.max = le16_make(CFS_EXTENT_ROOT_MAX),
	};
	struct cfs_extent extent = {
		.length = le32_make(1),
		.block = le64_make(f->root_block),
	};

	memcpy(inode.root, &head, sizeof(head));
	memcpy(inode.root + sizeof(head), &extent, sizeof(extent));
	inode_encode(disk, &inode);
}

static int table_append(struct formatter *f, uint32_t group)
{
	struct cfs_inode root = {0};
	int rc;

	if (group == 0)
		root_inode_encode(f, &root);
	rc = fixed_append(f, &root, sizeof(root));
	for (uint32_t i = 1; !rc && i < f->super.inode_table_blocks; i++)
		rc = fixed_append(f, NULL, 0);
	return rc;
}

static int root_dir_append(struct formatter *f)
{
	struct cfs_dirent unused = {
		.rec_len = le16_make((uint16_t)layout_payload(f->super.block_size)),
	};
	uint64_t block;
	void *image;
	int rc = stream_next(f, &image, &block);

	if (rc)
		return rc;
	memcpy(tag_payload(image), &unused, sizeof(unused));
	block_seal(f, image, block, CFS_BLOCK_DIR, CFS_ROOT_INODE);
	return 0;
}

/* All of the group's metadata but the superblock, whose place is zeroed. */
static int group_write(struct formatter *f, uint32_t group)
{
	const struct super_info *super = &f->super;
	uint32_t payload = layout_payload(super->block_size);
	uint8_t blocks[CFS_BLOCK_SIZE_MAX] = {0}, inodes[CFS_BLOCK_SIZE_MAX] = {0};
	struct group_info info = {
		.group = group,
		.blocks = layout_group_blocks(super, group),
		.used_dirs = group == 0,
		.block_bitmap = layout_block_bitmap(super, group),
		.inode_bitmap = layout_inode_bitmap(super, group),
		.inode_table = layout_inode_table(super, group),
	};
	struct cfs_group disk;
	int rc;

	block_bitmap_fill(f, group, blocks);
	inode_bitmap_fill(f, group, inodes);
	info.free_blocks = info.blocks - bitmap_count_set(blocks, info.blocks);
	info.free_inodes =
		super->inodes_per_group - bitmap_count_set(inodes, super->inodes_per_group);
	group_encode(&disk, &info);

	stream_begin(f, layout_group_start(super, group));
	rc = zeros_append(f, 1);
	if (!rc)
		rc = fixed_append(f, &disk, sizeof(disk));
	if (!rc)
		rc = fixed_append(f, blocks, payload);
	if (!rc)
		rc = fixed_append(f, inodes, payload);
	if (!rc)
		rc = table_append(f, group);
	/* In group 0 the journal's room and the root directory follow without a gap. */
	if (!rc && group == 0)
		rc = zeros_append(f, super->journal_blocks);
	if (!rc && group == 0)
		rc = root_dir_append(f);
	return rc ? rc : stream_flush(f);
}

static int fixed_write(struct formatter *f, uint64_t block, const void *payload, size_t len)
{
	int rc;

	stream_begin(f, block);
	rc = fixed_append(f, payload, len);
	return rc ? rc : stream_flush(f);
}

static int supers_write(struct formatter *f)
{
	const struct super_info *super = &f->super;
	struct locator_info locator = {
		.version = CFS_VERSION,
		.block_size = super->block_size,
		.first_block = super->first_block,
		.total_blocks = super->total_blocks,
		.blocks_per_group = super->blocks_per_group,
		.group_count = super->group_count,
	};
	struct cfs_locator disk_locator;
	struct cfs_super disk;
	/* Whoever finds a locator or a superblock finds all the rest in place. */
	int rc = blkdev_sync(f->dev);

	super_encode(&disk, super);
	for (uint32_t group = 1; !rc && group < super->group_count; group++)
		if (layout_group_has_super(group))
			rc = fixed_write(f, layout_group_start(super, group), &disk, sizeof(disk));
	locator_encode(&disk_locator, &locator);
	if (!rc)
		rc = fixed_write(f, super->total_blocks - 1, &disk_locator, sizeof(disk_locator));
	if (!rc)
		rc = blkdev_sync(f->dev);
	if (!rc)
		rc = fixed_write(f, super->first_block, &disk, sizeof(disk));
	return rc ? rc : blkdev_sync(f->dev);
}

/* The kernel's generator, with the bits that mark a random uuid (RFC 4122, version 4). */
static int uuid_random(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return -EIO;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

int mkfs_plan(const struct blkdev *dev, const struct mkfs_options *options,
	      struct super_info *super, const char **why)
{
	static const uint8_t none[16];
	struct layout_request request = {
		.device_bytes = dev->size,
		.reserve_bytes = options->reserve_bytes,
		.block_size = options->block_size ? options->block_size : MKFS_BLOCK_SIZE_DEFAULT,
		.inodes = options->inodes,
	};
	struct timespec now;
	int rc = layout_plan(&request, super, why);

	if (rc)
		return rc;
	memcpy(super->uuid, options->uuid, sizeof(super->uuid));
	if (memcmp(options->uuid, none, sizeof(none)) == 0) {
		*why = "the kernel gives no random numbers for a uuid";
		rc = uuid_random(super->uuid);
		if (rc)
			return rc;
	}
	memcpy(super->label, options->label, sizeof(super->label) - 1);
	clock_gettime(CLOCK_REALTIME, &now);
	super->created_ns = (int64_t)now.tv_sec * (int64_t)NS_PER_SEC + now.tv_nsec;
	super->written_ns = super->created_ns;
	super->next_generation = FIRST_GENERATION + 1;
	return 0;
}

int mkfs_format(struct blkdev *dev, const struct mkfs_options *options, struct super_info *out,
		const char **why)
{
	struct formatter f = {.dev = dev, .options = options};
	int rc = mkfs_plan(dev, options, &f.super, why);

	if (rc)
		return rc;
	f.uuid_seed = tag_uuid_seed(f.super.uuid);
	f.root_block = f.super.journal_start + f.super.journal_blocks;
	*why = "out of memory";
	f.stream.buf = malloc(STREAM_BYTES);
	if (!f.stream.buf)
		return -ENOMEM;
	*why = "writing to the device failed";
	rc = old_wipe(dev, options->reserve_bytes);
	for (uint32_t group = 0; !rc && group < f.super.group_count; group++)
		rc = group_write(&f, group);
	if (!rc)
		rc = supers_write(&f);
	if (!rc)
		*out = f.super;
	free(f.stream.buf);
	return rc;
}
