/* The lock of an account: one process at a time works on it.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_LOCK_H
#define SYNCD_STORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"

#define LOCK_NONE (-1)
#define LOCK_NOTE_MAX 160 /* bytes of what is left to the next holder */

/* Locks DIR/lock and writes our pid and `program` into it. Another's lock is waited for, up to
 * `wait_ms`, then SYNCD_EBUSY says who holds it. Without `may_create` a missing
 * file is no failure: *fd is LOCK_NONE. Held until lock_release, or the end of the process.
 * `note` (LOCK_NOTE_MAX + 1 bytes): what the last holder left; "" when it did not come to that. */
int lock_take(const char *dir, const char *program, uint64_t wait_ms, bool may_create, int *fd,
	      char *note, struct error *err);

/* Leaves a line to the next holder. False: it was not left, which is as if it had not been. */
bool lock_leave(int fd, const char *note);

/* *fd becomes LOCK_NONE. The file stays: unlinking it would let two hold it. */
void lock_release(int *fd);

#endif
