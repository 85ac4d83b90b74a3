/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_DUMP_INODE_H
#define CHURNFS_DUMP_INODE_H

#include "dump/extents.h"

/* Adds "target" of symlink INO to OBJECT, or what is wrong with it under "damage". */
void inode_target_put(struct reader *reader, uint64_t ino, const struct inode_info *inode,
		      const struct extents *extents, json_t *object);

#endif
