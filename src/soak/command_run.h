/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_SOAK_COMMAND_RUN_H
#define CHURNFS_SOAK_COMMAND_RUN_H

/* `churnstress run`: parses ARGV behind the subcommand, runs and tells. Returns the exit code. */
int command_run(int argc, char **argv);

#endif
