/* Versions of the schema, and the way from each to the next:
 *
 *     1 to 2   a mailbox's record has room for where the next look may begin: message count,
 *              time of the last full listing, digest of the policy
 *     2 to 3   and for the two ids by which a renamed mailbox is known
 *     3 to 4   and for up to where email_ids are known, and keywords that the server does not keep;
 *              a table of email_ids
 *     4 to 5   and for deletions that are held
 *     5 to 6   a table of what was downloaded from a maildrop; the journal's records have room for
 *              when they were first looked at
 * SPDX-License-Identifier: MIT */
#include "migrate.h"

#include "schema.h"
#include "syncd/must.h"
#include "syncd/store.h"

static int put_version(struct env_txn *txn, struct error *err)
{
	struct buf version;

	buf_init(&version, PACK_VALUE_MAX);
	pack_u32(&version, STORE_SCHEMA);
	int code = env_put(txn, TABLE_META, schema_version_key, buf_slice(&version), err);
	buf_free(&version);
	return code;
}

int migrate_create(struct env_txn *txn, const char *identity, struct error *err)
{
	int code = env_create(txn, err);

	if (code == 0)
		code = put_version(txn, err);
	if (code == 0)
		code = env_put(txn, TABLE_META, schema_account_key, slice_of(identity), err);
	return code;
}

int migrate_check(struct env_txn *txn, bool is_read_only, bool *is_older, struct error *err)
{
	uint32_t version;
	int code = schema_get_u32(txn, schema_version_key, 0, &version, err);

	*is_older = code == 0 && version < STORE_SCHEMA;
	if (code != 0)
		return code;
	if (version == 0)
		return env_damaged(env_of(txn), "its schema version is missing", err);
	if (version == STORE_SCHEMA && env_lacks_tables(env_of(txn)))
		return env_damaged(env_of(txn), "a table is missing", err);
	if (version > STORE_SCHEMA)
		return error_set(
			err, SYNCD_EIO,
			"the state was written by a newer syncd (schema %u, this one knows "
			"%d): use that version, or move the state away to have it built "
			"again",
			(unsigned)version, STORE_SCHEMA);
	if (*is_older && is_read_only)
		return error_set(err, SYNCD_EIO,
				 "the state was written by an older syncd (schema %u, this one "
				 "needs %d): one ordinary pass brings it up to date",
				 (unsigned)version, STORE_SCHEMA);
	return 0;
}

/* --- 1 to 5, to 6 ---------------------------------------------------------------- */

/* What a mailbox's record had between UIDNEXT and the keywords. In schema 1 HIGHESTMODSEQ and two
 * mtimes, none of which was ever used, so the next look begins with listings; in schema 2 the
 * same, message count, time of the last full listing, policy; in schema 3 two ids behind them; in
 * schema 4 up to where email_ids are known, and keywords. */
#define PLACE_1_LEN 24
#define PLACE_2_LEN 44
#define PLACE_3_LEN 60
#define PLACE_4_LEN 72
#define PLACE_5_LEN 88

static const size_t place_lens[STORE_SCHEMA] = { 0,           PLACE_1_LEN, PLACE_2_LEN,
						 PLACE_3_LEN, PLACE_4_LEN, PLACE_5_LEN };

/* The place, as far as it is kept, and nothing for what is new. */
static void repack_place(uint32_t version, struct slice from, struct buf *out)
{
	static const char nothing[PLACE_5_LEN];
	size_t kept = version == 1 ? 0 : place_lens[version];

	must(buf_add(out, from.data, kept) == 0);
	must(buf_add(out, nothing, sizeof(nothing) - kept) == 0);
}

static bool repack_mailbox(uint32_t version, struct slice key, struct slice from, struct buf *out)
{
	struct mailbox_record checked;
	uint32_t id;
	uint32_t uidvalidity;
	uint32_t uidnext;
	size_t place_len = place_lens[version];

	if (!unpack_key_u32(&key, &id) || key.len != 0 || !unpack_u32(&from, &uidvalidity) ||
	    !unpack_u32(&from, &uidnext) || from.len < place_len || from.len > PACK_VALUE_MAX / 2)
		return false;
	pack_u32(out, uidvalidity);
	pack_u32(out, uidnext);
	repack_place(version, from, out);
	must(buf_add(out, from.data + place_len, from.len - place_len) == 0);
	if (!unpack_mailbox(buf_slice(out), &checked))
		return false;
	keyword_table_free(&checked.keywords);
	return true;
}

/* --- 5 to 6: the journal -------------------------------------------------------------- */

#define JOURNAL_5_LEN 44

/* Nobody has looked yet. */
static bool repack_journal(uint32_t version, struct slice key, struct slice from, struct buf *out)
{
	(void)version;
	(void)key;
	if (from.len != JOURNAL_5_LEN)
		return false;
	must(buf_add(out, from.data, from.len) == 0);
	pack_u64(out, 0);
	return true;
}

/* --- A table's records, one after the other ------------------------------------------- */

#define KEY_MAX 511 /* of LMDB */

struct upgrade {
	const char *what; /* for an error: a record of it */
	/* Puts the new form of a record of that version into `out`; false: it is damaged. */
	bool (*repack)(uint32_t version, struct slice key, struct slice from, struct buf *out);
	uint32_t version;
	bool is_found;
	struct buf key;
	struct buf value;
};

static int upgrade_visit(void *context, const struct env *env, struct slice key, struct slice value,
			 struct error *err)
{
	struct upgrade *upgrade = context;

	buf_reset(&upgrade->key);
	buf_reset(&upgrade->value);
	must(buf_add(&upgrade->key, key.data, key.len) == 0);
	if (!upgrade->repack(upgrade->version, key, value, &upgrade->value))
		return env_damaged(env, upgrade->what, err);
	upgrade->is_found = true;
	return ENV_STOP;
}

/* A walk's keys and values do not outlive a write. The next key is no smaller than the last one
 * with a NUL behind it. */
static int upgrade_table(struct env_txn *txn, enum env_table table, struct upgrade *upgrade,
			 struct error *err)
{
	int code = 0;

	buf_init(&upgrade->key, KEY_MAX + 1);
	buf_init(&upgrade->value, PACK_VALUE_MAX);
	do {
		upgrade->is_found = false;
		code = env_walk(txn, table, buf_slice(&upgrade->key), 0, upgrade_visit, upgrade,
				err);
		if (code == 0 && upgrade->is_found)
			code = env_put(txn, table, buf_slice(&upgrade->key),
				       buf_slice(&upgrade->value), err);
		must(buf_add_char(&upgrade->key, '\0') == 0);
	} while (code == 0 && upgrade->is_found);
	buf_free(&upgrade->key);
	buf_free(&upgrade->value);
	return code;
}

/* --- All steps --------------------------------------------------------------------- */

int migrate_upgrade(struct env_txn *txn, struct error *err)
{
	uint32_t version;
	int code = schema_get_u32(txn, schema_version_key, 0, &version, err);

	must(code != 0 || (version > 0 && version < STORE_SCHEMA));
	struct upgrade mailboxes = { "a mailbox's record", repack_mailbox, .version = version };
	struct upgrade journal = { "a record of the journal", repack_journal, .version = version };
	if (code == 0)
		code = env_create(txn, err);
	if (code == 0)
		code = upgrade_table(txn, TABLE_MAILBOX, &mailboxes, err);
	if (code == 0)
		code = upgrade_table(txn, TABLE_JOURNAL, &journal, err);
	return code == 0 ? put_version(txn, err) : code;
}
