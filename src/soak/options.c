/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "soak/inject.h"
#include "soak/nb_inject.h"
#include "soak/workload.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/units.h"

#define SIZE_MIN (16ULL << 20)
#define SIZE_MAX_BYTES (64ULL << 30)
#define VERIFIERS_MAX 16u
#define HURRY_MAX 1000u
#define MEMORY_MIN (16ULL << 20)

enum option_id {
	OPT_DURATION = 256,
	OPT_SIZE,
	OPT_BLOCK_SIZE,
	OPT_SEED,
	OPT_WORKERS,
	OPT_VERIFIERS,
	OPT_MIGRATE,
	OPT_BACKEND,
	OPT_DEVICE,
	OPT_IMAGE_DIR,
	OPT_OUTPUT,
	OPT_JSON,
	OPT_JUNIT,
	OPT_KTAP,
	OPT_PROMETHEUS,
	OPT_TIMELINE,
	OPT_MEMORY,
	OPT_FORCE,
	OPT_KEEP_GOING,
	OPT_RERUN,
	OPT_HANG_AFTER,
	OPT_HURRY,
	OPT_INJECT,
	OPT_NEIGHBOUR,
	OPT_NO_NEIGHBOUR,
	OPT_NEIGHBOUR_APART,
	OPT_RESERVE_HEAD,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"duration", required_argument, NULL, OPT_DURATION},
	{"size", required_argument, NULL, OPT_SIZE},
	{"block-size", required_argument, NULL, OPT_BLOCK_SIZE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"verifiers", required_argument, NULL, OPT_VERIFIERS},
	{"migrate", required_argument, NULL, OPT_MIGRATE},
	{"backend", required_argument, NULL, OPT_BACKEND},
	{"device", required_argument, NULL, OPT_DEVICE},
	{"image-dir", required_argument, NULL, OPT_IMAGE_DIR},
	{"output", required_argument, NULL, OPT_OUTPUT},
	{"json", required_argument, NULL, OPT_JSON},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"ktap", no_argument, NULL, OPT_KTAP},
	{"prometheus", required_argument, NULL, OPT_PROMETHEUS},
	{"timeline", required_argument, NULL, OPT_TIMELINE},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"force", no_argument, NULL, OPT_FORCE},
	{"keep-going", no_argument, NULL, OPT_KEEP_GOING},
	{"rerun", no_argument, NULL, OPT_RERUN},
	{"hang-after", required_argument, NULL, OPT_HANG_AFTER},
	{"hurry", required_argument, NULL, OPT_HURRY},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"neighbour", required_argument, NULL, OPT_NEIGHBOUR},
	{"no-neighbour", no_argument, NULL, OPT_NO_NEIGHBOUR},
	{"neighbour-apart", no_argument, NULL, OPT_NEIGHBOUR_APART},
	{"reserve-head", required_argument, NULL, OPT_RESERVE_HEAD},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

void run_options_usage(FILE *out)
{
	fputs("usage: churnstress run [OPTION...]\n"
	      "  --duration TIME      how long, e.g. 30s, 10m, 24h (60s)\n"
	      "  --size SIZE          of the image that is made and loop-mounted (128M)\n"
	      "  --device PATH        use this block device instead; all on it is lost\n"
	      "  --force              use it although it holds a known signature\n"
	      "  --image-dir DIR      where the image is made ($TMPDIR or /tmp)\n"
	      "  --block-size N       1024, 2048 or 4096 (1024)\n"
	      "  --backend NAME       how the daemon reads and writes: auto, uring, pread, mmap\n"
	      "  --neighbour PROFILE  in-kernel filesystem on the same device: ext4 or ext2 with\n"
	      "                       :bs=N,nojournal,journal=tiny,commit=SECONDS; any:TYPE\n"
	      "                       (" NEIGHBOUR_PROFILE_DEFAULT ")\n"
	      "  --no-neighbour       none: the race of 2019 is out of reach then\n"
	      "  --neighbour-apart    on a loop device of its own, as on kernels that let nobody\n"
	      "                       write to a mounted device\n"
	      "  --reserve-head SIZE  for the neighbour, at the start of the device (64M)\n"
	      "  --migrate LIST       migration drivers: auto, none, or some of numa, compact, node,\n"
	      "                       thp, hugetlb, offline, soft-offline, cma (auto)\n"
	      "  --memory SIZE|N%     at most so much for migration (25% of the free memory)\n"
	      "  --workers N          threads that use the filesystem (4)\n"
	      "  --verifiers N        threads that check every metadata block (1)\n"
	      "  --seed N             of the workload (random)\n"
	      "  --inject KIND        plant a fault to test the detector: stale, bitflip, torn,\n"
	      "                       misdirected or zeroed\n"
	      "  --keep-going         go on after a finding\n"
	      "  --rerun              after a finding, run the same seed without migration, too\n"
	      "  --hang-after TIME    a step of any thread that takes longer hangs (60s)\n"
	      "  --hurry N            what is checked or written at intervals is so N times as\n"
	      "                       often (1): a day of it in an hour with 24\n"
	      "  --output DIR         folder for the report and the evidence\n"
	      "  --json FILE          write the report as JSON\n"
	      "  --junit FILE         write the report as JUnit XML, for Jenkins\n"
	      "  --ktap               print KTAP instead of the report, for LAVA and kernelci;\n"
	      "                       the status goes to standard error\n"
	      "  --prometheus FILE    metrics for the textfile collector, replaced every 15 s\n"
	      "  --timeline FILE      how it goes, a JSON object a line; at most 32M with FILE.1\n"
	      "SIGUSR1 makes it print its status, SIGTERM end early.\n"
	      "exit: 0 PASS, 1 CORRUPT, 2 ERROR, 3 INCONCLUSIVE, 4 KERNEL-FAULT\n",
	      out);
}

static int bad(const char *option, const char *value, const char *expected)
{
	log_error("--%s %s: expected %s", option, value, expected);
	return -EINVAL;
}

static int parse_count(const char *name, const char *text, unsigned max, unsigned *value)
{
	uint64_t number;

	if (number_parse(text, &number) || number == 0 || number > max) {
		char expected[48];

		snprintf(expected, sizeof(expected), "a number from 1 to %u", max);
		return bad(name, text, expected);
	}
	*value = (unsigned)number;
	return 0;
}

static int parse_size(const char *text, uint64_t *size)
{
	if (size_parse(text, size) || *size < SIZE_MIN || *size > SIZE_MAX_BYTES)
		return bad("size", text, "16M to 64G");
	*size &= ~(uint64_t)4095;
	return 0;
}

static int parse_block_size(const char *text, uint32_t *size)
{
	uint64_t value;

	if (size_parse(text, &value) || (value != 1024 && value != 2048 && value != 4096))
		return bad("block-size", text, "1024, 2048 or 4096");
	*size = (uint32_t)value;
	return 0;
}

static uint64_t memory_total(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return (uint64_t)kib << 10;
}

static int parse_memory(const char *text, uint64_t *bytes)
{
	char number[16];
	size_t len = strlen(text);
	uint64_t percent;

	if (len && len < sizeof(number) && text[len - 1] == '%') {
		memcpy(number, text, len - 1);
		number[len - 1] = 0;
		if (number_parse(number, &percent) || percent == 0 || percent > 90)
			return bad("memory", text, "1% to 90%, or a size");
		*bytes = memory_total() / 100 * percent;
	} else if (size_parse(text, bytes)) {
		return bad("memory", text, "1% to 90%, or a size");
	}
	if (*bytes < MEMORY_MIN || *bytes > memory_total() / 10 * 9)
		return bad("memory", text, "at least 16M and at most 90% of the memory");
	return 0;
}

static int parse_inject(const char *text, struct run_options *o)
{
	if (nb_inject_parse(text, &o->nb_inject) == 0)
		return 0;
	if (fault_kind_parse(text, &o->inject) || !inject_kind_valid(o->inject))
		return bad("inject", text,
			   "stale, bitflip, torn, misdirected, zeroed, or nb-stale- and one of "
			   "inode-table, inode-bitmap, block-bitmap, directory, xattr, block-map");
	return 0;
}

static int parse_neighbour(const char *text, struct run_options *o)
{
	char why[256];

	if (neighbour_profile_parse(text, &o->profile, why, sizeof(why)) == 0)
		return 0;
	log_error("--neighbour: %s", why);
	return -EINVAL;
}

static int parse_head(const char *text, uint64_t *bytes)
{
	if (size_parse(text, bytes) || *bytes < NEIGHBOUR_BYTES_MIN || *bytes > SIZE_MAX_BYTES ||
	    *bytes % NEIGHBOUR_BLOCK_MAX)
		return bad("reserve-head", text, "16M to 64G, whole pages");
	return 0;
}

static int parse_one(int id, const char *value, struct run_options *o)
{
	switch (id) {
	case OPT_DURATION:
		if (duration_parse(value, &o->duration_ns) || o->duration_ns < NS_PER_SEC)
			return bad("duration", value, "at least 1s, such as 30s, 10m, 24h or 7d");
		return 0;
	case OPT_SIZE:
		return parse_size(value, &o->size);
	case OPT_BLOCK_SIZE:
		return parse_block_size(value, &o->block_size);
	case OPT_SEED:
		if (number_parse(value, &o->seed) || o->seed > INT64_MAX)
			return bad("seed", value, "a number below 2^63");
		return 0;
	case OPT_WORKERS:
		return parse_count("workers", value, WORKLOAD_WORKERS_MAX, &o->workers);
	case OPT_VERIFIERS:
		return parse_count("verifiers", value, VERIFIERS_MAX, &o->verifiers);
	case OPT_HURRY:
		return parse_count("hurry", value, HURRY_MAX, &o->hurry);
	case OPT_MEMORY:
		return parse_memory(value, &o->memory_max);
	case OPT_INJECT:
		return parse_inject(value, o);
	case OPT_NEIGHBOUR:
		return parse_neighbour(value, o);
	case OPT_NO_NEIGHBOUR:
		o->neighbour = false;
		return 0;
	case OPT_NEIGHBOUR_APART:
		o->neighbour_apart = true;
		return 0;
	case OPT_RESERVE_HEAD:
		return parse_head(value, &o->head_bytes);
	case OPT_MIGRATE:
		o->migrate = value;
		return 0;
	case OPT_BACKEND:
		o->backend = value;
		return 0;
	case OPT_DEVICE:
		o->device = value;
		return 0;
	case OPT_IMAGE_DIR:
		o->image_dir = value;
		return 0;
	case OPT_OUTPUT:
		o->output = value;
		return 0;
	case OPT_JSON:
		o->json = value;
		return 0;
	case OPT_JUNIT:
		o->junit = value;
		return 0;
	case OPT_KTAP:
		o->ktap = true;
		return 0;
	case OPT_PROMETHEUS:
		o->prometheus = value;
		return 0;
	case OPT_TIMELINE:
		o->timeline = value;
		return 0;
	case OPT_FORCE:
		o->force = true;
		return 0;
	case OPT_KEEP_GOING:
		o->keep_going = true;
		return 0;
	case OPT_RERUN:
		o->rerun = true;
		return 0;
	case OPT_HANG_AFTER:
		if (duration_parse(value, &o->hang_ns) || o->hang_ns < NS_PER_SEC)
			return bad("hang-after", value, "at least 1s, such as 30s or 5m");
		return 0;
	default:
		log_error("see churnstress run --help");
		return -EINVAL;
	}
}

/* The command line that repeats this run: as given, with the seed if it was drawn. */
static void command_build(struct run_options *o, int argc, char **argv, bool seeded)
{
	int n = snprintf(o->command, sizeof(o->command), "churnstress");

	for (int i = 0; i < argc && n < (int)sizeof(o->command); i++)
		n += snprintf(o->command + n, sizeof(o->command) - (size_t)n, " %s", argv[i]);
	if (!seeded && n < (int)sizeof(o->command))
		snprintf(o->command + n, sizeof(o->command) - (size_t)n, " --seed %llu",
			 (unsigned long long)o->seed);
}

static int neighbour_check_options(const struct run_options *o)
{
	if (o->neighbour_apart && !o->neighbour) {
		log_error("--neighbour-apart: there is no neighbour: leave --no-neighbour out");
		return -EINVAL;
	}
	if (o->nb_inject == NEIGHBOUR_BLOCK_NONE)
		return 0;
	if (!o->neighbour || o->neighbour_apart) {
		log_error("--inject nb-...: needs the neighbour on the same device: leave "
			  "--no-neighbour and --neighbour-apart out");
		return -EINVAL;
	}
	return 0;
}

int run_options_parse(int argc, char **argv, struct run_options *o)
{
	const char *tmp = getenv("TMPDIR");
	bool seeded = false;
	uint32_t drawn = 1;
	int id, rc;

	(void)!getrandom(&drawn, sizeof(drawn), 0);
	*o = (struct run_options){
		.duration_ns = 60 * NS_PER_SEC,
		.size = 128ULL << 20,
		.block_size = 1024,
		.seed = drawn,
		.workers = 4,
		.verifiers = 1,
		.hurry = 1,
		.migrate = "auto",
		.backend = "auto",
		.image_dir = tmp && *tmp ? tmp : "/tmp",
		.hang_ns = 60 * NS_PER_SEC,
		.memory_max = memory_available() / 4,
		.inject = FAULT_NONE,
		.neighbour = true,
		.head_bytes = 64ULL << 20,
	};
	rc = parse_neighbour(NEIGHBOUR_PROFILE_DEFAULT, o);
	if (rc)
		return rc;
	optind = 1;
	while ((id = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (id == 'h' || id == OPT_HELP) {
			run_options_usage(stdout);
			return 1;
		}
		seeded |= id == OPT_SEED;
		rc = parse_one(id, optarg, o);
		if (rc)
			return rc;
	}
	if (optind < argc) {
		log_error("unexpected argument '%s': see churnstress run --help", argv[optind]);
		return -EINVAL;
	}
	rc = neighbour_check_options(o);
	if (rc)
		return rc;
	if (o->rerun && strcmp(o->migrate, "none") == 0) {
		log_error("--rerun: there is no migration that could be left out");
		return -EINVAL;
	}
	command_build(o, argc, argv, seeded);
	return 0;
}
