/* Telling moved files by what they hold.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/flags.h"
#include "syncd/sync_moves.h"

/* Content numbers from 100 on have no Message-ID. */
static struct digest digest_of(int content)
{
	struct identity identity;
	struct digest digest;
	char text[16] = { (char)('A' + content % 26), (char)('0' + content / 26 % 10), '\0' };

	identity_init(&identity);
	identity_add_field(&identity, slice_of(content < 100 ? "Message-ID" : "Subject"),
			   slice_of(text));
	identity_digest(&identity, &digest);
	identity_free(&identity);
	return digest;
}

static void add_gone(struct sync_moves *moves, size_t mailbox, uint32_t uid, int content,
		     uint64_t flags, const char *name)
{
	sync_moves_add_gone(moves, &(struct sync_gone){
					   .mailbox = mailbox,
					   .uid = uid,
					   .flags = flags,
					   .size_bytes = 1000,
					   .identity = digest_of(content),
					   .name = (char *)(uintptr_t)name,
				   });
}

static void add_came(struct sync_moves *moves, size_t mailbox, int content, uint64_t size_bytes,
		     uint64_t flags, const char *name)
{
	sync_moves_add_came(moves, &(struct sync_came){
					   .mailbox = mailbox,
					   .flags = flags,
					   .size_bytes = size_bytes,
					   .identity = digest_of(content),
					   .name = (char *)(uintptr_t)name,
				   });
}

/* The UID of what the n-th that came was; 0: nothing. */
static uint32_t was(const struct sync_moves *moves, size_t n)
{
	return moves->came[n].was == SYNC_NOT_MOVED ? 0 : moves->gone[moves->came[n].was].uid;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct sync_moves));
	return *state == NULL;
}

static int teardown(void **state)
{
	sync_moves_free(*state);
	free(*state);
	return 0;
}

static void a_file_of_the_same_name_is_the_message(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 5, 2, 0, "b");
	add_gone(moves, 0, 4, 1, 0, "a");
	add_came(moves, 1, 1, 1000, 0, "a");
	add_came(moves, 2, 2, 1000, 0, "b");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 4);
	assert_int_equal(was(moves, 1), 5);
}

static void a_file_of_another_name_is_one_with_the_same_content(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, 0, "a");
	add_came(moves, 1, 1, 1000, 0, "x");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 4);
}

static void a_name_alone_does_not_make_it_the_message(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, 0, "a");
	add_came(moves, 1, 2, 1000, 0, "a");
	add_came(moves, 1, 1, 999, 0, "a");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 0);
	assert_int_equal(was(moves, 1), 0);
}

static void names_go_before_the_order_in_which_files_came(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, 0, "a");
	add_gone(moves, 0, 5, 1, 0, "b");
	add_came(moves, 1, 1, 1000, 0, "x");
	add_came(moves, 2, 1, 1000, 0, "a");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 5);
	assert_int_equal(was(moves, 1), 4);
}

static void each_message_is_found_once(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, 0, "a");
	for (int i = 0; i < 3; i++)
		add_came(moves, 1, 1, 1000, 0, i == 0 ? "x" : i == 1 ? "y" : "z");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 4);
	assert_int_equal(was(moves, 1), 0);
	assert_int_equal(was(moves, 2), 0);
}

static void a_draft_is_only_known_by_its_name(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, FLAG_DRAFT, "a");
	add_gone(moves, 0, 5, 2, 0, "b");
	add_gone(moves, 0, 6, 3, FLAG_DRAFT, "c");
	add_came(moves, 1, 1, 1000, 0, "x");
	add_came(moves, 1, 2, 1000, FLAG_DRAFT, "y");
	add_came(moves, 1, 3, 1000, FLAG_DRAFT, "c");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 0);
	assert_int_equal(was(moves, 1), 0);
	assert_int_equal(was(moves, 2), 6);
}

static void a_draft_does_not_hide_an_equal_message(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, FLAG_DRAFT, "a");
	add_gone(moves, 0, 5, 1, 0, "b");
	add_came(moves, 1, 1, 1000, 0, "x");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 5);
}

static void without_a_message_id_only_the_name_tells(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 101, 0, "a");
	add_gone(moves, 0, 5, 102, 0, "b");
	add_came(moves, 1, 101, 1000, 0, "x");
	add_came(moves, 1, 102, 1000, 0, "b");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 0);
	assert_int_equal(was(moves, 1), 5);
}

static void a_header_line_may_be_added_on_the_way(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, 0, "a");
	add_came(moves, 1, 1, 1000 + SYNC_HEADER_ADDED_MAX, 0, "x");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 4);
}

static void more_or_less_than_a_header_line_is_another_message(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 0, 4, 1, 0, "a");
	add_came(moves, 1, 1, 1001 + SYNC_HEADER_ADDED_MAX, 0, "x");
	add_came(moves, 1, 1, 999, 0, "y");
	add_came(moves, 1, 2, 1010, 0, "z");
	sync_moves_find(moves);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(was(moves, i), 0);
}

static void edited_in_its_mailbox_it_is_another_message(void **state)
{
	struct sync_moves *moves = *state;

	add_gone(moves, 1, 4, 1, 0, "a");
	add_came(moves, 1, 1, 1010, 0, "x");
	sync_moves_find(moves);
	assert_int_equal(was(moves, 0), 0);
}

static void ten_thousand_equal_messages_are_all_found(void **state)
{
	struct sync_moves *moves = *state;
	char name[16];

	for (uint32_t i = 1; i <= 10000; i++) {
		(void)snprintf(name, sizeof(name), "a%u", (unsigned)i);
		add_gone(moves, 0, i, 1, 0, name);
		name[0] = 'b';
		add_came(moves, 1, 1, 1000, 0, name);
	}
	sync_moves_find(moves);
	for (size_t i = 0; i < 10000; i++)
		assert_int_not_equal(was(moves, i), 0);
}

static bool take_name(struct sync_moves *moves, size_t mailbox, const char *name)
{
	return sync_moves_take_name(moves, &(struct sync_came){
						   .mailbox = mailbox,
						   .flags = FLAG_SEEN,
						   .name = (char *)(uintptr_t)name,
					   });
}

static void a_name_is_enough_for_a_file_that_was_not_read(void **state)
{
	struct sync_moves moves = { .gone = NULL };
	struct digest first = digest_of(9);

	(void)state;
	assert_false(take_name(&moves, 1, "b"));
	add_gone(&moves, 0, 1, 9, 0, "b");
	add_gone(&moves, 0, 2, 3, 0, "a");
	assert_true(take_name(&moves, 1, "b"));
	assert_false(take_name(&moves, 2, "b")); /* that one was taken */
	assert_false(take_name(&moves, 1, "c"));
	add_gone(&moves, 0, 3, 1, 0, "c");
	add_came(&moves, 2, 3, 1000, 0, "x");
	assert_true(take_name(&moves, 1, "c"));
	sync_moves_find(&moves);
	assert_int_equal(moves.came_count, 3);
	assert_int_equal(was(&moves, 0), 1);
	assert_int_equal(was(&moves, 1), 2);
	assert_int_equal(was(&moves, 2), 3);
	assert_true(digest_equals(&moves.came[0].identity, &first));
	assert_int_equal(moves.came[0].size_bytes, 1000);
	assert_int_equal(moves.came[0].flags, FLAG_SEEN);
	sync_moves_free(&moves);
}

static void a_name_that_two_had_is_not_enough(void **state)
{
	struct sync_moves moves = { .gone = NULL };

	(void)state;
	add_gone(&moves, 0, 1, 1, 0, "a");
	add_gone(&moves, 2, 1, 2, 0, "a");
	assert_false(take_name(&moves, 1, "a"));
	assert_int_equal(moves.came_count, 0);
	add_came(&moves, 1, 2, 1000, 0, "a");
	sync_moves_find(&moves);
	assert_int_equal(moves.gone[moves.came[0].was].mailbox, 2);
	sync_moves_free(&moves);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_file_of_the_same_name_is_the_message),
		TEST(a_file_of_another_name_is_one_with_the_same_content),
		TEST(a_name_alone_does_not_make_it_the_message),
		TEST(names_go_before_the_order_in_which_files_came),
		TEST(each_message_is_found_once),
		TEST(a_draft_is_only_known_by_its_name),
		TEST(a_draft_does_not_hide_an_equal_message),
		TEST(without_a_message_id_only_the_name_tells),
		TEST(a_header_line_may_be_added_on_the_way),
		TEST(more_or_less_than_a_header_line_is_another_message),
		TEST(edited_in_its_mailbox_it_is_another_message),
		TEST(ten_thousand_equal_messages_are_all_found),
		TEST(a_name_is_enough_for_a_file_that_was_not_read),
		TEST(a_name_that_two_had_is_not_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
