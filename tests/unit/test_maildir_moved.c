/* Files that came from another mailbox, whose keyword letters meant something else there.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/maildir_fixture.h"

static int set_keywords(struct maildir_fixture *f, const char *name, uint64_t flags)
{
	return f->mailbox->ops->set_keywords(f->mailbox, name, flags, &f->err);
}

static uint64_t flags_of(struct maildir_fixture *f, const char *name)
{
	assert_int_equal(fixture_scan(f), 0);
	for (size_t i = 0; i < f->listing.count; i++) {
		if (strcmp(f->listing.items[i].name, name) == 0)
			return f->listing.items[i].flags;
	}
	fail_msg("%s is not listed", name);
	return 0;
}

static void letters_that_mean_something_else_here_are_replaced(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.m:2,FSa");
	fixture_put(f, "new/2.m");
	assert_int_equal(set_keywords(f, "1.m", fixture_keyword(f, "home")), 0);
	assert_int_equal(set_keywords(f, "2.m", 0), 0);
	assert_true(fixture_has(f, "cur/1.m:2,FSb"));
	assert_true(fixture_has(f, "new/2.m"));
	assert_int_equal(set_keywords(f, "2.m", fixture_keyword(f, "work")), 0);
	assert_true(fixture_has(f, "cur/2.m:2,a"));
}

/* Until all of them have been seen to, letters without names are about. */
static void letters_without_a_name_here_do_not_keep_keywords_from_getting_one(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t home = fixture_keyword(f, "home");
	uint64_t third = fixture_keyword(f, "third");

	fixture_put(f, "cur/1.m:2,Sac");
	fixture_put(f, "cur/2.m:2,c");
	assert_int_equal(fixture_scan(f), 0);
	assert_int_equal(f->mailbox->ops->flags_mask(f->mailbox), FLAGS_SYSTEM);
	assert_int_equal(set_keywords(f, "1.m", home | third), 0);
	assert_int_equal(set_keywords(f, "2.m", third), 0);
	/* c was on files, and would for a moment have said of 2.m what it is not. */
	assert_true(fixture_has(f, "cur/1.m:2,Sbd"));
	assert_true(fixture_has(f, "cur/2.m:2,d"));
	assert_int_equal(flags_of(f, "1.m"), FLAG_SEEN | home | third);
	assert_int_equal(flags_of(f, "2.m"), third);
	assert_true((f->mailbox->ops->flags_mask(f->mailbox) & home) != 0);
}

static void other_keywords_get_no_letters_while_some_have_no_name(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t third = fixture_keyword(f, "third");

	fixture_put(f, "cur/1.m:2,c");
	fixture_put(f, "cur/2.m:2,S");
	assert_int_equal(fixture_scan(f), 0);
	assert_int_equal(
		f->mailbox->ops->set_flags(f->mailbox, "2.m", FLAG_SEEN, third, 0, &f->err), 0);
	assert_true(fixture_has(f, "cur/2.m:2,S"));
}

static void a_file_that_has_them_already_is_left_as_it_is(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t work = fixture_keyword(f, "work");

	fixture_put(f, "cur/1.m:2,DaX,S=1");
	assert_int_equal(set_keywords(f, "1.m", FLAG_SEEN | work), 0);
	assert_true(fixture_has(f, "cur/1.m:2,DaX,S=1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(letters_that_mean_something_else_here_are_replaced),
		TEST(letters_without_a_name_here_do_not_keep_keywords_from_getting_one),
		TEST(other_keywords_get_no_letters_while_some_have_no_name),
		TEST(a_file_that_has_them_already_is_left_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
