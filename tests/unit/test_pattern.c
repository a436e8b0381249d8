/* Tests of mailbox patterns.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"
#include "syncd/pattern.h"

static void patterns_match_whole_names(void **state)
{
	static const struct {
		const char *pattern;
		const char *name;
		bool matches;
	} cases[] = {
		{ "*", "INBOX", true },
		{ "*", "a/b/c", true },
		{ "%", "a", true },
		{ "%", "a/b", false },
		{ "%/%", "a/b", true },
		{ "%/%", "a/b/c", false },
		{ "a", "a", true },
		{ "a", "A", false },
		{ "a", "ab", false },
		{ "a*", "a", true },
		{ "a*", "a/b", true },
		{ "a%", "a/b", false },
		{ "a/%", "a/b", true },
		{ "*b", "a/b", true },
		{ "*b", "a/c", false },
		{ "*a*a*b", "aaaab", true },
		{ "*/%x", "a/bx/cx", true },
		{ "*/%x", "a/bx/c", false },
		{ "%a%/b", "cad/b", true },
		{ "%a%/b", "cd/b", false },
		{ "%ab", "aab", true },
		{ "*%/c", "a/b/c", true },
		{ "inbox", "INBOX", true },
		{ "Inbox/*", "INBOX/sub", true },
		{ "inbox/sub", "INBOX/Sub", false },
		{ "inboxes", "INBOXES", false },
		{ "Büro/*", "Büro/x", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (pattern_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern, cases[i].name);
	}
}

static void the_last_pattern_that_matches_decides(void **state)
{
	char *const list[] = { "*", "!Junk", "!Archive/*", "Archive/2024", NULL };
	char *const none[] = { "!Junk", NULL };

	(void)state;
	assert_true(pattern_list_selects(list, "INBOX"));
	assert_false(pattern_list_selects(list, "Junk"));
	assert_true(pattern_list_selects(list, "Junk/sub"));
	assert_false(pattern_list_selects(list, "Archive/2023"));
	assert_true(pattern_list_selects(list, "Archive/2024"));
	assert_false(pattern_list_selects(none, "INBOX"));
}

static void a_namespace_is_named_by_patterns_that_begin_with_it(void **state)
{
	char *const list[] = { "*", "shared/a*", "!*/b", NULL };
	char *const none[] = { "*", "shared*", "!shared/a", NULL };

	(void)state;
	assert_true(pattern_list_has_prefix(list, "shared/"));
	assert_false(pattern_list_has_prefix(none, "shared/"));
	assert_false(pattern_list_has_prefix(list, ""));
	assert_true(pattern_list_names(list, "shared/", "shared/a/c"));
	assert_false(pattern_list_names(list, "shared/", "shared/a/b"));
	assert_false(pattern_list_names(list, "shared/", "shared/c"));
	assert_false(pattern_list_names(none, "shared/", "shared/a"));
	assert_false(pattern_list_names(list, "", "shared/a"));
}

static void empty_and_control_patterns_are_faulty(void **state)
{
	(void)state;
	assert_non_null(pattern_fault(""));
	assert_non_null(pattern_fault("!"));
	assert_non_null(pattern_fault("a\nb"));
	assert_null(pattern_fault("!Junk"));
	assert_null(pattern_fault("*"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_whole_names),
		cmocka_unit_test(the_last_pattern_that_matches_decides),
		cmocka_unit_test(a_namespace_is_named_by_patterns_that_begin_with_it),
		cmocka_unit_test(empty_and_control_patterns_are_faulty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
