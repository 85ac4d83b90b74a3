/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHURNFS_META_RETRY_H
#define CHURNFS_META_RETRY_H

#include <errno.h>

#include "journal/txn.h"

/*
 * Ends TXN: commits it when *RC is 0, else drops it. Returns true when the operation met -EDEADLK
 * and must be repeated from txn_begin() on; else *RC is its result.
 */
static inline bool txn_finish(struct txn *txn, int *rc)
{
	if (*rc == 0) {
		*rc = txn_commit(txn);
		return false;
	}
	txn_abort(txn);
	if (*rc != -EDEADLK)
		return false;
	txn_backoff(txn);
	return true;
}

#endif
