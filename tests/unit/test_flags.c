/* Flags: names, letters, keyword tables and the three-way merge.
 * SPDX-License-Identifier: MIT */
#include "syncd/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

static void each_bit_merges_by_itself(void **state)
{
	static const struct {
		uint64_t agreed, local, remote, merged;
	} rows[] = {
		{ 0, 0, 0, 0 }, { 0, 0, 1, 1 }, { 0, 1, 0, 1 }, { 0, 1, 1, 1 },
		{ 1, 0, 0, 0 }, { 1, 0, 1, 0 }, { 1, 1, 0, 0 }, { 1, 1, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned bit = 0; bit < 64; bit += 21)
			assert_true(flags_merge(rows[i].agreed << bit, rows[i].local << bit,
						rows[i].remote << bit) == rows[i].merged << bit);
	}
	assert_int_equal(flags_merge(FLAG_SEEN | FLAG_DRAFT, FLAG_DRAFT | FLAG_FLAGGED,
				     FLAG_SEEN | FLAG_ANSWERED),
			 FLAG_FLAGGED | FLAG_ANSWERED);
}

static void system_flags_have_names_and_letters(void **state)
{
	static const struct {
		uint64_t bit;
		const char *name;
		char letter;
	} rows[] = {
		/* CONTRACT 3 */
		{ FLAG_SEEN, "\\Seen", 'S' },       { FLAG_ANSWERED, "\\Answered", 'R' },
		{ FLAG_FLAGGED, "\\Flagged", 'F' }, { FLAG_DRAFT, "\\Draft", 'D' },
		{ FLAG_DELETED, "\\Deleted", 'T' }, { FLAG_FORWARDED, "$Forwarded", 'P' },
	};
	struct keyword_table table;
	uint64_t all = 0;

	(void)state;
	keyword_table_init(&table);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(flags_from_imap(&table, slice_of(rows[i].name)), rows[i].bit);
		assert_string_equal(flags_imap_name(&table, rows[i].bit), rows[i].name);
		assert_int_equal(flags_maildir_letter(rows[i].bit), rows[i].letter);
		assert_int_equal(flags_from_maildir_letter(rows[i].letter), rows[i].bit);
		all |= rows[i].bit;
	}
	assert_int_equal(all, FLAGS_SYSTEM);
	assert_int_equal(table.count, 0);
}

static void what_is_no_flag_of_the_message_is_no_bit(void **state)
{
	struct keyword_table table;

	(void)state;
	keyword_table_init(&table);
	assert_int_equal(flags_from_imap(&table, slice_of("\\Recent")), 0);
	assert_int_equal(flags_from_imap(&table, slice_of("\\*")), 0);
	assert_int_equal(flags_from_imap(&table, slice_of("")), 0);
	assert_int_equal(table.count, 0);
	assert_int_equal(flags_maildir_letter((uint64_t)1 << 6), '\0');
	assert_int_equal(flags_from_maildir_letter('a'), 0);
	assert_int_equal(flags_from_maildir_letter('\0'), 0);
	assert_null(flags_imap_name(&table, (uint64_t)1 << 6));
}

static void names_compare_without_case(void **state)
{
	struct keyword_table table;

	(void)state;
	keyword_table_init(&table);
	assert_int_equal(flags_from_imap(&table, slice_of("\\sEEN")), FLAG_SEEN);
	assert_int_equal(flags_from_imap(&table, slice_of("$FORWARDED")), FLAG_FORWARDED);
	uint64_t work = flags_from_imap(&table, slice_of("Work"));
	assert_int_equal(work, (uint64_t)1 << FLAGS_SYSTEM_COUNT);
	assert_int_equal(flags_from_imap(&table, slice_of("wORK")), work);
	assert_string_equal(flags_imap_name(&table, work), "Work"); /* as first seen */
	assert_int_equal(keyword_table_find(&table, slice_of("work")), work);
	assert_int_equal(keyword_table_find(&table, slice_of("wor")), 0);
	keyword_table_free(&table);
}

static void a_table_keeps_its_first_fifty_eight(void **state)
{
	struct keyword_table table;
	struct keyword_table copy;
	char name[16];

	(void)state;
	keyword_table_init(&table);
	for (unsigned i = 0; i < KEYWORDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%u", i);
		assert_true(keyword_table_intern(&table, slice_of(name)) ==
			    (uint64_t)1 << (FLAGS_SYSTEM_COUNT + i));
	}
	assert_int_equal(keyword_table_intern(&table, slice_of("one-more")), 0);
	assert_int_equal(table.dropped, 1);
	assert_true(keyword_table_intern(&table, slice_of("K57")) == (uint64_t)1 << 63);
	keyword_table_copy(&copy, &table);
	keyword_table_free(&table);
	assert_int_equal(table.count, 0);
	assert_int_equal(copy.count, KEYWORDS_MAX);
	assert_string_equal(keyword_table_name(&copy, (uint64_t)1 << 63), "k57");
	keyword_table_free(&copy);
}

static void what_is_no_atom_is_refused(void **state)
{
	static const char *const bad[] = { "",  " ",   "a b",  "a(", ")",    "{1}",      "a%",
					   "*", "a\"", "a\\b", "a]", "\x7f", "\xc3\xa4", "a\tb" };
	struct keyword_table table;
	char longest[KEYWORD_LEN_MAX + 2];

	(void)state;
	keyword_table_init(&table);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(keyword_table_intern(&table, slice_of(bad[i])), 0);
	assert_int_equal(table.dropped, ARRAY_LEN(bad));
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(
		keyword_table_intern(&table, (struct slice){ longest, KEYWORD_LEN_MAX + 1 }), 0);
	assert_int_not_equal(
		keyword_table_intern(&table, (struct slice){ longest, KEYWORD_LEN_MAX }), 0);
	assert_int_not_equal(keyword_table_intern(&table, slice_of("$NotJunk.+[~")), 0);
	keyword_table_free(&table);
}

static void a_set_is_written_in_the_order_of_its_bits(void **state)
{
	struct keyword_table table;
	struct buf out;

	(void)state;
	keyword_table_init(&table);
	buf_init(&out, 64);
	uint64_t work = keyword_table_intern(&table, slice_of("work"));
	assert_int_equal(flags_format_imap(&table, 0, &out), 0);
	assert_string_equal(buf_str(&out), "");
	assert_int_equal(
		flags_format_imap(&table, work | FLAG_FORWARDED | FLAG_SEEN | work << 1, &out), 0);
	assert_string_equal(buf_str(&out), "\\Seen $Forwarded work");
	assert_int_equal(flags_format_imap(&table, FLAGS_SYSTEM, &out), SYNCD_ELIMIT);
	buf_free(&out);
	keyword_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bit_merges_by_itself),
		cmocka_unit_test(system_flags_have_names_and_letters),
		cmocka_unit_test(what_is_no_flag_of_the_message_is_no_bit),
		cmocka_unit_test(names_compare_without_case),
		cmocka_unit_test(a_table_keeps_its_first_fifty_eight),
		cmocka_unit_test(what_is_no_atom_is_refused),
		cmocka_unit_test(a_set_is_written_in_the_order_of_its_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
