/* UID sets: ranges stay sorted, disjoint and joined; text both ways.
 * SPDX-License-Identifier: MIT */
#include "syncd/uidset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

#define STAR 4294967295u

static struct uidset set_of(const char *text)
{
	struct uidset set;

	uidset_init(&set);
	if (text[0] != '\0')
		assert_int_equal(uidset_parse(&set, slice_of(text), STAR), 0);
	return set;
}

static void assert_set(const struct uidset *set, const char *text)
{
	struct uidset_place place = { 0 };
	struct buf out;

	buf_init(&out, 4096);
	(void)uidset_format(set, &place, 4096, UINT64_MAX, &out);
	assert_string_equal(buf_str(&out), text);
	assert_false(uidset_format_left(set, &place));
	buf_free(&out);
}

static void text_parses_to_its_shortest_form(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} cases[] = {
		{ "1", "1" },
		{ "1:5", "1:5" },
		{ "5:1", "1:5" },
		{ "3,1,2", "1:3" },
		{ "1:5,9,12:*", "1:5,9,12:4294967295" },
		{ "*", "4294967295" },
		{ "*:4294967290", "4294967290:4294967295" },
		{ "10:20,15:30,31", "10:31" },
		{ "10:20,5:30", "5:30" },
		{ "1,3,5,7,2:6", "1:7" },
		{ "1,3,5,7,4", "1,3:5,7" },
		{ "4294967295,4294967294", "4294967294:4294967295" },
		{ "7,7,7", "7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uidset set = set_of(cases[i].text);
		assert_set(&set, cases[i].expected);
		uidset_free(&set);
	}
}

static void text_that_is_no_set_is_refused_and_changes_nothing(void **state)
{
	static const char *const cases[] = {
		"",    "0",     "1:0", ",",          "1,",
		",1",  "1:",    ":1",  "1::2",       "1:2:3",
		"1 2", "a",     "1,a", "4294967296", "1:99999999999999999999",
		"-1",  "1,2,x", "**",  "1;2",        "1-2",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uidset set = set_of("100:200");
		assert_int_equal(uidset_parse(&set, slice_of(cases[i]), STAR), SYNCD_EPROTO);
		assert_set(&set, "100:200");
		uidset_free(&set);
	}
}

static void star_is_refused_where_none_is_allowed(void **state)
{
	struct uidset set = { 0 };

	(void)state;
	assert_int_equal(uidset_parse(&set, slice_of("1:*"), 0), SYNCD_EPROTO);
	assert_true(uidset_is_empty(&set));
}

static void sets_combine(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		const char *merged;
		const char *subtracted;
		const char *intersected;
	} cases[] = {
		{ "", "", "", "", "" },
		{ "1:5", "", "1:5", "1:5", "" },
		{ "", "1:5", "1:5", "", "" },
		{ "1:10", "3,5:6", "1:10", "1:2,4,7:10", "3,5:6" },
		{ "1:10", "1:10", "1:10", "", "1:10" },
		{ "1:3,7:9", "4:6", "1:9", "1:3,7:9", "" },
		{ "1:3,7:9", "2:8", "1:9", "1,9", "2:3,7:8" },
		{ "5", "1:10", "1:10", "", "5" },
		{ "1,3,5,7", "2,4,6", "1:7", "1,3,5,7", "" },
		{ "1:4294967295", "2:4294967294", "1:4294967295", "1,4294967295", "2:4294967294" },
		{ "10:20,30:40", "15:35", "10:40", "10:14,36:40", "15:20,30:35" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uidset b = set_of(cases[i].b);
		struct uidset merged = set_of(cases[i].a);
		struct uidset subtracted = set_of(cases[i].a);
		struct uidset intersected = set_of(cases[i].a);
		assert_int_equal(uidset_merge(&merged, &b), 0);
		assert_int_equal(uidset_subtract(&subtracted, &b), 0);
		assert_int_equal(uidset_intersect(&intersected, &b), 0);
		assert_set(&merged, cases[i].merged);
		assert_set(&subtracted, cases[i].subtracted);
		assert_set(&intersected, cases[i].intersected);
		uidset_free(&b);
		uidset_free(&merged);
		uidset_free(&subtracted);
		uidset_free(&intersected);
	}
}

#define SMALL 64

/* Every operation against an array of booleans. */
static void random_operations_agree_with_a_plain_array(void **state)
{
	struct uidset set = { 0 };
	bool plain[SMALL + 1] = { false };
	uint32_t seed = 1;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		seed = seed * 1664525u + 1013904223u;
		uint32_t low = (seed >> 8) % SMALL + 1;
		uint32_t high = low + (seed >> 16) % 6;
		if (high > SMALL)
			high = SMALL;
		bool is_add = (seed >> 28) % 2 == 0;
		assert_int_equal(is_add ? uidset_add_range(&set, low, high)
					: uidset_remove_range(&set, low, high),
				 0);
		uint64_t count = 0;
		assert_int_equal(uidset_contains_range(&set, low, high), is_add);
		for (uint32_t uid = 1; uid <= SMALL; uid++) {
			if (uid >= low && uid <= high)
				plain[uid] = is_add;
			assert_int_equal(uidset_contains(&set, uid), plain[uid]);
			count += plain[uid];
		}
		assert_int_equal(uidset_count(&set), count);
		for (size_t i = 1; i < set.range_count; i++)
			assert_true(set.ranges[i].low > set.ranges[i - 1].high + 1);
	}
	uidset_free(&set);
}

/* Adds random ranges of 1..SMALL to a set and to a plain array. */
static void add_random(struct uidset *set, bool *plain, uint32_t *seed)
{
	for (int i = 0; i < 5; i++) {
		*seed = *seed * 1664525u + 1013904223u;
		uint32_t low = (*seed >> 8) % (SMALL - 8) + 1;
		uint32_t high = low + (*seed >> 20) % 8;
		assert_int_equal(uidset_add_range(set, low, high), 0);
		for (uint32_t uid = low; uid <= high; uid++)
			plain[uid] = true;
	}
}

static void random_sets_combine_as_plain_arrays_do(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct uidset set[4] = { { 0 } };
		bool a[SMALL + 1] = { false };
		bool b[SMALL + 1] = { false };
		add_random(&set[0], a, &seed);
		add_random(&set[1], b, &seed);
		assert_int_equal(uidset_merge(&set[2], &set[0]), 0);
		assert_int_equal(uidset_subtract(&set[2], &set[1]), 0);
		assert_int_equal(uidset_merge(&set[3], &set[0]), 0);
		assert_int_equal(uidset_intersect(&set[3], &set[1]), 0);
		assert_int_equal(uidset_merge(&set[1], &set[0]), 0);
		for (uint32_t uid = 1; uid <= SMALL; uid++) {
			assert_int_equal(uidset_contains(&set[1], uid), a[uid] || b[uid]);
			assert_int_equal(uidset_contains(&set[2], uid), a[uid] && !b[uid]);
			assert_int_equal(uidset_contains(&set[3], uid), a[uid] && b[uid]);
		}
		for (size_t i = 0; i < ARRAY_LEN(set); i++)
			uidset_free(&set[i]);
	}
}

static void a_range_is_contained_when_all_of_it_is(void **state)
{
	struct uidset set = set_of("3:5,7,4294967295");

	(void)state;
	assert_true(uidset_contains_range(&set, 3, 5));
	assert_true(uidset_contains_range(&set, 4, 4));
	assert_true(uidset_contains_range(&set, UINT32_MAX, UINT32_MAX));
	assert_false(uidset_contains_range(&set, 2, 3));
	assert_false(uidset_contains_range(&set, 5, 7));
	assert_false(uidset_contains_range(&set, 8, UINT32_MAX));
	uidset_free(&set);
}

static void walk_gives_every_uid_upwards(void **state)
{
	static const uint32_t expected[] = { 1, 2, 3, 9, 4294967294, 4294967295 };
	struct uidset set = set_of("9,1:3,4294967294:*");
	struct uidset_place place = { 0 };
	uint32_t uid = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(uidset_next(&set, &place, &uid));
		assert_int_equal(uid, expected[i]);
	}
	assert_false(uidset_next(&set, &place, &uid));
	assert_int_equal(uidset_lowest(&set), 1);
	assert_int_equal(uidset_highest(&set), 4294967295u);
	uidset_free(&set);
}

static void pieces_keep_their_limit_and_join_to_the_whole(void **state)
{
	struct uidset set = { 0 };
	struct uidset joined = { 0 };
	struct uidset_place place = { 0 };
	struct buf out;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(uidset_add(&set, 4000000000u + i * 2), 0);
	buf_init(&out, 1024);
	while (uidset_format_left(&set, &place)) {
		buf_reset(&out);
		assert_true(uidset_format(&set, &place, 100, UINT64_MAX, &out) > 0);
		assert_true(out.len <= 100);
		assert_int_equal(uidset_parse(&joined, buf_slice(&out), 0), 0);
	}
	assert_true(uidset_equals(&set, &joined));
	buf_free(&out);
	uidset_free(&set);
	uidset_free(&joined);
}

static void pieces_hold_no_more_uids_than_wanted(void **state)
{
	static const struct {
		const char *set;
		uint64_t most;
		const char *pieces;
	} cases[] = {
		{ "1:10", 4, "1:4 5:8 9:10 " },
		{ "1:10", 10, "1:10 " },
		{ "1:3,5,7:9", 3, "1:3 5,7:8 9 " },
		{ "1:3,5,7:9", 1, "1 2 3 5 7 8 9 " },
		{ "4294967294:*", 1, "4294967294 4294967295 " },
		{ "1:4294967295", UINT32_MAX, "1:4294967295 " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uidset set = set_of(cases[i].set);
		struct uidset_place place = { 0 };
		struct buf out;
		buf_init(&out, 1024);
		while (uidset_format_left(&set, &place)) {
			assert_in_range(uidset_format(&set, &place, 100, cases[i].most, &out), 1,
					cases[i].most);
			assert_int_equal(buf_add_char(&out, ' '), 0);
		}
		assert_string_equal(buf_str(&out), cases[i].pieces);
		buf_free(&out);
		uidset_free(&set);
	}
}

static void the_highest_uids_are_taken_and_the_rest_stays(void **state)
{
	static const struct {
		const char *set;
		uint64_t most;
		const char *taken;
		const char *left;
	} cases[] = {
		{ "1:10", 4, "7:10", "1:6" },
		{ "1:10", 10, "1:10", "" },
		{ "1:10", 11, "1:10", "" },
		{ "1:10", 0, "", "1:10" },
		{ "1:3,5,7:9", 3, "7:9", "1:3,5" },
		{ "1:3,5,7:9", 4, "5,7:9", "1:3" },
		{ "1:3,5,7:9", 5, "3,5,7:9", "1:2" },
		{ "1:4294967295", 2, "4294967294:4294967295", "1:4294967293" },
		{ "1:4294967295", UINT64_MAX, "1:4294967295", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uidset set = set_of(cases[i].set);
		struct uidset taken = set_of("77"); /* goes */
		uidset_take_highest(&set, cases[i].most, &taken);
		assert_set(&taken, cases[i].taken);
		assert_set(&set, cases[i].left);
		uidset_free(&set);
		uidset_free(&taken);
	}
}

static void nothing_is_taken_of_an_empty_set(void **state)
{
	struct uidset set = { 0 };
	struct uidset taken = set_of("1:3");

	(void)state;
	uidset_take_highest(&set, 5, &taken);
	assert_true(uidset_is_empty(&taken));
	assert_true(uidset_is_empty(&set));
	uidset_free(&taken);
}

static void descending_neighbours_join_to_one_range(void **state)
{
	struct uidset set = { 0 };

	(void)state;
	for (uint32_t uid = 1000; uid >= 1; uid--)
		assert_int_equal(uidset_add(&set, uid), 0);
	assert_set(&set, "1:1000");
	uidset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_parses_to_its_shortest_form),
		cmocka_unit_test(text_that_is_no_set_is_refused_and_changes_nothing),
		cmocka_unit_test(star_is_refused_where_none_is_allowed),
		cmocka_unit_test(sets_combine),
		cmocka_unit_test(random_operations_agree_with_a_plain_array),
		cmocka_unit_test(random_sets_combine_as_plain_arrays_do),
		cmocka_unit_test(a_range_is_contained_when_all_of_it_is),
		cmocka_unit_test(walk_gives_every_uid_upwards),
		cmocka_unit_test(pieces_keep_their_limit_and_join_to_the_whole),
		cmocka_unit_test(pieces_hold_no_more_uids_than_wanted),
		cmocka_unit_test(the_highest_uids_are_taken_and_the_rest_stays),
		cmocka_unit_test(nothing_is_taken_of_an_empty_set),
		cmocka_unit_test(descending_neighbours_join_to_one_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
