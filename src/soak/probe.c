/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/probe.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "blkdev/blkdev.h"
#include "soak/migrate.h"
#include "soak/nb_command.h"
#include "soak/nb_layout.h"
#include "soak/tracering.h"
#include "util/units.h"

static void line(FILE *out, const char *name, bool good, const char *text)
{
	fprintf(out, "  %-4s %-16s %s\n", good ? "yes" : "no", name, text);
}

static bool accessible(FILE *out, const char *name, const char *path, int mode, const char *use)
{
	char text[256];
	bool good = access(path, mode) == 0;

	if (good)
		snprintf(text, sizeof(text), "%s", use);
	else
		snprintf(text, sizeof(text), "%s: %s", path, strerror(errno));
	line(out, name, good, text);
	return good;
}

static unsigned nodes_count(void)
{
	unsigned count = 0;
	char path[64];

	do {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", count);
	} while (access(path, F_OK) == 0 && ++count < 1024);
	return count;
}

static void machine_print(FILE *out)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	struct utsname kernel;
	char size[32];

	uname(&kernel);
	fprintf(out, "%s %s %s, %ld processors, %s of memory, %u NUMA nodes\n", kernel.sysname,
		kernel.release, kernel.machine, sysconf(_SC_NPROCESSORS_ONLN),
		size_format(memory, size, sizeof(size)), nodes_count());
}

static bool needed_print(FILE *out)
{
	bool good = true;

	fputs("a run needs:\n", out);
	line(out, "root", geteuid() == 0, "mounts, loop devices, page frame numbers");
	good &= geteuid() == 0;
	good &= accessible(out, "fuse", "/dev/fuse", R_OK | W_OK, "the daemon can mount");
	good &= accessible(out, "loop", "/dev/loop-control", R_OK | W_OK,
			   "an image can be a block device (else: --device)");
	good &= accessible(out, "pagemap", "/proc/self/pagemap", R_OK,
			   "moves of the device's own pages can be counted");
	return good;
}

static bool drivers_print(FILE *out)
{
	bool any = false;
	char why[160];

	fputs("migration drivers:\n", out);
	for (size_t i = 0; migrate_drivers[i]; i++) {
		bool good = migrate_drivers[i]->probe(why, sizeof(why)) == 0;
		char text[512];
		int n = snprintf(text, sizeof(text), "%s: %s", migrate_drivers[i]->what, why);

		if (good && migrate_automatic(migrate_drivers[i], why, sizeof(why)) && n > 0 &&
		    (size_t)n < sizeof(text))
			snprintf(text + n, sizeof(text) - (size_t)n, "; not in auto: %s", why);
		line(out, migrate_drivers[i]->name, good, text);
		any |= good;
	}
	return any;
}

static void views_print(FILE *out)
{
	int rc = blkdev_uring_probe();

	fputs("views and back ends:\n", out);
	line(out, "buffered", true, "what the page cache holds");
	line(out, "direct", true, "O_DIRECT, tried on the device when a run starts");
	line(out, "io_uring", rc == 0, rc ? strerror(-rc) : "the daemon uses it (else: pread)");
	line(out, "tracing", tracering_built(),
	     tracering_built()
		     ? "the kernel's last events are kept as evidence, if tracefs is there"
		     : "built without libtracefs: no events in the evidence");
	accessible(out, "kernel log", "/dev/kmsg", R_OK, "oopses and warnings end a run");
	accessible(out, "kpageflags", "/proc/kpageflags", R_OK,
		   "tells which moved pages carried buffers");
	accessible(out, "pcp lists", "/proc/sys/vm/percpu_pagelist_high_fraction", W_OK,
		   "kept short during a run, so that compaction finds room");
}

static bool filesystem_known(const char *type)
{
	FILE *file = fopen("/proc/filesystems", "re");
	char text[128], name[64];
	bool found = false;

	while (file && !found && fgets(text, sizeof(text), file))
		found = sscanf(text, "%63s", name) == 1 && strcmp(name, type) == 0;
	if (file)
		fclose(file);
	return found;
}

/* What the default neighbour needs. A filesystem that is a module may not be loaded yet. */
static void race_print(FILE *out, bool migration)
{
	const char *text = "in-kernel buffer lookups meet migration: the neighbour";
	struct nb_layout *layout;
	char path[4096];
	bool good = false;

	if (!migration)
		text = "needs all of the above";
	else if (nb_layout_open("/dev/null", &layout) == -ENOTSUP)
		text = "this build cannot find raw inodes (libext2fs)";
	else if (nb_command_find("mke2fs", path, sizeof(path)))
		text = "needs mke2fs: install e2fsprogs";
	else
		good = true;
	line(out, "2019 race", good, text);
	if (good && !filesystem_known("ext4"))
		line(out, "ext4", false, "not in /proc/filesystems, unless a module brings it");
}

int probe_print(FILE *out)
{
	bool possible, migration;

	machine_print(out);
	possible = needed_print(out);
	migration = drivers_print(out);
	views_print(out);
	fputs("in reach:\n", out);
	line(out, "page cache", possible && migration,
	     "buffered writes, writeback, mapped and dirty pages against migration");
	race_print(out, possible && migration);
	return possible && migration ? 0 : 2;
}
