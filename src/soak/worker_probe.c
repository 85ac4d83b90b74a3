/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the filesystem at hand does where filesystems may rightly differ. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "soak/worker.h"

#define TRIAL_NS 123456789L
#define TARGET_PORTABLE 1000u /* fits XFS, and ext4 with blocks of 1 KiB */
#define TARGET_MOST (PATH_MAX - 1)

static int probe_dir(struct worker *worker)
{
	struct worker_features *features = &worker->features;
	struct stat st;
	int64_t rc = CALL(mkdirat(worker->dirfd, "probe", 0777));

	if (!rc)
		rc = CALL(fstatat(worker->dirfd, "probe", &st, AT_SYMLINK_NOFOLLOW));
	if (rc)
		return (int)rc;
	features->create_mask = st.st_mode & 0777;
	/* Filesystems that do not count the links of directories say 1. */
	features->dir_links = st.st_nlink != 1;
	return 0;
}

static int probe_dir_types(struct worker *worker)
{
	int64_t fd = CALL(openat(worker->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	DIR *stream;

	if (fd < 0)
		return (int)fd;
	stream = fdopendir((int)fd);
	if (!stream) {
		close((int)fd);
		return -ENOMEM;
	}
	do {
		entry = readdir(stream);
	} while (entry && strcmp(entry->d_name, "probe") != 0);
	worker->features.dir_types = entry && entry->d_type != DT_UNKNOWN;
	closedir(stream);
	return 0;
}

static int probe_times(struct worker *worker, int fd)
{
	const struct timespec times[2] = {{1000, TRIAL_NS}, {1000, TRIAL_NS}};
	struct stat st;
	int64_t rc = CALL(futimens(fd, times));

	if (!rc)
		rc = CALL(fstat(fd, &st));
	if (rc)
		return (int)rc;
	if (st.st_mtim.tv_nsec != TRIAL_NS && st.st_mtim.tv_nsec != 0)
		return -EOPNOTSUPP;
	worker->features.seconds = st.st_mtim.tv_nsec == 0;
	return 0;
}

static void probe_privilege(struct worker *worker, int fd)
{
	int64_t again;

	if (geteuid() != 0 || fchown(fd, 4242, 60000) || fchmod(fd, 0))
		return;
	again = CALL(openat(worker->dirfd, "probe/file", O_RDWR | O_CLOEXEC));
	if (again < 0)
		return;
	close((int)again);
	worker->features.privileged = true;
}

/* Exchanges "file" and "dir", if that is possible. */
static int probe_rename(struct worker *worker)
{
	int fd = worker->dirfd;
	int64_t rc = CALL(renameat2(fd, "probe/file", fd, "probe/dir", RENAME_NOREPLACE));

	if (rc == 0)
		return -EOPNOTSUPP;
	if (rc != -EEXIST)
		return rc == -EINVAL || rc == -ENOSYS ? 0 : (int)rc;
	rc = CALL(renameat2(fd, "probe/file", fd, "probe/dir", RENAME_EXCHANGE));
	if (rc)
		return rc == -EINVAL || rc == -ENOSYS ? 0 : (int)rc;
	worker->features.rename_flags = true;
	return (int)CALL(renameat2(fd, "probe/file", fd, "probe/dir", RENAME_EXCHANGE));
}

static int probe_target(struct worker *worker)
{
	char target[TARGET_MOST + 1];
	int64_t rc;

	memset(target, 'x', sizeof(target));
	target[TARGET_MOST] = 0;
	worker->features.target_max = TARGET_MOST;
	rc = CALL(symlinkat(target, worker->dirfd, "probe/link"));
	if (rc != -ENAMETOOLONG)
		return (int)rc;
	worker->features.target_max = TARGET_PORTABLE;
	target[TARGET_PORTABLE] = 0;
	return (int)CALL(symlinkat(target, worker->dirfd, "probe/link"));
}

static int probe_clean(struct worker *worker)
{
	int64_t rc = CALL(unlinkat(worker->dirfd, "probe/link", 0));

	if (!rc)
		rc = CALL(unlinkat(worker->dirfd, "probe/file", 0));
	if (!rc)
		rc = CALL(unlinkat(worker->dirfd, "probe/dir", AT_REMOVEDIR));
	if (!rc)
		rc = CALL(unlinkat(worker->dirfd, "probe", AT_REMOVEDIR));
	return (int)rc;
}

int worker_probe(struct worker *worker)
{
	int64_t fd;
	int rc = probe_dir(worker);

	if (!rc)
		rc = probe_dir_types(worker);
	if (!rc)
		rc = (int)CALL(mkdirat(worker->dirfd, "probe/dir", 0700));
	if (rc)
		return rc;
	fd = CALL(openat(worker->dirfd, "probe/file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (fd < 0)
		return (int)fd;
	rc = probe_times(worker, (int)fd);
	if (!rc)
		probe_privilege(worker, (int)fd);
	close((int)fd);
	if (!rc)
		rc = probe_rename(worker);
	if (!rc)
		rc = probe_target(worker);
	return rc ? rc : probe_clean(worker);
}
