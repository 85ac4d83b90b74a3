/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/model.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/workload.h"

int model_create(uint32_t name_max, struct model **out)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return -ENOMEM;
	model->name_max = name_max;
	model->names = calloc(name_max, sizeof(*model->names));
	model->free_numbers = calloc(name_max, sizeof(*model->free_numbers));
	for (int type = 0; type < NODE_TYPES; type++)
		model->used[type] = calloc(name_max, sizeof(*model->used[type]));
	model->root = model_node_new(model, NODE_DIR, 0755);
	if (!model->names || !model->free_numbers || !model->used[NODE_FILE] ||
	    !model->used[NODE_DIR] || !model->used[NODE_SYMLINK] || !model->root) {
		model_free(model);
		return -ENOMEM;
	}
	for (uint32_t number = 0; number < name_max; number++) {
		model->names[number].slot = number;
		model->free_numbers[number] = number;
	}
	model->free_count = name_max;
	*out = model;
	return 0;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (uint32_t number = 0; model->names && number < model->name_max; number++) {
		if (model->names[number].node && --model->names[number].node->links == 0)
			model_node_free(model->names[number].node);
	}
	if (model->root)
		model_node_free(model->root);
	for (int type = 0; type < NODE_TYPES; type++)
		free(model->used[type]);
	free(model->free_numbers);
	free(model->names);
	free(model);
}

struct node *model_node_new(struct model *model, enum node_type type, mode_t mode)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->type = type;
	node->mode = mode;
	node->number = model->next_number++;
	node->name = MODEL_NONE;
	TAILQ_INIT(&node->contents);
	return node;
}

void model_node_free(struct node *node)
{
	content_free(&node->content);
	free(node);
}

uint32_t model_pick_free(const struct model *model, struct rng *rng)
{
	return model->free_numbers[rng_below(rng, model->free_count)];
}

uint32_t model_pick_type(const struct model *model, struct rng *rng, enum node_type type)
{
	return model->used[type][rng_below(rng, model->used_count[type])];
}

uint32_t model_pick_any(const struct model *model, struct rng *rng)
{
	uint64_t at = rng_below(rng, model_name_count(model));
	int type = 0;

	while (at >= model->used_count[type])
		at -= model->used_count[type++];
	return model->used[type][at];
}

struct node *model_pick_dir(const struct model *model, struct rng *rng)
{
	uint64_t at = rng_below(rng, (uint64_t)model->used_count[NODE_DIR] + 1);

	if (at == model->used_count[NODE_DIR])
		return model->root;
	return model->names[model->used[NODE_DIR][at]].node;
}

uint32_t model_name_count(const struct model *model)
{
	return model->name_max - model->free_count;
}

/* Takes the number at SLOT out of an array of COUNT numbers; the last one fills the gap. */
static void slot_remove(struct model *model, uint32_t *numbers, uint32_t *count, uint32_t slot)
{
	uint32_t last = numbers[--*count];

	numbers[slot] = last;
	model->names[last].slot = slot;
}

static void slot_append(struct model *model, uint32_t *numbers, uint32_t *count, uint32_t number)
{
	model->names[number].slot = *count;
	numbers[(*count)++] = number;
}

void model_set(struct model *model, uint32_t number, struct node *parent, struct node *node)
{
	struct name *name = &model->names[number];

	assert(!name->node);
	slot_remove(model, model->free_numbers, &model->free_count, name->slot);
	slot_append(model, model->used[node->type], &model->used_count[node->type], number);
	name->parent = parent;
	name->node = node;
	node->links++;
	TAILQ_INSERT_TAIL(&parent->contents, name, siblings);
	parent->children++;
	parent->mtime_known = false;
	if (node->type == NODE_DIR) {
		node->name = number;
		node->mtime_known = false;
		parent->subdirs++;
	}
}

struct node *model_clear(struct model *model, uint32_t number)
{
	struct name *name = &model->names[number];
	struct node *parent = name->parent, *node = name->node;

	slot_remove(model, model->used[node->type], &model->used_count[node->type], name->slot);
	slot_append(model, model->free_numbers, &model->free_count, number);
	name->parent = NULL;
	name->node = NULL;
	node->links--;
	TAILQ_REMOVE(&parent->contents, name, siblings);
	parent->children--;
	parent->mtime_known = false;
	if (node->type == NODE_DIR) {
		node->name = MODEL_NONE;
		parent->subdirs--;
	}
	return node;
}

/* Spreads small numbers over 32 bits (the finalizer of MurmurHash3). */
static uint32_t scatter(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x85ebca6bu;
	x ^= x >> 13;
	x *= 0xc2b2ae35u;
	return x ^ (x >> 16);
}

/* Most names are short, some fill a good part of a directory block. */
static size_t padding_length(uint32_t number)
{
	uint32_t hash = scatter(number);
	uint32_t kind = hash % 16;

	if (kind < 11)
		return (hash >> 8) % 8;
	if (kind < 15)
		return (hash >> 8) % 40;
	return (hash >> 8) % (MODEL_NAME_SIZE - 16);
}

size_t model_name_format(uint32_t number, char *buf)
{
	size_t length = (size_t)snprintf(buf, 16, "n%u_", number);
	size_t end = length + padding_length(number);

	while (length < end) {
		buf[length] = (char)('a' + scatter(number + (uint32_t)length) % 26);
		length++;
	}
	buf[length] = 0;
	return length;
}

uint32_t model_name_parse(const struct model *model, const char *name)
{
	char expected[MODEL_NAME_SIZE];
	unsigned long number;

	if (name[0] != 'n')
		return MODEL_NONE;
	number = strtoul(name + 1, NULL, 10);
	if (number >= model->name_max)
		return MODEL_NONE;
	model_name_format((uint32_t)number, expected);
	return strcmp(name, expected) == 0 ? (uint32_t)number : MODEL_NONE;
}

static const struct node *dir_parent(const struct model *model, const struct node *dir)
{
	return dir == model->root ? NULL : model->names[dir->name].parent;
}

void model_path(const struct model *model, const struct node *parent, uint32_t number, char *buf)
{
	uint32_t chain[MODEL_DEPTH_MAX + 1];
	unsigned count = 0;
	size_t at = 0;

	if (number != MODEL_NONE)
		chain[count++] = number;
	for (; parent != model->root; parent = dir_parent(model, parent)) {
		assert(count <= MODEL_DEPTH_MAX);
		chain[count++] = parent->name;
	}
	if (!count)
		buf[at++] = '.';
	while (count--) {
		at += model_name_format(chain[count], buf + at);
		if (count)
			buf[at++] = '/';
	}
	buf[at] = 0;
}

unsigned model_depth(const struct model *model, const struct node *dir)
{
	unsigned depth = 0;

	while ((dir = dir_parent(model, dir)))
		depth++;
	return depth;
}

bool model_contains(const struct model *model, const struct node *above, const struct node *below)
{
	while (below && below != above)
		below = dir_parent(model, below);
	return below != NULL;
}

void model_mark_next(struct model *model)
{
	if (++model->mark)
		return;
	for (uint32_t number = 0; number < model->name_max; number++) {
		model->names[number].mark = 0;
		if (model->names[number].node)
			model->names[number].node->mark = 0;
	}
	model->mark = 1;
}

void model_target_format(const struct node *node, char *buf)
{
	uint32_t at;

	for (at = 0; at < node->target_len; at++) {
		uint32_t hash = scatter(node->number * 4099u + at);

		buf[at] = (char)(hash % 16 ? 'a' + hash / 16 % 26 : '/');
	}
	buf[at] = 0;
}
