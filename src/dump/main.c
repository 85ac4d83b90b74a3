/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump.churnfs: reads the command line, prints; the work is in the files beside it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dump/dump.h"
#include "dump/output.h"
#include "util/log.h"
#include "util/units.h"

enum { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_UNREADABLE = 2, EXIT_DAMAGE = 4 };

enum what { DUMP_SUPER, DUMP_INODE, DUMP_BLOCK, DUMP_TREE, DUMP_GROUPS };

struct command {
	enum what what;
	uint64_t number; /* of the inode or block */
	const char *device;
	bool json, help;
};

static const char usage_text[] =
	"Usage: dump.churnfs [--json] [super | groups | tree | inode N | block N] DEVICE\n"
	"Show what a churnfs on DEVICE, a block device or an image file, holds. Never writes.\n"
	"\n"
	"  super    superblock, its copies, locator (default)\n"
	"  groups   block groups with their free counts\n"
	"  tree     every name with its inode and extents\n"
	"  inode N  one inode\n"
	"  block N  one block: tag, payload, bytes\n"
	"\n"
	"  -j, --json  print JSON\n"
	"  -h, --help  print this\n"
	"\n"
	"Exit status: 0 all was in order, 1 wrong usage, 2 cannot be read or holds no churnfs,\n"
	"4 damage was found.\n";

static int usage_error(const char *what)
{
	log_error("%s; see dump.churnfs --help", what);
	return EXIT_USAGE;
}

static int words_read(int count, char **words, struct command *command)
{
	static const struct {
		const char *name;
		enum what what;
		bool number;
	} commands[] = {
		{"super", DUMP_SUPER, false}, {"groups", DUMP_GROUPS, false},
		{"tree", DUMP_TREE, false},   {"inode", DUMP_INODE, true},
		{"block", DUMP_BLOCK, true},
	};

	if (count == 0)
		return usage_error("no device named");
	command->device = words[count - 1];
	if (count == 1)
		return 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(words[0], commands[i].name) != 0)
			continue;
		command->what = commands[i].what;
		if (count != (commands[i].number ? 3 : 2))
			return usage_error(commands[i].number ? "a number and a device are needed"
							      : "one device is needed");
		if (commands[i].number && number_parse(words[1], &command->number))
			return usage_error("the number of the inode or block is not a number");
		return 0;
	}
	return usage_error("unknown command");
}

static int command_read(int argc, char **argv, struct command *command)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			command->json = true;
			break;
		case 'h':
			command->help = true;
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	return words_read(argc - optind, argv + optind, command);
}

static int list_print(struct reader *reader, struct output *output,
		      int (*list)(struct reader *reader, dump_emit emit, void *arg), dump_emit emit)
{
	int rc = output_list_begin(output);

	if (!rc)
		rc = list(reader, emit, output);
	return rc ? rc : output_list_end(output);
}

static int print(struct reader *reader, const struct command *command)
{
	struct output output = {.file = stdout, .json = command->json};

	switch (command->what) {
	case DUMP_SUPER:
		return output_object(&output, dump_super(reader));
	case DUMP_INODE:
		return output_object(&output, dump_inode(reader, command->number));
	case DUMP_BLOCK:
		return output_object(&output, dump_block(reader, command->number));
	case DUMP_TREE:
		return list_print(reader, &output, dump_tree, output_name);
	case DUMP_GROUPS:
		return list_print(reader, &output, dump_groups, output_item);
	}
	return -EINVAL;
}

/* Is there such an inode or block? */
static int number_check(const struct reader *reader, const struct command *command)
{
	const struct super_info *super = &reader->super;

	if (command->what == DUMP_INODE && !layout_inode_valid(super, command->number)) {
		log_error("inode %" PRIu64 ": there are inodes 1 to %" PRIu64 " only",
			  command->number, layout_inode_count(super));
		return EXIT_USAGE;
	}
	if (command->what == DUMP_BLOCK && command->number >= super->total_blocks) {
		log_error("block %" PRIu64 ": there are blocks 0 to %" PRIu64 " only",
			  command->number, super->total_blocks - 1);
		return EXIT_USAGE;
	}
	return 0;
}

static int run(const struct command *command)
{
	struct reader reader;
	int rc = reader_open(&reader, command->device);

	if (rc) {
		log_error("%s: %s", command->device, reader.origin.message);
		return EXIT_UNREADABLE;
	}
	if (reader.origin.message[0])
		log_warning("%s: %s", command->device, reader.origin.message);
	rc = number_check(&reader, command);
	if (rc)
		goto out;
	if (print(&reader, command) || fflush(stdout)) {
		log_error("writing the output failed");
		rc = EXIT_UNREADABLE;
	} else if (reader.damage || reader.origin.group) {
		rc = EXIT_DAMAGE;
	}
out:
	reader_close(&reader);
	return rc;
}

int main(int argc, char **argv)
{
	struct command command = {.what = DUMP_SUPER};
	int rc;

	log_init("dump.churnfs", LOG_LEVEL_NOTICE);
	rc = command_read(argc, argv, &command);
	if (rc)
		return rc;
	if (command.help) {
		fputs(usage_text, stdout);
		return EXIT_OK;
	}
	return run(&command);
}
