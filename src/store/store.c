/* Opening and closing an account's state.
 * SPDX-License-Identifier: MIT */
#include "syncd/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lock.h"
#include "migrate.h"
#include "schema.h"
#include "store_private.h"
#include "syncd/alloc.h"
#include "syncd/mkdirs.h"
#include "syncd/must.h"
#include "verify.h"

/* Makes the names in a directory durable: LMDB syncs its file, not the way to it. */
static int sync_directory(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open", path);
	int code = fsync(fd) == 0 ? 0 : error_set_errno(err, errno, "cannot flush", path);
	(void)close(fd);
	return code;
}

static void random_identity(struct loop *loop, char out[STORE_IDENTITY_LEN + 1])
{
	(void)snprintf(out, STORE_IDENTITY_LEN + 1, "%016llx%016llx",
		       (unsigned long long)loop_random(loop),
		       (unsigned long long)loop_random(loop));
}

typedef int (*store_step)(struct store *store, struct env_txn *txn, struct error *err);

/* One transaction, again in a larger map where that one is full. */
static int store_write(struct store *store, store_step step, struct error *err)
{
	struct env_txn *txn;
	int code;

	do {
		code = env_begin(store->env, true, &txn, err);
		if (code == 0)
			code = step(store, txn, err);
		if (code == 0)
			code = env_commit(&txn, err);
		env_abort(&txn);
	} while (code == ENV_MAP_FULL && (code = env_grow(store->env, err)) == 0);
	return code;
}

static int store_create(struct store *store, struct env_txn *txn, struct error *err)
{
	return migrate_create(txn, store->identity, err);
}

static int store_upgrade(struct store *store, struct env_txn *txn, struct error *err)
{
	(void)store;
	return migrate_upgrade(txn, err);
}

static int store_put_place(struct store *store, struct env_txn *txn, struct error *err)
{
	return env_put(txn, TABLE_META, schema_place_key, slice_of(store->place), err);
}

static int store_load_place(struct store *store, struct env_txn *txn, struct error *err)
{
	struct slice place;
	bool found;
	int code = env_get(txn, TABLE_META, schema_place_key, &found, &place, err);

	if (code == 0 && found && !unpack_text(&place, 0, store->place, sizeof(store->place)))
		code = env_damaged(store->env, "the mailboxes' place", err);
	return code;
}

static int store_load_next(struct env_txn *txn, struct slice key, const char *what, uint32_t *next,
			   struct error *err)
{
	int code = schema_get_u32(txn, key, 1, next, err);

	if (code == 0 && (*next == 0 || *next == UINT32_MAX))
		code = env_damaged(env_of(txn), what, err);
	return code;
}

static int store_load(struct store *store, bool *is_older, struct error *err)
{
	struct env_txn *txn;
	struct slice identity;
	bool found;
	int code = env_begin(store->env, false, &txn, err);

	if (code == 0)
		code = migrate_check(txn, store->is_read_only, is_older, err);
	if (code == 0)
		code = store_load_next(txn, schema_next_mailbox_key, "the next mailbox's number",
				       &store->next_mailbox_id, err);
	if (code == 0)
		code = store_load_next(txn, schema_next_pop3_key, "the next download's number",
				       &store->next_pop3_id, err);
	if (code == 0)
		code = env_get(txn, TABLE_META, schema_account_key, &found, &identity, err);
	if (code == 0 && (!found || !unpack_text(&identity, STORE_IDENTITY_LEN, store->identity,
						 sizeof(store->identity))))
		code = env_damaged(store->env, "the account's identity is missing", err);
	if (code == 0)
		code = store_load_place(store, txn, err);
	env_abort(&txn);
	return code;
}

static int store_open_env(struct store *store, const char *state_dir, const char *dir,
			  size_t map_size_bytes, struct error *err)
{
	bool is_new;
	bool is_older = false;
	char stamp[VERIFY_STAMP_MAX];
	int code = 0;

	verify_stamp(dir, stamp);
	if (strcmp(stamp, store->note) != 0)
		code = verify_database(dir, err);
	if (code == 0)
		code = env_open(dir, map_size_bytes, store->is_read_only, &store->env, &is_new,
				err);

	if (code != 0)
		return code;
	if (!is_new) {
		code = store_load(store, &is_older, err);
		return code == 0 && is_older ? store_write(store, store_upgrade, err) : code;
	}
	if (store->is_read_only)
		return 0;
	random_identity(store->loop, store->identity);
	code = store_write(store, store_create, err);
	if (code == 0)
		code = sync_directory(dir, err);
	return code == 0 ? sync_directory(state_dir, err) : code;
}

static int store_open_locked(struct store *store, const char *state_dir, const char *dir,
			     const struct store_options *options, struct error *err)
{
	size_t map_size = options->map_size_bytes != 0 ? options->map_size_bytes : STORE_MAP_SIZE;
	int code = 0;

	if (!options->is_read_only)
		code = mkdirs(dir, err);
	if (code == 0)
		code = lock_take(dir, options->program, options->lock_wait_ms,
				 !options->is_read_only, &store->lock_fd, store->note, err);
	return code == 0 ? store_open_env(store, state_dir, dir, map_size, err) : code;
}

int store_open(struct loop *loop, const char *state_dir, const char *account,
	       const struct store_options *options, struct store **store, struct error *err)
{
	char dir[PATH_MAX];

	must(account[0] != '\0' && account[0] != '.' && strchr(account, '/') == NULL);
	*store = NULL;
	if ((size_t)snprintf(dir, sizeof(dir), "%s/%s", state_dir, account) >= sizeof(dir))
		return error_set(err, SYNCD_EIO, "the path %s/%s is too long", state_dir, account);
	struct store *opened = xcalloc(1, sizeof(*opened));
	opened->loop = loop;
	opened->lock_fd = LOCK_NONE;
	opened->dir = xstrdup(dir);
	opened->is_read_only = options->is_read_only;
	opened->next_mailbox_id = 1;
	opened->next_pop3_id = 1;
	store_writer_init(opened);
	int code = store_open_locked(opened, state_dir, dir, options, err);
	*store = opened;
	if (code != 0)
		store_close(store);
	return code;
}

/* Says that the database was closed as it should be, and how its file was then. */
static void store_leave_note(const struct store *store)
{
	char stamp[VERIFY_STAMP_MAX];

	verify_stamp(store->dir, stamp);
	if (store->lock_fd != LOCK_NONE && stamp[0] != '\0')
		(void)lock_leave(store->lock_fd, stamp);
}

void store_close(struct store **store)
{
	struct store *closed = *store;

	must(!closed->writer.is_busy && list_is_empty(&closed->writer.queue));
	if (closed->env != NULL) {
		env_close(&closed->env);
		store_leave_note(closed);
	}
	lock_release(&closed->lock_fd);
	free(closed->dir);
	free(closed);
	*store = NULL;
}

const char *store_identity(const struct store *store)
{
	return store->identity;
}

const char *store_place(const struct store *store)
{
	return store->place;
}

int store_set_place(struct store *store, const char *place, struct error *err)
{
	size_t len = strlen(place);

	must(!store->is_read_only && !store->writer.is_busy);
	if (len > STORE_PLACE_MAX)
		return error_set(err, SYNCD_ELIMIT, "the path is too long");
	memcpy(store->place, place, len + 1);
	return store_write(store, store_put_place, err);
}

const char *store_engine_version(void)
{
	return env_version();
}
