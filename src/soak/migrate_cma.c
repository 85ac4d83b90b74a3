/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contiguous memory areas (CMA), through their debugfs files: what is allocated from an area must
 * first be left by the movable pages in it. Of the device's pages only those are there that the
 * kernel itself reads for a filesystem, so it moves few, if any. By request only: drivers of the
 * machine's devices get their memory from the same area.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/migrate.h"
#include "soak/pageset.h"
#include "soak/sandbox.h"
#include "util/setting.h"

#define CMA_DIR "/sys/kernel/debug/cma"
#define PAGES_MAX 16384u
#define PAUSE_US 10000

struct cma_state {
	const struct migrate_target *target;
	struct pageset set;
	char alloc[96], free[96];
	unsigned long pages; /* of the area */
	unsigned long want;  /* at once: half as many after each failure */
};

/* The largest area. Returns its pages, 0 if there is none. */
static unsigned long area_find(char *name, size_t len)
{
	unsigned long most = 0, pages;
	struct dirent *entry;
	DIR *dir = opendir(CMA_DIR);

	while (dir && (entry = readdir(dir))) {
		char path[320];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s/count", CMA_DIR, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%lu", &pages) == 1 && pages > most &&
		    strlen(entry->d_name) < len) {
			most = pages;
			strcpy(name, entry->d_name);
		}
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return most;
}

static int cma_probe(char *why, size_t len)
{
	char name[48];
	unsigned long pages = area_find(name, sizeof(name));

	if (!pages) {
		snprintf(why, len, "no area in " CMA_DIR " (CONFIG_CMA_DEBUGFS)");
		return -ENOENT;
	}
	snprintf(why, len, "area %s of %lu pages", name, pages);
	return 0;
}

static int cma_automatic(char *why, size_t len)
{
	snprintf(why, len, "devices of the machine may need the area");
	return -EPERM;
}

static void cma_stop(void *arg)
{
	struct cma_state *s = arg;

	pageset_close(&s->set);
	free(s);
}

static int cma_start(const struct migrate_target *target, void **out)
{
	struct cma_state *s;
	char name[48];
	int rc;

	/* An area that nobody would free. */
	if (!target->sandbox)
		return -ENOTSUP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->target = target;
	s->pages = area_find(name, sizeof(name));
	if (!s->pages) {
		free(s);
		return -ENODEV;
	}
	if (s->pages > target->memory_max / DEVPAGE_SIZE)
		s->pages = target->memory_max / DEVPAGE_SIZE;
	s->want = s->pages;
	snprintf(s->alloc, sizeof(s->alloc), "%s/%s/alloc", CMA_DIR, name);
	snprintf(s->free, sizeof(s->free), "%s/%s/free", CMA_DIR, name);
	rc = pageset_open(&s->set, target, PAGES_MAX);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static int number_write(const char *path, unsigned long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", number);
	return setting_write(path, text);
}

/* Allocates and frees again. A range that is in use elsewhere is no failure of the driver. */
static int cma_push(struct cma_state *s)
{
	char text[24];
	int rc;

	snprintf(text, sizeof(text), "%lu", s->want);
	rc = sandbox_note_undo(s->target->sandbox, SANDBOX_UNDO_CMA, s->free, text);
	if (rc)
		return rc;
	if (number_write(s->alloc, s->want) == 0)
		rc = number_write(s->free, s->want);
	else
		s->want = s->want > 1 ? s->want / 2 : s->pages;
	if (!rc)
		sandbox_note_undo(s->target->sandbox, SANDBOX_UNDO_CMA, NULL, NULL);
	return rc;
}

static int cma_cycle(void *arg, struct migrate_cycle *cycle)
{
	struct cma_state *s = arg;
	int rc;

	pageset_choose(&s->set);
	rc = pageset_before(&s->set);
	if (!rc)
		rc = cma_push(s);
	if (!rc)
		rc = pageset_after(&s->set, cycle);
	/* The neighbour reads into the area what it needs again. */
	usleep(PAUSE_US);
	return rc;
}

const struct migrate_driver migrate_cma = {
	.name = "cma",
	.what = "allocation from contiguous memory areas",
	.probe = cma_probe,
	.automatic = cma_automatic,
	.start = cma_start,
	.cycle = cma_cycle,
	.stop = cma_stop,
};
