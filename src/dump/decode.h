/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On-disk structures in memory as JSON fields, whether their values make sense or not. */
#ifndef CHURNFS_DUMP_DECODE_H
#define CHURNFS_DUMP_DECODE_H

#include <jansson.h>

#include "ondisk/codec.h"

void decode_super(json_t *object, const struct super_info *super);

/* "file", "directory", ... for a mode as in stat(2), and for a DT_* */
const char *decode_mode_name(uint32_t mode);
const char *decode_dirent_name(uint8_t type);

/* Fields of an inode but not its root[]. */
void decode_inode(json_t *object, const struct inode_info *inode);

/*
 * The payload of IMAGE, an open metadata block of TYPE in BLOCK. Returns a new object; what the
 * format forbids is said under "damage".
 */
json_t *decode_payload(const struct super_info *super, enum cfs_block_type type, uint64_t block,
		       const void *image);

/*
 * Steps through the entries of a directory block's payload of LEN bytes. *OFFSET is 0 at first.
 * Returns the next entry, or NULL at the end and where the block makes no sense any more. A name
 * lies within the payload; what it says is as good as dir_block_check() found it.
 */
const struct cfs_dirent *decode_dirent_next(const void *payload, uint32_t len, uint32_t *offset);

#endif
