/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of a worker. Each returns as worker.h says. */
#ifndef CHURNFS_SOAK_OPS_H
#define CHURNFS_SOAK_OPS_H

#include "soak/worker.h"

/* op_table.c */

/* Chooses the next operation at random among those that are possible. */
enum workload_op op_pick(struct worker *worker);
int op_run(struct worker *worker, enum workload_op op);

/* op_names.c */
int op_create(struct worker *worker);
int op_mkdir(struct worker *worker);
int op_symlink(struct worker *worker);
int op_link(struct worker *worker);
int op_fill_dir(struct worker *worker);

/* op_remove.c */
int op_unlink(struct worker *worker);
int op_rmdir(struct worker *worker);
int op_empty_dir(struct worker *worker);
int op_orphan(struct worker *worker);
int op_orphan_close(struct worker *worker);

/* Frees a node that lost its last name or its last descriptor. */
void node_drop(struct worker *worker, struct node *node);

/* op_rename.c */
int op_rename(struct worker *worker);
int op_rename_over(struct worker *worker);
int op_rename_noreplace(struct worker *worker);
int op_rename_exchange(struct worker *worker);

/* op_data.c */
int op_write(struct worker *worker);
int op_append(struct worker *worker);
int op_write_sparse(struct worker *worker);
int op_truncate(struct worker *worker);
int op_sync(struct worker *worker);
int op_check_data(struct worker *worker);

/* Writes LENGTH (1 to WORKER_BUFFER) new bytes at OFFSET; a short write or no space is legal. */
int data_write(struct worker *worker, struct node *node, const char *path, int fd, uint64_t offset,
	       size_t length);

/* op_attributes.c */
int op_chmod(struct worker *worker);
int op_chown(struct worker *worker);
int op_utimes(struct worker *worker);
int op_check_stat(struct worker *worker);
int op_check_link(struct worker *worker);
int op_check_dir(struct worker *worker);
int op_check_absent(struct worker *worker);

/* op_errors.c */
int op_check_error(struct worker *worker);

#endif
