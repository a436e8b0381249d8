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

/* --- Policies ------------------------------------------------------------------------------ */

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

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_kept_is_fetched_once),
		TEST(what_is_not_kept_is_deleted_once_it_is_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
