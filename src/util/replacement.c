/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Finds the file that is to be replaced, which need not be there yet. */
static int path_resolve(struct replacement *r, const char *path)
{
	struct stat st;

	if (strlen(path) >= sizeof(r->path))
		return -ENAMETOOLONG;
	if (!realpath(path, r->path)) {
		if (errno != ENOENT)
			return -errno;
		strcpy(r->path, path);
		return 0;
	}
	if (stat(r->path, &st))
		return -errno;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int replacement_begin(struct replacement *r, const char *path)
{
	int rc = path_resolve(r, path);
	int fd;

	if (rc)
		return rc;
	snprintf(r->temporary, sizeof(r->temporary), "%s.tmp", r->path);
	/* Made anew, so that nobody can put a link in the way. */
	unlink(r->temporary);
	fd = open(r->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r->file = fdopen(fd, "w");
	if (r->file)
		return 0;
	close(fd);
	unlink(r->temporary);
	return -ENOMEM;
}

static int file_finish(FILE *file)
{
	int rc = 0;

	errno = 0;
	if (ferror(file) || fflush(file) || fsync(fileno(file)))
		rc = errno ? -errno : -EIO;
	if (fclose(file) && !rc)
		rc = -errno;
	return rc;
}

int replacement_commit(struct replacement *r)
{
	int rc = file_finish(r->file);

	r->file = NULL;
	if (!rc && rename(r->temporary, r->path))
		rc = -errno;
	if (rc)
		unlink(r->temporary);
	return rc;
}

void replacement_abandon(struct replacement *r)
{
	fclose(r->file);
	r->file = NULL;
	unlink(r->temporary);
}
