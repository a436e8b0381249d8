/* Versions of the schema.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_MIGRATE_H
#define SYNCD_STORE_MIGRATE_H

#include "env.h"
#include "syncd/error.h"

/* Writes the present version and the account's identity into new tables. */
int migrate_create(struct env_txn *txn, const char *identity, struct error *err);

/* Refuses a state that a newer syncd wrote. An older one would be migrated here, in one
 * transaction; schema 1 is the oldest there is. */
int migrate_check(struct env_txn *txn, struct error *err);

#endif
