/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/hugepool.h"

#include <errno.h>
#include <stdio.h>

#include "soak/sandbox.h"

long hugepool_size(const char *path)
{
	FILE *file = fopen(path, "re");
	long value;
	int n;

	if (!file)
		return -errno;
	n = fscanf(file, "%ld", &value);
	fclose(file);
	return n == 1 ? value : -EIO;
}

int hugepool_set(struct sandbox *sandbox, const char *path, long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pages);
	return sandbox_set(sandbox, path, text);
}
