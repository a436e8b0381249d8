/* Pulls: messages that stay where they are, what a person asks for, dry runs, and cancelling.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/pull_fixture.h"
#include "syncd/must.h"

static struct pull_fixture *fixture(enum pull_keep keep)
{
	return pull_fixture_new(1, keep);
}

/* --- Size ---------------------------------------------------------------------------- */

static void what_is_too_large_stays_and_is_told(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 3);
	f->drop.messages[1].listed_bytes = 5000;
	f->options.max_size_bytes = 4999;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pull_fixture_run(f), 0);
		assert_int_equal(f->result.counts.too_large, 1);
		assert_int_equal(f->result.counts.set_aside, 0);
		assert_int_equal(f->left_count, 1);
		assert_string_equal(f->left[0].uid, "u2");
		assert_string_equal(f->left[0].reason, "");
		assert_int_equal(f->drop.count, 1);
	}
	f->options.max_size_bytes = 5000;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 1);
	assert_int_equal(f->left_count, 0);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

static void what_is_wanted_comes_whatever_its_size(void **state)
{
	static const char *const wanted[] = { "nobody", "u2" };
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 3);
	f->options.max_size_bytes = 1;
	f->options.wanted = wanted;
	f->options.wanted_count = 2;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(pull_fixture_visible(f), 1);
	assert_int_equal(pull_fixture_files(f, 2), 1);
	assert_int_equal(f->result.counts.too_large, 2);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 0);
	pull_fixture_free(f);
}

/* A suspect that may not be fetched may be the message that was here, and is neither absent nor
 * deleted. */
static void a_suspect_that_is_too_large_is_left_alone(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 1);
	f->drop.refuses_deletion = true;
	assert_int_equal(pull_fixture_run(f), 0);
	f->drop.refuses_deletion = false;
	f->drop.messages[0].listed_bytes = 5000;
	f->options.max_size_bytes = 4999;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.count, 1);
	assert_int_equal(pull_fixture_present(f), 1);
	pull_fixture_free(f);
}

/* --- Refusals ------------------------------------------------------------------------ */

static void what_is_refused_is_tried_less_and_less_often(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 3);
	f->drop.messages[1].refusal = SYNCD_EMESSAGE;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 2);
	assert_int_equal(f->result.counts.set_aside, 1);
	assert_int_equal(f->left_count, 1);
	assert_string_equal(f->left[0].uid, "u2");
	assert_non_null(strstr(f->left[0].reason, "cannot read message"));
	assert_string_equal(f->world.store.setaside[0].setaside.name, "u2");
	f->drop.messages[0].refusal = 0; /* but that is not asked yet */
	world_wait(&f->world, 14 * 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.set_aside, 1);
	assert_non_null(strstr(f->left[0].reason, "cannot read message"));
	f->drop.messages[0].refusal = SYNCD_EMESSAGE;
	world_wait(&f->world, 2 * 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->world.store.setaside[0].setaside.attempts, 2);
	f->drop.messages[0].refusal = 0;
	world_wait(&f->world, 20 * 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 0);
	world_wait(&f->world, 11 * 60);
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 1);
	assert_int_equal(f->result.counts.set_aside, 0);
	assert_int_equal(f->world.store.setaside_count, 0);
	assert_int_equal(f->drop.count, 0);
	pull_fixture_free(f);
}

static void what_was_refused_and_is_gone_is_forgotten(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 2);
	f->drop.messages[0].refusal = SYNCD_EMESSAGE;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->world.store.setaside_count, 1);
	model_maildrop_remove(&f->drop, 0);
	f->drop.messages[0].is_hidden = true;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->world.store.setaside_count, 1);
	f->drop.messages[0].is_hidden = false;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->world.store.setaside_count, 0);
	pull_fixture_free(f);
}

static void what_was_refused_comes_when_it_is_wanted(void **state)
{
	static const char *const wanted[] = { "u1" };
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 1);
	f->drop.messages[0].refusal = SYNCD_EMESSAGE;
	assert_int_equal(pull_fixture_run(f), 0);
	f->drop.messages[0].refusal = 0;
	f->options.wanted = wanted;
	f->options.wanted_count = 1;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 1);
	assert_int_equal(f->world.store.setaside_count, 0);
	pull_fixture_free(f);
}

static void what_is_not_given_now_is_asked_for_next_time(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	pull_fixture_arrive(f, 2);
	f->drop.messages[0].refusal = SYNCD_EBUSY;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.set_aside, 0);
	assert_int_equal(f->world.store.setaside_count, 0);
	f->drop.messages[0].refusal = 0;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 1);
	pull_fixture_free(f);
}

/* A unique-id has up to 480 bytes, a name in the state 255. */
static void long_unique_ids_are_set_aside_apart(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);
	char uid[481];

	(void)state;
	memset(uid, 'x', 480);
	uid[480] = '\0';
	(void)model_maildrop_add(&f->drop, uid, 1);
	uid[479] = 'y';
	(void)model_maildrop_add(&f->drop, uid, 2);
	f->drop.messages[0].refusal = f->drop.messages[1].refusal = SYNCD_EMESSAGE;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->world.store.setaside_count, 2);
	assert_string_equal(f->left[1].uid, uid);
	uint64_t bodies = f->drop.bodies;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->drop.bodies, bodies);
	assert_int_equal(f->world.store.setaside_count, 2);
	pull_fixture_free(f);
}

/* Nothing names it, so that it is tried each time; and nothing else waits for it. */
static void a_refused_message_without_a_unique_id_is_told(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_NONE);

	(void)state;
	f->drop.has_uids = false;
	pull_fixture_arrive(f, 2);
	f->drop.messages[0].refusal = SYNCD_EMESSAGE;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.set_aside, 1);
	assert_int_equal(f->world.store.setaside_count, 0);
	assert_int_equal(f->drop.count, 1);
	pull_fixture_free(f);
}

/* --- On purpose ---------------------------------------------------------------------- */

static void what_is_forgotten_comes_again(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 3);
	assert_int_equal(pull_fixture_run(f), 0);
	f->options.is_forgetting = true;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 3);
	assert_int_equal(pull_fixture_visible(f), 6);
	assert_int_equal(f->world.store.pop3_count, 3);
	f->options.is_forgetting = false;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.counts.fetched, 0);
	pull_fixture_free(f);
}

static void a_dry_run_tells_and_does_nothing(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 2);
	f->options.is_dry_run = true;
	assert_int_equal(pull_fixture_run(f), 0); /* before the first pull, too */
	assert_int_equal(f->planned_count, 2);
	assert_int_equal(f->world.store.mailbox_count, 0);
	f->options.is_dry_run = false;
	assert_int_equal(pull_fixture_run(f), 0);
	pull_fixture_arrive(f, 1);
	f->options.is_dry_run = true;
	f->options.keep = PULL_KEEP_NONE;
	uint64_t calls_of_quit = f->drop.quits;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->planned_count, 4);
	assert_string_equal(f->planned[0].uid, "u1");
	assert_true(f->planned[0].is_deletion);
	assert_true(f->planned[1].is_deletion);
	assert_string_equal(f->planned[2].uid, "u3");
	assert_false(f->planned[2].is_deletion);
	assert_true(f->planned[3].is_deletion);
	assert_int_equal(f->drop.quits, calls_of_quit);
	assert_int_equal(f->drop.count, 3);
	assert_int_equal(pull_fixture_visible(f), 2);
	assert_int_equal(f->world.store.pop3_count, 2);
	pull_fixture_free(f);
}

/* At any moment: it ends soon, and the next pull goes on. */
static void a_cancelled_pull_ends_and_the_next_goes_on(void **state)
{
	bool is_any_left = true;

	(void)state;
	for (size_t steps = 0; is_any_left; steps++) {
		struct pull_fixture *f = fixture(PULL_KEEP_NONE);
		pull_fixture_arrive(f, 8);
		pull_fixture_start(f);
		for (size_t i = 0; i < steps && !f->is_over; i++)
			must(world_step(&f->world));
		is_any_left = !f->is_over;
		if (is_any_left)
			sync_pull_cancel(f->pull);
		while (!f->is_over)
			must(world_step(&f->world));
		if (is_any_left)
			assert_int_equal(f->result.err.code, SYNCD_ECANCELLED);
		assert_int_equal(pull_fixture_run(f), 0);
		assert_int_equal(pull_fixture_visible(f), 8);
		assert_int_equal(f->drop.count, 0);
		pull_fixture_free(f);
	}
}

static void a_refused_login_is_told_as_it_is(void **state)
{
	struct pull_fixture *f = fixture(PULL_KEEP_ALL);

	(void)state;
	pull_fixture_arrive(f, 1);
	f->drop.login_delay_s = 900;
	f->drop.open_error = SYNCD_EAUTH;
	assert_int_equal(pull_fixture_run(f), SYNCD_EAUTH);
	f->drop.open_error = 0;
	assert_int_equal(pull_fixture_run(f), 0);
	assert_int_equal(f->result.login_delay_s, 900);
	pull_fixture_free(f);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_too_large_stays_and_is_told),
		TEST(what_is_wanted_comes_whatever_its_size),
		TEST(a_suspect_that_is_too_large_is_left_alone),
		TEST(what_is_refused_is_tried_less_and_less_often),
		TEST(what_was_refused_and_is_gone_is_forgotten),
		TEST(what_was_refused_comes_when_it_is_wanted),
		TEST(what_is_not_given_now_is_asked_for_next_time),
		TEST(long_unique_ids_are_set_aside_apart),
		TEST(a_refused_message_without_a_unique_id_is_told),
		TEST(what_is_forgotten_comes_again),
		TEST(a_dry_run_tells_and_does_nothing),
		TEST(a_cancelled_pull_ends_and_the_next_goes_on),
		TEST(a_refused_login_is_told_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
