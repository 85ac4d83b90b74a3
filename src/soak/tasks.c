/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/tasks.h"

#include <dirent.h>
#include <string.h>

/* Copies a file of the thread's folder, each line behind INDENT; nothing if it cannot be read. */
static void file_copy(const char *folder, const char *name, const char *indent, FILE *out)
{
	char path[400], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		fprintf(out, "%s%s\n", indent, line);
	}
	if (file)
		fclose(file);
}

/* "S (sleeping)" */
static void state_print(const char *folder, FILE *out)
{
	char path[400], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/status", folder);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "State:", 6) == 0)
			fprintf(out, "  state %s", line + 7);
	if (file)
		fclose(file);
}

static void thread_print(const char *folder, const char *tid, FILE *out)
{
	fprintf(out, "thread %s\n", tid);
	file_copy(folder, "comm", "  name ", out);
	state_print(folder, out);
	file_copy(folder, "wchan", "  in ", out);
	file_copy(folder, "syscall", "  system call ", out);
	file_copy(folder, "stack", "    ", out);
}

void tasks_print(pid_t pid, FILE *out)
{
	char tasks[64], folder[340];
	struct dirent *entry;
	DIR *dir;

	snprintf(tasks, sizeof(tasks), "/proc/%d/task", (int)pid);
	dir = opendir(tasks);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", tasks, entry->d_name);
		thread_print(folder, entry->d_name, out);
	}
	if (dir)
		closedir(dir);
}
