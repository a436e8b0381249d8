/* LMDB behind our own types: tables, transactions, keys and values as bytes.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STORE_ENV_H
#define SYNCD_STORE_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/buf.h"
#include "syncd/error.h"

enum env_table {
	TABLE_META,
	TABLE_MAILBOX,
	TABLE_MAILBOX_NAME,
	TABLE_MESSAGE,
	TABLE_NAME,
	TABLE_IDENTITY,
	TABLE_JOURNAL,
	TABLE_SETASIDE,
	TABLE_EMAIL_ID, /* from here on not in those of older versions: env_lacks_tables */
	TABLE_POP3,
};

#define TABLE_COUNT (TABLE_POP3 + 1)
#define ENV_KEY_MAX 511 /* LMDB's own limit as it is built everywhere */

/* A named return of what writes: nothing was done, grow the map and try again. */
#define ENV_MAP_FULL 1

struct env;
struct env_txn;

/* As store_engine_version. */
const char *env_version(void);

/* Opens the environment in directory `path`, made by the caller; *is_new tells that it had no
 * tables yet (they are made by env_create). With `is_read_only` a missing database is an
 * environment in which every read finds nothing. */
int env_open(const char *path, size_t map_size_bytes, bool is_read_only, struct env **env,
	     bool *is_new, struct error *err);

/* No transaction may be open. *env becomes NULL. */
void env_close(struct env **env);

/* A failed write of the page that says what is valid leaves the environment unusable, and every
 * transaction fails, until it is mended: opened anew. No transaction may be open in any thread; a
 * failure leaves it as it was. */
bool env_is_broken(const struct env *env);
int env_mend(struct env *env, struct error *err);

/* Doubles the map. No transaction may be open in any thread. */
int env_grow(struct env *env, struct error *err);

/* Gives the map's pages back to the system's cache: what was read or written once is not kept
 * resident. Any time, in any thread; what is needed again is mapped again. */
void env_trim(struct env *env);

/* Fills `err` with SYNCD_EIO: what is wrong and what the user can do. */
int env_damaged(const struct env *env, const char *what, struct error *err);
int env_damaged_at(const char *path, const char *what, struct error *err);

/* A transaction begins, commits and aborts in one thread; at most one that writes, at most
 * one that reads a thread. */
int env_begin(struct env *env, bool is_write, struct env_txn **txn, struct error *err);

/* Ends and frees it, durable when it returns 0. ENV_MAP_FULL or a failure: nothing was done. */
int env_commit(struct env_txn **txn, struct error *err);

/* Ends and frees it without a trace; the way to end a reading one. NULL inside is harmless. */
void env_abort(struct env_txn **txn);

/* The environment of a transaction. */
const struct env *env_of(const struct env_txn *txn);

/* Whether tables that were added later are missing: until env_create they may not be used. */
bool env_lacks_tables(const struct env *env);

/* Makes the tables of a new environment, or those that an older one lacks. */
int env_create(struct env_txn *txn, struct error *err);

/* *value is valid until the transaction writes or ends. */
int env_get(struct env_txn *txn, enum env_table table, struct slice key, bool *found,
	    struct slice *value, struct error *err);

/* Writes nothing when the same value is there already. */
int env_put(struct env_txn *txn, enum env_table table, struct slice key, struct slice value,
	    struct error *err);

/* What is not there is no failure. */
int env_delete(struct env_txn *txn, enum env_table table, struct slice key, struct error *err);

/* ENV_STOP, 0 to go on, or a failure that ends the walk. */
#define ENV_STOP 1
typedef int (*env_visit)(void *context, const struct env *env, struct slice key, struct slice value,
			 struct error *err);

/* Visits in order the entries from `from` on (inclusive) whose key begins with the first
 * `prefix_len` bytes of `from`. */
int env_walk(struct env_txn *txn, enum env_table table, struct slice from, size_t prefix_len,
	     env_visit visit, void *context, struct error *err);

#endif
