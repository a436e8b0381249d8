/* Pulls: what is fetched and what is deleted on the server, policy by policy.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/pull_fixture.h"
#include "syncd/must.h"

#define DAY_S (24 * 60 * 60)

static struct pull_fixture *fixture(enum pull_keep keep)
{
	return pull_fixture_new(1, keep);
}

/* --- Policies ------------------------------------------------------------------------ */

static void what_is_kept_is_fetched_once(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 7);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 7);
	assert_int_equal(f->result.messages, 7);
	for (uint32_t content = 1; content <= 7; content++)
		assert_int_equal(pull_fixture_file(f, content)->place, PLACE_NEW);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 0);
	assert_int_equal(f->drop.count, 7);
	assert_int_equal(f->drop.bodies, 7);
	assert_int_equal(f->drop.quits, 2);
	pull_fixture_free(f);
}

static void what_is_not_kept_is_deleted_once_it_is_here(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 7);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 7);
	assert_int_equal(f->result.counts.expunged, 7);
	assert_int_equal(f->drop.count, 0);
	assert_int_equal(pull_fixture_visible(f), 7);
	assert_int_equal(pull_fixture_present(f), 0);
	pull_fixture_free(f);
}

static void what_is_kept_for_a_time_goes_behind_it(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_FOR);

	(void)state;
	f->options.keep_s = 14 * DAY_S;
	pull_fixture_arrive(f, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	world_wait(&f->world, 10 * DAY_S);
	pull_fixture_arrive(f, 1);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 3);
	world_wait(&f->world, 4 * DAY_S - 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 3);
	world_wait(&f->world, 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.expunged, 2);
	assert_string_equal(f->drop.messages[0].uid, "u3");
	world_wait(&f->world, 10 * DAY_S);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 0);
	assert_int_equal(pull_fixture_visible(f), 3);
	assert_int_equal(f->drop.bodies, 3);
	pull_fixture_free(f);
}

static void another_policy_is_for_what_was_downloaded_before_too(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 4);
	assert_int_equal(pull_fixture_run(f), 0);
	f->options.keep = PULL_KEEP_NONE;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.expunged, 4);
	assert_int_equal(f->drop.bodies, 4);
	pull_fixture_free(f);
}

/* --- Until deleted ------------------------------------------------------------------- */

static void flush(struct pull_fixture *f)
{
	for (size_t i = 0; model_maildir_nth(&f->world, i) != NULL; i++)
		model_disk_flush(&f->world, model_maildir_nth(&f->world, i));
}

static void delete_file(struct pull_fixture *f, uint32_t content)
{
	model_file_delete(pull_fixture_file(f, content));
	flush(f);
}

static void move_file(struct pull_fixture *f, uint32_t content, const char *to, uint64_t flags)
{
	model_file_move_to(pull_fixture_file(f, content), model_maildir_create(&f->world, to), NULL,
			   flags, 1);
	flush(f);
}

static void what_is_deleted_here_goes_there(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 3);
	assert_int_equal(pull_fixture_run(f), 0);
	model_file_set_flags(pull_fixture_file(f, 1), FLAG_SEEN); /* in cur/ now */
	delete_file(f, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.expunged, 1);
	assert_int_equal(f->drop.count, 2);
	assert_int_equal(f->drop.messages[1].content, 3);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.expunged, 0);
	pull_fixture_free(f);
}

static void what_is_moved_stays_until_it_is_deleted_there(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	move_file(f, 1, "Archive/2023", FLAG_SEEN);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 2);
	delete_file(f, 1);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 1);
	assert_int_equal(f->drop.messages[0].content, 2);
	pull_fixture_free(f);
}

static void what_is_moved_goes_where_that_is_wanted(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	f->options.deletes_moved = true;
	pull_fixture_arrive(f, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	move_file(f, 1, "Archive", 0);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 1);
	assert_int_equal(pull_fixture_visible(f), 2);
	pull_fixture_free(f);
}

/* Once INBOX has been read, and before Archive is. */
static void move_back_behind_us(struct world *world)
{
	struct pull_fixture *f = world->context;
	const struct model_maildir *inbox = model_maildir_find(world, PULL_MAILBOX);

	if (inbox->listings == 0 || pull_fixture_file(f, 1)->maildir == inbox)
		return;
	move_file(f, 1, PULL_MAILBOX, FLAG_SEEN);
}

static void what_is_moved_while_we_look_is_not_deleted(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 1);
	assert_int_equal(pull_fixture_run(f), 0);
	move_file(f, 1, "Archive", FLAG_SEEN);
	f->world.context = f;
	f->world.after_call = move_back_behind_us;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_string_equal(pull_fixture_file(f, 1)->maildir->name, PULL_MAILBOX);
	assert_int_equal(f->drop.count, 1);
	pull_fixture_free(f);
}

static void many_deletions_wait_for_a_person(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 30);
	assert_int_equal(pull_fixture_run(f), 0);
	for (uint32_t content = 1; content <= 25; content++)
		delete_file(f, content);
	pull_fixture_arrive(f, 1);
	assert_int_equal(pull_fixture_run(f), SYNCD_EHELD);
	assert_int_equal(f->result.held_deletions, 25);
	assert_int_equal(f->result.counts.fetched, 1);
	assert_int_equal(f->drop.count, 31);
	pull_fixture_arrive(f, 30); /* a smaller share now, and no more wanted */
	assert_int_equal(pull_fixture_run(f), SYNCD_EHELD);
	f->options.decision = SYNC_ACCEPT;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.expunged, 25);
	assert_int_equal(f->drop.count, 36);
	f->options.decision = SYNC_HOLD;
	delete_file(f, 26);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 35);
	pull_fixture_free(f);
}

static void held_deletions_can_be_restored(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 25);
	assert_int_equal(pull_fixture_run(f), 0);
	for (uint32_t content = 1; content <= 24; content++)
		delete_file(f, content);
	f->options.decision = SYNC_RESTORE;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 24);
	assert_int_equal(f->drop.count, 25);
	f->options.decision = SYNC_HOLD;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.bodies, 49);
	assert_int_equal(f->drop.count, 25);
	assert_int_equal(pull_fixture_visible(f), 25);
	pull_fixture_free(f);
}

static void what_was_held_is_nothing_under_another_policy(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 25);
	assert_int_equal(pull_fixture_run(f), 0);
	for (uint32_t content = 1; content <= 24; content++)
		delete_file(f, content);
	assert_int_equal(pull_fixture_run(f), SYNCD_EHELD);
	assert_int_equal(f->world.store.mailboxes[0].held_remote.count, 24);
	f->options.keep = PULL_KEEP_ALL;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->world.store.mailboxes[0].held_remote.count, 0);
	pull_fixture_free(f);
}

/* --- The maildir's troubles ---------------------------------------------------------- */

static int check_fails(struct local_account *account, bool is_first, struct error *err)
{
	(void)account;
	(void)is_first;
	return error_set(err, SYNCD_EROOT, "the root has vanished");
}

static void a_root_that_vanished_is_no_deletion(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);
	struct local_account_ops ops = *f->world.local.ops;

	(void)state;
	pull_fixture_arrive(f, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	ops.check = check_fails;
	f->world.local.ops = &ops;
	assert_int_equal(pull_fixture_run(f), SYNCD_EROOT);
	assert_int_equal(f->drop.count, 2);
	assert_int_equal(f->drop.opens, 1);
	pull_fixture_free(f);
}

static void an_inbox_that_vanished_is_no_deletion(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_UNTIL_DELETED);

	(void)state;
	pull_fixture_arrive(f, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	model_maildir_delete(&f->world, model_maildir_find(&f->world, PULL_MAILBOX));
	assert_int_equal(pull_fixture_run(f), SYNCD_EROOT);
	assert_int_equal(f->drop.count, 2);
	f->options.keep = PULL_KEEP_ALL; /* then nothing follows from it */
	assert_int_equal(pull_fixture_run(f), 0);
	pull_fixture_free(f);
}

static size_t files_in_tmp(const struct pull_fixture *f)
{
	size_t count = 0;

	for (size_t i = 0; i < MODEL_FILES_MAX; i++)
		count += f->world.files[i].is_used && f->world.files[i].place == PLACE_TMP;
	return count;
}

/* Each call of a pull fails in turn. What is not delivered leaves nothing behind, nothing is
 * deleted that is not safe, and the next pull brings it. */
static void a_failure_at_any_call_loses_and_doubles_nothing(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_FAIL, FAULT_LOSE_REPLY };
	size_t pulls = 0;

	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		struct pull_fixture *f = pull_fixture_new(i, PULL_KEEP_NONE);
		struct fault fault = { .at_call = i / 2 + 1, .kind = kinds[i % 2] };
		f->world.faults = &fault;
		f->world.fault_count = 1;
		f->world.faults_are_on = true;
		pull_fixture_arrive(f, 6);
		int code = pull_fixture_run(f);
		bool is_over = f->world.calls < fault.at_call;
		/* Where it came in the cleaning of tmp/ or a QUIT without marks it is no matter. */
		for (uint32_t content = 1; code != 0 && content <= 6; content++)
			assert_true(pull_fixture_files(f, content) <= 1);
		assert_int_equal(pull_fixture_run(f), 0);
		assert_int_equal(pull_fixture_visible(f), 6);
		assert_int_equal(files_in_tmp(f), 0);
		assert_int_equal(f->drop.count, 0);
		pulls += code != 0;
		pull_fixture_free(f);
		if (is_over)
			break;
	}
	assert_true(pulls > 100);
}

static void a_full_disk_delivers_what_is_safe_and_cleans_up(void **state)
{
	size_t full = 0;

	(void)state;
	for (uint64_t at = 1; at < 100; at++) {
		struct pull_fixture *f = fixture(PULL_KEEP_NONE);
		struct fault fault = { .at_call = at * 2, .kind = FAULT_FAIL }; /* even: full */
		f->world.faults = &fault;
		f->world.fault_count = 1;
		f->world.faults_are_on = true;
		pull_fixture_arrive(f, 10);
		if (pull_fixture_run(f) == SYNCD_ENOSPC) {
			full++;
			assert_true(files_in_tmp(f) <= f->options.group_messages);
			assert_true(f->drop.count + pull_fixture_visible(f) >= 10);
		}
		pull_fixture_free(f);
	}
	assert_true(full > 20);
}

/* The first flush fails: two groups are in tmp/ by then. */
static void first_flush_fails(struct world *world)
{
	struct pull_fixture *f = world->context;
	static struct fault fault;

	if (world->fault_count > 0 || files_in_tmp(f) < 3 || world->calls % 2 != 0)
		return;
	fault = (struct fault){ .at_call = world->calls + 2, .kind = FAULT_FAIL };
	world->faults = &fault;
	world->fault_count = 1;
	world->faults_are_on = true;
}

static void what_could_not_be_staged_leaves_tmp(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 10);
	f->world.context = f;
	f->world.after_call = first_flush_fails;
	assert_int_equal(pull_fixture_run(f), SYNCD_ENOSPC);
	assert_int_equal(files_in_tmp(f), 0);
	assert_int_equal(f->drop.count + pull_fixture_visible(f), 10);
	pull_fixture_free(f);
}

/* --- Recovery ------------------------------------------------------------------------ */

/* Killed behind the commit that stages, before the renames. */
static struct pull_fixture *killed_while_staged(void)
{
	struct pull_fixture *f = NULL;
	struct fault fault = { .kind = FAULT_KILL_AFTER };

	for (fault.at_call = 1; f == NULL; fault.at_call++) {
		f = fixture(PULL_KEEP_NONE);
		pull_fixture_arrive(f, 1);
		f->world.faults = &fault;
		f->world.fault_count = 1;
		f->world.faults_are_on = true;
		(void)pull_fixture_run(f);
		must(f->world.is_dead);
		if (f->world.store.pop3_count == 1 && pull_fixture_visible(f) == 0)
			break;
		world_restart(&f->world);
		pull_fixture_free(f);
		f = NULL;
	}
	f->world.faults_are_on = false;
	world_restart(&f->world);
	return f;
}

static void what_is_staged_is_published(void **state)
{
	struct pull_fixture *f = killed_while_staged();

	(void)state;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(pull_fixture_visible(f), 1);
	assert_int_equal(f->drop.bodies, 1);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

static void take_staged(struct pull_fixture *f)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++)
		f->world.files[i].is_used = false;
}

static void what_was_staged_and_is_gone_was_taken(void **state)
{
	struct pull_fixture *f = killed_while_staged();

	(void)state;
	take_staged(f);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.bodies, 1);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

/* Others clean tmp/ of what is 36 hours old. */
static void what_was_staged_long_ago_and_is_gone_is_fetched_again(void **state)
{
	struct pull_fixture *f = killed_while_staged();

	(void)state;
	take_staged(f);
	world_wait(&f->world, 36 * 60 * 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.bodies, 2);
	assert_int_equal(pull_fixture_visible(f), 1);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_kept_is_fetched_once),
		TEST(what_is_not_kept_is_deleted_once_it_is_here),
		TEST(what_is_kept_for_a_time_goes_behind_it),
		TEST(another_policy_is_for_what_was_downloaded_before_too),
		TEST(what_is_deleted_here_goes_there),
		TEST(what_is_moved_stays_until_it_is_deleted_there),
		TEST(what_is_moved_goes_where_that_is_wanted),
		TEST(what_is_moved_while_we_look_is_not_deleted),
		TEST(many_deletions_wait_for_a_person),
		TEST(held_deletions_can_be_restored),
		TEST(what_was_held_is_nothing_under_another_policy),
		TEST(a_root_that_vanished_is_no_deletion),
		TEST(an_inbox_that_vanished_is_no_deletion),
		TEST(a_failure_at_any_call_loses_and_doubles_nothing),
		TEST(a_full_disk_delivers_what_is_safe_and_cleans_up),
		TEST(what_could_not_be_staged_leaves_tmp),
		TEST(what_is_staged_is_published),
		TEST(what_was_staged_and_is_gone_was_taken),
		TEST(what_was_staged_long_ago_and_is_gone_is_fetched_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
