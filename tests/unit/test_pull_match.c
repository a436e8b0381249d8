/* Which messages of a maildrop are known: unique-ids that are reused, equal or given anew, or that
 * there are none of; sizes and listings that are wrong.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/sync/pull.h"
#include "support/pull_fixture.h"
#include "syncd/must.h"

#define DAY_S (24 * 60 * 60)

static struct pull_fixture *fixture(enum pull_keep keep)
{
	return pull_fixture_new(1, keep);
}

static void run_well(struct pull_fixture *f)
{
	int code = pull_fixture_run(f);

	if (code != 0)
		fail_msg("%s", f->result.err.text);
}

/* --- Unique-ids that come back ------------------------------------------------------- */

static void a_unique_id_that_is_reused_is_another_message(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	(void)model_maildrop_add(&f->drop, "a", 1);
	run_well(f);
	(void)model_maildrop_add(&f->drop, "a", 2);
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 1);
	assert_int_equal(pull_fixture_files(f, 2), 1);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

static void a_unique_id_that_passed_on_at_once_is_told_by_its_size(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	(void)model_maildrop_add(&f->drop, "a", 1);
	run_well(f);
	f->drop.messages[0].content = 10; /* two bytes more */
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 1);
	assert_int_equal(pull_fixture_files(f, 10), 1);
	assert_int_equal(pull_fixture_present(f), 1);
	run_well(f);
	assert_int_equal(f->drop.bodies, 2);
	pull_fixture_free(f);
}

/* A server that says +OK to QUIT and deletes nothing. */
static void a_deletion_that_was_not_kept_is_repeated(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 2);
	f->drop.forgets_marks = true;
	run_well(f);
	f->drop.forgets_marks = false;
	run_well(f);
	assert_int_equal(f->drop.count, 0);
	assert_int_equal(pull_fixture_visible(f), 2);
	assert_int_equal(f->result.counts.fetched, 0);
	pull_fixture_free(f);
}

static void a_refused_deletion_is_repeated(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 2);
	f->drop.refuses_deletion = true;
	run_well(f);
	assert_int_equal(f->result.counts.expunged, 0);
	assert_int_equal(pull_fixture_present(f), 2);
	f->drop.refuses_deletion = false;
	run_well(f);
	assert_int_equal(f->result.counts.expunged, 2);
	assert_int_equal(f->drop.bodies, 2);
	pull_fixture_free(f);
}

static void what_is_long_gone_is_forgotten(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 2);
	run_well(f);
	world_wait(&f->world, PULL_FORGET_S - 60);
	run_well(f);
	assert_int_equal(f->world.store.pop3_count, 2);
	world_wait(&f->world, 120);
	run_well(f);
	assert_int_equal(f->world.store.pop3_count, 0);
	pull_fixture_free(f);
}

/* --- Equal messages ------------------------------------------------------------------ */

static void copies_under_one_unique_id_are_delivered_once(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		(void)model_maildrop_add(&f->drop, "a", 1);
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 1);
	assert_int_equal(f->result.counts.fetched, 1);
	assert_int_equal(f->world.store.pop3_count, 5);
	run_well(f);
	assert_int_equal(f->drop.bodies, 5);
	(void)model_maildrop_add(&f->drop, "a", 1); /* one more: who is who? */
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 1);
	assert_int_equal(f->drop.bodies, 11);
	model_maildrop_remove(&f->drop, 0); /* which of them is gone? */
	run_well(f);
	assert_int_equal(f->drop.bodies, 16);
	assert_int_equal(pull_fixture_present(f), 5);
	f->options.keep = PULL_KEEP_NONE;
	run_well(f);
	assert_int_equal(f->drop.count, 0);
	assert_int_equal(pull_fixture_files(f, 1), 1);
	pull_fixture_free(f);
}

static void other_messages_under_one_unique_id_are_all_delivered(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	for (uint32_t content = 1; content <= 4; content++)
		(void)model_maildrop_add(&f->drop, "a", content);
	run_well(f);
	assert_int_equal(pull_fixture_visible(f), 4);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

static void equal_messages_with_other_unique_ids_are_several(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	(void)model_maildrop_add(&f->drop, "a", 1);
	(void)model_maildrop_add(&f->drop, "b", 1);
	run_well(f);
	(void)model_maildrop_add(&f->drop, "c", 1);
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 3);
	pull_fixture_free(f);
}

/* --- Other unique-ids for all -------------------------------------------------------- */

static void renumber(struct pull_fixture *f)
{
	for (size_t i = 0; i < f->drop.count; i++)
		(void)snprintf(f->drop.messages[i].uid, sizeof(f->drop.messages[i].uid), "n%u",
			       ++f->made);
}

static void a_server_that_renumbers_is_recognised_by_headers(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 30);
	(void)model_maildrop_add(&f->drop, "twice", 1); /* several they stay */
	run_well(f);
	renumber(f);
	(void)model_maildrop_add(&f->drop, "new", 200);
	run_well(f);
	assert_int_equal(f->result.counts.fetched, 1);
	assert_int_equal(f->drop.headers, 32);
	assert_int_equal(f->drop.bodies, 32);
	assert_int_equal(pull_fixture_visible(f), 32);
	assert_int_equal(pull_fixture_files(f, 1), 2);
	run_well(f);
	assert_int_equal(f->drop.headers, 32);
	assert_int_equal(f->drop.bodies, 32);
	assert_int_equal(f->world.store.pop3_count, 32);
	pull_fixture_free(f);
}

static void without_top_it_is_recognised_by_bodies(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	f->drop.has_top = false;
	pull_fixture_arrive(f, 30);
	run_well(f);
	renumber(f);
	run_well(f);
	assert_int_equal(f->result.counts.fetched, 0);
	assert_int_equal(f->drop.bodies, 60);
	assert_int_equal(pull_fixture_visible(f), 30);
	assert_int_equal(pull_fixture_present(f), 30);
	run_well(f);
	assert_int_equal(f->drop.bodies, 60);
	pull_fixture_free(f);
}

static void some_that_were_renumbered_are_recognised_by_bodies(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	f->drop.refuses_deletion = true;
	pull_fixture_arrive(f, 3);
	run_well(f);
	renumber(f);
	f->drop.refuses_deletion = false;
	run_well(f);
	assert_int_equal(f->drop.headers, 0);
	assert_int_equal(pull_fixture_visible(f), 3);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

/* What was recognised before the link was lost need not come again. */
static void a_recognition_that_is_cut_goes_on(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);
	struct fault fault = { .kind = FAULT_FAIL };

	(void)state;
	f->drop.has_top = false;
	pull_fixture_arrive(f, 30);
	run_well(f);
	renumber(f);
	fault.at_call = f->world.calls + 60;
	f->world.faults = &fault;
	f->world.fault_count = 1;
	f->world.faults_are_on = true;
	assert_int_not_equal(pull_fixture_run(f), 0);
	uint64_t bodies = f->drop.bodies;
	assert_true(bodies > 35 && bodies < 60);
	run_well(f);
	assert_true(f->drop.bodies - bodies < 30);
	assert_int_equal(pull_fixture_visible(f), 30);
	pull_fixture_free(f);
}

/* --- A maildir that holds mail already --- */

static void forget(struct pull_fixture *f)
{
	f->world.store.pop3_count = 0;
	f->world.store.mailbox_count = 0;
}

static void what_is_here_without_a_state_is_recognised(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 30);
	run_well(f);
	forget(f);
	pull_fixture_arrive(f, 2);
	run_well(f);
	assert_int_equal(f->result.counts.fetched, 2);
	assert_int_equal(pull_fixture_visible(f), 32);
	assert_int_equal(f->drop.bodies, 32); /* headers told of the others */
	assert_int_equal(pull_fixture_present(f), 32);
	run_well(f);
	assert_int_equal(f->drop.bodies, 32);
	pull_fixture_free(f);
}

static void few_that_are_here_are_recognised_by_their_bodies(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	f->options.keep = PULL_KEEP_ALL;
	pull_fixture_arrive(f, 3);
	run_well(f);
	forget(f);
	f->options.keep = PULL_KEEP_NONE;
	run_well(f);
	assert_int_equal(f->result.counts.fetched, 0);
	assert_int_equal(f->result.counts.expunged, 3);
	assert_int_equal(pull_fixture_visible(f), 3);
	pull_fixture_free(f);
}

/* Killed at any call of the first contact, it is first contact still, or over. */
static void a_first_contact_that_is_cut_doubles_nothing(void **state)
{
	(void)state;
	for (uint64_t call = 1; call < 120; call++) {
		struct pull_fixture *f = fixture(PULL_KEEP_ALL);
		struct fault fault = { .kind = FAULT_KILL_AFTER };
		pull_fixture_arrive(f, 5);
		run_well(f);
		forget(f);
		fault.at_call = f->world.calls + call;
		f->world.faults = &fault;
		f->world.fault_count = 1;
		f->world.faults_are_on = true;
		(void)pull_fixture_run(f);
		f->world.faults_are_on = false;
		if (f->world.is_dead)
			world_restart(&f->world);
		run_well(f);
		assert_int_equal(pull_fixture_visible(f), 5);
		assert_int_equal(pull_fixture_present(f), 5);
		pull_fixture_free(f);
	}
}

/* --- Headers that are not as they were --- */

struct same_case {
	const char *what;
	bool has_same_uid;
	bool has_same_size;
	bool has_message_id;
	bool was_absent;
	bool is_renumbered;
	bool is_same;
};

static void set_up_same(struct sync_pull *pull, const struct same_case *c,
			struct pull_record *record, struct pull_entry *entry)
{
	struct identity fields;

	identity_init(&fields);
	identity_add_field(&fields, SLICE_LITERAL("Subject"), SLICE_LITERAL("one"));
	if (c->has_message_id)
		identity_add_field(&fields, SLICE_LITERAL("Message-ID"), SLICE_LITERAL("<1@a>"));
	*record = (struct pull_record){ .size_bytes = 100, .next = PULL_NONE };
	identity_digest(&fields, &record->identity);
	identity_free(&fields);
	record->absent_since_s = c->was_absent ? 5 : 0;
	record->is_listed = c->has_same_uid;
	digest_of_text(SLICE_LITERAL("a"), &record->uid);
	*entry = (struct pull_entry){ .is_suspect = c->has_same_uid };
	digest_of_text(c->has_same_uid ? SLICE_LITERAL("a") : SLICE_LITERAL("b"), &entry->uid);
	*pull = (struct sync_pull){ .is_renumbered = c->is_renumbered };
	pull->records.items = record;
	pull->records.count = 1;
	pull_chains_make(pull);
}

static void another_size_is_the_same_message_where_nothing_else_can_be(void **state)
{
	static const struct same_case cases[] = {
		/* uid, size, Message-ID, absent, renumbered */
		{ "as it was", true, true, true, false, false, true },
		{ "without Message-ID", true, true, false, false, false, true },
		{ "written into", true, false, true, false, false, true },
		{ "other, without Message-ID", true, false, false, false, false, false },
		{ "came back", true, true, true, true, false, true },
		{ "a copy under a used uid", true, false, true, true, false, false },
		{ "other uid", false, true, true, false, false, true },
		{ "other uid, came back", false, true, true, true, false, true },
		{ "a report of the same second", false, true, false, false, false, false },
		{ "a report, the first is gone", false, true, false, true, false, false },
		{ "renumbered, a report", false, true, false, false, true, true },
		{ "renumbered, a report, gone before", false, true, false, true, true, false },
		{ "a copy on another way", false, false, true, false, false, false },
		{ "renumbered, written into", false, false, true, false, true, true },
		{ "renumbered, gone before", false, false, true, true, true, false },
		{ "renumbered, no Message-ID", false, false, false, false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sync_pull pull;
		struct pull_record record;
		struct pull_entry entry;
		set_up_same(&pull, &cases[i], &record, &entry);
		uint32_t found = pull_find_same(&pull, &entry, &record.identity,
						cases[i].has_same_size ? 100 : 101);
		free(pull.chains.unclaimed);
		free(pull.chains.twins);
		if ((found == 0) != cases[i].is_same)
			fail_msg("%s", cases[i].what);
	}
}

/* --- Without unique-ids -------------------------------------------------------------- */

static void without_unique_ids_nothing_can_be_kept(void **state)
{
	static const enum pull_keep keeps[] = { PULL_KEEP_ALL, PULL_KEEP_FOR,
						PULL_KEEP_UNTIL_DELETED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keeps); i++) {
		struct pull_fixture *f = fixture(keeps[i]);
		pull_fixture_arrive(f, 2);
		f->drop.has_uids = false;
		assert_int_equal(pull_fixture_run(f), SYNCD_ECONFIG);
		assert_non_null(strstr(f->result.err.text, "keep = none"));
		assert_int_equal(pull_fixture_visible(f), 0);
		assert_int_equal(f->drop.count, 2);
		pull_fixture_free(f);
	}
}

/* The QUIT is cut: `is_done` tells whether the server had heard it. */
static struct pull_fixture *cut_at_quit(bool has_uids, bool is_done)
{
	struct fault fault = { .kind = is_done ? FAULT_LOSE_REPLY : FAULT_FAIL };
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	f->drop.has_uids = has_uids;
	pull_fixture_arrive(f, 4);
	pull_fixture_start(f);
	while (f->drop.quitting == NULL)
		must(world_step(&f->world));
	fault.at_call = f->world.calls + 1;
	f->world.faults = &fault;
	f->world.fault_count = 1;
	f->world.faults_are_on = true;
	while (!f->is_over)
		must(world_step(&f->world));
	f->world.faults_are_on = false;
	return f;
}

static void a_quit_that_was_cut_neither_loses_nor_doubles(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool has_uids = i % 2 == 0;
		bool is_done = i / 2 == 0;
		struct pull_fixture *f = cut_at_quit(has_uids, is_done);
		assert_int_equal(f->result.err.code, SYNCD_ENET);
		assert_int_equal(f->result.counts.expunged, 0);
		assert_int_equal(f->drop.count, is_done ? 0 : 4);
		run_well(f);
		assert_int_equal(f->result.counts.fetched, 0);
		assert_int_equal(pull_fixture_visible(f), 4);
		assert_int_equal(f->drop.count, 0);
		/* With unique-ids nothing had to be downloaded to find that out. */
		assert_int_equal(f->drop.bodies, !has_uids && !is_done ? 8 : 4);
		assert_int_equal(f->world.store.pop3_count, has_uids ? 4 : 0);
		pull_fixture_free(f);
	}
}

static void equal_messages_without_unique_ids_are_several(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	f->drop.has_uids = false;
	for (size_t i = 0; i < 3; i++)
		(void)model_maildrop_add(&f->drop, "", 1);
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 3);
	assert_int_equal(f->world.store.pop3_count, 0);
	(void)model_maildrop_add(&f->drop, "", 1); /* once more: it is not what was deleted */
	run_well(f);
	assert_int_equal(pull_fixture_files(f, 1), 4);
	pull_fixture_free(f);
}

/* --- Listings that are wrong --------------------------------------------------------- */

static void a_wrong_size_is_no_other_message(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 2);
	f->drop.messages[0].listed_bytes = 7;
	run_well(f);
	f->drop.messages[1].listed_bytes = 1000000;
	run_well(f);
	assert_int_equal(f->result.counts.fetched, 0);
	assert_int_equal(f->drop.bodies, 3);
	run_well(f);
	assert_int_equal(f->drop.bodies, 3);
	assert_int_equal(pull_fixture_visible(f), 2);
	pull_fixture_free(f);
}

static void a_listing_with_holes_makes_nobody_absent(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 3);
	run_well(f);
	f->drop.messages[1].is_hidden = true;
	run_well(f);
	assert_int_equal(pull_fixture_present(f), 3);
	f->drop.messages[1].is_hidden = false;
	run_well(f);
	assert_int_equal(f->drop.bodies, 3);
	model_maildrop_remove(&f->drop, 1);
	run_well(f);
	assert_int_equal(pull_fixture_present(f), 2);
	pull_fixture_free(f);
}

/* A maildrop that is empty for a day and full again, by other unique-ids. */
static void what_comes_back_from_nowhere_is_not_doubled(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 5);
	run_well(f);
	f->drop.count = 0;
	run_well(f);
	assert_int_equal(pull_fixture_present(f), 0);
	world_wait(&f->world, DAY_S);
	f->drop.count = 5;
	renumber(f);
	run_well(f);
	assert_int_equal(pull_fixture_visible(f), 5);
	assert_int_equal(pull_fixture_present(f), 5);
	pull_fixture_free(f);
}

/* --- Dates --------------------------------------------------------------------------- */

static void a_date_is_the_topmost_received_or_that_of_the_sender(void **state)
{
	static const struct {
		const char *message;
		bool has_date;
		int64_t date_s;
	} cases[] = {
		{ "Date: 1 Jan 1970 00:00:01 +0000\r\n"
		  "Received: by b; 1 Jan 1970 00:00:02 +0000\r\n"
		  "Received: by a; 1 Jan 1970 00:00:03 +0000\r\n\r\n",
		  true, 2 },
		{ "Received: by b; 1 Jan 1970 00:00:02 +0000\r\n"
		  "Date: 1 Jan 1970 00:00:01 +0000\r\n\r\n",
		  true, 2 },
		{ "Received: by b\r\nReceived: by a; 1 Jan 1970 00:00:03 +0000\r\n\r\n", true, 3 },
		{ "Received: by b\r\nDate: 1 Jan 1970 00:00:01 +0000\r\n\r\n", true, 1 },
		{ "Date: today\r\n\r\nDate: 1 Jan 1970 00:00:01 +0000\r\n", false, 0 },
		{ "", false, 0 },
	};
	struct digest identity;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pull_body body;
		pull_body_begin(&body);
		for (const char *c = cases[i].message; *c != '\0'; c++)
			pull_body_add(&body, (struct slice){ c, 1 });
		pull_body_end(&body, &identity);
		assert_int_equal(body.has_date, cases[i].has_date);
		if (body.has_date)
			assert_int_equal(body.date_s, cases[i].date_s);
		assert_int_equal(body.size_bytes, strlen(cases[i].message));
		pull_body_free(&body);
	}
}

static void what_has_no_date_is_of_now(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 1);
	run_well(f);
	int64_t ago_s = world_now_s(&f->world) - pull_fixture_file(f, 1)->mtime_s;
	assert_true(ago_s >= 0 && ago_s < 10);
	pull_fixture_free(f);
}

/* --- Answers that went astray -------------------------------------------------------- */

/* The first message's unique-id got the second's content, and so on. */
static void run_out_of_step(struct pull_fixture *f)
{
	f->drop.has_pipe = true;
	f->drop.swallows = 1;
	pull_fixture_arrive(f, 4);
	assert_int_equal(pull_fixture_run(f), SYNCD_ETIMEOUT);
	assert_int_equal(pull_fixture_visible(f), 3);
	assert_int_equal(f->drop.count, 4);
}

static void what_a_server_out_of_step_sent_is_compared(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	run_out_of_step(f);
	run_well(f); /* it would swallow again, if it were asked for two at a time */
	for (uint32_t content = 1; content <= 4; content++)
		assert_int_equal(pull_fixture_files(f, content), 1);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

static void what_was_compared_is_in_doubt_no_more(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	run_out_of_step(f);
	run_well(f);
	assert_int_equal(f->drop.bodies, 3 + 4);
	run_well(f);
	assert_true(f->drop.is_piped);
	assert_int_equal(f->drop.bodies, 3 + 4);
	pull_fixture_free(f);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unique_id_that_is_reused_is_another_message),
		TEST(a_unique_id_that_passed_on_at_once_is_told_by_its_size),
		TEST(a_deletion_that_was_not_kept_is_repeated),
		TEST(a_refused_deletion_is_repeated),
		TEST(what_is_long_gone_is_forgotten),
		TEST(copies_under_one_unique_id_are_delivered_once),
		TEST(other_messages_under_one_unique_id_are_all_delivered),
		TEST(equal_messages_with_other_unique_ids_are_several),
		TEST(a_server_that_renumbers_is_recognised_by_headers),
		TEST(without_top_it_is_recognised_by_bodies),
		TEST(some_that_were_renumbered_are_recognised_by_bodies),
		TEST(a_recognition_that_is_cut_goes_on),
		TEST(what_is_here_without_a_state_is_recognised),
		TEST(few_that_are_here_are_recognised_by_their_bodies),
		TEST(a_first_contact_that_is_cut_doubles_nothing),
		TEST(another_size_is_the_same_message_where_nothing_else_can_be),
		TEST(without_unique_ids_nothing_can_be_kept),
		TEST(a_quit_that_was_cut_neither_loses_nor_doubles),
		TEST(equal_messages_without_unique_ids_are_several),
		TEST(a_wrong_size_is_no_other_message),
		TEST(a_listing_with_holes_makes_nobody_absent),
		TEST(what_comes_back_from_nowhere_is_not_doubled),
		TEST(a_date_is_the_topmost_received_or_that_of_the_sender),
		TEST(what_has_no_date_is_of_now),
		TEST(what_a_server_out_of_step_sent_is_compared),
		TEST(what_was_compared_is_in_doubt_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
