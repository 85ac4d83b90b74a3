/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker's subtree must look like. A node is an inode; a name is a directory entry. Names
 * come from a fixed pool of numbers: a number is in use at most once in the whole subtree, always
 * spells the same string and is used again after it was removed. All functions are O(1) except
 * where said; none does I/O. No locks: one worker owns a model.
 */
#ifndef CHURNFS_SOAK_MODEL_H
#define CHURNFS_SOAK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include "soak/content.h"
#include "util/rng.h"

#define MODEL_NONE UINT32_MAX
#define MODEL_NAME_SIZE 256u /* longest name and its end */
#define MODEL_DEPTH_MAX 6u   /* of a directory; the root has 0 */

enum node_type { NODE_FILE, NODE_DIR, NODE_SYMLINK, NODE_TYPES };

struct name {
	struct node *parent; /* NULL: free */
	struct node *node;
	uint32_t slot; /* place in the array of free numbers, or of used ones of its type */
	uint32_t mark; /* model->mark of the pass that last saw it */
	TAILQ_ENTRY(name) siblings;
};

TAILQ_HEAD(name_list, name);

struct node {
	enum node_type type;
	uint32_t number; /* counts all nodes that the worker ever made */
	uint32_t links;	 /* names that lead here */
	uint32_t mark;	 /* model->mark of the pass that last saw it */
	mode_t mode;	 /* permission bits */
	uid_t uid;
	gid_t gid;
	ino_t ino;	  /* 0: not seen yet */
	bool mtime_known; /* else the next stat() tells it */
	struct timespec mtime;
	struct content content;	   /* file */
	uint32_t name;		   /* directory: its name; MODEL_NONE for the root */
	uint32_t subdirs;	   /* directory */
	uint32_t children;	   /* directory */
	struct name_list contents; /* directory: its names, oldest first */
	uint32_t target_len;	   /* symlink */
};

struct model {
	struct node *root;
	struct name *names;
	uint32_t name_max;
	uint32_t *free_numbers;
	uint32_t free_count;
	uint32_t *used[NODE_TYPES]; /* numbers of names that lead to nodes of the type */
	uint32_t used_count[NODE_TYPES];
	uint32_t next_number; /* of nodes */
	uint32_t mark;
	uint64_t bytes; /* kept by the caller: sum of content.bytes */
};

/* A model of an empty root directory with room for NAME_MAX names. Returns 0 or -ENOMEM. */
int model_create(uint32_t name_max, struct model **out);

/* Frees the model with all nodes that have names. NULL is ignored. */
void model_free(struct model *model);

/* A node without names; NULL without memory. */
struct node *model_node_new(struct model *model, enum node_type type, mode_t mode);

/* Frees a node that has no names. */
void model_node_free(struct node *node);

/* A random number that is free; there must be one. It stays free until model_set(). */
uint32_t model_pick_free(const struct model *model, struct rng *rng);

/* A random name of the type; there must be one. */
uint32_t model_pick_type(const struct model *model, struct rng *rng, enum node_type type);

/* A random name of any type; there must be one. */
uint32_t model_pick_any(const struct model *model, struct rng *rng);

/* A random directory, the root included. */
struct node *model_pick_dir(const struct model *model, struct rng *rng);

/* Number of names in use. */
uint32_t model_name_count(const struct model *model);

/* Enters free NUMBER into PARENT as a name of NODE. */
void model_set(struct model *model, uint32_t number, struct node *parent, struct node *node);

/* Removes a name and returns its node, which may have no more names and is then the caller's. */
struct node *model_clear(struct model *model, uint32_t number);

/* The number that NAME spells, or MODEL_NONE; says nothing about its use. */
uint32_t model_name_parse(const struct model *model, const char *name);

/* Spells NUMBER. BUF holds MODEL_NAME_SIZE bytes. Returns the length. */
size_t model_name_format(uint32_t number, char *buf);

/*
 * Path of NUMBER (free or not) in directory PARENT, relative to the model's root; of PARENT itself,
 * "." for the root, if NUMBER is MODEL_NONE. O(depth). BUF holds WORKLOAD_PATH_MAX bytes.
 */
void model_path(const struct model *model, const struct node *parent, uint32_t number, char *buf);

/* Depth of a directory. O(depth). */
unsigned model_depth(const struct model *model, const struct node *dir);

/* Whether directory ABOVE is BELOW or contains it. O(depth). */
bool model_contains(const struct model *model, const struct node *above, const struct node *below);

/* Starts a pass: no name or node has the new value of model->mark. O(names) once in 2^32 calls. */
void model_mark_next(struct model *model);

/* The text of a symlink of LEN bytes, terminated, into BUF of LEN + 1 bytes. O(len). */
void model_target_format(const struct node *node, char *buf);

#endif
