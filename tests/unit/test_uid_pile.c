/* Piles of UIDs: whatever the order, the set is the same, and it does not take long.
 * SPDX-License-Identifier: MIT */
#include "syncd/uid_pile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

static void assert_set(const struct uidset *set, const char *text)
{
	struct uidset_place place = { 0 };
	struct buf out;

	buf_init(&out, 4096);
	(void)uidset_format(set, &place, 4096, UINT64_MAX, &out);
	assert_string_equal(buf_str(&out), text);
	buf_free(&out);
}

static void ranges_in_any_order_become_a_set(void **state)
{
	static const struct {
		struct uid_range ranges[5];
		const char *expected;
	} cases[] = {
		{ { { 0, 0 } }, "100" },
		{ { { 5, 5 } }, "5,100" },
		{ { { 5, 5 }, { 4, 4 }, { 3, 3 } }, "3:5,100" },
		{ { { 3, 3 }, { 9, 9 }, { 1, 1 } }, "1,3,9,100" },
		{ { { 9, 20 }, { 1, 2 }, { 5, 12 } }, "1:2,5:20,100" },
		{ { { 99, 99 }, { 7, 7 }, { 101, 102 }, { 7, 7 } }, "7,99:102" },
		{ { { 4294967295, 4294967295 }, { 1, 4294967294 } }, "1:4294967295" },
		{ { { 1, 1 }, { 4294967295, 4294967295 }, { 1, 2 } }, "1:2,100,4294967295" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uid_pile pile = { 0 };
		struct uidset set = { 0 };
		assert_int_equal(uidset_add(&set, 100), 0);
		for (const struct uid_range *range = cases[i].ranges; range->low != 0; range++)
			assert_int_equal(uid_pile_add_range(&pile, range->low, range->high), 0);
		assert_int_equal(uid_pile_move(&pile, &set), 0);
		assert_int_equal(pile.count, 0);
		assert_set(&set, cases[i].expected);
		uidset_free(&set);
	}
}

/* A set would move 300 GB for the half of it. */
static void a_million_in_descending_order_take_no_time(void **state)
{
	struct uid_pile pile = { 0 };
	struct uidset set = { 0 };
	clock_t began = clock();

	(void)state;
	for (uint32_t uid = 2000000; uid > 0; uid -= 2)
		assert_int_equal(uid_pile_add_range(&pile, uid, uid), 0);
	assert_int_equal(uid_pile_move(&pile, &set), 0);
	assert_int_equal(uidset_count(&set), 1000000);
	assert_int_equal(set.range_count, 1000000);
	assert_true((clock() - began) / CLOCKS_PER_SEC < 10);
	uidset_free(&set);
}

static void the_same_ones_over_and_over_fill_nothing(void **state)
{
	struct uid_pile pile = { 0 };
	struct uidset set = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 5000000; i++)
		assert_int_equal(uid_pile_add_range(&pile, 1 + 2 * (i % 3), 1 + 2 * (i % 3)), 0);
	assert_true(pile.cap <= UIDSET_RANGES_MAX);
	assert_int_equal(uid_pile_move(&pile, &set), 0);
	assert_set(&set, "1,3,5");
	uidset_free(&set);
}

static void more_than_memory_is_to_be_given_for_is_refused(void **state)
{
	struct uid_pile pile = { 0 };
	uint32_t uid = 1;
	int rc = 0;

	(void)state;
	for (; rc == 0 && uid < UINT32_MAX - 2; uid += 2)
		rc = uid_pile_add_range(&pile, uid, uid);
	assert_int_equal(rc, SYNCD_ELIMIT);
	assert_true(uid / 2 <= UIDSET_RANGES_MAX + 1);
	assert_int_equal(pile.count, 0);
	assert_null(pile.ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_in_any_order_become_a_set),
		cmocka_unit_test(a_million_in_descending_order_take_no_time),
		cmocka_unit_test(the_same_ones_over_and_over_fill_nothing),
		cmocka_unit_test(more_than_memory_is_to_be_given_for_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
