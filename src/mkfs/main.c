/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mkfs.churnfs: reads the command line, reports; the work is in format.c. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mkfs/format.h"
#include "mkfs/target.h"
#include "ondisk/layout.h"
#include "util/log.h"
#include "util/units.h"
#include "util/utf8.h"
#include "util/uuid.h"

enum { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_DEVICE = 2 };

struct command {
	const char *device;
	struct mkfs_options format;
	bool force, quiet, help;
};

static const char usage_text[] =
	"Usage: mkfs.churnfs [OPTION]... DEVICE\n"
	"Make a churnfs on DEVICE, a block device or an existing image file.\n"
	"\n"
	"  -b, --block-size=SIZE    1024, 2048 or 4096 (default 4096)\n"
	"  -L, --label=LABEL        at most 32 bytes\n"
	"  -N, --inodes=NUMBER      room for at least so many files (default one per 4 KiB)\n"
	"  -U, --uuid=UUID          default: a random one\n"
	"      --reserve-head=SIZE  leave the first SIZE bytes of DEVICE to something else\n"
	"  -f, --force              overwrite whatever DEVICE holds\n"
	"  -q, --quiet              print errors only\n"
	"  -h, --help               print this\n"
	"\n"
	"SIZE may end in K, M, G or T. Exit status: 0 done, 1 wrong usage, 2 DEVICE cannot be\n"
	"used or failed.\n";

/* Each option reader returns 0, or says what is wrong and returns EXIT_USAGE. */
static int block_size_read(const char *text, struct mkfs_options *format)
{
	uint64_t size;

	if (size_parse(text, &size) || (size != 1024 && size != 2048 && size != 4096)) {
		log_error("block size '%s': must be 1024, 2048 or 4096", text);
		return EXIT_USAGE;
	}
	format->block_size = (uint32_t)size;
	return 0;
}

static int label_read(const char *text, struct mkfs_options *format)
{
	size_t len = strlen(text);

	if (len > sizeof(format->label) - 1) {
		log_error("label: %zu bytes are too many, at most %zu fit", len,
			  sizeof(format->label) - 1);
		return EXIT_USAGE;
	}
	if (!utf8_printable(text, len)) {
		log_error("label: must be UTF-8 without control characters");
		return EXIT_USAGE;
	}
	memset(format->label, 0, sizeof(format->label));
	memcpy(format->label, text, len);
	return 0;
}

static int inodes_read(const char *text, struct mkfs_options *format)
{
	if (number_parse(text, &format->inodes) || format->inodes == 0) {
		log_error("number of inodes '%s': must be a number from 1 on", text);
		return EXIT_USAGE;
	}
	return 0;
}

static int uuid_read(const char *text, struct mkfs_options *format)
{
	static const uint8_t none[16];

	if (uuid_from_text(text, format->uuid) || memcmp(format->uuid, none, sizeof(none)) == 0) {
		log_error("uuid '%s': must look like 01234567-89ab-4cde-8f01-23456789abcd", text);
		return EXIT_USAGE;
	}
	return 0;
}

static int reserve_read(const char *text, struct mkfs_options *format)
{
	if (size_parse(text, &format->reserve_bytes) ||
	    format->reserve_bytes % CFS_BLOCK_SIZE_MAX) {
		log_error("reserved head '%s': must be a size that is a multiple of 4K", text);
		return EXIT_USAGE;
	}
	return 0;
}

static int option_read(int option, struct command *command)
{
	switch (option) {
	case 'b':
		return block_size_read(optarg, &command->format);
	case 'L':
		return label_read(optarg, &command->format);
	case 'N':
		return inodes_read(optarg, &command->format);
	case 'U':
		return uuid_read(optarg, &command->format);
	case 'r':
		return reserve_read(optarg, &command->format);
	case 'f':
		command->force = true;
		return 0;
	case 'q':
		command->quiet = true;
		return 0;
	case 'h':
		command->help = true;
		return 0;
	default:
		/* getopt has said what is wrong. */
		return EXIT_USAGE;
	}
}

static int command_read(int argc, char **argv, struct command *command)
{
	static const struct option options[] = {
		{"block-size", required_argument, NULL, 'b'},
		{"label", required_argument, NULL, 'L'},
		{"inodes", required_argument, NULL, 'N'},
		{"uuid", required_argument, NULL, 'U'},
		{"reserve-head", required_argument, NULL, 'r'},
		{"force", no_argument, NULL, 'f'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "b:L:N:U:fqh", options, NULL)) != -1) {
		int rc = option_read(option, command);

		if (rc)
			return rc;
	}
	if (command->help)
		return 0;
	if (optind + 1 != argc) {
		log_error(optind == argc ? "no device named; see mkfs.churnfs --help"
					 : "more than one device named; see mkfs.churnfs --help");
		return EXIT_USAGE;
	}
	command->device = argv[optind];
	return 0;
}

static void copies_print(const struct super_info *super)
{
	bool any = false;

	for (uint32_t group = 1; group < super->group_count; group++) {
		if (!layout_group_has_super(group))
			continue;
		printf("%s%" PRIu64, any ? ", " : "Superblock copies at blocks ",
		       layout_group_start(super, group));
		any = true;
	}
	puts(any ? "" : "No superblock copy: there is only one block group");
}

static void summary_print(const char *device, const struct super_info *super)
{
	char uuid[UUID_TEXT_LEN], a[32], b[32], size[32];

	printf("churnfs on %s: uuid %s, label '%s'\n", device, uuid_to_text(super->uuid, uuid),
	       super->label);
	printf("%s blocks of %" PRIu32 " bytes (%s), from block %" PRIu64 " on\n",
	       count_format(super->total_blocks - super->first_block, a, sizeof(a)),
	       super->block_size,
	       size_format((super->total_blocks - super->first_block) * super->block_size, size,
			   sizeof(size)),
	       super->first_block);
	printf("%" PRIu32 " block group%s, %s inodes, room for a journal of %s blocks\n",
	       super->group_count, super->group_count == 1 ? "" : "s",
	       count_format(layout_inode_count(super), a, sizeof(a)),
	       count_format(super->journal_blocks, b, sizeof(b)));
	copies_print(super);
}

static int plan_failure_report(const struct command *command, const char *why, int rc)
{
	char least[32];
	uint32_t size =
		command->format.block_size ? command->format.block_size : MKFS_BLOCK_SIZE_DEFAULT;

	if (rc == -ENOSPC)
		log_error("%s: %s; with blocks of %" PRIu32 " bytes it takes %s behind the head",
			  command->device, why, size,
			  size_format(layout_min_bytes(size), least, sizeof(least)));
	else
		log_error("%s: %s", command->device, why);
	return EXIT_DEVICE;
}

static int format_run(const struct command *command, struct blkdev *dev)
{
	const char *why = NULL;
	struct super_info super;
	int rc = mkfs_plan(dev, &command->format, &super, &why);

	if (rc)
		return plan_failure_report(command, why, rc);
	why = "erasing old signatures failed";
	if (command->force)
		rc = target_wipe(dev, command->format.reserve_bytes);
	if (!rc)
		rc = mkfs_format(dev, &command->format, &super, &why);
	if (rc) {
		log_error("%s: %s: %s", command->device, why, strerror(-rc));
		return EXIT_DEVICE;
	}
	if (!command->quiet)
		summary_print(command->device, &super);
	return EXIT_OK;
}

static int target_format(const struct command *command)
{
	struct blkdev *dev;
	char why[256];
	int rc = target_open(command->device, command->format.reserve_bytes, command->force, &dev,
			     why, sizeof(why));

	if (rc) {
		log_error("%s: %s", command->device, why);
		return EXIT_DEVICE;
	}
	rc = format_run(command, dev);
	blkdev_close(dev);
	return rc;
}

int main(int argc, char **argv)
{
	struct command command = {0};
	int rc;

	log_init("mkfs.churnfs", LOG_LEVEL_NOTICE);
	rc = command_read(argc, argv, &command);
	if (rc)
		return rc;
	if (command.help) {
		fputs(usage_text, stdout);
		return EXIT_OK;
	}
	return target_format(&command);
}
