/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/icache.h"

#include <search.h>
#include <stdlib.h>

static int inode_compare(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static struct icache_shard *shard_of(struct icache *cache, uint64_t ino)
{
	return &cache->shards[ino % ICACHE_SHARDS];
}

void icache_init(struct icache *cache)
{
	for (unsigned i = 0; i < ICACHE_SHARDS; i++) {
		pthread_mutex_init(&cache->shards[i].lock, NULL);
		cache->shards[i].tree = NULL;
	}
}

void icache_destroy(struct icache *cache)
{
	for (unsigned i = 0; i < ICACHE_SHARDS; i++)
		pthread_mutex_destroy(&cache->shards[i].lock);
}

static struct inode *inode_create(uint64_t ino)
{
	struct inode *inode = calloc(1, sizeof(*inode));
	pthread_rwlockattr_t attr;

	if (!inode)
		return NULL;
	inode->ino = ino;
	pthread_rwlockattr_init(&attr);
	/* Else a directory that is read all the time would never be changed. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&inode->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return inode;
}

void inode_destroy(struct inode *inode)
{
	pthread_rwlock_destroy(&inode->lock);
	free(inode);
}

static struct inode *shard_find(struct icache_shard *shard, uint64_t ino)
{
	struct inode key = {.ino = ino};
	struct inode **node = tfind(&key, &shard->tree, inode_compare);

	return node ? *node : NULL;
}

static struct inode *shard_add(struct icache_shard *shard, uint64_t ino)
{
	struct inode *inode = inode_create(ino);

	if (inode && !tsearch(inode, &shard->tree, inode_compare)) {
		inode_destroy(inode);
		return NULL;
	}
	return inode;
}

struct inode *icache_get(struct icache *cache, uint64_t ino)
{
	struct icache_shard *shard = shard_of(cache, ino);
	struct inode *inode;

	pthread_mutex_lock(&shard->lock);
	inode = shard_find(shard, ino);
	if (!inode)
		inode = shard_add(shard, ino);
	if (inode)
		inode->pins++;
	pthread_mutex_unlock(&shard->lock);
	return inode;
}

struct inode *icache_find(struct icache *cache, uint64_t ino)
{
	struct icache_shard *shard = shard_of(cache, ino);
	struct inode *inode;

	pthread_mutex_lock(&shard->lock);
	inode = shard_find(shard, ino);
	if (inode)
		inode->pins++;
	pthread_mutex_unlock(&shard->lock);
	return inode;
}

struct inode *icache_put(struct icache *cache, struct inode *inode)
{
	struct icache_shard *shard = shard_of(cache, inode->ino);

	pthread_mutex_lock(&shard->lock);
	if (--inode->pins || inode->held[ICACHE_LOOKUP] || inode->held[ICACHE_OPEN])
		inode = NULL;
	else
		tdelete(inode, &shard->tree, inode_compare);
	pthread_mutex_unlock(&shard->lock);
	return inode;
}

void icache_hold(struct icache *cache, struct inode *inode, enum icache_hold kind)
{
	struct icache_shard *shard = shard_of(cache, inode->ino);

	pthread_mutex_lock(&shard->lock);
	inode->held[kind]++;
	pthread_mutex_unlock(&shard->lock);
}

void icache_release(struct icache *cache, struct inode *inode, enum icache_hold kind,
		    uint64_t count)
{
	struct icache_shard *shard = shard_of(cache, inode->ino);

	pthread_mutex_lock(&shard->lock);
	inode->held[kind] -= count < inode->held[kind] ? count : inode->held[kind];
	pthread_mutex_unlock(&shard->lock);
}

struct inode *icache_take_any(struct icache *cache)
{
	for (unsigned i = 0; i < ICACHE_SHARDS; i++) {
		struct icache_shard *shard = &cache->shards[i];
		struct inode *inode;

		if (!shard->tree)
			continue;
		/* tsearch(3): a node, and so the root, is a pointer to the pointer given. */
		inode = *(struct inode **)shard->tree;
		tdelete(inode, &shard->tree, inode_compare);
		return inode;
	}
	return NULL;
}

void lock_set_add(struct lock_set *set, struct inode *inode)
{
	unsigned at = set->count;

	if (!inode)
		return;
	for (unsigned i = 0; i < set->count; i++)
		if (set->inodes[i] == inode)
			return;
	for (; at > 0 && set->inodes[at - 1]->ino > inode->ino; at--)
		set->inodes[at] = set->inodes[at - 1];
	set->inodes[at] = inode;
	set->count++;
}

void lock_set_lock(struct lock_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		pthread_rwlock_wrlock(&set->inodes[i]->lock);
}

void lock_set_unlock(struct lock_set *set)
{
	for (unsigned i = set->count; i > 0; i--)
		pthread_rwlock_unlock(&set->inodes[i - 1]->lock);
}
