/* Versions of the schema.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_MIGRATE_H
#define SYNCD_STORE_MIGRATE_H

#include <stdbool.h>

#include "env.h"
#include "syncd/error.h"

/* Writes the present version and the account's identity into new tables. */
int migrate_create(struct env_txn *txn, const char *identity, struct error *err);

/* Refuses a state that a newer syncd wrote; and an older one when it may not be written. Otherwise
 * *is_older says that migrate_upgrade is due. */
int migrate_check(struct env_txn *txn, bool is_read_only, bool *is_older, struct error *err);

/* Brings an older state up to the present version, for the transaction's commit. 0, ENV_MAP_FULL or
 * a failure. */
int migrate_upgrade(struct env_txn *txn, struct error *err);

#endif
