/* The local port looks at the files that inotify named, and at no others.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "support/maildir_fixture.h"

#define NOT_DONE 1

static void op_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

/* Looks at the files hinted at, and forgets the hints. */
static void look(struct maildir_fixture *f)
{
	assert_true(f->hint_count > 0);
	assert_int_equal(fixture_scan(f), 0);
	f->hint_count = 0;
	assert_true(f->listing.is_delta);
	assert_int_equal(f->listing.mtimes.cur_ns, 0);
	assert_int_equal(f->listing.mtimes.new_ns, 0);
	assert_int_equal(fixture_directories_read, 0);
}

static void assert_item(struct maildir_fixture *f, size_t n, const char *name, uint64_t flags,
			bool is_gone)
{
	assert_true(n < f->listing.count);
	assert_string_equal(f->listing.items[n].name, name);
	assert_int_equal(f->listing.items[n].flags, flags);
	assert_int_equal(f->listing.items[n].is_gone, is_gone);
}

static void assert_only(struct maildir_fixture *f, const char *name, uint64_t flags)
{
	assert_true(f->listing.is_stable);
	assert_int_equal(f->listing.count, 1);
	assert_item(f, 0, name, flags, false);
}

static void assert_only_gone(struct maildir_fixture *f, const char *name)
{
	assert_true(f->listing.is_stable);
	assert_int_equal(f->listing.count, 1);
	assert_item(f, 0, name, 0, true);
}

static void assert_in_flux(struct maildir_fixture *f)
{
	assert_false(f->listing.is_stable);
	assert_int_equal(f->listing.count, 0);
}

static void a_changed_flag_a_delivery_and_a_move_to_cur_are_told_sorted(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/9.unnamed:2,");
	fixture_put(f, "cur/2.a:2,FS");
	fixture_put(f, "new/3.b");
	fixture_put(f, "cur/1.c:2,");
	fixture_vanished(f, "cur/2.a:2,F");
	fixture_appeared(f, "cur/2.a:2,FS");
	fixture_appeared(f, "new/3.b");
	fixture_appeared(f, "new/1.c");
	fixture_vanished(f, "new/1.c");
	fixture_appeared(f, "cur/1.c:2,");
	look(f);
	assert_true(f->listing.is_stable);
	assert_int_equal(f->listing.count, 3);
	assert_item(f, 0, "1.c", 0, false);
	assert_item(f, 1, "2.a", FLAG_FLAGGED | FLAG_SEEN, false);
	assert_item(f, 2, "3.b", 0, false);
}

static void a_deleted_message_is_gone_once_all_events_must_be_known(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,S");
	fixture_take(f, "cur/1.a:2,S");
	fixture_vanished(f, "cur/1.a:2,S");
	look(f);
	assert_in_flux(f);
	fixture_settle();
	fixture_vanished(f, "cur/1.a:2,S");
	look(f);
	assert_only_gone(f, "1.a");
}

static void a_message_renamed_and_then_deleted_is_gone(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_vanished(f, "cur/1.a:2,S");
	fixture_appeared(f, "cur/1.a:2,ST");
	fixture_vanished(f, "cur/1.a:2,ST");
	fixture_settle();
	look(f);
	assert_only_gone(f, "1.a");
}

static void a_rename_of_which_only_the_first_half_is_known_is_no_deletion(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,S");
	fixture_move(f, "cur/1.a:2,S", "cur/1.a:2,FRS");
	fixture_vanished(f, "cur/1.a:2,S");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN | FLAG_FLAGGED | FLAG_ANSWERED);
	fixture_move(f, "cur/1.a:2,FRS", "cur/1.a:2,FRSa"); /* where no guess leads to */
	fixture_vanished(f, "cur/1.a:2,FRS");
	look(f);
	assert_in_flux(f);
}

static void a_message_renamed_on_before_the_look_is_in_flux(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t work = fixture_keyword(f, "work");

	fixture_put(f, "cur/1.a:2,S");
	fixture_put(f, "cur/2.b:2,F");
	fixture_move(f, "cur/1.a:2,S", "cur/1.a:2,RSa");
	fixture_vanished(f, "cur/1.a:2,");
	fixture_appeared(f, "cur/1.a:2,S");
	fixture_appeared(f, "cur/2.b:2,F");
	fixture_settle();
	look(f);
	assert_false(f->listing.is_stable);
	assert_int_equal(f->listing.count, 1);
	assert_item(f, 0, "2.b", FLAG_FLAGGED, false);
	fixture_vanished(f, "cur/1.a:2,");
	fixture_appeared(f, "cur/1.a:2,S");
	fixture_vanished(f, "cur/1.a:2,S");
	fixture_appeared(f, "cur/1.a:2,RSa");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN | FLAG_ANSWERED | work);
}

static void two_renames_there_and_back_tell_what_is_now(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,");
	for (int i = 0; i < 50; i++) {
		fixture_vanished(f, "cur/1.a:2,");
		fixture_appeared(f, "cur/1.a:2,S");
		fixture_vanished(f, "cur/1.a:2,S");
		fixture_appeared(f, "cur/1.a:2,");
	}
	look(f);
	assert_only(f, "1.a", 0);
	/* The events of the way back are still to come. */
	fixture_vanished(f, "cur/1.a:2,");
	fixture_appeared(f, "cur/1.a:2,S");
	look(f);
	assert_only(f, "1.a", 0);
}

static void a_file_made_again_under_its_name_is_there(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,S");
	fixture_vanished(f, "cur/1.a:2,S");
	fixture_appeared(f, "cur/1.a:2,S");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN);
	/* It was made again after the last event told. */
	fixture_appeared(f, "cur/1.a:2,S");
	fixture_vanished(f, "cur/1.a:2,S");
	fixture_settle();
	look(f);
	assert_only(f, "1.a", FLAG_SEEN);
}

static void of_two_files_of_one_message_the_one_that_stays_counts(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t work = fixture_keyword(f, "work");

	fixture_put(f, "cur/1.a:2,S");
	fixture_put(f, "cur/1.a:2,F");
	fixture_appeared(f, "cur/1.a:2,S");
	fixture_appeared(f, "cur/1.a:2,F");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN | FLAG_FLAGGED);
	fixture_take(f, "cur/1.a:2,F");
	fixture_settle();
	fixture_vanished(f, "cur/1.a:2,F");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN);

	fixture_put(f, "cur/2.b:2,Sa");
	fixture_settle();
	fixture_vanished(f, "cur/2.b:2,RSa");
	look(f);
	assert_only(f, "2.b", FLAG_SEEN | work);
	fixture_put(f, "new/3.c");
	fixture_settle();
	fixture_vanished(f, "cur/3.c:2,S");
	look(f);
	assert_only(f, "3.c", 0);
}

static void a_rename_by_link_and_unlink_may_be_seen_in_its_middle(void **state)
{
	struct maildir_fixture *f = *state;
	char *from = temp_path(&f->dir, "A/cur/1.a:2,");
	char *to = temp_path(&f->dir, "A/cur/1.a:2,S");

	fixture_put(f, "cur/1.a:2,");
	assert_int_equal(link(from, to), 0);
	fixture_appeared(f, "cur/1.a:2,S");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN);
	fixture_take(f, "cur/1.a:2,");
	fixture_settle();
	fixture_vanished(f, "cur/1.a:2,");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN);
	free(from);
	free(to);
}

static void a_link_renamed_on_after_its_first_name_vanished_is_in_flux(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,PSac");
	fixture_appeared(f, "cur/1.a:2,F");
	fixture_vanished(f, "cur/1.a:2,");
	fixture_settle();
	look(f);
	assert_in_flux(f);
}

static void what_a_scan_leaves_out_is_left_out(void **state)
{
	struct maildir_fixture *f = *state;
	char long_name[300] = "cur/";

	memset(long_name + 4, 'x', sizeof(long_name) - 5);
	fixture_put(f, "cur/:2,S");
	fixture_put(f, "cur/.hidden");
	temp_mkdir(&f->dir, "A/cur/directory");
	fixture_appeared(f, "cur/:2,S");
	fixture_appeared(f, "cur/.hidden");
	fixture_appeared(f, "cur/directory");
	fixture_appeared(f, "cur/../dovecot-keywords");
	fixture_appeared(f, long_name);
	fixture_vanished(f, "cur/:2,F");
	look(f);
	assert_true(f->listing.is_stable);
	assert_int_equal(f->listing.count, 0);
	assert_int_equal(f->warnings, 1);
	assert_non_null(strstr(f->logged, "A/cur/:2,S"));
}

static void letters_become_keywords_and_those_without_a_name_are_warned_of(void **state)
{
	struct maildir_fixture *f = *state;
	uint64_t work = fixture_keyword(f, "work");
	uint64_t home = fixture_keyword(f, "home");

	fixture_put(f, "cur/1.a:2,Sb");
	fixture_appeared(f, "cur/1.a:2,Sb");
	look(f);
	assert_only(f, "1.a", FLAG_SEEN | home);
	assert_int_equal(f->mailbox->ops->flags_mask(f->mailbox) & (work | home), work | home);
	assert_int_equal(f->warnings, 0);
	fixture_put(f, "cur/2.b:2,az");
	fixture_appeared(f, "cur/2.b:2,az");
	look(f);
	assert_only(f, "2.b", work);
	assert_int_equal(f->warnings, 1);
	assert_non_null(strstr(f->logged, "2.b"));
	assert_int_equal(f->mailbox->ops->flags_mask(f->mailbox), FLAGS_SYSTEM);
	fixture_put(f, "new/3.c");
	fixture_appeared(f, "new/3.c");
	look(f); /* knows nothing new of the other files' letters */
	assert_int_equal(f->mailbox->ops->flags_mask(f->mailbox), FLAGS_SYSTEM);
}

static void a_mailbox_that_was_replaced_cannot_be_looked_at(void **state)
{
	struct maildir_fixture *f = *state;

	fixture_put(f, "cur/1.a:2,S");
	temp_rename(&f->dir, "A", "B");
	fixture_appeared(f, "cur/1.a:2,S");
	assert_int_equal(fixture_scan(f), SYNCD_EIO);
	temp_mailbox(&f->dir, "A");
	assert_int_equal(fixture_scan(f), SYNCD_EIO);
	assert_int_equal(f->listing.count, 0);
}

static void a_cancelled_look_completes_as_cancelled(void **state)
{
	struct maildir_fixture *f = *state;
	int code = NOT_DONE;
	struct local_scan_req req = { .op = { .done = op_done, .impl = &code },
				      .hints = f->hints,
				      .hint_count = 1,
				      .result = &f->listing };

	fixture_vanished(f, "cur/1.a:2,S");
	f->mailbox->ops->scan(f->mailbox, &req);
	f->mailbox->ops->cancel(f->mailbox);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(code, SYNCD_ECANCELLED);
	assert_int_equal(f->listing.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_changed_flag_a_delivery_and_a_move_to_cur_are_told_sorted),
		TEST(a_deleted_message_is_gone_once_all_events_must_be_known),
		TEST(a_message_renamed_and_then_deleted_is_gone),
		TEST(a_rename_of_which_only_the_first_half_is_known_is_no_deletion),
		TEST(a_message_renamed_on_before_the_look_is_in_flux),
		TEST(two_renames_there_and_back_tell_what_is_now),
		TEST(a_file_made_again_under_its_name_is_there),
		TEST(of_two_files_of_one_message_the_one_that_stays_counts),
		TEST(a_rename_by_link_and_unlink_may_be_seen_in_its_middle),
		TEST(a_link_renamed_on_after_its_first_name_vanished_is_in_flux),
		TEST(what_a_scan_leaves_out_is_left_out),
		TEST(letters_become_keywords_and_those_without_a_name_are_warned_of),
		TEST(a_mailbox_that_was_replaced_cannot_be_looked_at),
		TEST(a_cancelled_look_completes_as_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
