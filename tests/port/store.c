/* The store port: the simulator's tables and LMDB.
 * SPDX-License-Identifier: MIT */
#include "port/port.h"

#include <stdio.h>

#include "support/temp_dir.h"
#include "syncd/adapter_store.h"
#include "syncd/alloc.h"

struct store_kind;

struct store_bench {
	const struct store_kind *kind;
	struct turner turner;
	struct store_port *port;
	struct adapter_store adapter; /* of the real one */
	struct store *store;
	struct temp_dir dir;
	uint32_t mailbox_id;
	struct error err;
};

struct store_kind {
	const char *name;
	void (*make)(struct store_bench *bench);
	void (*destroy)(struct store_bench *bench);
};

/* --- The two kinds ------------------------------------------------------------------------- */

static void model_make(struct store_bench *bench)
{
	bench->turner.world = xcalloc(1, sizeof(*bench->turner.world));
	world_init(bench->turner.world, 1);
	bench->port = &bench->turner.world->store.port;
}

static void model_destroy(struct store_bench *bench)
{
	(void)bench;
}

static void lmdb_make(struct store_bench *bench)
{
	const struct store_options options = { .program = "port",
					       .map_size_bytes = STORE_MAP_SIZE };

	temp_dir_make(&bench->dir);
	bench->turner.loop = loop_new();
	must(store_open(bench->turner.loop, bench->dir.path, "work", &options, &bench->store,
			&bench->err) == 0);
	adapter_store_init(&bench->adapter, bench->store);
	bench->port = &bench->adapter.port;
}

static void lmdb_destroy(struct store_bench *bench)
{
	store_close(&bench->store);
	temp_dir_remove(&bench->dir);
}

static struct store_kind model_kind = { "store model", model_make, model_destroy };
static struct store_kind lmdb_kind = { "store lmdb", lmdb_make, lmdb_destroy };

static int commit(struct store_bench *bench, struct store_commit_req *req)
{
	op_prepare(&bench->turner, &req->op);
	bench->port->ops->commit(bench->port, req);
	return op_await(&bench->turner, &req->op);
}

static int setup(void **state)
{
	struct store_bench *bench = xcalloc(1, sizeof(*bench));
	struct mailbox_record *mailbox = xcalloc(1, sizeof(*mailbox));
	struct store_commit_req req = { .batch.count = 0 };

	bench->kind = *state;
	bench->kind->make(bench);
	*state = bench;
	bench->mailbox_id = bench->port->ops->mailbox_new_id(bench->port);
	mailbox->id = bench->mailbox_id;
	mailbox->uidvalidity = 7;
	(void)snprintf(mailbox->name, sizeof(mailbox->name), "INBOX");
	store_batch_init(&req.batch);
	store_batch_put_mailbox(&req.batch, mailbox);
	free(mailbox);
	return commit(bench, &req);
}

static int teardown(void **state)
{
	struct store_bench *bench = *state;

	bench->kind->destroy(bench);
	turner_free(&bench->turner);
	free(bench);
	return 0;
}

/* --- Short ways ---------------------------------------------------------------------------- */

static struct message_record message_of(uint32_t uid, const char *name, uint64_t flags)
{
	struct message_record record = { .uid = uid, .flags = flags, .size_bytes = 1000 + uid };

	(void)snprintf(record.name, sizeof(record.name), "%s", name);
	memset(record.identity.bytes, (int)uid, sizeof(record.identity.bytes));
	return record;
}

static void put_message(struct store_bench *bench, uint32_t uid, const char *name, uint64_t flags)
{
	struct message_record record = message_of(uid, name, flags);
	struct store_commit_req req = { .batch.count = 0 };

	store_batch_init(&req.batch);
	store_batch_put_message(&req.batch, bench->mailbox_id, &record);
	assert_int_equal(commit(bench, &req), 0);
}

static bool get(struct store_bench *bench, uint32_t uid, struct message_record *out)
{
	bool found = false;

	assert_int_equal(bench->port->ops->message_get(bench->port, bench->mailbox_id, uid, &found,
						       out, &bench->err),
			 0);
	return found;
}

static bool get_by_name(struct store_bench *bench, const char *name, struct message_record *out)
{
	bool found = false;

	assert_int_equal(bench->port->ops->message_by_name(bench->port, bench->mailbox_id, name,
							   &found, out, &bench->err),
			 0);
	return found;
}

static size_t count_of(struct store_bench *bench)
{
	size_t count = 99;

	assert_int_equal(bench->port->ops->message_count(bench->port, bench->mailbox_id, &count,
							 &bench->err),
			 0);
	return count;
}

/* --- The cases ----------------------------------------------------------------------------------
 */

static void a_mailbox_comes_back_with_its_keywords(void **state)
{
	struct store_bench *bench = *state;
	struct mailbox_record *out = xcalloc(1, sizeof(*out));
	struct store_commit_req req = { .batch.count = 0 };
	bool found = false;

	assert_int_equal(
		bench->port->ops->mailbox_get(bench->port, "INBOX", &found, out, &bench->err), 0);
	assert_true(found);
	assert_int_equal(out->uidvalidity, 7);
	out->uidnext = 5;
	out->highestmodseq = (uint64_t)1 << 62;
	out->mtimes.cur_ns = -1;
	(void)keyword_table_intern(&out->keywords, slice_of("work"));
	store_batch_init(&req.batch);
	store_batch_put_mailbox(&req.batch, out);
	keyword_table_free(&out->keywords);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(
		bench->port->ops->mailbox_get(bench->port, "INBOX", &found, out, &bench->err), 0);
	assert_true(found);
	assert_int_equal(out->id, bench->mailbox_id);
	assert_int_equal(out->uidnext, 5);
	assert_true(out->highestmodseq == (uint64_t)1 << 62);
	assert_true(out->mtimes.cur_ns == -1);
	assert_int_equal(out->keywords.count, 1);
	assert_string_equal(out->keywords.names[0], "work");
	keyword_table_free(&out->keywords);
	assert_int_equal(
		bench->port->ops->mailbox_get(bench->port, "Other", &found, out, &bench->err), 0);
	assert_false(found);
	free(out);
}

static void count_mailbox(void *context, const struct mailbox_record *mailbox)
{
	assert_string_equal(mailbox->name, "INBOX");
	(*(size_t *)context)++;
}

static void each_mailbox_is_told(void **state)
{
	struct store_bench *bench = *state;
	size_t count = 0;

	assert_int_equal(
		bench->port->ops->mailbox_each(bench->port, count_mailbox, &count, &bench->err), 0);
	assert_int_equal(count, 1);
}

static void a_commit_is_seen_when_it_is_done(void **state)
{
	struct store_bench *bench = *state;
	struct message_record out;
	struct message_record expected = message_of(3, "c", FLAG_SEEN);

	assert_false(get(bench, 3, &out));
	put_message(bench, 3, "c", FLAG_SEEN);
	assert_true(get(bench, 3, &out));
	assert_int_equal(out.uid, 3);
	assert_int_equal(out.flags, FLAG_SEEN);
	assert_int_equal(out.size_bytes, 1003);
	assert_string_equal(out.name, "c");
	assert_true(digest_equals(&out.identity, &expected.identity));
	assert_true(get_by_name(bench, "c", &out));
	assert_int_equal(out.uid, 3);
	assert_int_equal(count_of(bench), 1);
}

static void a_commit_empties_its_batch(void **state)
{
	struct store_bench *bench = *state;
	struct message_record record = message_of(1, "a", 0);
	struct store_commit_req req = { .batch.count = 0 };

	store_batch_init(&req.batch);
	store_batch_put_message(&req.batch, bench->mailbox_id, &record);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(req.batch.count, 0);
	assert_null(req.batch.first);
	assert_int_equal(commit(bench, &req), 0); /* of nothing */
}

static void commits_happen_in_the_order_of_the_calls(void **state)
{
	struct store_bench *bench = *state;
	struct store_commit_req reqs[8];
	struct message_record out;

	for (uint64_t i = 0; i < ARRAY_LEN(reqs); i++) {
		struct message_record record = message_of(1, "a", i);
		store_batch_init(&reqs[i].batch);
		store_batch_put_message(&reqs[i].batch, bench->mailbox_id, &record);
		op_prepare(&bench->turner, &reqs[i].op);
		bench->port->ops->commit(bench->port, &reqs[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(reqs); i++) {
		assert_int_equal(op_await(&bench->turner, &reqs[i].op), 0);
		assert_true(get(bench, 1, &out));
		assert_true(out.flags >= i);
	}
	assert_int_equal(out.flags, ARRAY_LEN(reqs) - 1);
	assert_int_equal(count_of(bench), 1);
}

static void changes_of_a_batch_apply_in_order(void **state)
{
	struct store_bench *bench = *state;
	struct message_record record = message_of(1, "a", 0);
	struct message_record out;
	struct store_commit_req req = { .batch.count = 0 };

	store_batch_init(&req.batch);
	store_batch_put_message(&req.batch, bench->mailbox_id, &record);
	store_batch_delete_message(&req.batch, bench->mailbox_id, 1);
	record = message_of(2, "a", 0); /* the name is free again */
	store_batch_put_message(&req.batch, bench->mailbox_id, &record);
	store_batch_set_flags(&req.batch, bench->mailbox_id, 2, FLAG_FLAGGED);
	store_batch_set_flags(&req.batch, bench->mailbox_id, 2, FLAG_DRAFT);
	assert_int_equal(commit(bench, &req), 0);
	assert_false(get(bench, 1, &out));
	assert_true(get_by_name(bench, "a", &out));
	assert_int_equal(out.uid, 2);
	assert_int_equal(out.flags, FLAG_DRAFT);
	assert_int_equal(out.size_bytes, 1002);
}

static void a_deleted_message_is_gone_by_uid_and_by_name(void **state)
{
	struct store_bench *bench = *state;
	struct message_record out;
	struct store_commit_req req = { .batch.count = 0 };

	put_message(bench, 1, "a", 0);
	put_message(bench, 2, "b", 0);
	store_batch_init(&req.batch);
	store_batch_delete_message(&req.batch, bench->mailbox_id, 1);
	store_batch_delete_message(&req.batch, bench->mailbox_id, 77); /* never there */
	assert_int_equal(commit(bench, &req), 0);
	assert_false(get(bench, 1, &out));
	assert_false(get_by_name(bench, "a", &out));
	assert_true(get(bench, 2, &out));
	assert_int_equal(count_of(bench), 1);
}

static void a_message_put_under_another_name_leaves_the_old_one(void **state)
{
	struct store_bench *bench = *state;
	struct message_record out;
	struct name_record names[4];
	size_t count = 0;

	put_message(bench, 1, "old", 0);
	put_message(bench, 1, "new", FLAG_SEEN);
	assert_false(get_by_name(bench, "old", &out));
	assert_true(get_by_name(bench, "new", &out));
	assert_int_equal(bench->port->ops->names_after(bench->port, bench->mailbox_id, "", names,
						       ARRAY_LEN(names), &count, &bench->err),
			 0);
	assert_int_equal(count, 1);
	assert_string_equal(names[0].name, "new");
	assert_int_equal(names[0].flags, FLAG_SEEN);
}

static void uids_come_in_order_and_in_pieces(void **state)
{
	static const uint32_t uids[] = { 256, 1, UINT32_MAX, 65536, 255, 2 };
	static const uint32_t sorted[] = { 1, 2, 255, 256, 65536, UINT32_MAX };
	struct store_bench *bench = *state;
	struct remote_flags out[4];
	uint32_t after = 0;
	size_t count = 0;
	size_t at = 0;
	char name[16];

	for (size_t i = 0; i < ARRAY_LEN(uids); i++) {
		(void)snprintf(name, sizeof(name), "n%zu", i);
		put_message(bench, uids[i], name, i);
	}
	do {
		assert_int_equal(bench->port->ops->messages_after(bench->port, bench->mailbox_id,
								  after, out, ARRAY_LEN(out),
								  &count, &bench->err),
				 0);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(out[i].uid, sorted[at++]);
		if (count > 0)
			after = out[count - 1].uid;
	} while (count > 0);
	assert_int_equal(at, ARRAY_LEN(sorted));
}

static void names_come_in_byte_order_and_in_pieces(void **state)
{
	static const char *const sorted[] = { "1", "1.a", "10", "2", "A", "a", "a\xc3\xa4", "b" };
	static const uint32_t order[] = { 5, 0, 7, 2, 1, 6, 4, 3 };
	struct store_bench *bench = *state;
	struct name_record *out = xcalloc(3, sizeof(*out));
	char after[MAIL_NAME_MAX + 1] = "";
	size_t count = 0;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		put_message(bench, 100 + order[i], sorted[order[i]], order[i]);
	do {
		assert_int_equal(bench->port->ops->names_after(bench->port, bench->mailbox_id,
							       after, out, 3, &count, &bench->err),
				 0);
		for (size_t i = 0; i < count; i++, at++) {
			assert_string_equal(out[i].name, sorted[at]);
			assert_int_equal(out[i].uid, 100 + at);
			assert_int_equal(out[i].flags, at);
			memcpy(after, out[i].name, sizeof(after));
		}
	} while (count > 0);
	assert_int_equal(at, ARRAY_LEN(sorted));
	free(out);
}

static void the_longest_name_is_kept_whole(void **state)
{
	struct store_bench *bench = *state;
	struct message_record out;
	char name[MAIL_NAME_MAX + 1];

	memset(name, 'x', MAIL_NAME_MAX);
	name[MAIL_NAME_MAX] = '\0';
	put_message(bench, 1, name, 0);
	name[MAIL_NAME_MAX - 1] = 'y';
	put_message(bench, 2, name, 0);
	assert_true(get_by_name(bench, name, &out));
	assert_int_equal(out.uid, 2);
	assert_true(get(bench, 1, &out));
	assert_int_equal(out.name[MAIL_NAME_MAX - 1], 'x');
	assert_int_equal(strlen(out.name), MAIL_NAME_MAX);
}

struct journals {
	struct journal_record records[4];
	size_t count;
};

static void take_journal(void *context, const struct journal_record *journal)
{
	struct journals *journals = context;

	must(journals->count < ARRAY_LEN(journals->records));
	journals->records[journals->count++] = *journal;
}

static size_t read_journal(struct store_bench *bench, struct journals *journals)
{
	journals->count = 0;
	assert_int_equal(bench->port->ops->journal_each(bench->port, bench->mailbox_id,
							take_journal, journals, &bench->err),
			 0);
	return journals->count;
}

static void the_journal_is_keyed_by_kind_and_name(void **state)
{
	struct store_bench *bench = *state;
	struct journal_record deliver = {
		.kind = JOURNAL_DELIVER, .uid = 9, .flags = FLAG_SEEN, .name = "n"
	};
	struct journal_record append = { .kind = JOURNAL_APPEND,
					 .flags = FLAG_DRAFT,
					 .uidvalidity = 7,
					 .uidnext = 8,
					 .size_bytes = 1234,
					 .identity.bytes = { 1, 2, 3 },
					 .name = "n" };
	struct journals journals;
	struct store_commit_req req = { .batch.count = 0 };

	store_batch_init(&req.batch);
	store_batch_put_journal(&req.batch, bench->mailbox_id, &deliver);
	store_batch_put_journal(&req.batch, bench->mailbox_id, &append);
	append.uidnext = 10; /* put again: replaced */
	store_batch_put_journal(&req.batch, bench->mailbox_id, &append);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_journal(bench, &journals), 2);
	store_batch_delete_journal(&req.batch, bench->mailbox_id, JOURNAL_DELIVER, "n");
	store_batch_delete_journal(&req.batch, bench->mailbox_id, JOURNAL_DELIVER, "never there");
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_journal(bench, &journals), 1);
	assert_int_equal(journals.records[0].kind, JOURNAL_APPEND);
	assert_int_equal(journals.records[0].uidvalidity, 7);
	assert_int_equal(journals.records[0].uidnext, 10);
	assert_int_equal(journals.records[0].size_bytes, 1234);
	assert_int_equal(journals.records[0].flags, FLAG_DRAFT);
	assert_true(digest_equals(&journals.records[0].identity, &append.identity));
	assert_string_equal(journals.records[0].name, "n");
}

struct asides {
	struct setaside_record records[4];
	size_t count;
};

static void take_aside(void *context, const struct setaside_record *record)
{
	struct asides *asides = context;

	must(asides->count < ARRAY_LEN(asides->records));
	asides->records[asides->count++] = *record;
}

static size_t read_asides(struct store_bench *bench, struct asides *asides)
{
	asides->count = 0;
	assert_int_equal(bench->port->ops->setaside_each(bench->port, bench->mailbox_id, take_aside,
							 asides, &bench->err),
			 0);
	return asides->count;
}

static void messages_set_aside_are_keyed_by_uid_or_name(void **state)
{
	struct store_bench *bench = *state;
	struct setaside_record remote = { .uid = 4, .next_try_s = 5, .reason = "first" };
	struct setaside_record local = { .name = "n", .next_try_s = -6, .attempts = 3 };
	struct asides asides;
	struct store_commit_req req = { .batch.count = 0 };

	store_batch_init(&req.batch);
	store_batch_put_setaside(&req.batch, bench->mailbox_id, &remote);
	store_batch_put_setaside(&req.batch, bench->mailbox_id, &local);
	(void)snprintf(remote.reason, sizeof(remote.reason), "second");
	store_batch_put_setaside(&req.batch, bench->mailbox_id, &remote);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_asides(bench, &asides), 2);
	store_batch_delete_setaside(&req.batch, bench->mailbox_id, 0, "n");
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_asides(bench, &asides), 1);
	assert_int_equal(asides.records[0].uid, 4);
	assert_int_equal(asides.records[0].next_try_s, 5);
	assert_string_equal(asides.records[0].reason, "second");
	store_batch_put_setaside(&req.batch, bench->mailbox_id, &local);
	store_batch_delete_setaside(&req.batch, bench->mailbox_id, 4, NULL);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_asides(bench, &asides), 1);
	assert_string_equal(asides.records[0].name, "n");
	assert_int_equal(asides.records[0].next_try_s, -6);
	assert_int_equal(asides.records[0].attempts, 3);
}

/* --- Maildrops --- */

struct downloads {
	struct pop3_record records[4];
	size_t count;
};

static void take_download(void *context, const struct pop3_record *record)
{
	struct downloads *downloads = context;

	must(downloads->count < ARRAY_LEN(downloads->records));
	downloads->records[downloads->count++] = *record;
}

static size_t read_downloads(struct store_bench *bench, struct downloads *downloads)
{
	downloads->count = 0;
	assert_int_equal(
		bench->port->ops->pop3_each(bench->port, take_download, downloads, &bench->err), 0);
	return downloads->count;
}

static void what_was_downloaded_is_kept_by_id(void **state)
{
	struct store_bench *bench = *state;
	uint32_t first = bench->port->ops->pop3_new_id(bench->port);
	uint32_t second = bench->port->ops->pop3_new_id(bench->port);
	struct pop3_record record = {
		.id = second, .state = POP3_STAGED, .listed_bytes = 7, .name = "b"
	};
	struct downloads downloads;
	struct store_commit_req req = { .batch.count = 0 };

	assert_true(first < second);
	store_batch_init(&req.batch);
	store_batch_put_pop3(&req.batch, &record);
	record = (struct pop3_record){ .id = first, .state = POP3_STAGED, .name = "a" };
	store_batch_put_pop3(&req.batch, &record);
	record.state = POP3_DELIVERED;
	record.absent_since_s = 5;
	store_batch_put_pop3(&req.batch, &record);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_downloads(bench, &downloads), 2);
	assert_string_equal(downloads.records[0].name, "a");
	assert_int_equal(downloads.records[0].state, POP3_DELIVERED);
	assert_int_equal(downloads.records[0].absent_since_s, 5);
	assert_string_equal(downloads.records[1].name, "b");
	assert_int_equal(downloads.records[1].listed_bytes, 7);
	store_batch_delete_pop3(&req.batch, second);
	store_batch_delete_pop3(&req.batch, second);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(read_downloads(bench, &downloads), 1);
	assert_true(bench->port->ops->pop3_new_id(bench->port) > second);
}

/* --- By identity --------------------------------------------------------------------------------
 */

static size_t places_of(struct store_bench *bench, const struct digest *identity,
			struct message_place *out, size_t max)
{
	size_t count = 99;

	assert_int_equal(bench->port->ops->messages_by_identity(bench->port, identity, out, max,
								&count, &bench->err),
			 0);
	return count;
}

static void messages_are_found_by_their_identity(void **state)
{
	struct store_bench *bench = *state;
	struct message_record twin = message_of(5, "twin", 0);
	struct message_record first = message_of(3, "first", 0);
	struct message_place places[3];
	struct store_commit_req req = { .batch.count = 0 };

	put_message(bench, 3, "first", FLAG_SEEN);
	put_message(bench, 4, "other", 0);
	twin.identity = first.identity;
	store_batch_init(&req.batch);
	store_batch_put_message(&req.batch, bench->mailbox_id, &twin);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(places_of(bench, &first.identity, places, ARRAY_LEN(places)), 2);
	assert_int_equal(places[0].mailbox_id, bench->mailbox_id);
	assert_int_equal(places[1].mailbox_id, bench->mailbox_id);
	assert_int_equal(places[0].uid, 3);
	assert_int_equal(places[1].uid, 5);
	assert_int_equal(places_of(bench, &first.identity, places, 1), 1);
	memset(&first.identity, 0xee, sizeof(first.identity));
	assert_int_equal(places_of(bench, &first.identity, places, ARRAY_LEN(places)), 0);
}

static void an_identity_is_forgotten_with_its_message_or_changed_with_it(void **state)
{
	struct store_bench *bench = *state;
	struct message_record record = message_of(3, "a", 0);
	struct digest old = record.identity;
	struct message_place places[2];
	struct store_commit_req req = { .batch.count = 0 };

	put_message(bench, 3, "a", 0);
	memset(&record.identity, 0xee, sizeof(record.identity));
	store_batch_init(&req.batch);
	store_batch_put_message(&req.batch, bench->mailbox_id, &record);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(places_of(bench, &old, places, ARRAY_LEN(places)), 0);
	assert_int_equal(places_of(bench, &record.identity, places, ARRAY_LEN(places)), 1);
	assert_int_equal(places[0].uid, 3);
	store_batch_delete_message(&req.batch, bench->mailbox_id, 3);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(places_of(bench, &record.identity, places, ARRAY_LEN(places)), 0);
}

static void messages_are_found_by_their_email_id(void **state)
{
	struct store_bench *bench = *state;
	struct message_record first = message_of(3, "first", 0);
	struct message_record copy = message_of(7, "copy", FLAG_SEEN);
	struct message_place places[3];
	struct message_record out;
	struct store_commit_req req = { .batch.count = 0 };
	bool is_found = false;
	size_t count = 99;

	put_message(bench, 4, "other", 0);
	first.email_id = copy.email_id = 0xfedcba9876543210;
	store_batch_init(&req.batch);
	store_batch_put_message(&req.batch, bench->mailbox_id, &copy);
	store_batch_put_message(&req.batch, bench->mailbox_id, &first);
	store_batch_set_flags(&req.batch, bench->mailbox_id, 3, FLAG_SEEN);
	assert_int_equal(commit(bench, &req), 0);
	assert_int_equal(bench->port->ops->messages_by_email_id(bench->port, first.email_id, places,
								ARRAY_LEN(places), &count,
								&bench->err),
			 0);
	assert_int_equal(count, 2);
	assert_true(places[0].uid == 3 && places[1].uid == 7);
	assert_int_equal(places[1].mailbox_id, bench->mailbox_id);
	assert_int_equal(bench->port->ops->message_get(bench->port, bench->mailbox_id, 3, &is_found,
						       &out, &bench->err),
			 0);
	assert_true(is_found && out.email_id == first.email_id && out.flags == FLAG_SEEN);
	assert_string_equal(out.name, "first");
	assert_int_equal(bench->port->ops->messages_by_email_id(bench->port, first.email_id ^ 1,
								places, ARRAY_LEN(places), &count,
								&bench->err),
			 0);
	assert_int_equal(count, 0);
}

static void an_email_id_is_forgotten_with_its_message_or_changed_with_it(void **state)
{
	struct store_bench *bench = *state;
	struct message_record record = message_of(3, "a", 0);
	const uint64_t ids[] = { 5, 6, 0, 5 };
	struct message_place places[2];
	struct store_commit_req req = { .batch.count = 0 };
	size_t count = 99;

	store_batch_init(&req.batch);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		record.email_id = ids[i];
		store_batch_put_message(&req.batch, bench->mailbox_id, &record);
		if (i == ARRAY_LEN(ids) - 1)
			store_batch_delete_message(&req.batch, bench->mailbox_id, 3);
		assert_int_equal(commit(bench, &req), 0);
		for (uint64_t id = 5; id <= 6; id++) {
			assert_int_equal(bench->port->ops->messages_by_email_id(
						 bench->port, id, places, ARRAY_LEN(places), &count,
						 &bench->err),
					 0);
			assert_int_equal(count, i < 2 && ids[i] == id);
		}
	}
}

static void add_by_identity(struct port_tests *tests, struct store_kind *kind)
{
	static const struct port_case cases[] = {
		PORT_CASE(messages_are_found_by_their_identity),
		PORT_CASE(an_identity_is_forgotten_with_its_message_or_changed_with_it),
		PORT_CASE(messages_are_found_by_their_email_id),
		PORT_CASE(an_email_id_is_forgotten_with_its_message_or_changed_with_it),
	};

	port_tests_add(tests, kind->name, kind, cases, ARRAY_LEN(cases), setup, teardown);
}

void store_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(a_mailbox_comes_back_with_its_keywords),
		PORT_CASE(each_mailbox_is_told),
		PORT_CASE(a_commit_is_seen_when_it_is_done),
		PORT_CASE(a_commit_empties_its_batch),
		PORT_CASE(commits_happen_in_the_order_of_the_calls),
		PORT_CASE(changes_of_a_batch_apply_in_order),
		PORT_CASE(a_deleted_message_is_gone_by_uid_and_by_name),
		PORT_CASE(a_message_put_under_another_name_leaves_the_old_one),
		PORT_CASE(uids_come_in_order_and_in_pieces),
		PORT_CASE(names_come_in_byte_order_and_in_pieces),
		PORT_CASE(the_longest_name_is_kept_whole),
		PORT_CASE(the_journal_is_keyed_by_kind_and_name),
		PORT_CASE(messages_set_aside_are_keyed_by_uid_or_name),
		PORT_CASE(what_was_downloaded_is_kept_by_id),
	};

	port_tests_add(tests, model_kind.name, &model_kind, cases, ARRAY_LEN(cases), setup,
		       teardown);
	port_tests_add(tests, lmdb_kind.name, &lmdb_kind, cases, ARRAY_LEN(cases), setup, teardown);
	add_by_identity(tests, &model_kind);
	add_by_identity(tests, &lmdb_kind);
}
