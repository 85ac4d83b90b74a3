/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory tree: a stack of names that are still to be shown, the next one on top. It lives
 * and dies in dump_tree().
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dump/decode.h"
#include "dump/dump.h"
#include "dump/extents.h"
#include "dump/field.h"
#include "dump/inode.h"
#include "integrity/tag.h"
#include "meta/dir.h"
#include "util/bitmap.h"
#include "util/utf8.h"

/* Longer paths are shown but not entered: a crafted chain of directories must not fill memory. */
#define PATH_BYTES_MAX 16384u

struct name {
	struct name *next;
	uint64_t ino;
	uint64_t parent;
	uint8_t type; /* DT_* of the entry; 0 for the root, which has no entry */
	char path[];  /* escaped, so that it is valid UTF-8 */
};

struct tree {
	struct reader *reader;
	struct name *stack;
	uint8_t *entered; /* one bit for each inode: directories that were shown */
};

static struct name *name_new(const char *path, const char *name)
{
	size_t len = strlen(path), more = strlen(name);
	struct name *new = calloc(1, sizeof(*new) + len + 1 + more + 1);

	field_require(new);
	memcpy(new->path, path, len);
	if (len == 0 || path[len - 1] != '/')
		new->path[len++] = '/';
	memcpy(new->path + len, name, more);
	return new;
}

/* Puts the names of one directory block in front of TAIL, which then is the last of them. */
static struct name **block_names(struct tree *tree, const struct name *dir, uint64_t block,
				 json_t *item, struct name **tail)
{
	uint8_t image[CFS_BLOCK_SIZE_MAX] __attribute__((aligned(8)));
	const struct super_info *super = &tree->reader->super;
	uint32_t len = layout_payload(super->block_size), offset = 0;
	char escaped[UTF8_ESCAPED_MAX(CFS_NAME_MAX)];
	const struct cfs_dirent *entry;
	const char *why;

	if (reader_block(tree->reader, block, CFS_BLOCK_DIR, dir->ino, image, &why)) {
		field_damage(item, "directory block %" PRIu64 ": %s", block, why);
		return tail;
	}
	if (dir_block_check(image, super->block_size, super, &why)) {
		tree->reader->damage++;
		field_damage(item, "directory block %" PRIu64 ": %s", block, why);
	}
	while ((entry = decode_dirent_next(tag_payload(image), len, &offset))) {
		struct name *name;

		if (!le32_get(entry->inode))
			continue;
		utf8_escape((const char *)entry->name, entry->name_len, escaped);
		name = name_new(dir->path, escaped);
		name->ino = le32_get(entry->inode);
		name->parent = dir->ino;
		name->type = entry->type;
		*tail = name;
		tail = &name->next;
	}
	return tail;
}

/* Puts all names of directory DIR on top of the stack. */
static void dir_enter(struct tree *tree, const struct name *dir, const struct extents *extents,
		      json_t *item)
{
	struct name *first = NULL, **tail = &first;

	if (strlen(dir->path) > PATH_BYTES_MAX) {
		field_string(item, "not_entered", "the path is too long");
		return;
	}
	/* Else the same names would come again and again. */
	if (extents->overlap)
		return;
	for (size_t i = 0; i < extents->count; i++) {
		const struct cfs_extent *run = &extents->runs[i];

		for (uint32_t n = 0; n < le32_get(run->length); n++)
			tail = block_names(tree, dir, le64_get(run->block) + n, item, tail);
	}
	*tail = tree->stack;
	tree->stack = first;
}

static void fault_put(struct tree *tree, json_t *item, const char *what)
{
	tree->reader->damage++;
	field_damage(item, "%s", what);
}

static void directory_show(struct tree *tree, const struct name *name,
			   const struct inode_info *inode, const struct extents *extents,
			   json_t *item)
{
	uint32_t bit = (uint32_t)(name->ino - 1);

	if (bitmap_test(tree->entered, bit)) {
		fault_put(tree, item, "directory has a second name");
		return;
	}
	bitmap_set(tree->entered, bit);
	if (inode->parent != name->parent)
		fault_put(tree, item, "directory names another parent");
	dir_enter(tree, name, extents, item);
}

static void inode_show(struct tree *tree, const struct name *name, json_t *item)
{
	struct inode_info inode;
	struct extents extents;
	const char *why;

	if (!layout_inode_valid(&tree->reader->super, name->ino)) {
		fault_put(tree, item, "no such inode number");
		return;
	}
	if (reader_inode(tree->reader, name->ino, &inode, &why)) {
		field_damage(item, "inode: %s", why);
		return;
	}
	field_string(item, "type", decode_mode_name(inode.mode));
	field_mode(item, "mode", inode.mode);
	field_number(item, "size", inode.size);
	field_number(item, "links", inode.links);
	if (inode.mode == 0) {
		fault_put(tree, item, "the inode is free");
		return;
	}
	if (name->type && IFTODT(inode.mode) != name->type)
		fault_put(tree, item, "the entry is of another type than the inode");
	extents_collect(tree->reader, name->ino, &inode, item, &extents);
	extents_put(&extents, item);
	if (S_ISLNK(inode.mode))
		inode_target_put(tree->reader, name->ino, &inode, &extents, item);
	if (S_ISDIR(inode.mode))
		directory_show(tree, name, &inode, &extents, item);
	else if (!name->type)
		fault_put(tree, item, "the root is no directory");
	extents_free(&extents);
}

static json_t *name_item(struct tree *tree, const struct name *name)
{
	json_t *item = field_object();

	field_string(item, "path", name->path);
	field_number(item, "inode", name->ino);
	inode_show(tree, name, item);
	return item;
}

int dump_tree(struct reader *reader, dump_emit emit, void *arg)
{
	struct tree tree = {.reader = reader};
	int rc = 0;

	tree.entered = calloc(layout_inode_count(&reader->super) / 8 + 1, 1);
	field_require(tree.entered);
	tree.stack = name_new("", "");
	tree.stack->ino = CFS_ROOT_INODE;
	tree.stack->parent = CFS_ROOT_INODE;
	while (tree.stack) {
		struct name *name = tree.stack;

		tree.stack = name->next;
		if (!rc)
			rc = emit(arg, name_item(&tree, name));
		free(name);
	}
	free(tree.entered);
	return rc;
}
