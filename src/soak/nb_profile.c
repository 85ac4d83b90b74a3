/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles of the neighbour, and making its filesystem. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/nb_command.h"
#include "soak/nb_layout.h"
#include "soak/neighbour.h"
#include "util/units.h"

/* Enough groups that their bitmaps do not fit a CPU's buffer LRU (16 entries). */
#define GROUPS_WANTED 32u
#define GROUP_BLOCKS_MIN 1024u
#define BYTES_PER_INODE "4096"
#define ARGS_MAX 24
/* No filesystem takes so long to be made. */
#define MKFS_CPU_S 60u

static int refuse(char *why, size_t len, const char *format, const char *what)
{
	/* FORMAT is a literal of this file with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(why, len, format, what);
#pragma GCC diagnostic pop
	return -EINVAL;
}

static int option_parse(struct neighbour_profile *profile, const char *option, char *why,
			size_t len)
{
	uint64_t value;

	if (strcmp(option, "nojournal") == 0) {
		profile->journal = false;
	} else if (strcmp(option, "journal=tiny") == 0) {
		profile->journal = profile->journal_tiny = true;
	} else if (strncmp(option, "bs=", 3) == 0 && number_parse(option + 3, &value) == 0 &&
		   (value == 1024 || value == 2048 || value == 4096)) {
		profile->block_size = (uint32_t)value;
	} else if (strncmp(option, "commit=", 7) == 0 && number_parse(option + 7, &value) == 0 &&
		   value >= 1 && value <= 300) {
		profile->commit_s = (unsigned)value;
	} else {
		return refuse(why, len,
			      "unknown neighbour option '%s': there are bs=1024|2048|4096, "
			      "nojournal, journal=tiny, commit=SECONDS",
			      option);
	}
	if (strcmp(profile->type, "ext2") == 0 && (profile->journal || profile->commit_s))
		return refuse(why, len, "'%s' means nothing to ext2, which has no journal", option);
	return 0;
}

static int generic_parse(struct neighbour_profile *profile, const char *type, char *why, size_t len)
{
	size_t n = strlen(type);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)type[i]))
			return refuse(why, len, "'%s' is no type of filesystem", type);
	if (n == 0 || n >= sizeof(profile->type))
		return refuse(why, len, "'%s' is no type of filesystem", type);
	profile->generic = true;
	strcpy(profile->type, type);
	return 0;
}

int neighbour_profile_parse(const char *text, struct neighbour_profile *profile, char *why,
			    size_t len)
{
	char copy[sizeof(profile->text)], *options, *save = NULL;
	int rc = 0;

	*profile = (struct neighbour_profile){.block_size = 4096};
	if (strlen(text) >= sizeof(copy))
		return refuse(why, len, "the neighbour '%s' is too long a text", text);
	strcpy(profile->text, text);
	strcpy(copy, text);
	if (strncmp(copy, "any:", 4) == 0)
		return generic_parse(profile, copy + 4, why, len);
	options = strchr(copy, ':');
	if (options)
		*options++ = 0;
	if (strcmp(copy, "ext4") != 0 && strcmp(copy, "ext2") != 0)
		return refuse(why, len, "unknown neighbour '%s': there are ext4, ext2 and any:TYPE",
			      copy);
	strcpy(profile->type, copy);
	profile->journal = strcmp(copy, "ext4") == 0;
	for (char *option = options ? strtok_r(options, ",", &save) : NULL; option && !rc;
	     option = strtok_r(NULL, ",", &save))
		rc = option_parse(profile, option, why, len);
	if (!rc && profile->commit_s && !profile->journal)
		return refuse(why, len, "commit= needs a journal in '%s'", text);
	return rc;
}

/* Shows the last line that a program wrote. */
static int format_failed(int rc, char *output, size_t length, const char *program, char *why,
			 size_t len)
{
	const char *line = "";

	while (length && isspace((unsigned char)output[length - 1]))
		output[--length] = 0;
	if (length) {
		line = strrchr(output, '\n');
		line = line ? line + 1 : output;
	}
	snprintf(why, len, "%s failed (exit %d): %.200s", program, rc, line);
	return -EIO;
}

static int command_run(char *const argv[], char *why, size_t len)
{
	char *output = NULL;
	size_t length = 0;
	int rc = nb_command_run(argv, MKFS_CPU_S, &output, &length);

	if (rc == -ENOENT)
		snprintf(why, len,
			 "cannot find %s: install the package that has it, or use --no-neighbour",
			 argv[0]);
	else if (rc < 0)
		snprintf(why, len, "cannot run %s: %s", argv[0], strerror(-rc));
	else if (rc > 0)
		rc = format_failed(rc, output, length, argv[0], why, len);
	free(output);
	return rc;
}

static uint32_t group_blocks(uint64_t blocks, uint32_t block_size)
{
	uint64_t per_group = (blocks / GROUPS_WANTED + 7) / 8 * 8;

	if (per_group < GROUP_BLOCKS_MIN)
		per_group = GROUP_BLOCKS_MIN;
	if (per_group > 8ULL * block_size)
		per_group = 8ULL * block_size;
	return (uint32_t)per_group;
}

static int ext_format(const struct neighbour_profile *profile, const char *device, uint64_t bytes,
		      char *why, size_t len)
{
	char block_size[16], per_group[16], blocks[24], journal[16], features[64];
	uint64_t count = bytes / profile->block_size;
	char *argv[ARGS_MAX];
	int n = 0, rc;

	snprintf(block_size, sizeof(block_size), "%u", profile->block_size);
	snprintf(per_group, sizeof(per_group), "%u", group_blocks(count, profile->block_size));
	snprintf(blocks, sizeof(blocks), "%" PRIu64, count);
	/* The smallest that mke2fs makes is 1,024 blocks. */
	snprintf(journal, sizeof(journal), "size=%u", profile->block_size >> 10);
	/* Bitmaps and inode tables spread over the head, and nothing rewritten in the background.
	 */
	snprintf(features, sizeof(features), "^resize_inode,^flex_bg%s",
		 strcmp(profile->type, "ext2") == 0 ? ""
		 : profile->journal		    ? ",has_journal"
						    : ",^has_journal");
	char *const fixed[] = {"mke2fs", "-q",
			       "-F",	 "-F",
			       "-t",	 (char *)(uintptr_t)profile->type,
			       "-b",	 block_size,
			       "-g",	 per_group,
			       "-I",	 "256",
			       "-i",	 BYTES_PER_INODE,
			       "-O",	 features,
			       "-E",	 "nodiscard,lazy_itable_init=0,lazy_journal_init=0"};

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[n++] = fixed[i];
	if (profile->journal_tiny) {
		argv[n++] = "-J";
		argv[n++] = journal;
	}
	argv[n++] = (char *)(uintptr_t)device;
	argv[n++] = blocks;
	argv[n] = NULL;
	rc = command_run(argv, why, len);
	if (rc)
		return rc;
	rc = nb_layout_settle(device);
	if (rc && rc != -ENOTSUP)
		snprintf(why, len, "cannot write the bitmaps of the new %s: %s", profile->type,
			 strerror(-rc));
	return rc == -ENOTSUP ? 0 : rc;
}

/* How each mkfs is told to fill less than its device: %s is the number, of bytes unless noted. */
static const struct generic {
	const char *type;
	const char *args[6];
	const char *size_option; /* NULL: the number follows the device */
	uint32_t unit;
} generics[] = {
	{"ext3", {"mke2fs", "-q", "-F", "-F", "-t", "ext3"}, NULL, 0},
	{"xfs", {"mkfs.xfs", "-q", "-f", "-K"}, "-dsize=", 1},
	{"btrfs", {"mkfs.btrfs", "-q", "-f", "-K"}, "-b", 1},
	{"f2fs", {"mkfs.f2fs", "-q", "-f", "-t", "0"}, NULL, 512},
	{"vfat", {"mkfs.vfat"}, NULL, 1024},
	{"minix", {"mkfs.minix", "-3"}, NULL, 1024},
};

static int generic_format(const struct neighbour_profile *profile, const char *device,
			  uint64_t bytes, char *why, size_t len)
{
	const struct generic *g = NULL;
	char number[64];
	char *argv[ARGS_MAX];
	int n = 0;

	for (unsigned i = 0; i < sizeof(generics) / sizeof(generics[0]); i++)
		if (strcmp(generics[i].type, profile->type) == 0)
			g = &generics[i];
	if (!g)
		return refuse(
			why, len,
			"cannot make '%s' smaller than its device: known are ext3, xfs, btrfs, "
			"f2fs, vfat and minix",
			profile->type);
	for (unsigned i = 0; i < sizeof(g->args) / sizeof(g->args[0]) && g->args[i]; i++)
		argv[n++] = (char *)(uintptr_t)g->args[i];
	/* mke2fs counts in blocks unless there is a unit. */
	snprintf(number, sizeof(number), "%s%" PRIu64 "%s", g->size_option ? g->size_option : "",
		 g->unit ? bytes / g->unit : bytes / 1024, g->unit ? "" : "k");
	if (g->size_option)
		argv[n++] = number;
	argv[n++] = (char *)(uintptr_t)device;
	if (!g->size_option)
		argv[n++] = number;
	argv[n] = NULL;
	return command_run(argv, why, len);
}

int neighbour_format(const struct neighbour_profile *profile, const char *device, uint64_t bytes,
		     char *why, size_t len)
{
	char size[32];

	if (bytes < NEIGHBOUR_BYTES_MIN || bytes % NEIGHBOUR_BLOCK_MAX) {
		snprintf(why, len,
			 "a head of %" PRIu64 " bytes is no room for a neighbour: it needs %s, and "
			 "whole pages",
			 bytes, size_format(NEIGHBOUR_BYTES_MIN, size, sizeof(size)));
		return -EINVAL;
	}
	return profile->generic ? generic_format(profile, device, bytes, why, len)
				: ext_format(profile, device, bytes, why, len);
}
