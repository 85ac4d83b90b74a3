/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inodes that somebody refers to: the kernel, an open file, or a running operation. An entry
 * holds the inode's lock and its reference count and nothing of what the device says.
 */
#ifndef CHURNFS_FS_ICACHE_H
#define CHURNFS_FS_ICACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ICACHE_SHARDS 64u

/* References that outlive a call: the caller's, counted apart so that it cannot drop too many. */
enum icache_hold { ICACHE_LOOKUP, ICACHE_OPEN, ICACHE_HOLDS };

struct inode {
	uint64_t ino;
	uint64_t pins;		     /* running operations; shard's lock */
	uint64_t held[ICACHE_HOLDS]; /* shard's lock */
	pthread_rwlock_t lock;	     /* the inode on the device, and for a directory its names */
	bool unlinked; /* lock, for writing; whoever drops the last reference just reads it */
};

struct icache_shard {
	pthread_mutex_t lock;
	void *tree; /* struct inode by number, of tsearch(3); lock */
};

struct icache {
	struct icache_shard shards[ICACHE_SHARDS]; /* number n: shard n % ICACHE_SHARDS */
};

void icache_init(struct icache *cache);

/* All inodes must have been taken out. */
void icache_destroy(struct icache *cache);

/* Pins an inode, making an entry where there is none. NULL: out of memory. */
struct inode *icache_get(struct icache *cache, uint64_t ino);

/* Pins an inode that is referenced already; NULL if it is not. */
struct inode *icache_find(struct icache *cache, uint64_t ino);

/* Drops a pin. Returns the inode, no longer in the cache and now the caller's, if nothing refers
 * to it any more; else NULL. */
struct inode *icache_put(struct icache *cache, struct inode *inode);

/* Counts and uncounts (at most what there is) references of a pinned inode. */
void icache_hold(struct icache *cache, struct inode *inode, enum icache_hold kind);
void icache_release(struct icache *cache, struct inode *inode, enum icache_hold kind,
		    uint64_t count);

/* Takes any inode out, however often it is referenced; NULL when the cache is empty. */
struct inode *icache_take_any(struct icache *cache);

void inode_destroy(struct inode *inode);

/* Inodes that one operation locks together: in ascending order, so that no two can deadlock. */
#define LOCK_SET_MAX 4u

struct lock_set {
	struct inode *inodes[LOCK_SET_MAX];
	unsigned count;
};

/* Adds an inode; NULL and one that is there already are left out. At most LOCK_SET_MAX. */
void lock_set_add(struct lock_set *set, struct inode *inode);

/* All for writing. */
void lock_set_lock(struct lock_set *set);
void lock_set_unlock(struct lock_set *set);

#endif
