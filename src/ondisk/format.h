/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The on-disk format of churnfs: structures and constants, no code.
 * src/ondisk/SPEC is normative and gives the reasons; tests/unit checks every offset.
 */
#ifndef CHURNFS_ONDISK_FORMAT_H
#define CHURNFS_ONDISK_FORMAT_H

#include <assert.h>

#include "util/le.h"

#define CFS_BLOCK_SIZE_MIN 1024u
#define CFS_BLOCK_SIZE_MAX 4096u
#define CFS_SECTOR_SIZE 512u
#define CFS_MAX_SECTORS (CFS_BLOCK_SIZE_MAX / CFS_SECTOR_SIZE)

#define CFS_TAG_MAGIC 0x4e525543u /* "CURN" */
#define CFS_SUPER_MAGIC "churnfs\n"
#define CFS_LOCATOR_MAGIC "churnLOC"

#define CFS_VERSION 1

/* What a metadata block is; stored in its tag and never 0. */
enum cfs_block_type {
	CFS_BLOCK_SUPER = 1,
	CFS_BLOCK_LOCATOR = 2,
	CFS_BLOCK_GROUP = 3,
	CFS_BLOCK_BLOCK_BITMAP = 4,
	CFS_BLOCK_INODE_BITMAP = 5,
	CFS_BLOCK_INODE_TABLE = 6,
	CFS_BLOCK_EXTENT = 7,
	CFS_BLOCK_DIR = 8,
	CFS_BLOCK_SYMLINK = 9,
	CFS_BLOCK_JOURNAL = 10,
	CFS_BLOCK_TYPES
};

/*
 * Head of every metadata block. The payload follows it to the end of the block.
 * The last 4 bytes of every 512-byte sector carry the low half of the generation while the
 * block is sealed; the bytes that belong there are kept in fixup[].
 */
struct cfs_tag {
	le32 crc;	      /* CRC-32C of uuid, block number, and the block after this field */
	le32 magic;	      /* CFS_TAG_MAGIC */
	le64 block;	      /* own block number, counted from the start of the device */
	le64 generation;      /* id of the transaction that wrote the block */
	le64 prev_generation; /* generation of the version that it replaced, 0 if new */
	le64 owner;	      /* inode number (extent, dir, symlink), else group number */
	uint8_t uuid[16];     /* filesystem that the block belongs to */
	le16 type;	      /* enum cfs_block_type */
	le16 sectors;	      /* number of fixups in use: block size / 512 */
	le32 reserved;
	le32 fixup[CFS_MAX_SECTORS]; /* last 4 bytes of each sector */
};
static_assert(sizeof(struct cfs_tag) == 96, "tag size");

/* Compatible features: a tool that does not know one may still write. */
#define CFS_COMPAT_RESERVED_HEAD 0x0001u /* first_block > 0, something else lives before it */
#define CFS_COMPAT_KNOWN CFS_COMPAT_RESERVED_HEAD
/* Features that a tool must know to write. */
#define CFS_RO_COMPAT_KNOWN 0u
/* Features that a tool must know to read. */
#define CFS_INCOMPAT_KNOWN 0u

enum cfs_state {
	CFS_STATE_CLEAN = 1, /* unmounted in order */
	CFS_STATE_DIRTY = 2, /* mounted, or not unmounted in order */
};

/* Payload of the superblock and of its copies. */
struct cfs_super {
	uint8_t magic[8];	   /* CFS_SUPER_MAGIC */
	le32 version;		   /* CFS_VERSION */
	le32 block_size;	   /* 1024, 2048 or 4096 */
	le32 compat;		   /* CFS_COMPAT_* */
	le32 ro_compat;		   /* CFS_RO_COMPAT_* */
	le32 incompat;		   /* CFS_INCOMPAT_* */
	le32 group_count;	   /* number of block groups */
	le64 total_blocks;	   /* blocks of the device, reserved head and locator included */
	le64 first_block;	   /* start of group 0: blocks before it belong to someone else */
	le32 blocks_per_group;	   /* distance between the starts of two groups */
	le32 inodes_per_group;	   /* a multiple of the inodes in one block */
	le32 inode_size;	   /* CFS_INODE_SIZE */
	le32 inode_table_blocks;   /* per group */
	le64 journal_start;	   /* first block of the room kept for a journal */
	le32 journal_blocks;	   /* its length; 0: none */
	le32 state;		   /* enum cfs_state */
	le64 next_generation;	   /* clean: next transaction id; dirty: no id beyond was used */
	le64 root_inode;	   /* CFS_ROOT_INODE */
	le64 created_ns;	   /* times in ns since the epoch */
	le64 mounted_ns;
	le64 written_ns;
	le32 mount_count;
	le32 reserved0;
	uint8_t uuid[16];	   /* same as in every tag */
	uint8_t label[32];	   /* UTF-8, padded with zeros */
};
static_assert(sizeof(struct cfs_super) == 176, "superblock size");

/* Payload of the last block of the device: where the superblock is. */
struct cfs_locator {
	uint8_t magic[8];  /* CFS_LOCATOR_MAGIC */
	le32 version;	   /* CFS_VERSION */
	le32 block_size;
	le64 first_block;  /* block number of the primary superblock */
	le64 total_blocks;
	le32 blocks_per_group; /* the copies lie first_block + group * this */
	le32 group_count;
};
static_assert(sizeof(struct cfs_locator) == 40, "locator size");

/* Payload of the group header. One block per group, so that groups share no block. */
struct cfs_group {
	le32 group;	    /* own number */
	le32 flags;	    /* none defined */
	le32 blocks;	    /* blocks in this group: the last one may be short */
	le32 free_blocks;   /* clear bits of the block bitmap */
	le32 free_inodes;   /* clear bits of the inode bitmap */
	le32 used_dirs;	    /* directories among the inodes */
	le64 block_bitmap;  /* absolute block numbers */
	le64 inode_bitmap;
	le64 inode_table;
};
static_assert(sizeof(struct cfs_group) == 48, "group header size");

/* Head of an extent node: in the inode (root) and at the start of an extent block's payload. */
struct cfs_extent_head {
	le16 depth;  /* 0: leaf with cfs_extent, else cfs_extent_index */
	le16 count;  /* entries in use */
	le16 max;    /* entries that fit */
	le16 reserved;
};
static_assert(sizeof(struct cfs_extent_head) == 8, "extent head size");

struct cfs_extent {
	le32 logical; /* first block in the file */
	le32 length;  /* blocks, at least 1 */
	le64 block;   /* first block on the device */
};
static_assert(sizeof(struct cfs_extent) == 16, "extent size");

struct cfs_extent_index {
	le32 logical; /* no extent below starts before it */
	le32 reserved;
	le64 child;   /* extent block one level down */
};
static_assert(sizeof(struct cfs_extent_index) == 16, "extent index size");

#define CFS_ROOT_INODE 1u
#define CFS_INODE_SIZE 256u
#define CFS_INODE_ROOT_BYTES 136u /* extent root, or the target of a short symlink */
#define CFS_EXTENT_ROOT_MAX ((CFS_INODE_ROOT_BYTES - 8u) / 16u)
#define CFS_EXTENT_DEPTH_MAX 5u

#define CFS_INODE_INLINE 0x0001u   /* symlink target in root[] */
#define CFS_INODE_TRUNCATE 0x0002u /* blocks beyond size are being freed: finish at mount */

struct cfs_inode {
	le32 mode;	    /* as in stat(2); 0: free */
	le32 flags;	    /* CFS_INODE_* */
	le32 uid;
	le32 gid;
	le32 links;	    /* 0 and mode set: unlinked but open, or an orphan at mount */
	le32 rdev;	    /* device number of a device node, as in stat(2) */
	le64 size;	    /* bytes */
	le64 blocks;	    /* blocks allocated to it, extent blocks included */
	le64 atime_ns;	    /* signed ns since the epoch */
	le64 mtime_ns;
	le64 ctime_ns;
	le64 crtime_ns;
	le64 generation;    /* differs each time the number is used again */
	le64 xattr_block;   /* kept for extended attributes; 0 */
	le64 parent;	    /* directory: inode number of its parent */
	le64 reserved[3];
	uint8_t root[CFS_INODE_ROOT_BYTES];
};
static_assert(sizeof(struct cfs_inode) == CFS_INODE_SIZE, "inode size");

#define CFS_NAME_MAX 255u

/* Directory block: entries fill the payload without gaps; the last one reaches its end. */
struct cfs_dirent {
	le32 inode;	  /* 0: unused */
	le16 rec_len;	  /* bytes to the next entry, a multiple of 4 */
	uint8_t name_len;
	uint8_t type;	  /* DT_* of dirent.h */
	uint8_t name[];	  /* not terminated */
};
static_assert(sizeof(struct cfs_dirent) == 8, "directory entry size");

#endif
