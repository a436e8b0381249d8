/* Batches of state changes.
 * SPDX-License-Identifier: MIT */
#include "syncd/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

static void changes_stay_in_order_with_what_they_carry(void **state)
{
	static const enum store_change_kind expected[] = {
		STORE_PUT_MESSAGE,    STORE_SET_FLAGS,    STORE_DELETE_MESSAGE,  STORE_PUT_JOURNAL,
		STORE_DELETE_JOURNAL, STORE_PUT_SETASIDE, STORE_DELETE_SETASIDE,
	};
	struct store_batch batch;
	const struct store_change *change = NULL;
	size_t at = 0;

	(void)state;
	store_batch_init(&batch);
	store_batch_put_message(&batch, 3, &(struct message_record){ .uid = 1, .name = "m" });
	store_batch_set_flags(&batch, 3, 2, FLAG_SEEN);
	store_batch_delete_message(&batch, 3, 3);
	store_batch_put_journal(&batch, 3,
				&(struct journal_record){ .kind = JOURNAL_APPEND, .name = "j" });
	store_batch_delete_journal(&batch, 3, JOURNAL_DELIVER, "k");
	store_batch_put_setaside(&batch, 3, &(struct setaside_record){ .uid = 6 });
	store_batch_delete_setaside(&batch, 3, 0, "n");
	assert_int_equal(batch.count, ARRAY_LEN(expected));
	for (change = batch.first; change != NULL; change = change->next) {
		assert_int_equal(change->kind, expected[at++]);
		assert_int_equal(change->mailbox_id, 3);
	}
	assert_int_equal(at, ARRAY_LEN(expected));
	change = batch.first;
	assert_string_equal(change->u.message.name, "m");
	change = change->next;
	assert_int_equal(change->u.message.uid, 2);
	assert_int_equal(change->u.message.flags, FLAG_SEEN);
	change = change->next->next->next;
	assert_int_equal(change->u.journal.kind, JOURNAL_DELIVER);
	assert_string_equal(change->u.journal.name, "k");
	change = change->next->next;
	assert_int_equal(change->u.setaside.uid, 0);
	assert_string_equal(change->u.setaside.name, "n");
	store_batch_free(&batch);
	assert_int_equal(batch.count, 0);
	assert_null(batch.first);
}

static void a_mailbox_is_copied_with_its_keywords(void **state)
{
	struct mailbox_record *mailbox = calloc(1, sizeof(*mailbox));
	struct store_batch batch;

	(void)state;
	store_batch_init(&batch);
	mailbox->id = 9;
	(void)snprintf(mailbox->name, sizeof(mailbox->name), "INBOX");
	(void)keyword_table_intern(&mailbox->keywords, slice_of("work"));
	store_batch_put_mailbox(&batch, mailbox);
	keyword_table_free(&mailbox->keywords);
	free(mailbox);
	assert_int_equal(batch.first->kind, STORE_PUT_MAILBOX);
	assert_int_equal(batch.first->mailbox_id, 9);
	assert_string_equal(batch.first->u.mailbox.name, "INBOX");
	assert_string_equal(batch.first->u.mailbox.keywords.names[0], "work");
	store_batch_free(&batch);
}

static void moving_joins_in_order_and_empties_the_source(void **state)
{
	static const struct {
		uint32_t before;
		uint32_t moved;
	} rows[] = { { 0, 0 }, { 0, 2 }, { 2, 0 }, { 2, 3 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_batch to;
		struct store_batch from;
		uint32_t uid = 0;
		store_batch_init(&to);
		store_batch_init(&from);
		while (uid < rows[i].before)
			store_batch_delete_message(&to, 1, ++uid);
		while (uid < rows[i].before + rows[i].moved)
			store_batch_delete_message(&from, 1, ++uid);
		store_batch_move(&to, &from);
		assert_int_equal(from.count, 0);
		assert_null(from.first);
		store_batch_delete_message(&to, 1, ++uid); /* the tail is right */
		store_batch_delete_message(&from, 1, 99);
		assert_int_equal(from.count, 1);
		assert_int_equal(to.count, uid);
		uint32_t at = 0;
		for (const struct store_change *c = to.first; c != NULL; c = c->next)
			assert_int_equal(c->u.message.uid, ++at);
		assert_int_equal(at, uid);
		store_batch_free(&to);
		store_batch_free(&from);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_stay_in_order_with_what_they_carry),
		cmocka_unit_test(a_mailbox_is_copied_with_its_keywords),
		cmocka_unit_test(moving_joins_in_order_and_empties_the_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
