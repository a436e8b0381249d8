/* The store against a model that is plain arrays: random batches, several in flight, reopening
 * in between; then everything that can be read is compared.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/adapter_store.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/store.h"

#define SEEDS 12
#define STEPS 120
#define BATCH_MAX 20
#define IN_FLIGHT_MAX 4
#define MAILBOXES 3
#define UIDS 40 /* few, so that changes meet */
#define NAMES 60

struct model_mailbox {
	struct message_record messages[UIDS + 1]; /* by UID; uid 0: none */
	bool has_journal[2][NAMES];
	uint32_t journal_uid[2][NAMES];
	uint32_t setaside_attempts[UIDS + 1]; /* 0: none */
	uint32_t uidnext;                     /* 0: no record */
	char name[32];
};

struct run {
	uint64_t random_state;
	struct loop *loop;
	struct store *store;
	struct adapter_store adapter;
	struct store_port *port;
	struct store_options options;
	char state_dir[64];
	struct model_mailbox model[MAILBOXES + 1];
	struct store_commit_req reqs[IN_FLIGHT_MAX];
	size_t in_flight;
};

static uint32_t pick(struct run *run, uint32_t bound)
{
	run->random_state = run->random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(run->random_state >> 33) % bound;
}

static void name_of(char *out, uint32_t index)
{
	(void)snprintf(out, MAIL_NAME_MAX + 1, "%u.M%u", (unsigned)index, (unsigned)(index * 7));
}

/* A name that no other message of the mailbox has. */
static bool pick_free_name(struct run *run, uint32_t mailbox, uint32_t uid, char *out)
{
	name_of(out, pick(run, NAMES));
	for (uint32_t i = 1; i <= UIDS; i++) {
		const struct message_record *m = &run->model[mailbox].messages[i];
		if (i != uid && m->uid != 0 && strcmp(m->name, out) == 0)
			return false;
	}
	return true;
}

static void change_message(struct run *run, struct store_batch *batch, uint32_t mailbox)
{
	uint32_t uid = 1 + pick(run, UIDS);
	struct message_record *m = &run->model[mailbox].messages[uid];
	struct message_record put = { .uid = uid,
				      .flags = pick(run, 64),
				      .size_bytes = pick(run, 9) };

	if (pick(run, 3) == 0) {
		store_batch_delete_message(batch, mailbox, uid);
		m->uid = 0;
	} else if (pick(run, 2) == 0) {
		store_batch_set_flags(batch, mailbox, uid, put.flags);
		m->flags = put.flags;
	} else if (pick_free_name(run, mailbox, uid, put.name)) {
		put.identity.bytes[0] = (unsigned char)pick(run, 4);
		store_batch_put_message(batch, mailbox, &put);
		*m = put;
	}
}

static void change_journal(struct run *run, struct store_batch *batch, uint32_t mailbox)
{
	uint32_t which = pick(run, NAMES);
	uint32_t kind = pick(run, 2);
	struct journal_record journal = { .kind = (enum journal_kind)(kind + 1),
					  .uid = pick(run, 1000) };

	name_of(journal.name, which);
	run->model[mailbox].has_journal[kind][which] = pick(run, 2) == 0;
	run->model[mailbox].journal_uid[kind][which] = journal.uid;
	if (run->model[mailbox].has_journal[kind][which])
		store_batch_put_journal(batch, mailbox, &journal);
	else
		store_batch_delete_journal(batch, mailbox, journal.kind, journal.name);
}

/* Even numbers stand for UIDs, odd ones for local names. */
static void change_setaside(struct run *run, struct store_batch *batch, uint32_t mailbox)
{
	uint32_t which = 1 + pick(run, UIDS);
	struct setaside_record setaside = { .uid = which % 2 == 0 ? which : 0,
					    .attempts = pick(run, 3),
					    .reason = "because" };

	name_of(setaside.name, which);
	run->model[mailbox].setaside_attempts[which] = setaside.attempts;
	if (setaside.attempts > 0)
		store_batch_put_setaside(batch, mailbox, &setaside);
	else
		store_batch_delete_setaside(batch, mailbox, setaside.uid, setaside.name);
}

static void change_mailbox(struct run *run, struct store_batch *batch, uint32_t mailbox)
{
	struct mailbox_record record = { .id = mailbox, .uidnext = 1 + pick(run, 100) };

	(void)snprintf(record.name, sizeof(record.name), "box%u-%u", (unsigned)mailbox,
		       (unsigned)pick(run, 3));
	run->model[mailbox].uidnext = record.uidnext;
	(void)snprintf(run->model[mailbox].name, sizeof(run->model[mailbox].name), "%.31s",
		       record.name);
	store_batch_put_mailbox(batch, &record);
}

static void commit_done(struct port_op *op, int code)
{
	struct run *run = op->impl;

	assert_int_equal(code, 0);
	run->in_flight--;
}

static void fill_batch(struct run *run, struct store_batch *batch)
{
	uint32_t changes = pick(run, BATCH_MAX);

	for (uint32_t i = 0; i < changes; i++) {
		uint32_t mailbox = 1 + pick(run, MAILBOXES);
		uint32_t what = pick(run, 10);
		if (what < 6)
			change_message(run, batch, mailbox);
		else if (what < 8)
			change_journal(run, batch, mailbox);
		else if (what < 9)
			change_setaside(run, batch, mailbox);
		else
			change_mailbox(run, batch, mailbox);
	}
}

static void commit_some(struct run *run)
{
	size_t count = 1 + pick(run, IN_FLIGHT_MAX);

	for (size_t i = 0; i < count; i++) {
		struct store_commit_req *req = &run->reqs[i];
		*req = (struct store_commit_req){ .op = { .done = commit_done, .impl = run } };
		store_batch_init(&req->batch);
		fill_batch(run, &req->batch);
		run->in_flight++;
		run->port->ops->commit(run->port, req);
	}
	while (run->in_flight > 0)
		loop_fake_advance(run->loop, 0);
}

/* --- Comparing ------------------------------------------------------------------ */

static size_t compare_listing(struct run *run, uint32_t mailbox)
{
	struct remote_flags page[7];
	uint32_t after = 0;
	size_t total = 0;
	size_t count;
	struct error err;

	do {
		assert_int_equal(run->port->ops->messages_after(run->port, mailbox, after, page,
								ARRAY_LEN(page), &count, &err),
				 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(page[i].uid > after && page[i].uid <= UIDS);
			after = page[i].uid;
			assert_int_equal(run->model[mailbox].messages[after].uid, after);
			assert_int_equal(run->model[mailbox].messages[after].flags, page[i].flags);
		}
		total += count;
	} while (count == ARRAY_LEN(page));
	return total;
}

static size_t compare_names(struct run *run, uint32_t mailbox)
{
	struct name_record page[7];
	char after[MAIL_NAME_MAX + 1] = "";
	size_t total = 0;
	size_t count;
	struct error err;

	do {
		assert_int_equal(run->port->ops->names_after(run->port, mailbox, after, page,
							     ARRAY_LEN(page), &count, &err),
				 0);
		for (size_t i = 0; i < count; i++) {
			const struct message_record *m = &run->model[mailbox].messages[page[i].uid];
			assert_true(strcmp(page[i].name, after) > 0);
			memcpy(after, page[i].name, sizeof(after));
			assert_string_equal(m->name, page[i].name);
			assert_int_equal(m->flags, page[i].flags);
			assert_int_equal(m->uid, page[i].uid);
		}
		total += count;
	} while (count == ARRAY_LEN(page));
	return total;
}

static size_t compare_messages(struct run *run, uint32_t mailbox)
{
	size_t expected = 0;

	for (uint32_t uid = 1; uid <= UIDS; uid++) {
		const struct message_record *m = &run->model[mailbox].messages[uid];
		struct message_record out;
		struct error err;
		bool found;
		assert_int_equal(
			run->port->ops->message_get(run->port, mailbox, uid, &found, &out, &err),
			0);
		assert_int_equal(found, m->uid != 0);
		if (!found)
			continue;
		expected++;
		assert_int_equal(out.flags, m->flags);
		assert_int_equal(out.size_bytes, m->size_bytes);
		assert_true(digest_equals(&out.identity, &m->identity));
		assert_string_equal(out.name, m->name);
		assert_int_equal(run->port->ops->message_by_name(run->port, mailbox, m->name,
								 &found, &out, &err),
				 0);
		assert_true(found && out.uid == uid);
	}
	return expected;
}

static void compare_identities(struct run *run)
{
	for (unsigned char b = 0; b < 4; b++) {
		struct digest digest = { .bytes = { b } };
		struct message_place places[MAILBOXES * UIDS];
		size_t expected = 0;
		size_t count;
		struct error err;
		for (uint32_t box = 1; box <= MAILBOXES; box++) {
			for (uint32_t uid = 1; uid <= UIDS; uid++) {
				const struct message_record *m = &run->model[box].messages[uid];
				expected += m->uid != 0 && digest_equals(&m->identity, &digest);
			}
		}
		assert_int_equal(store_messages_by_identity(run->store, &digest, places,
							    ARRAY_LEN(places), &count, &err),
				 0);
		assert_int_equal(count, expected);
		for (size_t i = 0; i < count; i++) {
			const struct message_record *m =
				&run->model[places[i].mailbox_id].messages[places[i].uid];
			assert_true(m->uid == places[i].uid &&
				    digest_equals(&m->identity, &digest));
		}
	}
}

struct side_count {
	struct model_mailbox *model;
	size_t seen;
};

static void check_journal(void *context, const struct journal_record *journal)
{
	struct side_count *count = context;
	uint32_t which = (uint32_t)strtoul(journal->name, NULL, 10);

	assert_true(count->model->has_journal[journal->kind - 1][which]);
	assert_int_equal(count->model->journal_uid[journal->kind - 1][which], journal->uid);
	count->seen++;
}

static void check_setaside(void *context, const struct setaside_record *setaside)
{
	struct side_count *count = context;
	uint32_t which = (uint32_t)strtoul(setaside->name, NULL, 10);

	assert_int_equal(setaside->uid, which % 2 == 0 ? which : 0);
	assert_int_equal(count->model->setaside_attempts[which], setaside->attempts);
	count->seen++;
}

static void compare_side_tables(struct run *run, uint32_t mailbox)
{
	struct model_mailbox *model = &run->model[mailbox];
	struct side_count journal = { .model = model };
	struct side_count setaside = { .model = model };
	size_t journal_expected = 0;
	size_t setaside_expected = 0;
	struct error err;

	for (size_t i = 0; i < NAMES; i++)
		journal_expected += (size_t)model->has_journal[0][i] + model->has_journal[1][i];
	for (size_t i = 1; i <= UIDS; i++)
		setaside_expected += model->setaside_attempts[i] > 0;
	assert_int_equal(
		run->port->ops->journal_each(run->port, mailbox, check_journal, &journal, &err), 0);
	assert_int_equal(
		run->port->ops->setaside_each(run->port, mailbox, check_setaside, &setaside, &err),
		0);
	assert_int_equal(journal.seen, journal_expected);
	assert_int_equal(setaside.seen, setaside_expected);
}

static void compare_all(struct run *run)
{
	for (uint32_t box = 1; box <= MAILBOXES; box++) {
		const struct model_mailbox *model = &run->model[box];
		size_t expected = compare_messages(run, box);
		struct mailbox_record out;
		struct error err;
		size_t count;
		bool found;
		assert_int_equal(compare_listing(run, box), expected);
		assert_int_equal(compare_names(run, box), expected);
		assert_int_equal(run->port->ops->message_count(run->port, box, &count, &err), 0);
		assert_int_equal(count, expected);
		compare_side_tables(run, box);
		if (model->uidnext == 0)
			continue;
		assert_int_equal(
			run->port->ops->mailbox_get(run->port, model->name, &found, &out, &err), 0);
		assert_true(found && out.id == box && out.uidnext == model->uidnext);
		keyword_table_free(&out.keywords);
	}
	compare_identities(run);
}

static void run_open(struct run *run)
{
	struct error err;

	assert_int_equal(
		store_open(run->loop, run->state_dir, "work", &run->options, &run->store, &err), 0);
	adapter_store_init(&run->adapter, run->store);
	run->port = &run->adapter.port;
}

static void random_batches_read_back_as_the_model_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run *run = xcalloc(1, sizeof(*run));
		char command[128];
		run->random_state = seed;
		(void)snprintf(run->state_dir, sizeof(run->state_dir), "/tmp/syncd-store-XXXXXX");
		assert_non_null(mkdtemp(run->state_dir));
		run->loop = loop_new_fake();
		run->options = (struct store_options){ .program = "test", .map_size_bytes = 65536 };
		run_open(run);
		for (int step = 0; step < STEPS; step++) {
			commit_some(run);
			if (step % 10 == 0) {
				store_close(&run->store);
				run_open(run);
			}
			if (step % 5 == 0)
				compare_all(run);
		}
		compare_all(run);
		store_close(&run->store);
		loop_free(&run->loop);
		(void)snprintf(command, sizeof(command), "rm -rf '%s'", run->state_dir);
		assert_int_equal(system(command), 0);
		free(run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_batches_read_back_as_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
