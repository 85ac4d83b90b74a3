/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta/group.h"
#include "meta/inode.h"
#include "meta/recover.h"
#include "meta/scan.h"
#include "meta/super.h"
#include "meta/wallclock.h"
#include "util/log.h"

/* Generations that one mount may use before the ceiling in the superblock is reached. */
#define GENERATION_ROOM (1ULL << 40)

static int device_open(struct volume *vol, const char *path, const struct volume_options *options)
{
	struct blkdev_options device = options->device;
	int rc;

	device.readonly |= options->readonly;
	vol->readonly = device.readonly;
	rc = blkdev_open(path, &device, &vol->dev);
	if (rc == -EBUSY)
		log_error("%s is mounted or in use", path);
	else if (rc == -ENOTBLK)
		log_error("%s is neither a block device nor an image file", path);
	else if (rc)
		log_error("%s cannot be opened: %s", path, strerror(-rc));
	return rc;
}

static int super_find(struct volume *vol, const char *path)
{
	struct super_origin origin;
	uint32_t unknown;
	int rc = super_locate(vol->dev, &vol->super, &origin);

	if (rc) {
		log_error("%s: %s", path, origin.message[0] ? origin.message : strerror(-rc));
		return rc;
	}
	if (origin.message[0])
		log_warning("%s: %s", path, origin.message);
	unknown = vol->super.ro_compat & ~CFS_RO_COMPAT_KNOWN;
	if (unknown && !vol->readonly) {
		log_error("%s: unknown ro_compat feature 0x%x: mount it read-only or use a newer "
			  "churnfs",
			  path, unknown);
		return -EPROTONOSUPPORT;
	}
	if (vol->super.next_generation > UINT64_MAX - 2 * GENERATION_ROOM) {
		log_error("%s: the superblock's next_generation leaves no room", path);
		return -EUCLEAN;
	}
	return 0;
}

static int block_size_apply(struct volume *vol, const char *path, bool exclusive)
{
	int rc = blkdev_set_block_size(vol->dev, vol->super.block_size);

	/* Whoever shares the device decides then. */
	if (rc == -EBUSY && !exclusive) {
		log_notice("%s is in use by others and keeps its soft block size", path);
		return 0;
	}
	if (rc)
		log_error("%s: the soft block size cannot be set: %s", path, strerror(-rc));
	return rc;
}

static int ledger_open(struct volume *vol, int fd)
{
	struct ledger_geometry geometry = {
		.block_size = vol->super.block_size,
		.blocks = vol->super.total_blocks,
	};
	int own = -1, rc;

	memcpy(geometry.uuid, vol->super.uuid, sizeof(geometry.uuid));
	if (fd < 0) {
		own = memfd_create("churnfs-ledger", MFD_CLOEXEC);
		if (own < 0) {
			rc = -errno;
			goto out;
		}
		fd = own;
	}
	rc = ledger_create(fd, &geometry, &vol->ledger);
	if (own >= 0)
		close(own);
out:
	if (rc)
		log_error("the ledger cannot be made: %s", strerror(-rc));
	return rc;
}

static int root_check(struct volume *vol)
{
	struct inode_info root;
	struct txn txn;
	int rc;

	txn_begin(&txn, vol->txns);
	rc = inode_read(vol, &txn, CFS_ROOT_INODE, &root);
	txn_abort(&txn);
	if (rc == 0 && S_ISDIR(root.mode) && root.links)
		return 0;
	if (rc == 0 || rc == -ENOENT) {
		log_error("inode %u is not the root directory", CFS_ROOT_INODE);
		rc = -EUCLEAN;
	}
	return rc;
}

/* From here on a crash leaves a mark, and the ids used up to the ceiling are never used again. */
static int dirty_mark(struct volume *vol)
{
	int rc;

	pthread_mutex_lock(&vol->super_lock);
	vol->super.state = CFS_STATE_DIRTY;
	vol->super.next_generation += GENERATION_ROOM;
	vol->super.mount_count++;
	vol->super.mounted_ns = wallclock_now_ns();
	rc = super_write(vol);
	pthread_mutex_unlock(&vol->super_lock);
	return rc ? rc : volume_sync(vol);
}

static int contents_check(struct volume *vol)
{
	struct inode_list unfinished = {0};
	int rc;

	rc = volume_scan(vol, &unfinished);
	if (rc == 0)
		rc = root_check(vol);
	if (rc == 0 && !vol->readonly)
		rc = dirty_mark(vol);
	if (rc == 0 && !vol->readonly)
		rc = volume_recover(vol, &unfinished);
	free(unfinished.inos);
	return rc;
}

static void volume_free(struct volume *vol)
{
	txn_mgr_destroy(vol->txns);
	ledger_detach(vol->ledger);
	blkdev_close(vol->dev);
	pthread_mutex_destroy(&vol->super_lock);
	free(vol);
}

int volume_open(const char *path, const struct volume_options *options, struct volume **out)
{
	struct volume *vol = calloc(1, sizeof(*vol));
	int rc;

	if (!vol)
		return -ENOMEM;
	pthread_mutex_init(&vol->super_lock, NULL);
	rc = device_open(vol, path, options);
	if (rc == 0)
		rc = super_find(vol, path);
	if (rc == 0)
		rc = block_size_apply(vol, path, options->device.exclusive);
	if (rc == 0)
		rc = ledger_open(vol, options->ledger_fd);
	if (rc == 0)
		rc = txn_mgr_create(vol->dev, vol->ledger, vol->super.next_generation, &vol->txns);
	if (rc == 0)
		rc = contents_check(vol);
	if (rc)
		volume_free(vol);
	else
		*out = vol;
	return rc;
}

int volume_sync(struct volume *vol)
{
	int rc = blkdev_sync(vol->dev);

	if (rc) {
		atomic_fetch_add(&ledger_counters(vol->ledger)->io_errors, 1);
		log_error("sync of the device failed: %s", strerror(-rc));
	}
	return rc;
}

/* All else is on stable storage before the mark that says so. */
static int clean_mark(struct volume *vol)
{
	int rc = txn_mgr_error(vol->txns);

	if (rc == 0)
		rc = volume_sync(vol);
	if (rc)
		return rc;
	pthread_mutex_lock(&vol->super_lock);
	vol->super.state = CFS_STATE_CLEAN;
	/* The superblock itself takes the next one. */
	vol->super.next_generation = txn_mgr_next_generation(vol->txns) + 1;
	rc = super_write(vol);
	pthread_mutex_unlock(&vol->super_lock);
	return rc ? rc : volume_sync(vol);
}

int volume_close(struct volume *vol)
{
	int rc = vol->readonly ? 0 : clean_mark(vol);

	volume_free(vol);
	return rc;
}

int volume_usage(struct volume *vol, struct volume_usage *usage)
{
	const struct super_info *super = &vol->super;
	struct txn txn;
	int rc = 0;

	*usage = (struct volume_usage){.inodes = layout_inode_count(super)};
	txn_begin(&txn, vol->txns);
	for (uint32_t group = 0; rc == 0 && group < super->group_count; group++) {
		uint64_t head = layout_group_data(super, group) - layout_group_start(super, group);
		struct group_info info;

		rc = group_peek(vol, &txn, group, &info);
		if (rc)
			break;
		usage->blocks += info.blocks - head;
		usage->free_blocks += info.free_blocks;
		usage->free_inodes += info.free_inodes;
	}
	usage->blocks -= super->journal_blocks;
	txn_abort(&txn);
	return rc;
}
