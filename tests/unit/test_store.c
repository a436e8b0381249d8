/* Tests of the store: what is committed is read back, nothing else is; growth, reopening, the
 * lock, damage.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/store/env.h"
#include "../../src/store/pack.h"
#include "../../src/store/schema.h"
#include "syncd/adapter_store.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/store.h"

struct fixture {
	struct loop *loop;
	struct store *store;
	struct store_port *port;
	struct adapter_store adapter;
	struct store_options options;
	char state_dir[64];
	struct error err;
};

static void open_store(struct fixture *f)
{
	int code = store_open(f->loop, f->state_dir, "work", &f->options, &f->store, &f->err);

	if (code != 0)
		fail_msg("%s", f->err.text);
	adapter_store_init(&f->adapter, f->store);
	f->port = &f->adapter.port;
}

static void reopen_store(struct fixture *f)
{
	store_close(&f->store);
	open_store(f);
}

static void the_place_is_kept(void **state)
{
	struct fixture *f = *state;
	char long_place[STORE_PLACE_MAX + 2];

	assert_string_equal(store_place(f->store), "");
	reopen_store(f);
	assert_string_equal(store_place(f->store), "");
	assert_int_equal(store_set_place(f->store, "verbatim\n/m", &f->err), 0);
	assert_string_equal(store_place(f->store), "verbatim\n/m");
	reopen_store(f);
	assert_string_equal(store_place(f->store), "verbatim\n/m");
	assert_int_equal(store_set_place(f->store, "maildir++\n/n", &f->err), 0);
	memset(long_place, 'x', sizeof(long_place) - 1);
	long_place[sizeof(long_place) - 1] = '\0';
	assert_int_equal(store_set_place(f->store, long_place, &f->err), SYNCD_ELIMIT);
	reopen_store(f);
	assert_string_equal(store_place(f->store), "maildir++\n/n");
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)snprintf(f->state_dir, sizeof(f->state_dir), "/tmp/syncd-store-XXXXXX");
	assert_non_null(mkdtemp(f->state_dir));
	f->loop = loop_new_fake();
	f->options = (struct store_options){ .program = "test" };
	open_store(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	if (f->store != NULL)
		store_close(&f->store);
	loop_free(&f->loop);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->state_dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* --- Commits ---------------------------------------------------------------- */

struct commit {
	struct store_commit_req req;
	int code;
	int completed;
	int order; /* which completion it was */
	int *counter;
};

static void commit_done(struct port_op *op, int code)
{
	struct commit *c = container_of(op, struct commit, req.op);

	c->code = code;
	c->completed++;
	if (c->counter != NULL)
		c->order = ++*c->counter;
}

static void commit_init(struct commit *c, int *counter)
{
	*c = (struct commit){ .req = { .op = { .done = commit_done } }, .counter = counter };
	store_batch_init(&c->req.batch);
}

/* Commits a batch and waits for it. */
static int commit_batch(struct fixture *f, struct store_batch *batch)
{
	struct commit c;

	commit_init(&c, NULL);
	store_batch_move(&c.req.batch, batch);
	f->port->ops->commit(f->port, &c.req);
	assert_int_equal(c.completed, 0);
	while (c.completed == 0)
		loop_fake_advance(f->loop, 0);
	assert_int_equal(c.completed, 1);
	assert_int_equal(c.req.batch.count, 0);
	f->err = c.req.op.err;
	return c.code;
}

static struct message_record message(uint32_t uid, uint64_t flags, const char *name)
{
	struct message_record m = { .uid = uid, .flags = flags, .size_bytes = 1000u + uid };

	memset(m.identity.bytes, (int)(uid & 0xff), DIGEST_LEN);
	(void)snprintf(m.name, sizeof(m.name), "%s", name);
	return m;
}

static void commit_message(struct fixture *f, uint32_t mailbox_id, const struct message_record *m)
{
	struct store_batch batch;

	store_batch_init(&batch);
	store_batch_put_message(&batch, mailbox_id, m);
	assert_int_equal(commit_batch(f, &batch), 0);
}

static void commit_mailbox(struct fixture *f, uint32_t id, const char *name)
{
	struct mailbox_record mailbox = { .id = id, .uidvalidity = 7, .uidnext = 8 };
	struct store_batch batch;

	(void)snprintf(mailbox.name, sizeof(mailbox.name), "%s", name);
	store_batch_init(&batch);
	store_batch_put_mailbox(&batch, &mailbox);
	assert_int_equal(commit_batch(f, &batch), 0);
}

static void assert_message_equal(const struct message_record *a, const struct message_record *b)
{
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->size_bytes, b->size_bytes);
	assert_true(digest_equals(&a->identity, &b->identity));
	assert_string_equal(a->name, b->name);
}

static off_t file_size(const struct fixture *f, const char *name)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/work/%s", f->state_dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* --- Records ------------------------------------------------------------------ */

static void mailbox_comes_back_whole_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record in = { .id = f->port->ops->mailbox_new_id(f->port),
				     .uidvalidity = UINT32_MAX,
				     .uidnext = 17,
				     .highestmodseq = UINT64_MAX,
				     .exists = 12,
				     .verified_s = -3,
				     .policy = UINT64_MAX,
				     .mtimes.cur_ns = -5,
				     .mtimes.new_ns = INT64_MAX,
				     .held_remote = { 1, 2 },
				     .held_local = { UINT32_MAX, 4 },
				     .name = "Büro/a%2Fb" };
	struct mailbox_record out;
	struct store_batch batch;
	bool found;

	keyword_table_init(&in.keywords);
	uint64_t bit = keyword_table_intern(&in.keywords, slice_of("$Label1"));
	uint64_t second = keyword_table_intern(&in.keywords, slice_of("work"));
	store_batch_init(&batch);
	store_batch_put_mailbox(&batch, &in);
	assert_int_equal(commit_batch(f, &batch), 0);
	reopen_store(f);

	assert_int_equal(f->port->ops->mailbox_get(f->port, in.name, &found, &out, &f->err), 0);
	assert_true(found);
	assert_int_equal(out.id, in.id);
	assert_int_equal(out.uidvalidity, in.uidvalidity);
	assert_int_equal(out.uidnext, in.uidnext);
	assert_true(out.highestmodseq == in.highestmodseq);
	assert_true(out.mtimes.cur_ns == in.mtimes.cur_ns && out.mtimes.new_ns == in.mtimes.new_ns);
	assert_true(out.held_remote.count == 1 && out.held_remote.total == 2);
	assert_true(out.held_local.count == UINT32_MAX && out.held_local.total == 4);
	assert_string_equal(keyword_table_name(&out.keywords, bit), "$Label1");
	assert_string_equal(keyword_table_name(&out.keywords, second), "work");
	keyword_table_free(&in.keywords);
	keyword_table_free(&out.keywords);
}

static void mailbox_that_is_not_there_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record out;
	bool found = true;

	commit_mailbox(f, 1, "INBOX/a");
	assert_int_equal(f->port->ops->mailbox_get(f->port, "INBOX", &found, &out, &f->err), 0);
	assert_false(found);
}

static void mailbox_id_is_never_given_twice(void **state)
{
	struct fixture *f = *state;
	uint32_t first = f->port->ops->mailbox_new_id(f->port);

	assert_int_not_equal(first, 0);
	commit_mailbox(f, first, "A");
	commit_mailbox(f, first + 5, "B");
	reopen_store(f);
	assert_int_equal(f->port->ops->mailbox_new_id(f->port), first + 6);
	assert_int_equal(f->port->ops->mailbox_new_id(f->port), first + 7);
}

static void renamed_mailbox_is_found_by_its_new_name_only(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record out;
	bool found;

	commit_mailbox(f, 1, "old");
	commit_mailbox(f, 1, "new");
	assert_int_equal(f->port->ops->mailbox_get(f->port, "old", &found, &out, &f->err), 0);
	assert_false(found);
	assert_int_equal(f->port->ops->mailbox_get(f->port, "new", &found, &out, &f->err), 0);
	assert_true(found);
	keyword_table_free(&out.keywords);
}

static void names_longer_than_a_key_are_told_apart(void **state)
{
	struct fixture *f = *state;
	char a[MAILBOX_NAME_MAX + 1];
	char b[MAILBOX_NAME_MAX + 1];
	struct mailbox_record out;
	bool found;

	memset(a, 'x', sizeof(a));
	a[MAILBOX_NAME_MAX] = '\0';
	memcpy(b, a, sizeof(b));
	b[MAILBOX_NAME_MAX - 1] = 'y';
	commit_mailbox(f, 1, b);
	commit_mailbox(f, 2, a);
	assert_int_equal(f->port->ops->mailbox_get(f->port, a, &found, &out, &f->err), 0);
	assert_true(found && out.id == 2);
	assert_int_equal(f->port->ops->mailbox_get(f->port, b, &found, &out, &f->err), 0);
	assert_true(found && out.id == 1);
	a[MAILBOX_NAME_MAX - 1] = '\0';
	assert_int_equal(f->port->ops->mailbox_get(f->port, a, &found, &out, &f->err), 0);
	assert_false(found);
}

static void assert_text(const struct buf *text, const char *expected)
{
	assert_string_equal(buf_str(text), expected);
}

static void collect_name(void *context, const struct mailbox_record *mailbox)
{
	struct buf *text = context;

	(void)buf_printf(text, "%s=%u ", mailbox->name, (unsigned)mailbox->id);
}

static void mailboxes_are_listed_in_name_order(void **state)
{
	struct fixture *f = *state;
	struct buf text;

	buf_init(&text, 4096);
	commit_mailbox(f, 1, "b");
	commit_mailbox(f, 2, "a/z");
	commit_mailbox(f, 3, "a");
	commit_mailbox(f, 4, "a!");
	assert_int_equal(f->port->ops->mailbox_each(f->port, collect_name, &text, &f->err), 0);
	assert_text(&text, "a=3 a!=4 a/z=2 b=1 ");
	buf_free(&text);
}

static void message_is_found_by_uid_and_by_name(void **state)
{
	struct fixture *f = *state;
	struct message_record in = message(4000000000u, FLAG_SEEN | (uint64_t)1 << 63, "1.M2.host");
	struct message_record out;
	bool found;

	commit_message(f, 9, &in);
	reopen_store(f);
	assert_int_equal(f->port->ops->message_get(f->port, 9, in.uid, &found, &out, &f->err), 0);
	assert_true(found);
	assert_message_equal(&out, &in);
	assert_int_equal(f->port->ops->message_by_name(f->port, 9, in.name, &found, &out, &f->err),
			 0);
	assert_true(found);
	assert_message_equal(&out, &in);
	assert_int_equal(f->port->ops->message_get(f->port, 8, in.uid, &found, &out, &f->err), 0);
	assert_false(found);
	assert_int_equal(f->port->ops->message_by_name(f->port, 9, "1.M2", &found, &out, &f->err),
			 0);
	assert_false(found);
}

static void replaced_message_leaves_no_old_name_or_digest(void **state)
{
	struct fixture *f = *state;
	struct message_record old = message(1, 0, "old");
	struct message_record new = message(1, 0, "new");
	struct message_record out;
	struct message_place places[4];
	size_t count;
	bool found;

	memset(new.identity.bytes, 0xee, DIGEST_LEN);
	commit_message(f, 1, &old);
	commit_message(f, 1, &new);
	assert_int_equal(f->port->ops->message_by_name(f->port, 1, "old", &found, &out, &f->err),
			 0);
	assert_false(found);
	assert_int_equal(
		store_messages_by_identity(f->store, &old.identity, places, 4, &count, &f->err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(
		store_messages_by_identity(f->store, &new.identity, places, 4, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(f->port->ops->message_count(f->port, 1, &count, &f->err), 0);
	assert_int_equal(count, 1);
}

static void a_name_taken_over_by_another_message_stays_its(void **state)
{
	struct fixture *f = *state;
	struct message_record first = message(1, 0, "same");
	struct message_record second = message(2, FLAG_SEEN, "same");
	struct message_record out;
	struct store_batch batch;
	bool found;

	commit_message(f, 1, &first);
	commit_message(f, 1, &second);
	store_batch_init(&batch);
	store_batch_set_flags(&batch, 1, 1, FLAG_DRAFT);
	store_batch_delete_message(&batch, 1, 1);
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_int_equal(f->port->ops->message_by_name(f->port, 1, "same", &found, &out, &f->err),
			 0);
	assert_true(found);
	assert_message_equal(&out, &second);
}

static void equal_digests_are_found_in_all_mailboxes(void **state)
{
	struct fixture *f = *state;
	struct message_record m = message(258, 0, "a");
	struct message_place places[4];
	size_t count;

	commit_message(f, 2, &m);
	commit_message(f, 1, &m);
	m.uid = 3;
	(void)snprintf(m.name, sizeof(m.name), "b");
	commit_message(f, 1, &m);
	assert_int_equal(
		store_messages_by_identity(f->store, &m.identity, places, 4, &count, &f->err), 0);
	assert_int_equal(count, 3);
	assert_true(places[0].mailbox_id == 1 && places[0].uid == 3);
	assert_true(places[1].mailbox_id == 1 && places[1].uid == 258);
	assert_true(places[2].mailbox_id == 2 && places[2].uid == 258);
}

static void listings_come_in_pages_and_numeric_order(void **state)
{
	struct fixture *f = *state;
	const uint32_t uids[] = { 256, 1, 70000, 255 };
	struct remote_flags page[3];
	struct name_record names[3];
	size_t count;

	for (size_t i = 0; i < ARRAY_LEN(uids); i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "n%zu", i);
		struct message_record m = message(uids[i], i, name);
		commit_message(f, 1, &m);
		commit_message(f, 2, &m);
	}
	assert_int_equal(f->port->ops->messages_after(f->port, 1, 0, page, 3, &count, &f->err), 0);
	assert_int_equal(count, 3);
	assert_true(page[0].uid == 1 && page[1].uid == 255 && page[2].uid == 256);
	assert_int_equal(page[1].flags, 3);
	assert_int_equal(f->port->ops->messages_after(f->port, 1, 256, page, 3, &count, &f->err),
			 0);
	assert_int_equal(count, 1);
	assert_int_equal(page[0].uid, 70000);
	assert_int_equal(f->port->ops->names_after(f->port, 1, "", names, 3, &count, &f->err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(names[0].name, "n0");
	assert_true(names[2].uid == 70000 && names[2].flags == 2);
	assert_int_equal(f->port->ops->names_after(f->port, 1, "n2", names, 3, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(names[0].name, "n3");
}

static void flags_of_a_missing_message_are_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_batch batch;
	struct message_record out;
	bool found;

	store_batch_init(&batch);
	store_batch_set_flags(&batch, 1, 5, FLAG_SEEN);
	store_batch_delete_message(&batch, 1, 6);
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_int_equal(f->port->ops->message_get(f->port, 1, 5, &found, &out, &f->err), 0);
	assert_false(found);
}

static void collect_journal(void *context, const struct journal_record *journal)
{
	struct buf *text = context;

	(void)buf_printf(text, "%d:%s:%u:%u:%u ", (int)journal->kind, journal->name,
			 (unsigned)journal->uid, (unsigned)journal->uidvalidity,
			 (unsigned)journal->uidnext);
}

static void journal_is_keyed_by_kind_and_name(void **state)
{
	struct fixture *f = *state;
	struct journal_record deliver = { .kind = JOURNAL_DELIVER, .uid = 3, .name = "a" };
	struct journal_record append = {
		.kind = JOURNAL_APPEND, .uidvalidity = 5, .uidnext = 6, .name = "a"
	};
	struct store_batch batch;
	struct buf text;

	buf_init(&text, 4096);
	store_batch_init(&batch);
	store_batch_put_journal(&batch, 1, &append);
	store_batch_put_journal(&batch, 1, &deliver);
	store_batch_put_journal(&batch, 2, &deliver);
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_int_equal(f->port->ops->journal_each(f->port, 1, collect_journal, &text, &f->err),
			 0);
	assert_text(&text, "1:a:3:0:0 2:a:0:5:6 ");
	store_batch_delete_journal(&batch, 1, JOURNAL_DELIVER, "a");
	assert_int_equal(commit_batch(f, &batch), 0);
	buf_reset(&text);
	assert_int_equal(f->port->ops->journal_each(f->port, 1, collect_journal, &text, &f->err),
			 0);
	assert_text(&text, "2:a:0:5:6 ");
	buf_free(&text);
}

static void collect_setaside(void *context, const struct setaside_record *setaside)
{
	struct buf *text = context;

	(void)buf_printf(text, "%u:%s:%lld:%u:%s ", (unsigned)setaside->uid, setaside->name,
			 (long long)setaside->next_try_s, (unsigned)setaside->attempts,
			 setaside->reason);
}

static void messages_set_aside_are_keyed_by_uid_or_name(void **state)
{
	struct fixture *f = *state;
	struct setaside_record remote = {
		.uid = 4, .next_try_s = -1, .attempts = 2, .reason = "too odd"
	};
	struct setaside_record local = { .name = "file", .next_try_s = 99, .reason = "" };
	struct store_batch batch;
	struct buf text;

	buf_init(&text, 4096);
	store_batch_init(&batch);
	store_batch_put_setaside(&batch, 1, &remote);
	store_batch_put_setaside(&batch, 1, &local);
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_int_equal(f->port->ops->setaside_each(f->port, 1, collect_setaside, &text, &f->err),
			 0);
	assert_text(&text, "0:file:99:0: 4::-1:2:too odd ");
	store_batch_delete_setaside(&batch, 1, 4, NULL);
	store_batch_delete_setaside(&batch, 1, 0, "file");
	assert_int_equal(commit_batch(f, &batch), 0);
	buf_reset(&text);
	assert_int_equal(f->port->ops->setaside_each(f->port, 1, collect_setaside, &text, &f->err),
			 0);
	assert_text(&text, "");
	buf_free(&text);
}

/* --- Maildrops --- */

static void make_pop3(uint32_t id, struct pop3_record *pop3)
{
	*pop3 = (struct pop3_record){
		.id = id,
		.state = id % 2 == 0 ? POP3_STAGED : POP3_DELIVERED,
		.uid.bytes = { 1, (unsigned char)id },
		.identity.bytes = { 2, (unsigned char)id },
		.size_bytes = (uint64_t)id << 33,
		.listed_bytes = id,
		.first_seen_s = -(int64_t)id,
		.absent_since_s = (int64_t)id << 32,
	};
	(void)snprintf(pop3->name, sizeof(pop3->name), "file%u", (unsigned)id);
}

/* They come in order; those that are left have even ids once the others are gone. */
struct pop3_check {
	uint32_t count;
	uint32_t step;
};

static void check_pop3(void *context, const struct pop3_record *pop3)
{
	struct pop3_check *check = context;
	struct pop3_record expected;

	make_pop3(++check->count * check->step, &expected);
	assert_int_equal(pop3->id, expected.id);
	assert_int_equal(pop3->state, expected.state);
	assert_true(digest_equals(&pop3->uid, &expected.uid));
	assert_true(digest_equals(&pop3->identity, &expected.identity));
	assert_true(pop3->size_bytes == expected.size_bytes);
	assert_true(pop3->listed_bytes == expected.listed_bytes);
	assert_true(pop3->first_seen_s == expected.first_seen_s);
	assert_true(pop3->absent_since_s == expected.absent_since_s);
	assert_string_equal(pop3->name, expected.name);
}

static uint32_t count_pop3(struct fixture *f, uint32_t step)
{
	struct pop3_check check = { .step = step };

	assert_int_equal(f->port->ops->pop3_each(f->port, check_pop3, &check, &f->err), 0);
	return check.count;
}

static void what_was_downloaded_is_kept_under_ids_that_are_never_used_again(void **state)
{
	struct fixture *f = *state;
	struct pop3_record pop3;
	struct store_batch batch;

	store_batch_init(&batch);
	for (uint32_t id = 1; id <= 1000; id++) { /* several pages of a read */
		assert_int_equal(f->port->ops->pop3_new_id(f->port), id);
		make_pop3(id, &pop3);
		pop3.listed_bytes++; /* and replaced */
		store_batch_put_pop3(&batch, &pop3);
		make_pop3(id, &pop3);
		store_batch_put_pop3(&batch, &pop3);
	}
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_int_equal(count_pop3(f, 1), 1000);
	for (uint32_t id = 1; id <= 1001; id += 2)
		store_batch_delete_pop3(&batch, id);
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_int_equal(count_pop3(f, 2), 500);
	store_batch_delete_pop3(&batch, 1000);
	assert_int_equal(commit_batch(f, &batch), 0);
	reopen_store(f);
	assert_int_equal(count_pop3(f, 2), 499);
	assert_int_equal(f->port->ops->pop3_new_id(f->port), 1001);
}

/* --- Transactions ---------------------------------------------------------------- */

static void commits_complete_in_order_and_share_transactions(void **state)
{
	struct fixture *f = *state;
	struct commit commits[5];
	int counter = 0;
	size_t count;

	for (size_t i = 0; i < ARRAY_LEN(commits); i++) {
		struct message_record m = message((uint32_t)i + 1, 0, "x");
		m.name[0] = (char)('a' + i);
		commit_init(&commits[i], &counter);
		if (i != 2) /* an empty one keeps its place */
			store_batch_put_message(&commits[i].req.batch, 1, &m);
		f->port->ops->commit(f->port, &commits[i].req);
	}
	loop_fake_advance(f->loop, 0);
	for (size_t i = 0; i < ARRAY_LEN(commits); i++) {
		assert_int_equal(commits[i].completed, 1);
		assert_int_equal(commits[i].code, 0);
		assert_int_equal(commits[i].order, (int)i + 1);
	}
	assert_int_equal(f->port->ops->message_count(f->port, 1, &count, &f->err), 0);
	assert_int_equal(count, 4);
}

/* The transaction's number is in the meta pages: any write changes the file. */
static unsigned long file_sum(const struct fixture *f)
{
	char path[128];
	unsigned long sum = 5381;
	int c;

	(void)snprintf(path, sizeof(path), "%s/work/data.mdb", f->state_dir);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	while ((c = getc(file)) != EOF)
		sum = sum * 33 + (unsigned long)c;
	assert_int_equal(fclose(file), 0);
	return sum;
}

static void nothing_new_leaves_the_file_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct message_record m = message(1, FLAG_SEEN, "a");
	struct store_batch batch;

	commit_message(f, 1, &m);
	commit_mailbox(f, 1, "INBOX");
	unsigned long before = file_sum(f);
	store_batch_init(&batch);
	assert_int_equal(commit_batch(f, &batch), 0);
	commit_message(f, 1, &m);
	commit_mailbox(f, 1, "INBOX");
	reopen_store(f);
	assert_true(file_sum(f) == before);
	m.flags = 0;
	commit_message(f, 1, &m);
	assert_true(file_sum(f) != before);
}

static void map_grows_as_often_as_it_must(void **state)
{
	struct fixture *f = *state;
	struct store_batch batch;
	struct message_record out;
	size_t count;
	bool found;

	store_close(&f->store);
	f->options.map_size_bytes = 65536;
	open_store(f);
	store_batch_init(&batch);
	for (uint32_t uid = 1; uid <= 5000; uid++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%u.M%uP1.host", (unsigned)uid, (unsigned)uid);
		struct message_record m = message(uid, uid, name);
		store_batch_put_message(&batch, 1, &m);
	}
	assert_int_equal(commit_batch(f, &batch), 0);
	assert_true(file_size(f, "data.mdb") > 65536 * 4);
	reopen_store(f);
	assert_int_equal(f->port->ops->message_count(f->port, 1, &count, &f->err), 0);
	assert_int_equal(count, 5000);
	assert_int_equal(f->port->ops->message_get(f->port, 1, 4999, &found, &out, &f->err), 0);
	assert_true(found && out.flags == 4999);
}

static void a_new_state_fits_through_the_smallest_map(void **state)
{
	struct fixture *f = *state;
	char path[128];

	store_close(&f->store);
	(void)snprintf(path, sizeof(path), "%s/work/data.mdb", f->state_dir);
	assert_int_equal(unlink(path), 0);
	f->options.map_size_bytes = 1;
	open_store(f);
	commit_mailbox(f, 1, "INBOX");
}

struct pump {
	struct commit commit;
	struct fixture *f;
	struct loop_defer read;
	uint32_t uid;
	int reads;
};

/* Reads all the time in the loop while transactions run in the pool. */
static void pump_read(struct loop_defer *defer)
{
	struct pump *pump = container_of(defer, struct pump, read);
	struct fixture *f = pump->f;
	struct message_record out;
	bool found;

	assert_int_equal(
		f->port->ops->message_get(f->port, 1, pump->uid / 2 + 1, &found, &out, &f->err), 0);
	pump->reads++;
	if (pump->uid < 3000)
		loop_defer(f->loop, defer, pump_read);
}

static void pump_commit(struct pump *pump)
{
	commit_init(&pump->commit, NULL);
	for (int i = 0; i < 100; i++) {
		char name[32];
		pump->uid++;
		(void)snprintf(name, sizeof(name), "m%u", (unsigned)pump->uid);
		struct message_record m = message(pump->uid, 0, name);
		store_batch_put_message(&pump->commit.req.batch, 1, &m);
	}
}

static void pump_done(struct port_op *op, int code)
{
	struct pump *pump = container_of(op, struct pump, commit.req.op);

	assert_int_equal(code, 0);
	if (pump->uid >= 3000)
		return;
	pump_commit(pump);
	pump->commit.req.op.done = pump_done;
	pump->f->port->ops->commit(pump->f->port, &pump->commit.req);
}

static void reads_go_on_while_the_pool_commits_and_the_map_grows(void **state)
{
	struct fixture *f = *state;
	struct pump pump = { .f = f };
	size_t count;

	store_close(&f->store);
	loop_free(&f->loop);
	f->loop = loop_new();
	f->options.map_size_bytes = 32768;
	open_store(f);
	pump_commit(&pump);
	pump.commit.req.op.done = pump_done;
	f->port->ops->commit(f->port, &pump.commit.req);
	loop_defer(f->loop, &pump.read, pump_read);
	loop_run(f->loop);
	assert_true(pump.reads > 0);
	assert_int_equal(f->port->ops->message_count(f->port, 1, &count, &f->err), 0);
	assert_int_equal(count, 3000);
}

/* --- Opening ------------------------------------------------------------------------ */

static void identity_is_made_once_and_kept(void **state)
{
	struct fixture *f = *state;
	char first[STORE_IDENTITY_LEN + 1];

	(void)snprintf(first, sizeof(first), "%s", store_identity(f->store));
	assert_int_equal(strspn(first, "0123456789abcdef"), STORE_IDENTITY_LEN);
	reopen_store(f);
	assert_string_equal(store_identity(f->store), first);
}

static void state_is_private_to_the_user(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/work", f->state_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "%s/work/data.mdb", f->state_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void second_process_is_told_who_holds_the_account(void **state)
{
	struct fixture *f = *state;
	struct store *second;
	char holder[64];

	assert_int_equal(store_open(f->loop, f->state_dir, "work", &f->options, &second, &f->err),
			 SYNCD_EBUSY);
	(void)snprintf(holder, sizeof(holder), "in use by pid %ld (test)", (long)getpid());
	assert_non_null(strstr(f->err.text, holder));
	assert_null(second);
	reopen_store(f);
}

static void lock_of_a_dead_process_is_no_hindrance(void **state)
{
	struct fixture *f = *state;
	int status;

	store_close(&f->store);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *store;
		_exit(store_open(f->loop, f->state_dir, "work", &f->options, &store, &f->err) == 0
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_store(f);
}

static void read_only_makes_nothing_and_finds_nothing(void **state)
{
	struct fixture *f = *state;
	struct message_record out;
	struct stat st;
	char path[128];
	bool found;

	store_close(&f->store);
	(void)snprintf(path, sizeof(path), "%s/other", f->state_dir);
	f->options.is_read_only = true;
	assert_int_equal(
		store_open(f->loop, f->state_dir, "other", &f->options, &f->store, &f->err), 0);
	assert_int_equal(store_message_get(f->store, 1, 1, &found, &out, &f->err), 0);
	assert_false(found);
	assert_int_equal(stat(path, &st), -1);
	assert_string_equal(store_identity(f->store), "");
}

static void read_only_reads_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct message_record m = message(1, FLAG_SEEN, "a");
	struct message_record out;
	bool found;

	commit_message(f, 1, &m);
	unsigned long before = file_sum(f);
	store_close(&f->store);
	f->options.is_read_only = true;
	open_store(f);
	assert_int_equal(f->port->ops->message_get(f->port, 1, 1, &found, &out, &f->err), 0);
	assert_true(found);
	assert_true(file_sum(f) == before);
}

/* --- Damage ----------------------------------------------------------------------------- */

/* Writes straight into a table of the closed store. */
static void put_raw(struct fixture *f, enum env_table table, const struct pack_key *key,
		    struct slice value)
{
	char dir[80];
	struct env *env;
	struct env_txn *txn;
	bool is_new;

	(void)snprintf(dir, sizeof(dir), "%s/work", f->state_dir);
	assert_int_equal(env_open(dir, STORE_MAP_SIZE, false, &env, &is_new, &f->err), 0);
	assert_int_equal(env_begin(env, true, &txn, &f->err), 0);
	assert_int_equal(env_put(txn, table, pack_key_slice(key), value, &f->err), 0);
	assert_int_equal(env_commit(&txn, &f->err), 0);
	env_close(&env);
}

static void newer_schema_is_refused_in_clear_words(void **state)
{
	struct fixture *f = *state;
	struct pack_key key;
	struct buf value;
	char said[80];

	store_close(&f->store);
	pack_key_init(&key);
	pack_key_bytes(&key, "schema", 6);
	buf_init(&value, 8);
	pack_u32(&value, STORE_SCHEMA + 1);
	put_raw(f, TABLE_META, &key, buf_slice(&value));
	buf_free(&value);
	assert_int_equal(store_open(f->loop, f->state_dir, "work", &f->options, &f->store, &f->err),
			 SYNCD_EIO);
	(void)snprintf(said, sizeof(said), "newer syncd (schema %d, this one knows %d)",
		       STORE_SCHEMA + 1, STORE_SCHEMA);
	assert_non_null(strstr(f->err.text, said));
}

static void ignore_mailbox(void *context, const struct mailbox_record *mailbox)
{
	(void)context, (void)mailbox;
}

static void ignore_journal(void *context, const struct journal_record *journal)
{
	(void)context, (void)journal;
}

static void ignore_setaside(void *context, const struct setaside_record *setaside)
{
	(void)context, (void)setaside;
}

/* Every read there is; the first failure. */
static int read_everything(struct fixture *f)
{
	struct message_record m;
	struct remote_flags page[4];
	struct name_record names[4];
	size_t count;
	bool found;
	int codes[] = {
		f->port->ops->mailbox_each(f->port, ignore_mailbox, NULL, &f->err),
		f->port->ops->message_get(f->port, 1, 1, &found, &m, &f->err),
		f->port->ops->message_by_name(f->port, 1, "a", &found, &m, &f->err),
		f->port->ops->messages_after(f->port, 1, 0, page, 4, &count, &f->err),
		f->port->ops->names_after(f->port, 1, "", names, 4, &count, &f->err),
		f->port->ops->message_count(f->port, 1, &count, &f->err),
		f->port->ops->journal_each(f->port, 1, ignore_journal, NULL, &f->err),
		f->port->ops->setaside_each(f->port, 1, ignore_setaside, NULL, &f->err),
	};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i] != 0)
			return codes[i];
	}
	return 0;
}

/* Cuts the record at every length and puts a byte in front and behind. */
static void assert_cuts_are_noticed(struct fixture *f, enum env_table table,
				    const struct pack_key *key, struct slice value,
				    size_t valid_from)
{
	for (size_t len = 0; len < value.len; len++) {
		store_close(&f->store);
		put_raw(f, table, key, (struct slice){ value.data, len });
		open_store(f);
		int code = read_everything(f);
		if (len < valid_from || code != 0)
			assert_int_equal(code, SYNCD_EIO);
		if (code != 0)
			assert_non_null(strstr(f->err.text, "damaged"));
	}
	store_close(&f->store);
	put_raw(f, table, key, value);
	open_store(f);
	assert_int_equal(read_everything(f), 0);
}

static void a_record_cut_anywhere_is_an_error_not_a_crash(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record mailbox = { .id = 1, .name = "INBOX" };
	struct message_record m = message(1, 0, "a");
	struct name_record name = { .uid = 1 };
	struct journal_record journal = { .kind = JOURNAL_APPEND, .name = "a" };
	struct setaside_record setaside = { .uid = 4, .name = "q", .reason = "r" };
	struct pack_key key;
	struct buf value;

	keyword_table_init(&mailbox.keywords);
	keyword_table_intern(&mailbox.keywords, slice_of("work"));
	buf_init(&value, PACK_VALUE_MAX);
	commit_message(f, 1, &m);

	/* The name is the rest: cut in it, a record is still one. */
	key = schema_mailbox_key(1);
	pack_mailbox(&value, &mailbox);
	assert_cuts_are_noticed(f, TABLE_MAILBOX, &key, buf_slice(&value), value.len - 4);
	buf_reset(&value);
	key = schema_message_key(1, 1);
	pack_message(&value, &m);
	assert_cuts_are_noticed(f, TABLE_MESSAGE, &key, buf_slice(&value), value.len);
	buf_reset(&value);
	key = schema_name_key(1, "a");
	pack_name(&value, &name);
	assert_cuts_are_noticed(f, TABLE_NAME, &key, buf_slice(&value), value.len);
	buf_reset(&value);
	key = schema_journal_key(1, JOURNAL_APPEND, "a");
	pack_journal(&value, &journal);
	assert_cuts_are_noticed(f, TABLE_JOURNAL, &key, buf_slice(&value), value.len);
	buf_reset(&value);
	key = schema_setaside_key(1, 4, "q");
	pack_setaside(&value, &setaside);
	assert_cuts_are_noticed(f, TABLE_SETASIDE, &key, buf_slice(&value), value.len - 1);
	keyword_table_free(&mailbox.keywords);
	buf_free(&value);
}

static void write_file(const struct fixture *f, const char *bytes, size_t len, off_t cut_to)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/work/data.mdb", f->state_dir);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(truncate(path, cut_to), 0);
}

static void a_file_of_rubbish_is_an_error_with_advice(void **state)
{
	struct fixture *f = *state;
	char rubbish[8192];

	store_close(&f->store);
	memset(rubbish, 'x', sizeof(rubbish));
	write_file(f, rubbish, sizeof(rubbish), sizeof(rubbish));
	assert_int_equal(store_open(f->loop, f->state_dir, "work", &f->options, &f->store, &f->err),
			 SYNCD_EIO);
	assert_non_null(strstr(f->err.text, "move data.mdb away"));
	assert_non_null(strstr(f->err.context, "work"));
}

static void a_file_cut_short_is_an_error_not_a_crash(void **state)
{
	struct fixture *f = *state;
	struct store_batch batch;

	store_batch_init(&batch);
	for (uint32_t uid = 1; uid <= 2000; uid++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "m%u", (unsigned)uid);
		struct message_record m = message(uid, 0, name);
		store_batch_put_message(&batch, 1, &m);
	}
	assert_int_equal(commit_batch(f, &batch), 0);
	store_close(&f->store);
	write_file(f, "", 0, 32768);
	f->options.is_read_only = true;
	assert_int_equal(store_open(f->loop, f->state_dir, "work", &f->options, &f->store, &f->err),
			 SYNCD_EIO);
	f->options.is_read_only = false;
	assert_int_equal(store_open(f->loop, f->state_dir, "work", &f->options, &f->store, &f->err),
			 SYNCD_EIO);
	assert_non_null(strstr(f->err.text, "damaged"));
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_place_is_kept),
		STORE_TEST(mailbox_comes_back_whole_after_reopening),
		STORE_TEST(mailbox_that_is_not_there_is_not_found),
		STORE_TEST(mailbox_id_is_never_given_twice),
		STORE_TEST(renamed_mailbox_is_found_by_its_new_name_only),
		STORE_TEST(names_longer_than_a_key_are_told_apart),
		STORE_TEST(mailboxes_are_listed_in_name_order),
		STORE_TEST(message_is_found_by_uid_and_by_name),
		STORE_TEST(replaced_message_leaves_no_old_name_or_digest),
		STORE_TEST(a_name_taken_over_by_another_message_stays_its),
		STORE_TEST(equal_digests_are_found_in_all_mailboxes),
		STORE_TEST(listings_come_in_pages_and_numeric_order),
		STORE_TEST(flags_of_a_missing_message_are_nothing),
		STORE_TEST(journal_is_keyed_by_kind_and_name),
		STORE_TEST(messages_set_aside_are_keyed_by_uid_or_name),
		STORE_TEST(what_was_downloaded_is_kept_under_ids_that_are_never_used_again),
		STORE_TEST(commits_complete_in_order_and_share_transactions),
		STORE_TEST(nothing_new_leaves_the_file_as_it_is),
		STORE_TEST(map_grows_as_often_as_it_must),
		STORE_TEST(a_new_state_fits_through_the_smallest_map),
		STORE_TEST(reads_go_on_while_the_pool_commits_and_the_map_grows),
		STORE_TEST(identity_is_made_once_and_kept),
		STORE_TEST(state_is_private_to_the_user),
		STORE_TEST(second_process_is_told_who_holds_the_account),
		STORE_TEST(lock_of_a_dead_process_is_no_hindrance),
		STORE_TEST(read_only_makes_nothing_and_finds_nothing),
		STORE_TEST(read_only_reads_what_is_there),
		STORE_TEST(newer_schema_is_refused_in_clear_words),
		STORE_TEST(a_record_cut_anywhere_is_an_error_not_a_crash),
		STORE_TEST(a_file_of_rubbish_is_an_error_with_advice),
		STORE_TEST(a_file_cut_short_is_an_error_not_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
