/* LMDB behind our own types; the only file that knows lmdb.h.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* madvise */

#include "env.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#define FULL_BLOCKS 16 /* fewer free ones are as good as none */

struct env {
	MDB_env *mdb;         /* NULL: read-only, and there is no database; or broken */
	atomic_int broken_by; /* the errno value of the write after which nothing goes any more */
	size_t broken_map_size;
	MDB_dbi tables[TABLE_COUNT];
	bool lacks_tables;
	void *map; /* where LMDB has mapped its file; NULL: not known */
	char *path;
};

struct env_txn {
	struct env *env;
	MDB_txn *mdb; /* NULL as in env */
};

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_META] = "meta",
	[TABLE_MAILBOX] = "mailbox",
	[TABLE_MAILBOX_NAME] = "mailbox-name",
	[TABLE_MESSAGE] = "message",
	[TABLE_NAME] = "name",
	[TABLE_IDENTITY] = "identity",
	[TABLE_JOURNAL] = "journal",
	[TABLE_SETASIDE] = "setaside",
	[TABLE_EMAIL_ID] = "email-id",
	[TABLE_POP3] = "pop3",
};

const char *env_version(void)
{
	return mdb_version(NULL, NULL, NULL);
}

int env_damaged_at(const char *path, const char *what, struct error *err)
{
	error_set(err, SYNCD_EIO,
		  "the state database is damaged (%s); move data.mdb away and syncd builds it "
		  "again from the server and the maildir, losing no message",
		  what);
	error_context(err, "%s", path);
	return SYNCD_EIO;
}

int env_damaged(const struct env *env, const char *what, struct error *err)
{
	return env_damaged_at(env->path, what, err);
}

/* LMDB returns its own negative codes and errno values. */
static int env_failed(const struct env *env, int rc, const char *doing, struct error *err)
{
	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_VALSIZE:
	case MDB_BAD_TXN:
		return env_damaged(env, mdb_strerror(rc), err);
	default:
		break;
	}
	int code = rc == ENOSPC || rc == EDQUOT ? SYNCD_ENOSPC : SYNCD_EIO;
	error_set(err, code, "cannot %s the state database: %s", doing, mdb_strerror(rc));
	error_context(err, "%s", env->path);
	return code;
}

static int env_failed_write(const struct env *env, int rc, const char *doing, struct error *err)
{
	return rc == MDB_MAP_FULL ? ENV_MAP_FULL : env_failed(env, rc, doing, err);
}

/* Opens the handles of all tables; MDB_NOTFOUND when the first is not there. */
static int env_open_tables(struct env *env, MDB_txn *txn, unsigned flags)
{
	env->lacks_tables = false;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		int rc = mdb_dbi_open(txn, table_names[i], flags, &env->tables[i]);
		if (rc == MDB_NOTFOUND && i >= TABLE_EMAIL_ID)
			env->lacks_tables = true;
		else if (rc == MDB_NOTFOUND && i > 0)
			return MDB_CORRUPTED; /* they are made in one transaction */
		else if (rc != 0)
			return rc;
	}
	return 0;
}

/* No table at all, rather than ours under other names. */
static bool env_is_empty(MDB_txn *txn)
{
	MDB_dbi names;
	MDB_stat stat;

	return mdb_dbi_open(txn, NULL, 0, &names) == 0 && mdb_stat(txn, names, &stat) == 0 &&
	       stat.ms_entries == 0;
}

static int env_find_tables(struct env *env, bool *is_new, struct error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return env_failed(env, rc, "read", err);
	rc = env_open_tables(env, txn, 0);
	*is_new = rc == MDB_NOTFOUND && env_is_empty(txn);
	if (rc == MDB_NOTFOUND && !*is_new)
		rc = MDB_CORRUPTED;
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn); /* keeps the handles */
	return rc == 0 || *is_new ? 0 : env_failed(env, rc, "read", err);
}

static int env_file_size(const struct env *env, size_t *size, struct error *err)
{
	mdb_filehandle_t fd;
	struct stat file;

	must(mdb_env_get_fd(env->mdb, &fd) == 0);
	if (fstat(fd, &file) != 0)
		return env_failed(env, errno, "examine", err);
	*size = (size_t)file.st_size;
	return 0;
}

/* LMDB does not tell where its map is; Linux does. Elsewhere nothing is trimmed. */
static void env_find_map(struct env *env)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 100];
	char inode[32] = "";
	struct stat file;
	mdb_filehandle_t fd;

	env->map = NULL;
	if (maps == NULL)
		return;
	must(mdb_env_get_fd(env->mdb, &fd) == 0);
	if (fstat(fd, &file) == 0)
		(void)snprintf(inode, sizeof(inode), " %llu ", (unsigned long long)file.st_ino);
	while (inode[0] != '\0' && env->map == NULL && fgets(line, sizeof(line), maps) != NULL) {
		void *start = NULL;
		if (strstr(line, inode) != NULL && strstr(line, "/data.mdb") != NULL &&
		    sscanf(line, "%p-", &start) == 1)
			env->map = start;
	}
	(void)fclose(maps);
}

void env_trim(struct env *env)
{
	MDB_envinfo info;

	if (env->mdb == NULL || env->map == NULL)
		return;
	must(mdb_env_info(env->mdb, &info) == 0);
	(void)madvise(env->map, info.me_mapsize, MADV_DONTNEED); /* a hint */
}

/* Makes the file as long as the map (sparse). LMDB leaves out pages at the end that were freed by
 * the transaction that made them; so that a file shorter than it says can only be damage. */
static int env_extend_file(const struct env *env, struct error *err)
{
	MDB_envinfo info;
	mdb_filehandle_t fd;
	size_t size = 0;
	int code = env_file_size(env, &size, err);

	must(mdb_env_info(env->mdb, &info) == 0 && mdb_env_get_fd(env->mdb, &fd) == 0);
	if (code != 0 || size >= info.me_mapsize)
		return code;
	return ftruncate(fd, (off_t)info.me_mapsize) == 0 ? 0
							  : env_failed(env, errno, "extend", err);
}

/* A file that ends before the last page it speaks of: reading there through the map would kill
 * us with SIGBUS. */
static int env_check_length(const struct env *env, struct error *err)
{
	MDB_envinfo info;
	MDB_stat stat;
	size_t size = 0;
	int code = env_file_size(env, &size, err);

	must(mdb_env_info(env->mdb, &info) == 0 && mdb_env_stat(env->mdb, &stat) == 0);
	if (code == 0 && size < (info.me_last_pgno + 1) * stat.ms_psize)
		return env_damaged(env, "it is cut short", err);
	return code;
}

/* True when a database is there to be read. */
static bool env_exists(const char *path)
{
	char file[PATH_MAX];
	struct stat st;
	int len = snprintf(file, sizeof(file), "%s/data.mdb", path);

	return len > 0 && (size_t)len < sizeof(file) && stat(file, &st) == 0 && st.st_size > 0;
}

static int env_open_mdb(struct env *env, size_t map_size_bytes, bool is_read_only, bool *is_new,
			struct error *err)
{
	/* Without a reader table nothing is written; nobody else is there to be heeded. */
	unsigned flags = is_read_only ? MDB_RDONLY | MDB_NOLOCK : 0;

	must(mdb_env_create(&env->mdb) == 0);
	must(mdb_env_set_maxdbs(env->mdb, TABLE_COUNT) == 0);
	must(mdb_env_set_mapsize(env->mdb, map_size_bytes) == 0);
	int rc = mdb_env_open(env->mdb, env->path, flags, 0600);
	if (rc != 0)
		return env_failed(env, rc, "open", err);
	must(mdb_env_get_maxkeysize(env->mdb) >= ENV_KEY_MAX);
	int code = env_check_length(env, err);
	if (code == 0 && !is_read_only)
		code = env_extend_file(env, err);
	return code == 0 ? env_find_tables(env, is_new, err) : code;
}

int env_open(const char *path, size_t map_size_bytes, bool is_read_only, struct env **env,
	     bool *is_new, struct error *err)
{
	struct env *opened = xcalloc(1, sizeof(*opened));
	int code = 0;

	opened->path = xstrdup(path);
	*is_new = true;
	if (!is_read_only || env_exists(path))
		code = env_open_mdb(opened, map_size_bytes, is_read_only, is_new, err);
	if (code == 0 && opened->mdb != NULL)
		env_find_map(opened);
	*env = opened;
	if (code != 0)
		env_close(env);
	return code;
}

bool env_is_broken(const struct env *env)
{
	return atomic_load(&env->broken_by) != 0;
}

int env_mend(struct env *env, struct error *err)
{
	MDB_envinfo info;
	bool is_new = false;

	if (env->mdb != NULL) {
		must(mdb_env_info(env->mdb, &info) == 0);
		env->broken_map_size = info.me_mapsize;
		mdb_env_close(env->mdb);
		env->mdb = NULL;
	}
	int code = env_open_mdb(env, env->broken_map_size, false, &is_new, err);
	if (code == 0 && is_new)
		code = env_damaged(env, "it is empty", err);
	if (code == 0) {
		env_find_map(env);
		atomic_store(&env->broken_by, 0);
	} else if (env->mdb != NULL) {
		mdb_env_close(env->mdb);
		env->mdb = NULL;
	}
	return code;
}

void env_close(struct env **env)
{
	if ((*env)->mdb != NULL)
		mdb_env_close((*env)->mdb);
	free((*env)->path);
	free(*env);
	*env = NULL;
}

int env_grow(struct env *env, struct error *err)
{
	MDB_envinfo info;

	must(mdb_env_info(env->mdb, &info) == 0);
	if (info.me_mapsize > SIZE_MAX / 2)
		return error_set(err, SYNCD_EIO, "the state database is too large to map");
	int rc = mdb_env_set_mapsize(env->mdb, info.me_mapsize * 2);
	if (rc != 0)
		return env_failed(env, rc, "enlarge", err);
	env_find_map(env);
	return env_extend_file(env, err);
}

int env_begin(struct env *env, bool is_write, struct env_txn **txn, struct error *err)
{
	MDB_txn *mdb = NULL;
	int rc = 0;

	*txn = NULL;
	must(env->mdb != NULL || !is_write || env_is_broken(env));
	if (env_is_broken(env))
		rc = atomic_load(&env->broken_by);
	else if (env->mdb != NULL)
		rc = mdb_txn_begin(env->mdb, NULL, is_write ? 0 : MDB_RDONLY, &mdb);
	if (rc != 0)
		return env_failed(env, rc, is_write ? "write" : "read", err);
	*txn = xcalloc(1, sizeof(**txn));
	(*txn)->env = env;
	(*txn)->mdb = mdb;
	return 0;
}

/* LMDB says EIO of a write that only went half, and cannot say why. */
static bool env_disk_is_full(const struct env *env)
{
	struct statvfs disk;

	return statvfs(env->path, &disk) == 0 && disk.f_bavail < FULL_BLOCKS;
}

/* LMDB does not say so of itself before somebody wants a transaction. */
static bool env_is_dead(const struct env *env)
{
	MDB_txn *probe;
	int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &probe);

	if (rc == 0)
		mdb_txn_abort(probe);
	return rc == MDB_PANIC;
}

int env_commit(struct env_txn **txn, struct error *err)
{
	struct env *env = (*txn)->env;
	int rc = mdb_txn_commit((*txn)->mdb);

	if (rc == EIO && env_disk_is_full(env))
		rc = ENOSPC;
	if (rc != 0 && env_is_dead(env))
		atomic_store(&env->broken_by, rc);
	free(*txn);
	*txn = NULL;
	return rc == 0 ? 0 : env_failed_write(env, rc, "write", err);
}

void env_abort(struct env_txn **txn)
{
	if (*txn == NULL)
		return;
	if ((*txn)->mdb != NULL)
		mdb_txn_abort((*txn)->mdb);
	free(*txn);
	*txn = NULL;
}

const struct env *env_of(const struct env_txn *txn)
{
	return txn->env;
}

bool env_lacks_tables(const struct env *env)
{
	return env->lacks_tables;
}

int env_create(struct env_txn *txn, struct error *err)
{
	int rc = env_open_tables(txn->env, txn->mdb, MDB_CREATE);

	return rc == 0 ? 0 : env_failed_write(txn->env, rc, "make", err);
}

static MDB_val val_of(struct slice slice)
{
	/* LMDB does not write through it. */
	return (MDB_val){ .mv_size = slice.len, .mv_data = (void *)(uintptr_t)slice.data };
}

static struct slice slice_of_val(MDB_val val)
{
	return (struct slice){ val.mv_data, val.mv_size };
}

int env_get(struct env_txn *txn, enum env_table table, struct slice key, bool *found,
	    struct slice *value, struct error *err)
{
	MDB_val k = val_of(key);
	MDB_val v;

	must(key.len > 0 && key.len <= ENV_KEY_MAX);
	*found = false;
	if (txn->mdb == NULL)
		return 0;
	int rc = mdb_get(txn->mdb, txn->env->tables[table], &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return env_failed(txn->env, rc, "read", err);
	*found = true;
	*value = slice_of_val(v);
	return 0;
}

int env_put(struct env_txn *txn, enum env_table table, struct slice key, struct slice value,
	    struct error *err)
{
	bool found;
	struct slice old;
	MDB_val k = val_of(key);
	MDB_val v = val_of(value);
	int code = env_get(txn, table, key, &found, &old, err);

	if (code != 0 || (found && slice_equals(old, value)))
		return code;
	int rc = mdb_put(txn->mdb, txn->env->tables[table], &k, &v, 0);
	return rc == 0 ? 0 : env_failed_write(txn->env, rc, "write", err);
}

int env_delete(struct env_txn *txn, enum env_table table, struct slice key, struct error *err)
{
	MDB_val k = val_of(key);

	must(key.len > 0 && key.len <= ENV_KEY_MAX);
	int rc = mdb_del(txn->mdb, txn->env->tables[table], &k, NULL);
	return rc == 0 || rc == MDB_NOTFOUND ? 0 : env_failed_write(txn->env, rc, "write", err);
}

/* The walk itself; returns LMDB's code, or 0 with *code set by the visitor. */
static int env_walk_cursor(struct env_txn *txn, MDB_cursor *cursor, struct slice from,
			   size_t prefix_len, env_visit visit, void *context, int *code,
			   struct error *err)
{
	MDB_val key = val_of(from);
	MDB_val value;
	int rc = mdb_cursor_get(cursor, &key, &value, from.len > 0 ? MDB_SET_RANGE : MDB_FIRST);

	while (rc == 0) {
		if (key.mv_size < prefix_len ||
		    (prefix_len > 0 && memcmp(key.mv_data, from.data, prefix_len) != 0))
			return 0;
		*code = visit(context, txn->env, slice_of_val(key), slice_of_val(value), err);
		if (*code != 0)
			return 0;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int env_walk(struct env_txn *txn, enum env_table table, struct slice from, size_t prefix_len,
	     env_visit visit, void *context, struct error *err)
{
	MDB_cursor *cursor;
	int code = 0;

	must(prefix_len <= from.len && from.len <= ENV_KEY_MAX);
	if (txn->mdb == NULL)
		return 0;
	int rc = mdb_cursor_open(txn->mdb, txn->env->tables[table], &cursor);
	if (rc == 0) {
		rc = env_walk_cursor(txn, cursor, from, prefix_len, visit, context, &code, err);
		mdb_cursor_close(cursor);
	}
	if (rc != 0)
		return env_failed(txn->env, rc, "read", err);
	return code == ENV_STOP ? 0 : code;
}
