/* How files are found by base names when no directory was read.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/maildir_fixture.h"

static void look(struct maildir_fixture *f)
{
	assert_int_equal(fixture_scan(f), 0);
	f->hint_count = 0;
	assert_true(f->listing.is_stable);
}

static int set_flags(struct maildir_fixture *f, const char *name, uint64_t expected, uint64_t add,
		     uint64_t remove)
{
	return f->mailbox->ops->set_flags(f->mailbox, name, expected, add, remove, &f->err);
}

static void a_file_that_was_looked_at_is_found_by_what_was_seen(void **state)
{
	struct maildir_fixture *f = *state;
	struct local_reader *reader;

	fixture_put(f, "cur/1.a:2,FRX");
	fixture_put(f, "cur/2.b:2,S");
	fixture_appeared(f, "cur/1.a:2,FRX");
	look(f);
	fixture_appeared(f, "cur/2.b:2,S");
	look(f);
	assert_int_equal(f->mailbox->ops->reader_open(f->mailbox, "2.b", &reader, &f->err), 0);
	f->mailbox->ops->reader_close(reader);
	assert_int_equal(set_flags(f, "1.a", 0, FLAG_SEEN, FLAG_ANSWERED), 0);
	assert_true(fixture_has(f, "cur/1.a:2,FSX"));
	assert_int_equal(set_flags(f, "1.a", 0, 0, FLAG_FLAGGED), 0);
	assert_true(fixture_has(f, "cur/1.a:2,SX"));
	assert_int_equal(fixture_directories_read, 0);
}

static void a_scan_forgets_nothing_that_a_look_behind_it_adds_to(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,FX");
	fixture_put(f, "cur/2.b:2,RX");
	assert_int_equal(fixture_scan(f), 0);
	assert_int_equal(f->listing.count, 2);
	fixture_directories_read = 0;
	fixture_move(f, "cur/2.b:2,RX", "cur/2.b:2,X");
	fixture_put(f, "new/0.new");
	fixture_vanished(f, "cur/2.b:2,RX");
	fixture_appeared(f, "cur/2.b:2,X");
	fixture_appeared(f, "new/0.new");
	look(f);
	assert_int_equal(set_flags(f, "1.a", 0, FLAG_SEEN, 0), 0);
	assert_int_equal(set_flags(f, "2.b", 0, FLAG_SEEN, 0), 0);
	assert_int_equal(set_flags(f, "0.new", FLAG_DRAFT, FLAG_SEEN, 0), 0);
	assert_true(fixture_has(f, "cur/1.a:2,FSX"));
	assert_true(fixture_has(f, "cur/2.b:2,SX"));
	assert_true(fixture_has(f, "cur/0.new:2,S"));
	assert_int_equal(fixture_directories_read, 0);
}

static void a_file_is_found_by_its_expected_flags(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t home = fixture_keyword(f, "home");

	fixture_put(f, "new/1.a");
	fixture_put(f, "cur/2.b:2,");
	fixture_put(f, "cur/3.c:2,FSb");
	fixture_put(f, "new/4.d");
	fixture_put(f, "cur/5.e");
	assert_int_equal(set_flags(f, "1.a", 0, FLAG_SEEN, 0), 0);
	assert_int_equal(set_flags(f, "2.b", 0, FLAG_SEEN, 0), 0);
	assert_int_equal(set_flags(f, "3.c", FLAG_SEEN | FLAG_FLAGGED | home, 0, FLAG_FLAGGED), 0);
	assert_int_equal(set_flags(f, "4.d", FLAG_DRAFT, FLAG_SEEN, 0), 0);
	assert_int_equal(set_flags(f, "5.e", 0, FLAG_SEEN, 0), 0);
	assert_true(fixture_has(f, "cur/1.a:2,S"));
	assert_true(fixture_has(f, "cur/2.b:2,S"));
	assert_true(fixture_has(f, "cur/3.c:2,Sb"));
	assert_true(fixture_has(f, "cur/4.d:2,S"));
	assert_true(fixture_has(f, "cur/5.e:2,S"));
	assert_int_equal(fixture_directories_read, 0);
}

/* The server keeps no $Forwarded, so the state knows none. */
static void a_file_with_a_system_flag_too_many_is_found_without_reading(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t work = fixture_keyword(f, "work");

	fixture_put(f, "cur/1.a:2,PSa");
	fixture_put(f, "cur/2.b:2,P");
	assert_int_equal(set_flags(f, "1.a", FLAG_SEEN | work, FLAG_FLAGGED, 0), 0);
	assert_int_equal(f->mailbox->ops->remove(f->mailbox, "2.b", 0, &f->err), 0);
	assert_true(fixture_has(f, "cur/1.a:2,FPSa"));
	assert_false(fixture_has(f, "cur/2.b:2,P"));
	assert_int_equal(fixture_directories_read, 0);
}

static void a_file_with_other_flags_than_expected_is_found_too(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,RX");
	assert_int_equal(set_flags(f, "1.a", FLAG_FLAGGED, FLAG_SEEN, FLAG_ANSWERED), 0);
	assert_true(fixture_has(f, "cur/1.a:2,SX"));
	assert_true(fixture_directories_read > 0);
	assert_int_equal(set_flags(f, "2.b", FLAG_SEEN, FLAG_SEEN, 0), SYNCD_ENOTFOUND);
}

static void publishing_in_place_and_removing_read_no_directory(void **state)
{
	struct maildir_fixture *f = *state;
	const struct local_mailbox_ops *ops = f->mailbox->ops;

	fixture_put(f, "cur/1.a:2,FS");
	assert_int_equal(ops->publish(f->mailbox, "1.a", FLAG_FLAGGED | FLAG_SEEN, &f->err), 0);
	assert_int_equal(ops->remove(f->mailbox, "1.a", FLAG_FLAGGED | FLAG_SEEN, &f->err), 0);
	assert_false(fixture_has(f, "cur/1.a:2,FS"));
	assert_int_equal(fixture_directories_read, 0);
}

static void removing_by_a_guess_takes_twins_with_fewer_flags_too(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "new/1.a");
	fixture_put(f, "cur/1.a:2,");
	fixture_put(f, "cur/1.a:2,FS");
	fixture_put(f, "cur/1.a:2,S");
	fixture_put(f, "cur/1.ab:2,S");
	assert_int_equal(f->mailbox->ops->remove(f->mailbox, "1.a",
						 FLAG_FLAGGED | FLAG_SEEN | FLAG_DRAFT, &f->err),
			 0);
	assert_int_equal(temp_count(&f->dir, "A/new", NULL), 0);
	assert_int_equal(temp_count(&f->dir, "A/cur", NULL), 1);
	assert_int_equal(fixture_directories_read, 0);
}

static void a_letter_on_a_file_that_no_scan_saw_is_given_to_no_keyword(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t lists = fixture_keyword(f, "lists");

	fixture_put(f, "cur/1.a:2,c");
	fixture_put(f, "cur/2.b:2,S");
	assert_int_equal(set_flags(f, "2.b", FLAG_SEEN, lists, 0), 0);
	assert_true(fixture_has(f, "cur/2.b:2,Sd"));
	char *text = temp_read(&f->dir, "A/dovecot-keywords", NULL);
	assert_string_equal(text, "0 work\n1 home\n3 lists\n");
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_was_looked_at_is_found_by_what_was_seen),
		TEST(a_scan_forgets_nothing_that_a_look_behind_it_adds_to),
		TEST(a_file_is_found_by_its_expected_flags),
		TEST(a_file_with_a_system_flag_too_many_is_found_without_reading),
		TEST(a_file_with_other_flags_than_expected_is_found_too),
		TEST(publishing_in_place_and_removing_read_no_directory),
		TEST(removing_by_a_guess_takes_twins_with_fewer_flags_too),
		TEST(a_letter_on_a_file_that_no_scan_saw_is_given_to_no_keyword),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
