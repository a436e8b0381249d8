/* Observers: a listing of one side, merged with the agreed state, becomes a delta.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/model.h"
#include "syncd/must.h"
#include "syncd/sync_plan.h"

#define S FLAG_SEEN
#define F FLAG_FLAGGED
#define MAILBOX 1
#define NOW_S 1000

static const struct sync_setaside none_aside = { .count = 0 };

struct fixture {
	struct world *world;
	struct sync_observer observer;
	struct remote_observation remote;
	struct local_listing local;
	struct delta delta;
};

static void committed(struct port_op *op, int code)
{
	(void)op;
	assert_int_equal(code, 0);
}

/* Agreed messages 1..count; even ones are \Seen. Message n has the name "m000n". */
static void name_of(uint32_t uid, char *name)
{
	(void)snprintf(name, MAIL_NAME_MAX + 1, "m%04u", uid);
}

static uint64_t agreed_flags(uint32_t uid)
{
	return uid % 2 == 0 ? S : 0;
}

static void agree(struct world *world, uint32_t count)
{
	struct store_commit_req req = { .op.done = committed };

	store_batch_init(&req.batch);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t uid =
			i % 2 == 0 ? count - i / 2 : 1 + i / 2; /* the order is the store's */
		struct message_record record = { .uid = uid, .flags = agreed_flags(uid) };
		name_of(uid, record.name);
		store_batch_put_message(&req.batch, MAILBOX, &record);
	}
	world->store.port.ops->commit(&world->store.port, &req);
	while (world_step(world))
		;
}

static struct fixture *fixture_new(uint32_t count)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->world = calloc(1, sizeof(*fixture->world));
	world_init(fixture->world, 1);
	agree(fixture->world, count);
	fixture->observer = (struct sync_observer){
		.store = &fixture->world->store.port,
		.mailbox_id = MAILBOX,
		.mask = FLAGS_SYSTEM,
		.setaside = &none_aside,
		.now_s = NOW_S,
	};
	remote_observation_init(&fixture->remote);
	fixture->remote.is_complete = true;
	local_listing_init(&fixture->local);
	fixture->local.is_stable = true;
	delta_init(&fixture->delta);
	return fixture;
}

static void fixture_free(struct fixture *fixture)
{
	remote_observation_free(&fixture->remote);
	local_listing_free(&fixture->local);
	delta_free(&fixture->delta);
	world_free(fixture->world);
	free(fixture->world);
	free(fixture);
}

static void list_remote(struct fixture *fixture, uint32_t uid, uint64_t flags)
{
	remote_observation_add(&fixture->remote, uid, flags);
}

static void list_local(struct fixture *fixture, const char *name, uint64_t flags)
{
	local_listing_add(&fixture->local, slice_of(name), flags);
}

static void list_local_uid(struct fixture *fixture, uint32_t uid, uint64_t flags)
{
	char name[MAIL_NAME_MAX + 1];

	name_of(uid, name);
	list_local(fixture, name, flags);
}

static void observe_remote(struct fixture *fixture)
{
	struct error err = { .code = 0 };

	remote_observation_sort(&fixture->remote);
	assert_int_equal(
		sync_observe_remote(&fixture->observer, &fixture->remote, &fixture->delta, &err),
		0);
}

static void observe_local(struct fixture *fixture)
{
	struct error err = { .code = 0 };

	local_listing_sort(&fixture->local);
	assert_int_equal(
		sync_observe_local(&fixture->observer, &fixture->local, &fixture->delta, &err), 0);
}

static void assert_entry(const struct delta_entry *entry, enum side_change change, uint32_t uid,
			 uint64_t flags, uint64_t agreed)
{
	assert_int_equal(entry->change, change);
	assert_int_equal(entry->uid, uid);
	assert_int_equal(entry->flags, flags);
	assert_int_equal(entry->agreed, agreed);
}

/* --- What a listing says ------------------------------------------------------------------ */

static void a_remote_listing_tells_new_changed_and_gone(void **state)
{
	struct fixture *fixture = fixture_new(4);

	(void)state;
	list_remote(fixture, 1, F);     /* changed */
	list_remote(fixture, 2, S);     /* the same; 3 is gone */
	list_remote(fixture, 4, 0);     /* changed: \Seen taken away */
	list_remote(fixture, 9, S | F); /* new */
	observe_remote(fixture);
	assert_int_equal(fixture->delta.count, 4);
	assert_entry(&fixture->delta.entries[0], SIDE_FLAGS, 1, F, 0);
	assert_entry(&fixture->delta.entries[1], SIDE_GONE, 3, 0, 0);
	assert_entry(&fixture->delta.entries[2], SIDE_FLAGS, 4, 0, S);
	assert_entry(&fixture->delta.entries[3], SIDE_NEW, 9, S | F, 0);
	fixture_free(fixture);
}

static void a_local_listing_tells_new_changed_and_gone(void **state)
{
	struct fixture *fixture = fixture_new(4);

	(void)state;
	list_local(fixture, "a", 0);   /* new, before all */
	list_local_uid(fixture, 1, F); /* changed; 2 is gone */
	list_local(fixture, "m0002b", S);
	list_local_uid(fixture, 3, 0);
	list_local_uid(fixture, 4, S);
	list_local(fixture, "z", F);
	observe_local(fixture);
	assert_int_equal(fixture->delta.count, 5);
	assert_entry(&fixture->delta.entries[0], SIDE_NEW, 0, 0, 0);
	assert_string_equal(fixture->delta.entries[0].name, "a");
	assert_entry(&fixture->delta.entries[1], SIDE_NEW, 0, S, 0);
	assert_string_equal(fixture->delta.entries[1].name, "m0002b");
	assert_entry(&fixture->delta.entries[2], SIDE_NEW, 0, F, 0);
	assert_string_equal(fixture->delta.entries[2].name, "z");
	assert_entry(&fixture->delta.entries[3], SIDE_FLAGS, 1, F, 0);
	assert_string_equal(fixture->delta.entries[3].name, "m0001");
	assert_entry(&fixture->delta.entries[4], SIDE_GONE, 2, 0, S);
	fixture_free(fixture);
}

static void what_an_incomplete_listing_misses_is_not_gone(void **state)
{
	struct fixture *fixture = fixture_new(300);

	(void)state;
	fixture->remote.is_complete = false;
	list_remote(fixture, 150, S | F);
	observe_remote(fixture);
	assert_int_equal(fixture->delta.count, 1);
	assert_entry(&fixture->delta.entries[0], SIDE_FLAGS, 150, S | F, S);
	fixture_free(fixture);
}

static void what_an_unstable_listing_misses_is_not_gone(void **state)
{
	struct fixture *fixture = fixture_new(300);

	(void)state;
	fixture->local.is_stable = false;
	list_local_uid(fixture, 150, S | F);
	list_local(fixture, "new", 0);
	observe_local(fixture);
	assert_int_equal(fixture->delta.count, 2);
	assert_entry(&fixture->delta.entries[0], SIDE_NEW, 0, 0, 0);
	assert_entry(&fixture->delta.entries[1], SIDE_FLAGS, 150, S | F, S);
	fixture_free(fixture);
}

static void an_empty_listing_says_that_all_are_gone(void **state)
{
	struct fixture *fixture = fixture_new(300);

	(void)state;
	observe_remote(fixture);
	assert_int_equal(fixture->delta.count, 300);
	for (uint32_t uid = 1; uid <= 300; uid++)
		assert_entry(&fixture->delta.entries[uid - 1], SIDE_GONE, uid, 0,
			     agreed_flags(uid));
	fixture_free(fixture);
}

/* --- Masks ------------------------------------------------------------------------------------ */

static void a_flag_counts_where_it_is_seen_and_its_absence_where_it_can_be_held(void **state)
{
	static const struct {
		uint64_t mask;
		uint64_t listed; /* of message 2, agreed \Seen */
		bool is_change;
		uint64_t flags;
	} cases[] = {
		{ S | F, S, false, 0 },    { S | F, 0, true, 0 }, { S | F, S | F, true, S | F },
		{ F, 0, false, 0 },        { F, S, false, 0 },    { F, F, true, S | F },
		{ S, S | F, true, S | F }, { S, F, true, F },     { 0, F, true, S | F },
		{ 0, 0, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
		struct fixture *fixture = fixture_new(2);
		bool is_remote = i % 2 == 0;
		fixture->observer.mask = cases[i / 2].mask;
		list_remote(fixture, 1, 0);
		list_remote(fixture, 2, cases[i / 2].listed);
		list_local_uid(fixture, 1, 0);
		list_local_uid(fixture, 2, cases[i / 2].listed);
		if (is_remote)
			observe_remote(fixture);
		else
			observe_local(fixture);
		assert_int_equal(fixture->delta.count, cases[i / 2].is_change);
		if (cases[i / 2].is_change)
			assert_entry(&fixture->delta.entries[0], SIDE_FLAGS, 2, cases[i / 2].flags,
				     S);
		fixture_free(fixture);
	}
}

/* --- Set aside -----------------------------------------------------------------------------------
 */

static void what_is_set_aside_is_new_again_when_its_time_has_come(void **state)
{
	static const struct {
		int64_t next_try_s;
		bool is_new;
	} cases[] = {
		{ NOW_S - 1, true },
		{ NOW_S, true },
		{ NOW_S + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *fixture = fixture_new(1);
		struct sync_setaside aside = { .count = 0 };
		struct setaside_record record = { .uid = 7, .next_try_s = cases[i].next_try_s };
		sync_setaside_put(&aside, &record);
		record = (struct setaside_record){ .name = "x", .next_try_s = cases[i].next_try_s };
		sync_setaside_put(&aside, &record);
		fixture->observer.setaside = &aside;
		list_remote(fixture, 1, 0);
		list_remote(fixture, 7, 0);
		list_remote(fixture, 8, 0);
		list_local_uid(fixture, 1, 0);
		list_local(fixture, "x", 0);
		list_local(fixture, "y", 0);
		observe_remote(fixture);
		observe_local(fixture);
		assert_int_equal(fixture->delta.count, cases[i].is_new ? 4 : 2);
		fixture_free(fixture);
		sync_setaside_free(&aside);
	}
}

static void an_agreed_message_is_never_hidden_by_being_set_aside(void **state)
{
	struct fixture *fixture = fixture_new(1);
	struct sync_setaside aside = { .count = 0 };

	(void)state;
	sync_setaside_put(&aside, &(struct setaside_record){ .uid = 1, .next_try_s = NOW_S + 9 });
	fixture->observer.setaside = &aside;
	observe_remote(fixture);
	assert_int_equal(fixture->delta.count, 1);
	assert_entry(&fixture->delta.entries[0], SIDE_GONE, 1, 0, 0);
	fixture_free(fixture);
	sync_setaside_free(&aside);
}

static void records_set_aside_are_found_replaced_and_removed(void **state)
{
	struct sync_setaside aside = { .count = 0 };
	struct setaside_record record = { .uid = 5, .attempts = 1 };

	(void)state;
	assert_null(sync_setaside_find(&aside, 5, NULL));
	sync_setaside_put(&aside, &record);
	record = (struct setaside_record){ .name = "n", .attempts = 2 };
	sync_setaside_put(&aside, &record);
	record = (struct setaside_record){ .uid = 3, .attempts = 3 };
	sync_setaside_put(&aside, &record);
	record = (struct setaside_record){ .uid = 5, .attempts = 4 };
	sync_setaside_put(&aside, &record);
	assert_int_equal(aside.count, 3);
	assert_int_equal(sync_setaside_find(&aside, 5, NULL)->attempts, 4);
	assert_int_equal(sync_setaside_find(&aside, 3, NULL)->attempts, 3);
	assert_int_equal(sync_setaside_find(&aside, 0, "n")->attempts, 2);
	assert_null(sync_setaside_find(&aside, 0, "other"));
	assert_true(sync_setaside_remove(&aside, 0, "n"));
	assert_false(sync_setaside_remove(&aside, 0, "n"));
	assert_true(sync_setaside_remove(&aside, 3, NULL));
	assert_int_equal(aside.count, 1);
	assert_int_equal(sync_setaside_find(&aside, 5, NULL)->attempts, 4);
	sync_setaside_free(&aside);
}

/* --- The state is read in pieces
 * -------------------------------------------------------------------- */

/* Every 7th is gone, every 5th flagged, every 3rd's neighbour is new. */
static void check_chunks(uint32_t count, bool is_remote)
{
	struct fixture *fixture = fixture_new(count);
	size_t expected = 0;
	size_t at = 0;

	for (uint32_t uid = 1; uid <= count + 3; uid++) {
		bool is_agreed = uid <= count;
		uint64_t flags = (is_agreed ? agreed_flags(uid) : 0) | (uid % 5 == 0 ? F : 0);
		expected += !is_agreed || uid % 7 == 0 || uid % 5 == 0;
		if (is_agreed && uid % 7 == 0)
			continue;
		list_remote(fixture, uid, flags);
		list_local_uid(fixture, uid, flags);
	}
	if (is_remote)
		observe_remote(fixture);
	else
		observe_local(fixture);
	assert_int_equal(fixture->delta.count, expected);
	if (!is_remote) { /* new ones have no UID yet and come first */
		for (at = 0; at < 3; at++)
			assert_int_equal(fixture->delta.entries[at].change, SIDE_NEW);
	}
	for (uint32_t uid = 1; uid <= count; uid++) {
		if (uid % 7 == 0)
			assert_entry(&fixture->delta.entries[at++], SIDE_GONE, uid, 0,
				     agreed_flags(uid));
		else if (uid % 5 == 0)
			assert_entry(&fixture->delta.entries[at++], SIDE_FLAGS, uid,
				     agreed_flags(uid) | F, agreed_flags(uid));
	}
	assert_int_equal(at, is_remote ? expected - 3 : expected);
	fixture_free(fixture);
}

static void pieces_of_the_state_leave_no_seam(void **state)
{
	/* Around one and two pieces of 256; 512 is all that the model of the store holds. */
	static const uint32_t counts[] = { 0, 1, 254, 255, 256, 257, 510, 511, 512 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		check_chunks(counts[i], true);
		check_chunks(counts[i], false);
	}
}

/* --- Deltas from the server
 * ---------------------------------------------------------------------------- */

/* The same change told by a listing and by a CONDSTORE/QRESYNC answer. */
static void a_delta_and_a_listing_say_the_same(void **state)
{
	struct fixture *listing = fixture_new(300);
	struct fixture *changes = fixture_new(300);

	(void)state;
	changes->remote.is_delta = true;
	changes->remote.is_complete = false;
	for (uint32_t uid = 1; uid <= 310; uid++) {
		bool is_gone = uid % 50 == 0 && uid <= 300;
		bool is_changed = uid % 30 == 1 || uid > 300;
		uint64_t flags = agreed_flags(uid) | (is_changed ? F : 0);
		if (is_gone)
			assert_int_equal(uidset_add(&changes->remote.gone, uid), 0);
		else
			list_remote(listing, uid, flags);
		if (is_changed && !is_gone)
			list_remote(changes, uid, flags);
	}
	list_remote(changes, 2, agreed_flags(2)); /* told, yet nothing new */
	assert_int_equal(uidset_add_range(&changes->remote.gone, 400, 500), 0); /* never known */
	observe_remote(listing);
	observe_remote(changes);
	assert_true(listing->delta.count > 20);
	assert_int_equal(changes->delta.count, listing->delta.count);
	for (size_t i = 0; i < listing->delta.count; i++)
		assert_memory_equal(&changes->delta.entries[i], &listing->delta.entries[i],
				    sizeof(listing->delta.entries[i]));
	fixture_free(listing);
	fixture_free(changes);
}

static void a_set_of_all_uids_means_those_that_are_known(void **state)
{
	struct fixture *fixture = fixture_new(500); /* more than one piece of the state */

	(void)state;
	fixture->remote.is_delta = true;
	list_remote(fixture, 5, F); /* changed, and then it vanished */
	assert_int_equal(uidset_add_range(&fixture->remote.gone, 1, 2), 0);
	assert_int_equal(uidset_add_range(&fixture->remote.gone, 4, UINT32_MAX), 0);
	observe_remote(fixture);
	assert_int_equal(fixture->delta.count, 499);
	for (size_t i = 0; i < fixture->delta.count; i++) {
		uint32_t uid = (uint32_t)i + (i < 2 ? 1 : 2);
		assert_entry(&fixture->delta.entries[i], SIDE_GONE, uid, 0, agreed_flags(uid));
	}
	fixture_free(fixture);
}

static void a_local_delta_and_a_listing_say_the_same(void **state)
{
	struct fixture *listing = fixture_new(300);
	struct fixture *changes = fixture_new(300);
	char name[MAIL_NAME_MAX + 1];

	(void)state;
	changes->local.is_delta = true;
	for (uint32_t uid = 1; uid <= 310; uid++) {
		bool is_gone = uid % 50 == 0 && uid <= 300;
		bool is_changed = uid % 30 == 1 || uid > 300;
		uint64_t flags = agreed_flags(uid) | (is_changed ? F : 0);
		name_of(uid, name);
		if (is_gone)
			local_listing_add_gone(&changes->local, slice_of(name));
		else
			list_local(listing, name, flags);
		if (is_changed && !is_gone)
			list_local(changes, name, flags);
	}
	list_local_uid(changes, 2, agreed_flags(2));                       /* our own echo */
	local_listing_add_gone(&changes->local, SLICE_LITERAL("unknown")); /* came and went */
	observe_local(listing);
	observe_local(changes);
	assert_true(listing->delta.count > 20);
	assert_int_equal(changes->delta.count, listing->delta.count);
	for (size_t i = 0; i < listing->delta.count; i++) {
		const struct delta_entry *left = &listing->delta.entries[i];
		assert_entry(&changes->delta.entries[i], left->change, left->uid, left->flags,
			     left->agreed);
	}
	fixture_free(listing);
	fixture_free(changes);
}

static void a_local_delta_without_items_says_nothing(void **state)
{
	struct fixture *fixture = fixture_new(300);

	(void)state;
	fixture->local.is_delta = true;
	observe_local(fixture);
	assert_int_equal(fixture->delta.count, 0);
	fixture_free(fixture);
}

static void a_failure_of_the_store_is_told(void **state)
{
	struct fixture *fixture = fixture_new(3);
	struct error err = { .code = 0 };

	(void)state;
	list_remote(fixture, 1, F);
	fixture->world->is_dead = true;
	assert_int_equal(
		sync_observe_remote(&fixture->observer, &fixture->remote, &fixture->delta, &err),
		SYNCD_ECANCELLED);
	fixture->remote.is_delta = true;
	assert_int_equal(
		sync_observe_remote(&fixture->observer, &fixture->remote, &fixture->delta, &err),
		SYNCD_ECANCELLED);
	assert_int_equal(
		sync_observe_local(&fixture->observer, &fixture->local, &fixture->delta, &err),
		SYNCD_ECANCELLED);
	assert_int_equal(fixture->delta.count, 0);
	assert_int_equal(err.code, SYNCD_ECANCELLED);
	fixture_free(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_remote_listing_tells_new_changed_and_gone),
		cmocka_unit_test(a_local_listing_tells_new_changed_and_gone),
		cmocka_unit_test(what_an_incomplete_listing_misses_is_not_gone),
		cmocka_unit_test(what_an_unstable_listing_misses_is_not_gone),
		cmocka_unit_test(an_empty_listing_says_that_all_are_gone),
		cmocka_unit_test(
			a_flag_counts_where_it_is_seen_and_its_absence_where_it_can_be_held),
		cmocka_unit_test(what_is_set_aside_is_new_again_when_its_time_has_come),
		cmocka_unit_test(an_agreed_message_is_never_hidden_by_being_set_aside),
		cmocka_unit_test(records_set_aside_are_found_replaced_and_removed),
		cmocka_unit_test(pieces_of_the_state_leave_no_seam),
		cmocka_unit_test(a_delta_and_a_listing_say_the_same),
		cmocka_unit_test(a_set_of_all_uids_means_those_that_are_known),
		cmocka_unit_test(a_local_delta_and_a_listing_say_the_same),
		cmocka_unit_test(a_local_delta_without_items_says_nothing),
		cmocka_unit_test(a_failure_of_the_store_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
