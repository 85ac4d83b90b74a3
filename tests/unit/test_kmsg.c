/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What in the kernel's log counts, for which device, and how much of it is kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/kmsg.h"
#include "unit.h"

#define FLOOD_LINES 60000u
#define KEPT_MAX ((1u << 20) + 256u)

static const struct {
	enum kmsg_class class;
	const char *line;
} lines[] = {
	{KMSG_QUIET, "loop3: detected capacity change from 0 to 262144"},
	{KMSG_QUIET, "EXT4-fs (loop3): mounted filesystem r/w with ordered data mode."},
	{KMSG_QUIET, "EXT4-fs error (device loop31): ext4_lookup:1787: inode #12"},
	{KMSG_QUIET, "EXT4-fs error (device myloop3): ext4_lookup:1787: inode #12"},
	{KMSG_QUIET, "Buffer I/O error on dev loop4, logical block 77, async page read"},
	{KMSG_QUIET, "warning: churnstress uses 32-bit capabilities"},
	{KMSG_FAULT, "BUG: KASAN: use-after-free in __find_get_block+0x4d/0x2b0"},
	{KMSG_FAULT, "BUG: KCSAN: data-race in folio_migrate_mapping / xas_load"},
	{KMSG_FAULT, "WARNING: CPU: 1 PID: 240 at fs/buffer.c:1235 mark_buffer_dirty+0x5e/0xd0"},
	{KMSG_FAULT, "WARNING: possible circular locking dependency detected"},
	{KMSG_FAULT, "INFO: trying to register non-static key."},
	{KMSG_FAULT, "INFO: task kworker/1:0:21 blocked for more than 120 seconds."},
	{KMSG_FAULT, "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"},
	{KMSG_FAULT, "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [kcompactd0:41]"},
	{KMSG_FILESYSTEM, "EXT4-fs error (device loop3): ext4_mb_generate_buddy:1217: group 0"},
	{KMSG_FILESYSTEM, "EXT2-fs error (device loop3): ext2_check_page: bad entry"},
	{KMSG_FILESYSTEM, "Aborting journal on device loop3-8."},
	{KMSG_FILESYSTEM, "XFS (loop3): Metadata corruption detected at xfs_agf_verify"},
	{KMSG_DEVICE, "I/O error, dev loop3, sector 1040 op 0x1:(WRITE) flags 0x800"},
	{KMSG_DEVICE, "Buffer I/O error on dev loop3, logical block 77, lost async page write"},
	{KMSG_OOM, "Out of memory: Killed process 4711 (churnfs)"},
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

START_TEST(classes)
{
	ck_assert_msg(kmsg_classify(lines[_i].line, "loop3") == lines[_i].class, "%s",
		      lines[_i].line);
}
END_TEST

/* Takes a line as if /dev/kmsg gave it with PRIORITY. */
static void take(struct kmsg *kmsg, unsigned priority, const char *text)
{
	char record[512];

	snprintf(record, sizeof(record), "%u,1,2,-;%s\n SUBSYSTEM=block\n", priority, text);
	kmsg_record(kmsg, record);
}

/* TEXT is for free(3). */
static void print(const struct kmsg *kmsg, char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);

	ck_assert_ptr_nonnull(out);
	kmsg_print(kmsg, out);
	fclose(out);
}

START_TEST(all_devices_count)
{
	struct kmsg *kmsg = kmsg_new();

	ck_assert_ptr_nonnull(kmsg);
	take(kmsg, 3, "EXT4-fs error (device dm-2): group 0");
	ck_assert_str_eq(kmsg_first(kmsg), "");
	kmsg_device_add(kmsg, "/dev/loop3");
	kmsg_device_add(kmsg, "/dev/mapper/dm-2");
	take(kmsg, 3, "EXT4-fs error (device dm-2): group 1");
	ck_assert_str_eq(kmsg_first(kmsg), "EXT4-fs error (device dm-2): group 1");
	/* The cause counts more than what follows from it; the first of its kind stays. */
	take(kmsg, 3, "I/O error, dev loop3, sector 8");
	ck_assert_str_eq(kmsg_first(kmsg), "I/O error, dev loop3, sector 8");
	take(kmsg, 3, "I/O error, dev loop3, sector 16");
	ck_assert_str_eq(kmsg_first(kmsg), "I/O error, dev loop3, sector 8");
	kmsg_close(kmsg);
}
END_TEST

/* What programs write to /dev/kmsg is kept, but says nothing of the kernel. */
START_TEST(programs_do_not_count)
{
	struct kmsg *kmsg = kmsg_new();
	char *text;
	size_t len;

	ck_assert_ptr_nonnull(kmsg);
	ck_assert(kmsg_empty(kmsg));
	take(kmsg, 8 + 4, "someone: WARNING: not from the kernel");
	ck_assert_str_eq(kmsg_first(kmsg), "");
	ck_assert(!kmsg_empty(kmsg));
	print(kmsg, &text, &len);
	ck_assert_str_eq(text, "someone: WARNING: not from the kernel\n");
	free(text);
	take(kmsg, 4, "WARNING: CPU: 0 PID: 1 at mm/migrate.c:1");
	ck_assert_str_eq(kmsg_first(kmsg), "WARNING: CPU: 0 PID: 1 at mm/migrate.c:1");
	kmsg_close(kmsg);
}
END_TEST

START_TEST(a_flood_is_bounded)
{
	struct kmsg *kmsg = kmsg_new();
	char line[80], *text, *gap, *end;
	unsigned after;
	size_t len, left_out;

	ck_assert_ptr_nonnull(kmsg);
	for (unsigned i = 0; i < FLOOD_LINES; i++) {
		snprintf(line, sizeof(line), "line %u of a flood that goes on and on", i);
		take(kmsg, 6, line);
	}
	print(kmsg, &text, &len);
	ck_assert_uint_lt(len, KEPT_MAX);
	ck_assert_ptr_nonnull(strstr(text, "line 0 of a flood"));
	ck_assert_ptr_nonnull(strstr(text, "line 59999 of a flood"));
	/* Nothing else is missing: what is there joins what was left out. */
	gap = strstr(text, "[");
	ck_assert_ptr_nonnull(gap);
	ck_assert_int_eq(sscanf(gap, "[%zu bytes are left out here]", &left_out), 1);
	end = strchr(gap, '\n');
	after = (unsigned)strtoul(strstr(end, "line ") + 5, NULL, 10);
	ck_assert_uint_gt(after, 1000);
	for (char *at = strstr(end, "line "); at; at = strstr(at + 1, "line "))
		ck_assert_uint_eq(strtoul(at + 5, NULL, 10), after++);
	ck_assert_uint_eq(after, FLOOD_LINES);
	free(text);
	kmsg_close(kmsg);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kmsg");
	TCase *tc = tcase_create("kmsg");

	tcase_add_loop_test(tc, classes, 0, LINES);
	tcase_add_test(tc, all_devices_count);
	tcase_add_test(tc, programs_do_not_count);
	tcase_add_test(tc, a_flood_is_bounded);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
