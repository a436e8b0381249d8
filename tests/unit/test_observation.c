/* Listings of both sides: sorted, each message once.
 * SPDX-License-Identifier: MIT */
#include "syncd/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

static void a_remote_listing_sorts_and_keeps_the_newest_flags(void **state)
{
	static const struct remote_flags arrivals[] = { { 5, 1 }, { 2, 1 }, { 5, 2 },
							{ 9, 4 }, { 2, 8 }, { 5, 3 } };
	static const struct remote_flags expected[] = { { 2, 8 }, { 5, 3 }, { 9, 4 } };
	struct remote_observation obs;

	(void)state;
	remote_observation_init(&obs);
	remote_observation_sort(&obs);
	assert_int_equal(obs.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(arrivals); i++)
		remote_observation_add(&obs, arrivals[i].uid, arrivals[i].flags);
	for (int again = 0; again < 2; again++) {
		remote_observation_sort(&obs);
		assert_int_equal(obs.count, ARRAY_LEN(expected));
		for (size_t i = 0; i < obs.count; i++) {
			assert_int_equal(obs.items[i].uid, expected[i].uid);
			assert_int_equal(obs.items[i].flags, expected[i].flags);
		}
	}
	remote_observation_free(&obs);
	assert_int_equal(obs.count, 0);
}

static void many_equal_uids_keep_the_last_that_came(void **state)
{
	struct remote_observation obs;

	(void)state;
	remote_observation_init(&obs);
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t uid = 100; uid > 0; uid--)
			remote_observation_add(&obs, uid, round);
	}
	remote_observation_sort(&obs);
	assert_int_equal(obs.count, 100);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(obs.items[i].uid, i + 1);
		assert_int_equal(obs.items[i].flags, 99);
	}
	remote_observation_free(&obs);
}

static void a_local_listing_sorts_and_joins_equal_names(void **state)
{
	struct local_listing listing;

	(void)state;
	local_listing_init(&listing);
	local_listing_sort(&listing);
	local_listing_add(&listing, slice_of("b"), FLAG_SEEN);
	local_listing_add(&listing, slice_of("\xff"), 0);
	local_listing_add(&listing, slice_of("a"), FLAG_DRAFT);
	local_listing_add(&listing, (struct slice){ "bcd", 1 }, FLAG_FLAGGED);
	local_listing_sort(&listing);
	assert_int_equal(listing.count, 3);
	assert_string_equal(listing.items[0].name, "a");
	assert_string_equal(listing.items[1].name, "b");
	assert_int_equal(listing.items[1].flags, FLAG_SEEN | FLAG_FLAGGED);
	assert_string_equal(listing.items[2].name, "\xff"); /* bytes are unsigned */
	local_listing_free(&listing);
	assert_int_equal(listing.count, 0);
}

static void names_outlive_the_growth_of_the_listing(void **state)
{
	struct local_listing listing;
	char name[MAIL_NAME_MAX + 1];

	(void)state;
	local_listing_init(&listing);
	for (unsigned i = 0; i < 2000; i++) { /* several blocks of names */
		(void)snprintf(name, sizeof(name), "%04u%0*d", 1999 - i, (int)(i % 252), 0);
		local_listing_add(&listing, slice_of(name), i);
	}
	local_listing_sort(&listing);
	assert_int_equal(listing.count, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned nth = 1999 - i;
		(void)snprintf(name, sizeof(name), "%04u%0*d", i, (int)(nth % 252), 0);
		assert_string_equal(listing.items[i].name, name);
		assert_int_equal(listing.items[i].flags, nth);
	}
	local_listing_free(&listing);
}

static void a_message_is_gone_only_if_nothing_says_that_it_is_there(void **state)
{
	struct local_listing listing;

	(void)state;
	local_listing_init(&listing);
	local_listing_add_gone(&listing, slice_of("c"));
	local_listing_add_gone(&listing, slice_of("b"));
	local_listing_add(&listing, slice_of("a"), FLAG_SEEN);
	local_listing_add(&listing, slice_of("b"), FLAG_DRAFT);
	local_listing_add_gone(&listing, slice_of("a"));
	local_listing_add_gone(&listing, slice_of("c"));
	local_listing_sort(&listing);
	assert_int_equal(listing.count, 3);
	for (size_t i = 0; i < 3; i++) {
		static const uint64_t flags[] = { FLAG_SEEN, FLAG_DRAFT, 0 };
		assert_int_equal(listing.items[i].is_gone, i == 2);
		assert_int_equal(listing.items[i].flags, flags[i]);
	}
	local_listing_free(&listing);
}

#define RANDOM_NAMES 20000

/* A few bytes only, so that many names are equal or begin alike. */
static void random_name(unsigned *seed, char *name)
{
	static const char bytes[] = { 'a', 'b', 'z', '.', '\x01', '\xff' };
	size_t len = 0;

	do {
		*seed = *seed * 1103515245u + 12345u;
		name[len++] = bytes[(*seed >> 16) % ARRAY_LEN(bytes)];
	} while (len < 5 && (*seed >> 24) % 8 != 0);
	name[len] = '\0';
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void names_are_sorted_as_strcmp_compares_them_each_once(void **state)
{
	static char names[RANDOM_NAMES][8];
	struct local_listing listing;
	unsigned seed = 4711;
	size_t at = 0;

	(void)state;
	local_listing_init(&listing);
	for (size_t i = 0; i < RANDOM_NAMES; i++) {
		random_name(&seed, names[i]);
		local_listing_add(&listing, slice_of(names[i]), 0);
	}
	local_listing_sort(&listing);
	qsort(names, RANDOM_NAMES, sizeof(names[0]), compare_strings);
	for (size_t i = 0; i < RANDOM_NAMES; i++) {
		if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
			continue;
		assert_true(at < listing.count);
		assert_string_equal(listing.items[at++].name, names[i]);
	}
	assert_int_equal(at, listing.count);
	assert_true(at < RANDOM_NAMES / 2); /* many were equal */
	local_listing_free(&listing);
}

static void names_of_every_length_with_one_beginning_are_sorted(void **state)
{
	struct local_listing listing;
	char name[MAIL_NAME_MAX + 1];

	(void)state;
	local_listing_init(&listing);
	memset(name, 'a', sizeof(name));
	for (size_t round = 0; round < 2; round++) {
		for (size_t len = MAIL_NAME_MAX; len > 0; len--)
			local_listing_add(&listing, (struct slice){ name, len },
					  (uint64_t)1 << round);
	}
	local_listing_sort(&listing);
	assert_int_equal(listing.count, MAIL_NAME_MAX);
	for (size_t i = 0; i < listing.count; i++) {
		assert_int_equal(strlen(listing.items[i].name), i + 1);
		assert_int_equal(listing.items[i].flags, 3);
	}
	local_listing_free(&listing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_remote_listing_sorts_and_keeps_the_newest_flags),
		cmocka_unit_test(many_equal_uids_keep_the_last_that_came),
		cmocka_unit_test(a_local_listing_sorts_and_joins_equal_names),
		cmocka_unit_test(names_outlive_the_growth_of_the_listing),
		cmocka_unit_test(a_message_is_gone_only_if_nothing_says_that_it_is_there),
		cmocka_unit_test(names_are_sorted_as_strcmp_compares_them_each_once),
		cmocka_unit_test(names_of_every_length_with_one_beginning_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
