/* What becomes of mailboxes that came, went or got another name.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/sync_boxes.h"

#define BOXES_MAX 6

enum where { NOWHERE, REMOTE = 1, LOCAL = 2, BOTH = 3 };

struct fixture {
	struct sync_box boxes[BOXES_MAX];
	struct mailbox_record records[BOXES_MAX];
	size_t count;
	struct sync_box_policy policy;
};

/* INBOX is always there, on both sides. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->policy = (struct sync_box_policy){
		.may_create_local = true,
		.may_create_remote = true,
		.may_remove_local = true,
		.may_remove_remote = true,
		.lists_inbox = true,
	};
	f->boxes[0] = (struct sync_box){ .name = "INBOX", .is_remote = true, .is_local = true };
	f->count = 1;
	*state = f;
	return f == NULL;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* A mailbox whose ids are `remote_id` and `local_id` where it is. */
static struct sync_box *add(struct fixture *f, const char *name, enum where where,
			    uint64_t remote_id, uint64_t local_id)
{
	struct sync_box *box = &f->boxes[f->count++];

	*box = (struct sync_box){
		.name = name,
		.is_remote = (where & REMOTE) != 0,
		.is_local = (where & LOCAL) != 0,
		.remote_id = remote_id,
		.local_id = local_id,
	};
	if (box->is_remote)
		box->status = (struct mailbox_status){ .uidvalidity = 7, .uidnext = 50 };
	return box;
}

/* The same, known to the state with these ids. */
static struct sync_box *add_known(struct fixture *f, const char *name, enum where where,
				  uint64_t remote_id, uint64_t local_id)
{
	struct mailbox_record *record = &f->records[f->count];
	struct sync_box *box = add(f, name, where, (where & REMOTE) != 0 ? remote_id : 0,
				   (where & LOCAL) != 0 ? local_id : 0);

	*record = (struct mailbox_record){
		.id = (uint32_t)f->count,
		.uidvalidity = 7,
		.uidnext = 40,
		.remote_id = remote_id,
		.local_id = local_id,
	};
	box->record = record;
	box->messages = 30;
	return box;
}

static void plan(struct fixture *f)
{
	sync_boxes_plan(f->boxes, f->count, &f->policy);
}

/* --- One side lacks it ------------------------------------------------------------------- */

static void a_mailbox_of_one_side_is_made_on_the_other(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add(f, "a", REMOTE, 0, 0);
	struct sync_box *local = add(f, "b", LOCAL, 0, 0);

	plan(f);
	assert_int_equal(remote->action, BOX_CREATE_LOCAL);
	assert_int_equal(local->action, BOX_CREATE_REMOTE);
}

static void what_is_not_to_be_made_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add(f, "a", REMOTE, 0, 0);
	struct sync_box *local = add(f, "b", LOCAL, 0, 0);

	f->policy.may_create_local = f->policy.may_create_remote = false;
	plan(f);
	assert_int_equal(remote->action, BOX_NOTHING);
	assert_int_equal(local->action, BOX_NOTHING);
}

static void a_mailbox_deleted_on_one_side_goes_on_the_other(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add_known(f, "a", REMOTE, 1, 11);
	struct sync_box *local = add_known(f, "b", LOCAL, 2, 12);
	struct sync_box *nowhere = add_known(f, "c", NOWHERE, 3, 13);

	plan(f);
	assert_int_equal(remote->action, BOX_DELETE_REMOTE);
	assert_int_equal(local->action, BOX_DELETE_LOCAL);
	assert_int_equal(nowhere->action, BOX_FORGET);
}

static void what_is_not_to_be_removed_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add_known(f, "a", REMOTE, 1, 11);
	struct sync_box *local = add_known(f, "b", LOCAL, 2, 12);

	f->policy.may_remove_local = f->policy.may_remove_remote = false;
	plan(f);
	assert_int_equal(remote->action, BOX_NOTHING);
	assert_int_equal(local->action, BOX_NOTHING);
}

static void one_that_was_never_synchronised_was_not_deleted(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add_known(f, "a", REMOTE, 1, 11);

	f->records[1].uidvalidity = 0;
	plan(f);
	assert_int_equal(remote->action, BOX_CREATE_LOCAL);
}

static void inbox_is_made_anew_and_never_deleted(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record inbox = { .uidvalidity = 7 };

	f->boxes[0].record = &inbox;
	f->boxes[0].is_local = false;
	plan(f);
	assert_int_equal(f->boxes[0].action, BOX_CREATE_LOCAL);
	f->boxes[0].is_local = true;
	f->boxes[0].is_remote = false;
	plan(f);
	assert_int_equal(f->boxes[0].action, BOX_CREATE_REMOTE);
}

static void a_server_without_inbox_has_deleted_nothing(void **state)
{
	struct fixture *f = *state;
	struct sync_box *local = add_known(f, "b", LOCAL, 2, 12);

	f->policy.lists_inbox = false;
	plan(f);
	assert_int_equal(local->action, BOX_NOTHING);
}

static void pulling_brings_back_what_was_deleted_here(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add_known(f, "a", REMOTE, 1, 11);
	struct sync_box *local = add_known(f, "b", LOCAL, 2, 12);
	struct sync_box *own = add(f, "c", LOCAL, 0, 0);

	f->policy.direction = SYNC_PULL;
	plan(f);
	assert_int_equal(remote->action, BOX_CREATE_LOCAL);
	assert_int_equal(local->action, BOX_DELETE_LOCAL);
	assert_int_equal(own->action, BOX_NOTHING);
}

static void pushing_brings_back_what_was_deleted_there(void **state)
{
	struct fixture *f = *state;
	struct sync_box *remote = add_known(f, "a", REMOTE, 1, 11);
	struct sync_box *local = add_known(f, "b", LOCAL, 2, 12);
	struct sync_box *theirs = add(f, "c", REMOTE, 0, 0);

	f->policy.direction = SYNC_PUSH;
	plan(f);
	assert_int_equal(remote->action, BOX_DELETE_REMOTE);
	assert_int_equal(local->action, BOX_CREATE_REMOTE);
	assert_int_equal(theirs->action, BOX_NOTHING);
}

/* --- Renames ------------------------------------------------------------------------------- */

static void assert_rename(const struct fixture *f, const struct sync_box *box,
			  enum sync_box_action action, const struct sync_box *from,
			  const struct sync_box *known)
{
	assert_int_equal(box->action, action);
	assert_int_equal(box->from, (size_t)(from - f->boxes));
	assert_int_equal(box->known, (size_t)(known - f->boxes));
}

static void a_mailbox_renamed_on_the_server_is_renamed_here(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 1, 11);
	struct sync_box *new = add(f, "b", REMOTE, 1, 0);

	plan(f);
	assert_rename(f, new, BOX_RENAME_LOCAL, old, old);
	assert_int_equal(old->action, BOX_NOTHING);
	assert_false(new->is_unsure);
}

static void a_mailbox_renamed_here_is_renamed_on_the_server(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", REMOTE, 1, 11);
	struct sync_box *new = add(f, "b", LOCAL, 0, 11);

	plan(f);
	assert_rename(f, new, BOX_RENAME_REMOTE, old, old);
	assert_int_equal(old->action, BOX_NOTHING);
	assert_false(new->is_unsure);
}

static void renamed_alike_on_both_sides_the_state_follows(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", NOWHERE, 1, 11);
	struct sync_box *new = add(f, "b", BOTH, 1, 11);

	plan(f);
	assert_rename(f, new, BOX_RENAME_STATE, new, old);
	assert_int_equal(old->action, BOX_NOTHING);
}

static void renamed_differently_the_servers_name_counts(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", NOWHERE, 1, 11);
	struct sync_box *theirs = add(f, "b", REMOTE, 1, 0);
	struct sync_box *ours = add(f, "c", LOCAL, 0, 11);

	plan(f);
	assert_rename(f, theirs, BOX_RENAME_LOCAL, ours, old);
	assert_int_equal(ours->action, BOX_NOTHING);
	assert_int_equal(old->action, BOX_NOTHING);
}

static void without_ids_uidvalidity_tells_but_is_looked_behind(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 0, 11);
	struct sync_box *new = add(f, "b", REMOTE, 0, 0);

	plan(f);
	assert_rename(f, new, BOX_RENAME_LOCAL, old, old);
	assert_true(new->is_unsure);
	new->is_other = true;
	plan(f);
	assert_int_equal(new->action, BOX_CREATE_LOCAL);
	assert_int_equal(old->action, BOX_DELETE_LOCAL);
}

static void without_ids_an_empty_mailbox_is_not_taken_for_renamed(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 0, 11);
	struct sync_box *new = add(f, "b", REMOTE, 0, 0);

	old->messages = 0;
	plan(f);
	assert_int_equal(new->action, BOX_CREATE_LOCAL);
	assert_int_equal(old->action, BOX_DELETE_LOCAL);
}

static void uidvalidity_that_several_share_tells_nothing(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 0, 11);
	struct sync_box *first = add(f, "b", REMOTE, 0, 0);
	struct sync_box *second = add(f, "c", REMOTE, 0, 0);

	plan(f);
	assert_int_equal(old->action, BOX_DELETE_LOCAL);
	assert_int_equal(first->action, BOX_CREATE_LOCAL);
	assert_int_equal(second->action, BOX_CREATE_LOCAL);
}

static void one_without_an_id_leaves_the_ids_of_others_certain(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 1, 11);
	struct sync_box *new = add(f, "b", REMOTE, 1, 0);

	(void)add_known(f, "c", LOCAL, 0, 12);
	plan(f);
	assert_rename(f, new, BOX_RENAME_LOCAL, old, old);
}

static void one_that_both_sides_have_is_not_taken_for_renamed_here(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", NOWHERE, 1, 11);
	struct sync_box *new = add(f, "b", REMOTE, 1, 0);
	struct sync_box *both = add(f, "c", BOTH, 2, 11);

	plan(f);
	assert_int_equal(old->action, BOX_FORGET);
	assert_int_equal(new->action, BOX_CREATE_LOCAL);
	assert_int_equal(both->action, BOX_PASS);
}

static void a_smaller_uidnext_is_another_mailbox(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 0, 11);
	struct sync_box *new = add(f, "b", REMOTE, 0, 0);

	new->status.uidnext = 39;
	plan(f);
	assert_int_equal(old->action, BOX_DELETE_LOCAL);
	assert_int_equal(new->action, BOX_CREATE_LOCAL);
}

static void other_ids_are_another_mailbox(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 1, 11);
	struct sync_box *new = add(f, "b", REMOTE, 2, 0);

	plan(f);
	assert_int_equal(old->action, BOX_DELETE_LOCAL);
	assert_int_equal(new->action, BOX_CREATE_LOCAL);
}

static void deleted_on_one_side_and_renamed_on_the_other_it_stays(void **state)
{
	struct fixture *f = *state;
	struct sync_box *first = add_known(f, "a", NOWHERE, 1, 11);
	struct sync_box *theirs = add(f, "b", REMOTE, 1, 0);
	struct sync_box *second = add_known(f, "c", NOWHERE, 2, 12);
	struct sync_box *ours = add(f, "d", LOCAL, 0, 12);

	plan(f);
	assert_int_equal(first->action, BOX_FORGET);
	assert_int_equal(theirs->action, BOX_CREATE_LOCAL);
	assert_int_equal(second->action, BOX_FORGET);
	assert_int_equal(ours->action, BOX_CREATE_REMOTE);
}

static void a_rename_is_not_followed_where_removing_is_not_allowed(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 1, 11);
	struct sync_box *new = add(f, "b", REMOTE, 1, 0);

	f->policy.may_remove_local = false;
	plan(f);
	assert_int_equal(old->action, BOX_NOTHING);
	assert_int_equal(new->action, BOX_CREATE_LOCAL);
}

static void inbox_is_no_renamed_mailbox(void **state)
{
	struct fixture *f = *state;
	struct sync_box *old = add_known(f, "a", LOCAL, 1, 11);

	f->boxes[0].remote_id = 1;
	plan(f);
	assert_int_equal(old->action, BOX_DELETE_LOCAL);
	assert_int_equal(f->boxes[0].action, BOX_PASS);
}

static void status_is_worth_asking_for_when_one_is_missing(void **state)
{
	struct fixture *f = *state;
	struct sync_box *new = add(f, "b", REMOTE, 0, 0);

	new->status.uidvalidity = 0;
	assert_false(sync_boxes_may_rename(f->boxes, f->count));
	add_known(f, "a", LOCAL, 0, 11);
	assert_true(sync_boxes_may_rename(f->boxes, f->count));
	new->status.uidvalidity = 7;
	assert_false(sync_boxes_may_rename(f->boxes, f->count));
}

/* --- Too much at once --------------------------------------------------------------------------
 */

static void hold(struct fixture *f, unsigned percent)
{
	const struct sync_limit limit = { .percent = percent, .messages = SYNC_LIMIT_MESSAGES };

	sync_boxes_hold(f->boxes, f->count, &limit);
}

static void most_of_an_account_is_not_deleted_at_once(void **state)
{
	struct fixture *f = *state;
	struct sync_box *kept = add_known(f, "a", BOTH, 1, 11);
	struct sync_box *gone = add_known(f, "b", LOCAL, 2, 12);
	struct sync_box *other = add_known(f, "c", REMOTE, 3, 13);

	other->messages = 10;
	gone->messages = 31;
	plan(f);
	hold(f, 40);
	assert_int_equal(kept->action, BOX_PASS);
	assert_int_equal(gone->action, BOX_HOLD_LOCAL);
	assert_int_equal(other->action, BOX_DELETE_REMOTE);
}

static void few_messages_or_a_small_part_are_not_held(void **state)
{
	struct fixture *f = *state;
	struct sync_box *gone = add_known(f, "b", LOCAL, 2, 12);

	gone->messages = 19;
	plan(f);
	hold(f, 50);
	assert_int_equal(gone->action, BOX_DELETE_LOCAL);
	gone->messages = 1000;
	add_known(f, "a", BOTH, 1, 11)->messages = 1000;
	plan(f);
	hold(f, 50);
	assert_int_equal(gone->action, BOX_DELETE_LOCAL);
	hold(f, 0);
	assert_int_equal(gone->action, BOX_DELETE_LOCAL);
	hold(f, 49);
	assert_int_equal(gone->action, BOX_HOLD_LOCAL);
}

static void what_was_held_stays_so_and_one_that_was_emptied_goes(void **state)
{
	struct fixture *f = *state;
	struct sync_box *kept = add_known(f, "a", BOTH, 1, 11);
	struct sync_box *gone = add_known(f, "b", LOCAL, 2, 12);
	struct sync_box *other = add_known(f, "c", REMOTE, 3, 13);

	kept->messages = 1000;
	gone->messages = other->messages = 30;
	f->records[2].held_local = (struct held_deletions){ 30, 40 };
	f->records[3].held_local = (struct held_deletions){ 30, 40 }; /* the other side's */
	plan(f);
	hold(f, 50);
	assert_int_equal(gone->action, BOX_HOLD_LOCAL);
	assert_int_equal(other->action, BOX_DELETE_REMOTE);
	gone->messages = 0;
	plan(f);
	hold(f, 50);
	assert_int_equal(gone->action, BOX_DELETE_LOCAL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_mailbox_of_one_side_is_made_on_the_other),
		TEST(what_is_not_to_be_made_is_left_alone),
		TEST(a_mailbox_deleted_on_one_side_goes_on_the_other),
		TEST(what_is_not_to_be_removed_is_left_alone),
		TEST(one_that_was_never_synchronised_was_not_deleted),
		TEST(inbox_is_made_anew_and_never_deleted),
		TEST(a_server_without_inbox_has_deleted_nothing),
		TEST(pulling_brings_back_what_was_deleted_here),
		TEST(pushing_brings_back_what_was_deleted_there),
		TEST(a_mailbox_renamed_on_the_server_is_renamed_here),
		TEST(a_mailbox_renamed_here_is_renamed_on_the_server),
		TEST(renamed_alike_on_both_sides_the_state_follows),
		TEST(renamed_differently_the_servers_name_counts),
		TEST(without_ids_uidvalidity_tells_but_is_looked_behind),
		TEST(without_ids_an_empty_mailbox_is_not_taken_for_renamed),
		TEST(uidvalidity_that_several_share_tells_nothing),
		TEST(one_without_an_id_leaves_the_ids_of_others_certain),
		TEST(one_that_both_sides_have_is_not_taken_for_renamed_here),
		TEST(a_smaller_uidnext_is_another_mailbox),
		TEST(other_ids_are_another_mailbox),
		TEST(deleted_on_one_side_and_renamed_on_the_other_it_stays),
		TEST(a_rename_is_not_followed_where_removing_is_not_allowed),
		TEST(inbox_is_no_renamed_mailbox),
		TEST(status_is_worth_asking_for_when_one_is_missing),
		TEST(most_of_an_account_is_not_deleted_at_once),
		TEST(what_was_held_stays_so_and_one_that_was_emptied_goes),
		TEST(few_messages_or_a_small_part_are_not_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
