/* The guard against mass deletion.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "syncd/must.h"
#include "syncd/sync_limit.h"
#include "syncd/sync_plan.h"

struct guard_case {
	size_t deletions;
	size_t total;
	unsigned limit_percent;
	bool is_held;
};

static void many_deletions_are_held_and_few_are_not(void **state)
{
	static const struct guard_case cases[] = {
		{ 20, 30, 50, true },   /* more than half */
		{ 20, 40, 50, false },  /* half is not more than half */
		{ 21, 40, 50, true },   /* */
		{ 19, 19, 50, false },  /* all, but few */
		{ 20, 20, 100, false }, /* a limit of all holds nothing */
		{ 500, 500, 0, false }, /* no limit */
		{ 100, 1000, 9, true }, { 0, 0, 50, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct sync_limit limit = { .percent = cases[i].limit_percent,
						  .messages = SYNC_LIMIT_MESSAGES };
		assert_int_equal(sync_limit_is_passed(&limit, cases[i].deletions, cases[i].total),
				 cases[i].is_held);
	}
}

struct holds_case {
	struct held_deletions held;
	size_t deletions;
	size_t total;
	unsigned limit_percent;
	bool is_held;
};

static void what_was_held_stays_so_as_long_as_any_of_it_is_left(void **state)
{
	static const struct holds_case cases[] = {
		{ { 0, 0 }, 25, 60, 50, false },   /* never too many */
		{ { 25, 40 }, 25, 60, 50, true },  /* mail has come */
		{ { 25, 40 }, 1, 40, 50, true },   /* most were put back, */
		{ { 25, 40 }, 0, 40, 50, false },  /* all */
		{ { 25, 40 }, 25, 60, 70, false }, /* the limit is another, */
		{ { 25, 40 }, 25, 60, 0, false },  /* or none */
		{ { 25, 40 }, 39, 40, 70, true },  /* by themselves */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct sync_limit limit = { .percent = cases[i].limit_percent,
						  .messages = SYNC_LIMIT_MESSAGES };
		assert_int_equal(sync_limit_holds(&limit, &cases[i].held, cases[i].deletions,
						  cases[i].total),
				 cases[i].is_held);
	}
}

static void what_is_held_on_one_side_leaves_the_rest_of_the_plan(void **state)
{
	struct sync_plan plan;
	size_t count = 0;

	(void)state;
	sync_plan_init(&plan);
	for (uint32_t uid = 1; uid <= 25; uid++) {
		sync_plan_add(&plan, &(struct sync_action){ .kind = SYNC_FETCH, .uid = uid + 100 });
		sync_plan_add(&plan, &(struct sync_action){ .kind = SYNC_EXPUNGE, .uid = uid });
		sync_plan_add(&plan, &(struct sync_action){ .kind = SYNC_REMOVE, .uid = uid + 50 });
	}
	sync_plan_sort(&plan);
	assert_int_equal(sync_plan_drop(&plan, SYNC_EXPUNGE), 25);
	assert_null(sync_plan_of(&plan, SYNC_EXPUNGE, &count));
	assert_non_null(sync_plan_of(&plan, SYNC_FETCH, &count));
	assert_int_equal(count, 25);
	assert_non_null(sync_plan_of(&plan, SYNC_REMOVE, &count));
	assert_int_equal(count, 25);
	sync_plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_deletions_are_held_and_few_are_not),
		cmocka_unit_test(what_was_held_stays_so_as_long_as_any_of_it_is_left),
		cmocka_unit_test(what_is_held_on_one_side_leaves_the_rest_of_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
