/* What the state forgets with a mailbox, and what it keeps.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/store/env.h"
#include "../../src/store/schema.h"
#include "support/temp_dir.h"
#include "syncd/adapter_store.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/store.h"

#define GONE 2 /* the mailbox that is forgotten; its neighbours' ids share bytes with it */

static const uint32_t others[] = { 1, 3, 512, 0x02000000 };

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct store *store;
	struct adapter_store adapter;
	struct error err;
};

static void open_store(struct fixture *f)
{
	const struct store_options options = { .program = "test" };

	must(store_open(f->loop, f->dir.path, "work", &options, &f->store, &f->err) == 0);
	adapter_store_init(&f->adapter, f->store);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	f->loop = loop_new_fake();
	open_store(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* --- Short ways ---------------------------------------------------------------------------- */

#define NOT_DONE 1

static void commit_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

static void commit(struct fixture *f, struct store_batch *batch)
{
	int code = NOT_DONE;
	struct store_commit_req req = { .op = { .done = commit_done, .impl = &code } };

	store_batch_init(&req.batch);
	store_batch_move(&req.batch, batch);
	f->adapter.port.ops->commit(&f->adapter.port, &req);
	while (code == NOT_DONE)
		loop_fake_advance(f->loop, 0);
	assert_int_equal(code, 0);
}

static void name_of(uint32_t id, char *name, size_t size)
{
	(void)snprintf(name, size, "box%u", (unsigned)id);
}

static struct message_record message_of(uint32_t uid)
{
	struct message_record record = { .uid = uid, .identity.bytes = { 7 } };

	(void)snprintf(record.name, sizeof(record.name), "m%u", (unsigned)uid);
	return record;
}

/* A mailbox with two messages, and two of all else. */
static void put_filled(struct fixture *f, uint32_t id)
{
	struct mailbox_record *mailbox = xcalloc(1, sizeof(*mailbox));
	struct store_batch batch;

	store_batch_init(&batch);
	mailbox->id = id;
	mailbox->uidvalidity = 7;
	name_of(id, mailbox->name, sizeof(mailbox->name));
	(void)keyword_table_intern(&mailbox->keywords, slice_of("work"));
	store_batch_put_mailbox(&batch, mailbox);
	keyword_table_free(&mailbox->keywords);
	free(mailbox);
	for (uint32_t uid = 1; uid <= 2; uid++) {
		struct message_record message = message_of(uid);
		struct journal_record journal = { .kind = uid == 1 ? JOURNAL_DELIVER
								   : JOURNAL_APPEND,
						  .name = "j" };
		struct setaside_record aside = { .uid = uid - 1, .name = "s" };
		store_batch_put_message(&batch, id, &message);
		store_batch_put_journal(&batch, id, &journal);
		store_batch_put_setaside(&batch, id, &aside);
	}
	commit(f, &batch);
}

static void forget(struct fixture *f, uint32_t id)
{
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_delete_message(&batch, id, 1);
	store_batch_delete_message(&batch, id, 2);
	store_batch_delete_mailbox(&batch, id);
	commit(f, &batch);
}

static bool is_known(struct fixture *f, uint32_t id)
{
	struct mailbox_record *out = xcalloc(1, sizeof(*out));
	char name[32];
	bool found = false;

	name_of(id, name, sizeof(name));
	assert_int_equal(store_mailbox_get(f->store, name, &found, out, &f->err), 0);
	if (found)
		keyword_table_free(&out->keywords);
	free(out);
	return found;
}

static void count_journal(void *context, const struct journal_record *journal)
{
	(void)journal;
	++*(size_t *)context;
}

static void count_aside(void *context, const struct setaside_record *aside)
{
	(void)aside;
	++*(size_t *)context;
}

static void assert_kept(struct fixture *f, uint32_t id, size_t each)
{
	size_t journals = 0;
	size_t asides = 0;
	size_t messages = 99;

	assert_int_equal(is_known(f, id), each > 0);
	assert_int_equal(store_journal_each(f->store, id, count_journal, &journals, &f->err), 0);
	assert_int_equal(store_setaside_each(f->store, id, count_aside, &asides, &f->err), 0);
	assert_int_equal(store_message_count(f->store, id, &messages, &f->err), 0);
	assert_int_equal(journals, each);
	assert_int_equal(asides, each);
	assert_int_equal(messages, each);
}

/* --- What a table holds -------------------------------------------------------------------- */

static int count_entry(void *context, const struct env *env, struct slice key, struct slice value,
		       struct error *err)
{
	(void)env;
	(void)key;
	(void)value;
	(void)err;
	++*(size_t *)context;
	return 0;
}

/* Entries of every table together, with the store closed meanwhile. */
static size_t count_entries(struct fixture *f)
{
	char *dir = temp_path(&f->dir, "work");
	struct env *env;
	struct env_txn *txn;
	bool is_new;
	size_t count = 0;

	store_close(&f->store);
	must(env_open(dir, STORE_MAP_SIZE, false, &env, &is_new, &f->err) == 0);
	must(env_begin(env, true, &txn, &f->err) == 0);
	for (int table = 0; table < TABLE_COUNT; table++)
		must(env_walk(txn, (enum env_table)table, slice_of(""), 0, count_entry, &count,
			      &f->err) == 0);
	env_abort(&txn);
	env_close(&env);
	free(dir);
	open_store(f);
	return count;
}

/* --- Tests ---------------------------------------------------------------------------------- */

static void a_forgotten_mailbox_leaves_nothing_and_the_others_everything(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		put_filled(f, others[i]);
	size_t before = count_entries(f);
	put_filled(f, GONE);
	assert_true(count_entries(f) > before);
	assert_kept(f, GONE, 2);
	forget(f, GONE);
	assert_kept(f, GONE, 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_kept(f, others[i], 2);
	assert_int_equal(count_entries(f), before);
}

static void a_mailbox_that_is_not_known_is_forgotten_without_a_trace(void **state)
{
	struct fixture *f = *state;

	put_filled(f, 1);
	size_t before = count_entries(f);
	forget(f, GONE);
	assert_int_equal(count_entries(f), before);
	assert_kept(f, 1, 2);
}

static void its_name_is_free_and_its_id_used_up(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record *again = xcalloc(1, sizeof(*again));
	struct store_batch batch;
	bool found = false;

	put_filled(f, GONE);
	forget(f, GONE);
	store_close(&f->store);
	open_store(f);
	store_batch_init(&batch);
	again->id = store_mailbox_new_id(f->store);
	assert_int_equal(again->id, GONE + 1);
	name_of(GONE, again->name, sizeof(again->name));
	store_batch_put_mailbox(&batch, again);
	commit(f, &batch);
	assert_int_equal(store_mailbox_get(f->store, again->name, &found, again, &f->err), 0);
	assert_true(found);
	assert_int_equal(again->id, GONE + 1);
	assert_int_equal(again->keywords.count, 0);
	free(again);
}

/* Another mailbox may get the name in the same commit, before or after. */
static void a_name_given_on_in_the_same_commit_stays_the_others(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record *mailbox = xcalloc(1, sizeof(*mailbox));
	struct store_batch batch;
	bool found = false;

	for (uint32_t id = GONE; id <= GONE + 2; id += 2) {
		bool is_before = id == GONE;
		put_filled(f, id);
		store_batch_init(&batch);
		store_batch_delete_message(&batch, id, 1);
		store_batch_delete_message(&batch, id, 2);
		*mailbox = (struct mailbox_record){ .id = id + 1 };
		name_of(id, mailbox->name, sizeof(mailbox->name));
		if (is_before)
			store_batch_put_mailbox(&batch, mailbox);
		store_batch_delete_mailbox(&batch, id);
		if (!is_before)
			store_batch_put_mailbox(&batch, mailbox);
		commit(f, &batch);
		assert_int_equal(
			store_mailbox_get(f->store, mailbox->name, &found, mailbox, &f->err), 0);
		assert_true(found);
		assert_int_equal(mailbox->id, id + 1);
	}
	free(mailbox);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_forgotten_mailbox_leaves_nothing_and_the_others_everything),
		TEST(a_mailbox_that_is_not_known_is_forgotten_without_a_trace),
		TEST(its_name_is_free_and_its_id_used_up),
		TEST(a_name_given_on_in_the_same_commit_stays_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
