/* Slices and bounded buffers.
 * SPDX-License-Identifier: MIT */
#include "syncd/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

static void slices_compare_by_length_and_bytes(void **state)
{
	static const struct {
		struct slice slice;
		const char *text;
		bool is_equal;
		bool is_case_equal;
	} rows[] = {
		{ { "abc", 3 }, "abc", true, true },     { { "abc", 2 }, "ab", true, true },
		{ { "abc", 2 }, "abc", false, false },   { { "aBc", 3 }, "AbC", false, true },
		{ { NULL, 0 }, "", true, true },         { { NULL, 0 }, "a", false, false },
		{ { "\xc4", 1 }, "\xe4", false, false }, { { "a\0b", 3 }, "a", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(slice_equals_str(rows[i].slice, rows[i].text), rows[i].is_equal);
		assert_int_equal(slice_case_equals_str(rows[i].slice, rows[i].text),
				 rows[i].is_case_equal);
	}
	assert_true(slice_equals(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0b")));
	assert_false(slice_equals(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
}

static void words_are_found_in_any_case(void **state)
{
	(void)state;
	assert_true(slice_case_contains(SLICE_LITERAL("Mailbox is LOCKED"), "locked"));
	assert_true(slice_case_contains(SLICE_LITERAL("locked"), "locked"));
	assert_false(slice_case_contains(SLICE_LITERAL("locke"), "locked"));
	assert_false(slice_case_contains(SLICE_LITERAL("unlocke"), "locked"));
	assert_false(slice_case_contains((struct slice){ NULL, 0 }, "locked"));
}

static void adding_grows_and_stays_terminated(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf_slice(&buf).len, 0);
	assert_int_equal(buf_add(&buf, NULL, 0), 0);
	assert_int_equal(buf_add(&buf, "ab\0", 3), 0);
	assert_int_equal(buf_add_str(&buf, "cd"), 0);
	assert_int_equal(buf_add_char(&buf, 'e'), 0);
	assert_int_equal(buf_printf(&buf, "%d-%s", 12, "x"), 0);
	assert_int_equal(buf.len, 10);
	assert_memory_equal(buf.data, "ab\0cde12-x", 11);
	for (size_t len = buf.len; len < 1000; len++) {
		assert_int_equal(buf_add_char(&buf, 'z'), 0);
		assert_int_equal(buf.data[buf.len], '\0');
	}
	assert_int_equal(buf.len, 1000);
	buf_free(&buf);
}

static void nothing_is_added_beyond_the_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	assert_int_equal(buf_add_str(&buf, "abcde"), SYNCD_ELIMIT);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_add_str(&buf, "abc"), 0);
	assert_int_equal(buf_printf(&buf, "%d", 12), SYNCD_ELIMIT);
	assert_int_equal(buf_add_str(&buf, "de"), SYNCD_ELIMIT);
	assert_null(buf_reserve(&buf, 2));
	assert_null(buf_reserve(&buf, (size_t)-1));
	assert_string_equal(buf_str(&buf), "abc");
	assert_int_equal(buf_printf(&buf, "%c", 'd'), 0); /* the maximum itself is allowed */
	assert_string_equal(buf_str(&buf), "abcd");
	assert_int_equal(buf_add_char(&buf, 'e'), SYNCD_ELIMIT);
	assert_int_equal(buf_add(&buf, "", 0), 0);
	buf_free(&buf);
}

static void consuming_takes_from_the_front(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 16);
	buf_consume(&buf, 0);
	assert_int_equal(buf_add_str(&buf, "abcdef"), 0);
	buf_consume(&buf, 0);
	assert_string_equal(buf_str(&buf), "abcdef");
	buf_consume(&buf, 4);
	assert_string_equal(buf_str(&buf), "ef");
	buf_consume(&buf, 2);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf_add_str(&buf, "0123456789abcdef"), 0); /* all room is back */
	buf_free(&buf);
}

static void a_reset_or_freed_buffer_is_used_again(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	assert_int_equal(buf_add_str(&buf, "12345678"), 0);
	buf_reset(&buf);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf_add_str(&buf, "abcdefgh"), 0);
	buf_free(&buf);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf_add_str(&buf, "123456789"), SYNCD_ELIMIT); /* the maximum stays */
	assert_int_equal(buf_add_str(&buf, "12345678"), 0);
	buf_free(&buf);
}

static void reserved_room_is_the_callers_to_fill(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 300);
	assert_int_equal(buf_add_str(&buf, "ab"), 0);
	char *at = buf_reserve(&buf, 298);
	assert_non_null(at);
	memset(at, 'x', 298);
	buf.len += 298;
	assert_int_equal(buf_slice(&buf).len, 300);
	assert_memory_equal(buf_slice(&buf).data, "abxx", 4);
	buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_by_length_and_bytes),
		cmocka_unit_test(words_are_found_in_any_case),
		cmocka_unit_test(adding_grows_and_stays_terminated),
		cmocka_unit_test(nothing_is_added_beyond_the_maximum),
		cmocka_unit_test(consuming_takes_from_the_front),
		cmocka_unit_test(a_reset_or_freed_buffer_is_used_again),
		cmocka_unit_test(reserved_room_is_the_callers_to_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
