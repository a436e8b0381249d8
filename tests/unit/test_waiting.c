/* What a lost connection left open: which files and UIDs, and for how long.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

static void add(struct sync_waiting *waiting, enum journal_kind kind, uint32_t uid,
		const char *name)
{
	struct journal_record journal = { .kind = kind, .uid = uid };

	memcpy(journal.name, name, strlen(name) + 1);
	sync_waiting_add(waiting, &journal);
}

static void uploads_are_known_by_name_and_removals_by_uid(void **state)
{
	struct sync_waiting waiting = { .names = NULL };

	(void)state;
	assert_false(sync_waiting_has_name(NULL, "a"));
	assert_false(sync_waiting_has_name(&waiting, "a"));
	add(&waiting, JOURNAL_APPEND, 0, "m");
	add(&waiting, JOURNAL_EXPUNGE, 7, "7");
	add(&waiting, JOURNAL_APPEND, 0, "a");
	add(&waiting, JOURNAL_APPEND, 0, "z");
	sync_waiting_sort(&waiting);
	assert_true(sync_waiting_has_name(&waiting, "a"));
	assert_true(sync_waiting_has_name(&waiting, "m"));
	assert_true(sync_waiting_has_name(&waiting, "z"));
	assert_false(sync_waiting_has_name(&waiting, "b"));
	assert_false(sync_waiting_has_name(&waiting, "7"));
	assert_false(sync_waiting_has_name(&waiting, NULL));
	assert_true(uidset_contains(&waiting.uids, 7));
	waiting.looked_uid = 9;
	assert_false(sync_waiting_has_come(NULL, 10));
	assert_false(sync_waiting_has_come(&waiting, 0));
	assert_false(sync_waiting_has_come(&waiting, 9));
	assert_true(sync_waiting_has_come(&waiting, 10));
	sync_waiting_free(&waiting);
	assert_false(sync_waiting_has_name(&waiting, "a"));
	assert_false(sync_waiting_has_come(&waiting, 10));
	assert_false(uidset_contains(&waiting.uids, 7));
}

static void the_time_counts_from_the_first_look(void **state)
{
	static const struct {
		int64_t looked_s;
		int64_t wait_s;
		int64_t left_s;
		int64_t looked_then_s;
	} cases[] = {
		{ 0, 30, 30, 1000 },
		{ 1000, 30, 30, 1000 },
		{ 971, 30, 1, 971 },
		{ 970, 30, 0, 970 },
		{ 1, 30, 0, 1 },
		{ 0, 0, 0, 1000 },
		{ 1001, 30, 30, 1000 },
		{ INT64_MAX, 5, 5, 1000 },
		{ 999, INT64_MAX, INT64_MAX - 1, 999 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct journal_record journal = { .kind = JOURNAL_APPEND,
						  .looked_s = cases[i].looked_s };
		int64_t looked_s = 0;
		assert_int_equal(sync_waiting_left_s(&journal, 1000, cases[i].wait_s, &looked_s),
				 cases[i].left_s);
		assert_int_equal(looked_s, cases[i].looked_then_s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uploads_are_known_by_name_and_removals_by_uid),
		cmocka_unit_test(the_time_counts_from_the_first_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
