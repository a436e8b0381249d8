/* A state that an older syncd wrote is brought up to date when it is opened.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <lmdb.h>

#include "../../src/store/env.h"
#include "../../src/store/pack.h"
#include "../../src/store/schema.h"
#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/store.h"

#define SMALL_MAP ((size_t)4 * 1024 * 1024)
#define MANY 2800 /* mailboxes that such a map holds, but not the old and the new ones */

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct store *store;
	struct store_options options;
	struct error err;
};

static int open_store(struct fixture *f)
{
	return store_open(f->loop, f->dir.path, "work", &f->options, &f->store, &f->err);
}

static int set_up_with(void **state, size_t map_size_bytes)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	f->loop = loop_new_fake();
	f->options = (struct store_options){ .program = "test", .map_size_bytes = map_size_bytes };
	assert_int_equal(open_store(f), 0);
	store_close(&f->store);
	*state = f;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, STORE_MAP_SIZE);
}

static int set_up_small(void **state)
{
	return set_up_with(state, SMALL_MAP);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->store != NULL)
		store_close(&f->store);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* --- The old form --------------------------------------------------------------------- */

static void env_open_raw(struct fixture *f, struct env **env, struct env_txn **txn)
{
	char *dir = temp_path(&f->dir, "work");
	bool is_new;

	assert_int_equal(env_open(dir, f->options.map_size_bytes, false, env, &is_new, &f->err), 0);
	assert_int_equal(env_begin(*env, true, txn, &f->err), 0);
	free(dir);
}

static void put(struct env_txn *txn, enum env_table table, struct slice key, struct slice value)
{
	struct error err;

	assert_int_equal(env_put(txn, table, key, value, &err), 0);
}

/* As schema 1 had it: uidvalidity, uidnext, HIGHESTMODSEQ, two mtimes, keywords, name. */
static void put_old_mailbox(struct env_txn *txn, uint32_t id, const char *name)
{
	struct pack_key key = schema_mailbox_key(id);
	struct pack_key name_key = schema_mailbox_name_key(name, id);
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_u32(&value, 700 + id);
	pack_u32(&value, 17);
	pack_u64(&value, UINT64_MAX);
	pack_u64(&value, 1234567890000000000u);
	pack_u64(&value, 5);
	assert_int_equal(buf_add(&value, "\2\7$Label1\4work", 14), 0);
	assert_int_equal(buf_add_str(&value, name), 0);
	put(txn, TABLE_MAILBOX, pack_key_slice(&key), buf_slice(&value));
	put(txn, TABLE_MAILBOX_NAME, pack_key_slice(&name_key), slice_of(""));
	buf_free(&value);
}

/* As schema 2 had it: behind the mtimes, the time of the last full listing and the policy. */
static void put_mailbox_2(struct env_txn *txn, uint32_t id, const char *name)
{
	struct pack_key key = schema_mailbox_key(id);
	struct pack_key name_key = schema_mailbox_name_key(name, id);
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_u32(&value, 700 + id);
	pack_u32(&value, 17);
	pack_u64(&value, UINT64_MAX - id);
	pack_u32(&value, 1000 + id);
	pack_u64(&value, 1234567890000000000u + id);
	pack_u64(&value, 5);
	pack_u64(&value, 1600000000);
	pack_u64(&value, (uint64_t)1 << 63 | id);
	assert_int_equal(buf_add(&value, "\2\7$Label1\4work", 14), 0);
	assert_int_equal(buf_add_str(&value, name), 0);
	put(txn, TABLE_MAILBOX, pack_key_slice(&key), buf_slice(&value));
	put(txn, TABLE_MAILBOX_NAME, pack_key_slice(&name_key), slice_of(""));
	buf_free(&value);
}

static void put_version(struct env_txn *txn, uint32_t version)
{
	struct buf value;

	buf_init(&value, PACK_VALUE_MAX);
	pack_u32(&value, version);
	put(txn, TABLE_META, schema_version_key, buf_slice(&value));
	buf_free(&value);
}

/* Makes the state one of schema 1 with the mailboxes 1, 3 and 70000. */
static void make_old(struct fixture *f)
{
	struct env *env;
	struct env_txn *txn;

	env_open_raw(f, &env, &txn);
	put_version(txn, 1);
	put_old_mailbox(txn, 1, "INBOX");
	put_old_mailbox(txn, 3, "Büro/a%2Fb");
	put_old_mailbox(txn, 70000, "x");
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
}

static void make_schema_2(struct fixture *f)
{
	struct env *env;
	struct env_txn *txn;

	env_open_raw(f, &env, &txn);
	put_version(txn, 2);
	put_mailbox_2(txn, 1, "INBOX");
	put_mailbox_2(txn, 70000, "Büro/a%2Fb");
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
}

static uint32_t version_of(struct fixture *f)
{
	struct env *env;
	struct env_txn *txn;
	uint32_t version = 0;

	env_open_raw(f, &env, &txn);
	assert_int_equal(schema_get_u32(txn, schema_version_key, 0, &version, &f->err), 0);
	env_abort(&txn);
	env_close(&env);
	return version;
}

/* --- Tests ------------------------------------------------------------------------------- */

static void assert_migrated(struct fixture *f, uint32_t id, const char *name)
{
	struct mailbox_record mailbox;
	bool found = false;

	assert_int_equal(store_mailbox_get(f->store, name, &found, &mailbox, &f->err), 0);
	assert_true(found);
	assert_int_equal(mailbox.id, id);
	assert_int_equal(mailbox.uidvalidity, 700 + id);
	assert_int_equal(mailbox.uidnext, 17);
	assert_true(mailbox.highestmodseq == 0);
	assert_int_equal(mailbox.exists, 0);
	assert_int_equal(mailbox.mtimes.cur_ns, 0);
	assert_int_equal(mailbox.mtimes.new_ns, 0);
	assert_int_equal(mailbox.verified_s, 0);
	assert_true(mailbox.policy == 0);
	assert_true(mailbox.remote_id == 0 && mailbox.local_id == 0);
	assert_int_equal(mailbox.keywords.count, 2);
	assert_string_equal(mailbox.keywords.names[0], "$Label1");
	assert_string_equal(mailbox.keywords.names[1], "work");
	keyword_table_free(&mailbox.keywords);
}

static void mailboxes_of_schema_1_keep_what_is_known_and_are_listed_anew(void **state)
{
	struct fixture *f = *state;

	make_old(f);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(open_store(f), 0);
		assert_migrated(f, 1, "INBOX");
		assert_migrated(f, 3, "Büro/a%2Fb");
		assert_migrated(f, 70000, "x");
		store_close(&f->store);
		assert_int_equal(version_of(f), STORE_SCHEMA);
	}
}

static void assert_migrated_from_2(struct fixture *f, uint32_t id, const char *name)
{
	struct mailbox_record mailbox;
	bool found = false;

	assert_int_equal(store_mailbox_get(f->store, name, &found, &mailbox, &f->err), 0);
	assert_true(found);
	assert_int_equal(mailbox.id, id);
	assert_int_equal(mailbox.uidvalidity, 700 + id);
	assert_int_equal(mailbox.uidnext, 17);
	assert_true(mailbox.highestmodseq == UINT64_MAX - id);
	assert_int_equal(mailbox.exists, 1000 + id);
	assert_true(mailbox.mtimes.cur_ns == 1234567890000000000 + (int64_t)id);
	assert_int_equal(mailbox.mtimes.new_ns, 5);
	assert_int_equal(mailbox.verified_s, 1600000000);
	assert_true(mailbox.policy == ((uint64_t)1 << 63 | id));
	assert_true(mailbox.remote_id == 0 && mailbox.local_id == 0);
	assert_int_equal(mailbox.keywords.count, 2);
	assert_string_equal(mailbox.keywords.names[1], "work");
	keyword_table_free(&mailbox.keywords);
}

static void mailboxes_of_schema_2_keep_all_and_are_known_by_no_id_yet(void **state)
{
	struct fixture *f = *state;

	make_schema_2(f);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(open_store(f), 0);
		assert_migrated_from_2(f, 1, "INBOX");
		assert_migrated_from_2(f, 70000, "Büro/a%2Fb");
		store_close(&f->store);
		assert_int_equal(version_of(f), STORE_SCHEMA);
	}
}

static void drop_table(struct fixture *f, const char *name)
{
	char *dir = temp_path(&f->dir, "work");
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 1), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, name, 0, &table), 0);
	assert_int_equal(mdb_drop(txn, table, 1), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(dir);
}

/* As schema 3 had it: two ids behind the policy; and there was no table of email_ids. */
static void make_schema_3(struct fixture *f)
{
	struct env *env;
	struct env_txn *txn;
	struct pack_key key = schema_mailbox_key(5);
	struct pack_key name_key = schema_mailbox_name_key("INBOX", 5);
	struct buf value;

	env_open_raw(f, &env, &txn);
	put_version(txn, 3);
	buf_init(&value, PACK_VALUE_MAX);
	pack_u32(&value, 705);
	pack_u32(&value, 17);
	pack_u64(&value, 99);
	pack_u32(&value, 1000);
	pack_u64(&value, 4);
	pack_u64(&value, 5);
	pack_u64(&value, 1600000000);
	pack_u64(&value, 6);
	pack_u64(&value, 7);
	pack_u64(&value, 8);
	assert_int_equal(buf_add(&value, "\1\4workINBOX", 11), 0);
	put(txn, TABLE_MAILBOX, pack_key_slice(&key), buf_slice(&value));
	put(txn, TABLE_MAILBOX_NAME, pack_key_slice(&name_key), slice_of(""));
	buf_free(&value);
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
	drop_table(f, "email-id");
	drop_table(f, "pop3");
}

static void a_table_that_is_missing_is_damage(void **state)
{
	struct fixture *f = *state;

	drop_table(f, "email-id");
	assert_int_equal(open_store(f), SYNCD_EIO);
	assert_non_null(strstr(f->err.text, "a table is missing"));
}

static void mailboxes_of_schema_3_keep_all_and_ask_for_email_ids(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record mailbox;
	struct message_place places[1];
	size_t count = 99;
	bool found = false;

	make_schema_3(f);
	assert_int_equal(open_store(f), 0);
	assert_int_equal(store_mailbox_get(f->store, "INBOX", &found, &mailbox, &f->err), 0);
	assert_true(found && mailbox.id == 5 && mailbox.uidvalidity == 705);
	assert_true(mailbox.highestmodseq == 99 && mailbox.exists == 1000);
	assert_true(mailbox.mtimes.cur_ns == 4 && mailbox.mtimes.new_ns == 5);
	assert_true(mailbox.verified_s == 1600000000 && mailbox.policy == 6);
	assert_true(mailbox.remote_id == 7 && mailbox.local_id == 8);
	assert_true(mailbox.email_uidnext == 0 && mailbox.unkept == 0);
	assert_true(mailbox.held_remote.count == 0 && mailbox.held_local.count == 0);
	assert_string_equal(mailbox.keywords.names[0], "work");
	keyword_table_free(&mailbox.keywords);
	assert_int_equal(store_messages_by_email_id(f->store, 1, places, 1, &count, &f->err), 0);
	assert_int_equal(count, 0);
	store_close(&f->store);
	assert_int_equal(version_of(f), STORE_SCHEMA);
}

/* As schema 4 had it: what is known of email_ids and keywords behind the ids. */
static void make_schema_4(struct fixture *f)
{
	struct env *env;
	struct env_txn *txn;
	struct pack_key key = schema_mailbox_key(5);
	struct pack_key name_key = schema_mailbox_name_key("INBOX", 5);
	struct buf value;

	env_open_raw(f, &env, &txn);
	put_version(txn, 4);
	buf_init(&value, PACK_VALUE_MAX);
	pack_u32(&value, 705);
	pack_u32(&value, 17);
	pack_u64(&value, 99);
	pack_u32(&value, 1000);
	for (uint64_t i = 4; i <= 8; i++)
		pack_u64(&value, i);
	pack_u64(&value, 9);
	pack_u32(&value, 10);
	pack_u64(&value, 11);
	assert_int_equal(buf_add(&value, "\1\4workINBOX", 11), 0);
	put(txn, TABLE_MAILBOX, pack_key_slice(&key), buf_slice(&value));
	put(txn, TABLE_MAILBOX_NAME, pack_key_slice(&name_key), slice_of(""));
	buf_free(&value);
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
}

static void mailboxes_of_schema_4_keep_all_and_hold_nothing(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record mailbox;
	bool found = false;

	make_schema_4(f);
	assert_int_equal(open_store(f), 0);
	assert_int_equal(store_mailbox_get(f->store, "INBOX", &found, &mailbox, &f->err), 0);
	assert_true(found && mailbox.uidvalidity == 705 && mailbox.highestmodseq == 99);
	assert_true(mailbox.policy == 7 && mailbox.remote_id == 8 && mailbox.local_id == 9);
	assert_true(mailbox.email_uidnext == 10 && mailbox.unkept == 11);
	assert_true(mailbox.held_remote.count == 0 && mailbox.held_local.count == 0);
	assert_string_equal(mailbox.keywords.names[0], "work");
	keyword_table_free(&mailbox.keywords);
	store_close(&f->store);
	assert_int_equal(version_of(f), STORE_SCHEMA);
}

/* As schema 5 had it: all of a mailbox's record, and no table of what was downloaded. */
static void make_schema_5(struct fixture *f)
{
	struct mailbox_record mailbox = {
		.id = 5,
		.uidvalidity = 705,
		.held_remote = { .count = 3, .total = 4 },
		.name = "INBOX",
	};
	struct pack_key key = schema_mailbox_key(5);
	struct pack_key name_key = schema_mailbox_name_key("INBOX", 5);
	struct env *env;
	struct env_txn *txn;
	struct buf value;

	env_open_raw(f, &env, &txn);
	put_version(txn, 5);
	buf_init(&value, PACK_VALUE_MAX);
	keyword_table_init(&mailbox.keywords);
	pack_mailbox(&value, &mailbox);
	put(txn, TABLE_MAILBOX, pack_key_slice(&key), buf_slice(&value));
	put(txn, TABLE_MAILBOX_NAME, pack_key_slice(&name_key), slice_of(""));
	for (char name[] = "1.M1"; name[3] <= '3'; name[3]++) {
		struct journal_record journal = { .kind = JOURNAL_APPEND,
						  .uidnext = 30 + (uint32_t)(name[3] - '0') };
		struct pack_key journal_key = schema_journal_key(5, JOURNAL_APPEND, name);
		buf_reset(&value);
		pack_journal(&value, &journal);
		value.len -= sizeof(uint64_t);
		put(txn, TABLE_JOURNAL, pack_key_slice(&journal_key), buf_slice(&value));
	}
	buf_free(&value);
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
	drop_table(f, "pop3");
}

static void sum_journal(void *context, const struct journal_record *journal)
{
	assert_int_equal(journal->kind, JOURNAL_APPEND);
	assert_int_equal(journal->looked_s, 0);
	*(uint32_t *)context += journal->uidnext;
}

static void count_pop3(void *context, const struct pop3_record *pop3)
{
	(void)pop3;
	++*(size_t *)context;
}

static void a_state_of_schema_5_keeps_all_and_has_downloaded_nothing(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record mailbox;
	bool found = false;
	size_t count = 0;

	make_schema_5(f);
	assert_int_equal(open_store(f), 0);
	assert_int_equal(store_mailbox_get(f->store, "INBOX", &found, &mailbox, &f->err), 0);
	assert_true(found && mailbox.uidvalidity == 705);
	assert_true(mailbox.held_remote.count == 3 && mailbox.held_remote.total == 4);
	keyword_table_free(&mailbox.keywords);
	assert_int_equal(store_pop3_each(f->store, count_pop3, &count, &f->err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_pop3_new_id(f->store), 1);
	uint32_t sum = 0;
	assert_int_equal(store_journal_each(f->store, 5, sum_journal, &sum, &f->err), 0);
	assert_int_equal(sum, 31 + 32 + 33);
	store_close(&f->store);
	assert_int_equal(version_of(f), STORE_SCHEMA);
}

static void an_older_state_cannot_be_opened_read_only(void **state)
{
	struct fixture *f = *state;

	make_old(f);
	f->options.is_read_only = true;
	assert_int_equal(open_store(f), SYNCD_EIO);
	assert_null(f->store);
	assert_non_null(strstr(f->err.text, "older syncd (schema 1, this one needs 6)"));
	assert_non_null(strstr(f->err.text, "one ordinary pass brings it up to date"));
	assert_int_equal(version_of(f), 1);
	f->options.is_read_only = false;
	assert_int_equal(open_store(f), 0);
}

static void a_damaged_record_leaves_the_older_state_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct env *env;
	struct env_txn *txn;
	struct pack_key key = schema_mailbox_key(70000);

	make_old(f);
	env_open_raw(f, &env, &txn);
	put(txn, TABLE_MAILBOX, pack_key_slice(&key), slice_of("0123456789012345678901234567890"));
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);

	assert_int_equal(open_store(f), SYNCD_EIO);
	assert_int_equal(version_of(f), 1);
	env_open_raw(f, &env, &txn);
	put_old_mailbox(txn, 70000, "x");
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
	assert_int_equal(open_store(f), 0);
	assert_migrated(f, 1, "INBOX"); /* not migrated twice */
	assert_migrated(f, 70000, "x");
}

/* The database is as long as its map. */
static size_t map_size(struct fixture *f)
{
	char *path = temp_path(&f->dir, "work/data.mdb");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return (size_t)st.st_size;
}

static void count_mailbox(void *context, const struct mailbox_record *mailbox)
{
	++*(size_t *)context;
	assert_int_equal(mailbox->uidnext, 17);
}

static void a_migration_that_fills_the_map_is_done_in_a_larger_one(void **state)
{
	struct fixture *f = *state;
	struct env *env;
	struct env_txn *txn;
	char name[512];
	size_t count = 0;

	env_open_raw(f, &env, &txn);
	put_version(txn, 1);
	for (uint32_t id = 1; id <= MANY; id++) {
		(void)snprintf(name, sizeof(name), "%0400u", (unsigned)id);
		put_old_mailbox(txn, id, name);
	}
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
	assert_int_equal(map_size(f), SMALL_MAP);
	assert_int_equal(open_store(f), 0);
	assert_int_equal(map_size(f), 2 * SMALL_MAP);
	assert_int_equal(store_mailbox_each(f->store, count_mailbox, &count, &f->err), 0);
	assert_int_equal(count, MANY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mailboxes_of_schema_1_keep_what_is_known_and_are_listed_anew),
		TEST(mailboxes_of_schema_2_keep_all_and_are_known_by_no_id_yet),
		TEST(mailboxes_of_schema_3_keep_all_and_ask_for_email_ids),
		TEST(mailboxes_of_schema_4_keep_all_and_hold_nothing),
		TEST(a_state_of_schema_5_keeps_all_and_has_downloaded_nothing),
		TEST(a_table_that_is_missing_is_damage),
		TEST(an_older_state_cannot_be_opened_read_only),
		TEST(a_damaged_record_leaves_the_older_state_as_it_was),
		cmocka_unit_test_setup_teardown(
			a_migration_that_fills_the_map_is_done_in_a_larger_one, set_up_small,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
