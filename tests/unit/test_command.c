/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are run to their end, and one that has none: it cannot be killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak/nb_command.h"
#include "unit.h"

/* How this program is started by its own test. */
#define STUCK_OPTION "--stuck"
#define STUCK_TIMEOUT_S 60
#define MESSAGE_BYTES (FUSE_MIN_READ_BUFFER + 4096u)

/* One that goes in circles, one that is deaf besides, and one that says something and fails. */
START_TEST(test_commands_end)
{
	char *circles[] = {"sh", "-c", "echo begun; while :; do :; done", NULL};
	char *deaf[] = {"sh", "-c", "trap '' XCPU; while :; do :; done", NULL};
	char *fails[] = {"sh", "-c", "echo no >&2; exit 3", NULL};
	char *missing[] = {"there-is-no-such-program", NULL};
	char *output;
	size_t length;

	ck_assert_int_eq(nb_command_run(circles, 1, &output, &length), 128 + SIGXCPU);
	ck_assert_str_eq(output, "begun\n");
	free(output);
	ck_assert_int_eq(nb_command_run(deaf, 1, &output, &length), 128 + SIGKILL);
	free(output);
	ck_assert_int_eq(nb_command_run(fails, 1, &output, &length), 3);
	ck_assert_str_eq(output, "no\n");
	ck_assert_uint_eq(length, 3);
	free(output);
	ck_assert_int_eq(nb_command_run(missing, 1, &output, &length), -ENOENT);
}
END_TEST

/* A filesystem that never answers the first lookup. */
struct silent {
	char dir[64];
	int fd;
	pthread_t thread;
};

static void init_answer(const struct silent *silent, const struct fuse_in_header *in)
{
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} out = {
		.header = {.len = sizeof(out), .unique = in->unique},
		.init = {.major = FUSE_KERNEL_VERSION,
			 .minor = FUSE_KERNEL_MINOR_VERSION,
			 .max_write = 4096},
	};

	(void)!write(silent->fd, &out, sizeof(out));
}

static void *silent_main(void *arg)
{
	struct silent *silent = arg;
	_Alignas(struct fuse_in_header) char message[MESSAGE_BYTES];
	struct fuse_in_header *in = (void *)message;

	while (read(silent->fd, message, sizeof(message)) > 0) {
		struct fuse_out_header no = {.len = sizeof(no), .error = -ENOSYS};

		no.unique = in->unique;
		if (in->opcode == FUSE_INIT)
			init_answer(silent, in);
		else if (in->opcode == FUSE_LOOKUP)
			break;
		else
			(void)!write(silent->fd, &no, sizeof(no));
	}
	return NULL;
}

/* Seen by this process alone, so that it goes with it. False where this is not allowed. */
static bool silent_mount(struct silent *silent)
{
	char options[96];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	snprintf(silent->dir, sizeof(silent->dir), "/tmp/churnfs-silent-XXXXXX");
	silent->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (silent->fd < 0)
		return false;
	ck_assert_ptr_nonnull(mkdtemp(silent->dir));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", silent->fd);
	if (mount("silent", silent->dir, "fuse", MS_NOSUID | MS_NODEV, options)) {
		rmdir(silent->dir);
		close(silent->fd);
		return false;
	}
	ck_assert_int_eq(pthread_create(&silent->thread, NULL, silent_main, silent), 0);
	return true;
}

/* Whoever waits for an answer gets an error. */
static void silent_unmount(struct silent *silent)
{
	pthread_join(silent->thread, NULL);
	umount2(silent->dir, MNT_DETACH);
	close(silent->fd);
	rmdir(silent->dir);
}

/* The kernel lets no signal end one who waits for an answer to a request that has been read. */
START_TEST(test_command_stuck)
{
	char *argv[] = {"test_command", STUCK_OPTION, NULL, NULL};
	struct silent silent;
	char *output = NULL;
	size_t length;
	int status;

	if (!silent_mount(&silent)) {
		fprintf(stderr,
			"skipped: a filesystem that never answers needs the right to mount\n");
		return;
	}
	argv[2] = silent.dir;
	ck_assert_int_eq(nb_command_run(argv, 1, &output, &length), -EDEADLK);
	ck_assert_ptr_null(output);
	silent_unmount(&silent);
	/* It is only now that it goes. */
	ck_assert_int_gt(waitpid(-1, &status, 0), 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

static void *burner_main(void *arg)
{
	for (;;)
		;
	return arg;
}

/* Uses a processor whatever its limit, and waits for what never comes. */
static int stuck_main(const char *dir)
{
	char path[96];
	struct stat st;
	pthread_t burner;

	snprintf(path, sizeof(path), "%s/name", dir);
	signal(SIGXCPU, SIG_IGN);
	if (pthread_create(&burner, NULL, burner_main, NULL))
		return 1;
	return stat(path, &st) ? 2 : 0;
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");

	if (argc == 3 && strcmp(argv[1], STUCK_OPTION) == 0)
		return stuck_main(argv[2]);
	tcase_add_test(tcase, test_commands_end);
	tcase_add_test(tcase, test_command_stuck);
	tcase_set_timeout(tcase, STUCK_TIMEOUT_S);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
