/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first failure of the neighbour, and reading what the device holds. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "soak/nb_private.h"
#include "util/clock.h"

/* So long, threads look for the damage of which the filesystem spoke. */
#define LOOK_AROUND_NS (3 * NS_PER_SEC)

const char *neighbour_leg_name(enum neighbour_leg leg)
{
	static const char *const names[NEIGHBOUR_LEGS] = {
		[NEIGHBOUR_INODES] = "inodes",	 [NEIGHBOUR_BITMAPS] = "bitmaps",
		[NEIGHBOUR_DIRS] = "dirs",	 [NEIGHBOUR_XATTRS] = "xattrs",
		[NEIGHBOUR_EXTENTS] = "extents", [NEIGHBOUR_REVOKE] = "revoke",
	};

	return (unsigned)leg < NEIGHBOUR_LEGS ? names[leg] : "unknown";
}

const char *neighbour_block_name(enum neighbour_block block)
{
	static const char *const names[NEIGHBOUR_BLOCKS] = {
		[NEIGHBOUR_BLOCK_NONE] = "none",
		[NEIGHBOUR_BLOCK_INODES] = "inode-table",
		[NEIGHBOUR_BLOCK_INODE_BITMAP] = "inode-bitmap",
		[NEIGHBOUR_BLOCK_BLOCK_BITMAP] = "block-bitmap",
		[NEIGHBOUR_BLOCK_DIRECTORY] = "directory",
		[NEIGHBOUR_BLOCK_XATTR] = "xattr",
		[NEIGHBOUR_BLOCK_MAP] = "block-map",
	};

	return (unsigned)block < NEIGHBOUR_BLOCKS ? names[block] : "unknown";
}

/*
 * The filesystem may notice damage before us, but it cannot tell what was there before. What only
 * lacks its last update says nothing then: after an error a filesystem may stop writing.
 */
static bool tells_more(const struct neighbour_failure *now, const struct neighbour_failure *first)
{
	if (first->fault != NEIGHBOUR_FS_ERROR || now->fault != NEIGHBOUR_CORRUPT)
		return false;
	return now->kind != FAULT_STALE || now->found_generation + 1 != now->expected_generation;
}

static void failure_record(struct neighbour *nb, const struct neighbour_failure *failure)
{
	uint64_t when_ns = clock_now_ns();

	pthread_mutex_lock(&nb->lock);
	if (nb->failure.failed)
		when_ns = nb->failure.when_ns;
	if (!nb->failure.failed || tells_more(failure, &nb->failure)) {
		nb->failure = *failure;
		nb->failure.failed = true;
		nb->failure.when_ns = when_ns;
	}
	atomic_store(&nb->failed, true);
	/* What is there now is evidence: nobody may write over it. */
	atomic_store(&nb->stop, true);
	pthread_cond_broadcast(&nb->changed);
	pthread_mutex_unlock(&nb->lock);
}

int nb_fail(struct neighbour *nb, enum neighbour_leg leg, enum neighbour_fault fault, int rc,
	    const char *format, ...)
{
	struct neighbour_failure failure = {.fault = fault, .leg = leg};
	va_list args;

	va_start(args, format);
	vsnprintf(failure.text, sizeof(failure.text), format, args);
	va_end(args);
	failure_record(nb, &failure);
	return rc;
}

int nb_fail_block(struct neighbour *nb, const struct neighbour_failure *failure)
{
	struct neighbour_failure copy = *failure;

	copy.fault = NEIGHBOUR_CORRUPT;
	failure_record(nb, &copy);
	return -EUCLEAN;
}

/*
 * All names are ours: the filesystem has lost one that it must have, or kept one that was taken
 * away, as in an older state.
 */
static int fail_contradiction(struct neighbour *nb, enum neighbour_leg leg, const char *what,
			      int rc)
{
	struct neighbour_failure f = {.leg = leg, .kind = FAULT_STALE};

	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (%s): %s: %s, which contradicts all that was done",
		 nb->options.profile.text, neighbour_leg_name(leg), what, strerror(-rc));
	nb_fail_block(nb, &f);
	return rc;
}

int nb_fail_call(struct neighbour *nb, enum neighbour_leg leg, const char *what, int rc)
{
	const char *name = neighbour_leg_name(leg);

	switch (-rc) {
	case EUCLEAN: /* EFSCORRUPTED of ext4 */
	case EBADMSG: /* EFSBADCRC */
	case EIO:
		return nb_fail(nb, leg, NEIGHBOUR_FS_ERROR, rc,
			       "neighbour %s (%s): %s: the kernel's filesystem says: %s",
			       nb->options.profile.text, name, what, strerror(-rc));
	case EROFS:
		return nb_fail(nb, leg, NEIGHBOUR_FS_ERROR, rc,
			       "neighbour %s (%s): %s: the kernel has turned it read-only after an "
			       "error",
			       nb->options.profile.text, name, what);
	case ENOSPC:
		return nb_fail(nb, leg, NEIGHBOUR_TROUBLE, rc,
			       "neighbour %s (%s): %s: it is full: use a larger --reserve-head",
			       nb->options.profile.text, name, what);
	case ENOENT:
	case EEXIST:
	case ENODATA:
	case ENOTEMPTY:
		return fail_contradiction(nb, leg, what, rc);
	default:
		return nb_fail(nb, leg, NEIGHBOUR_TROUBLE, rc, "neighbour %s (%s): %s: %s",
			       nb->options.profile.text, name, what, strerror(-rc));
	}
}

int nb_fail_layout(struct neighbour *nb, enum neighbour_leg leg, const char *what, int rc)
{
	struct neighbour_failure f = {.leg = leg, .kind = FAULT_GARBAGE};

	if (rc != -EUCLEAN)
		return nb_fail_call(nb, leg, what, rc);
	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (%s): %s: garbage, what lies on the device makes no sense",
		 nb->options.profile.text, neighbour_leg_name(leg), what);
	return nb_fail_block(nb, &f);
}

void neighbour_failure_get(struct neighbour *nb, struct neighbour_failure *failure)
{
	pthread_mutex_lock(&nb->lock);
	*failure = nb->failure;
	if (failure->fault == NEIGHBOUR_FS_ERROR && nb->running &&
	    clock_now_ns() < failure->when_ns + LOOK_AROUND_NS)
		failure->failed = false;
	pthread_mutex_unlock(&nb->lock);
}

int nb_read(const struct neighbour *nb, void *buf, size_t length, uint64_t offset)
{
	ssize_t n;

	do {
		n = pread(nb->device_fd, buf, length, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

int nb_open(const struct neighbour *nb, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", nb->options.mount_dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

void nb_fail_place(struct neighbour_failure *failure, const struct nb_shadow *shadow)
{
	failure->type = shadow->type;
	failure->block = shadow->block;
	failure->offset = shadow->block * shadow->size;
	failure->length = shadow->size;
	memcpy(failure->expected, shadow->image, shadow->size);
}

int nb_shadow_verify(struct neighbour *nb, enum neighbour_leg leg, struct nb_shadow *shadow,
		     const char *when)
{
	struct neighbour_failure f = {.leg = leg};
	int rc = nb_read(nb, f.found, shadow->size, shadow->block * shadow->size);

	if (rc)
		return nb_fail_call(nb, leg, "reading a block of the device", rc);
	f.kind = nb_shadow_classify(shadow, f.found, &f.found_generation);
	if (f.kind == FAULT_NONE)
		return 0;
	nb_fail_place(&f, shadow);
	f.expected_generation = shadow->version;
	snprintf(f.text, sizeof(f.text),
		 "neighbour %s (%s): %s block %" PRIu64 " is %s: version %" PRIu64 " where %" PRIu64
		 " was written; it is not what it was %s",
		 nb->options.profile.text, neighbour_leg_name(leg),
		 neighbour_block_name(shadow->type), shadow->block, fault_kind_name(f.kind),
		 f.found_generation, shadow->version, when);
	return nb_fail_block(nb, &f);
}

int nb_shadow_refresh(struct neighbour *nb, struct nb_shadow *shadow)
{
	uint8_t image[NEIGHBOUR_BLOCK_MAX];
	int rc = nb_read(nb, image, shadow->size, shadow->block * shadow->size);

	if (!rc)
		nb_shadow_set(shadow, image);
	return rc;
}
