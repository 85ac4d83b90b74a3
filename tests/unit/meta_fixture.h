/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image file in a temporary folder, formatted and opened, for the tests of layer 5. Every
 * function ends the test when it fails.
 */
#ifndef CHURNFS_TESTS_META_FIXTURE_H
#define CHURNFS_TESTS_META_FIXTURE_H

#include <check.h>

#include "meta/inode.h"
#include "meta/retry.h"
#include "meta/volume.h"

/* For loop tests: _i from 0 to META_BLOCK_SIZES chooses 1, 2 or 4 KiB. */
#define META_BLOCK_SIZES 3
#define META_BLOCK_SIZE(i) (1024u << (i))

/* Repeats EXPR, which works in the transaction TXN, as its users do; RC is the result. */
#define IN_TXN(vol, rc, expr)                                                                      \
	do {                                                                                       \
		struct txn txn;                                                                    \
		do {                                                                               \
			txn_begin(&txn, (vol)->txns);                                              \
			rc = (expr);                                                               \
		} while (txn_finish(&txn, &rc));                                                   \
	} while (0)

/* As tcase_add_unchecked_fixture() wants them: make and remove the folder. */
void meta_folder_make(void);
void meta_folder_remove(void);

/* Path of the image in the folder. */
const char *meta_image(void);

/* Formats an image with about 1.5 groups (1 KiB: 3) and 3000 inodes; the superblock is returned. */
struct super_info meta_format(uint32_t block_size, uint64_t reserve);

/* Formats an image of BYTES, with INODES. */
struct super_info meta_format_sized(uint32_t block_size, uint64_t bytes, uint64_t inodes,
				    uint64_t reserve);

/* What volume_open() says to the image. */
int meta_try_open(bool readonly, struct volume **vol);

/* Formats and opens; closes in order and opens again; closes. */
struct volume *meta_open(uint32_t block_size);
struct volume *meta_reopen(struct volume *vol);
void meta_close(struct volume *vol);

/* Opens the image as a device, for damage. */
struct blkdev *meta_device(void);

/* XORs one byte of the image file. */
void meta_damage(uint64_t offset);

struct volume_usage meta_usage(struct volume *vol);

/* Takes an inode number and writes an inode of MODE with an empty extent root and LINKS links. */
uint64_t meta_inode_make(struct volume *vol, uint32_t mode, uint32_t links,
			 struct inode_info *inode);

/* Seals PAYLOAD as the block REF, writes it to the device and enters it in the ledger. */
void meta_block_plant(struct volume *vol, const struct block_ref *ref, const void *payload,
		      size_t len);

/* A block of the data area that is marked used. */
uint64_t meta_block_take(struct volume *vol);

#endif
