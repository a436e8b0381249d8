/* The lock of an account: one process at a time works on it.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_LOCK_H
#define SYNCD_STORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"

#define LOCK_NONE (-1)

/* Locks DIR/lock and writes our pid and `program` into it. Another's lock is waited for, up to
 * `wait_ms`, then SYNCD_EBUSY says who holds it. Without `may_create` a missing
 * file is no failure: *fd is LOCK_NONE. Held until lock_release, or the end of the process. */
int lock_take(const char *dir, const char *program, uint64_t wait_ms, bool may_create, int *fd,
	      struct error *err);

/* *fd becomes LOCK_NONE. The file stays: unlinking it would let two hold it. */
void lock_release(int *fd);

#endif
