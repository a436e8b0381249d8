/* The header scanner: each case whole, byte by byte and cut at each position.
 * SPDX-License-Identifier: MIT */
#include "syncd/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/alloc.h"
#include "syncd/error.h"
#include "syncd/must.h"

struct record {
	struct buf trace;
	size_t fields;
	int fail_with;
};

static int on_field(void *context, const struct header_field *field)
{
	struct record *record = context;

	record->fields++;
	(void)buf_add(&record->trace, field->name.data, field->name.len);
	(void)buf_add_char(&record->trace, '=');
	(void)buf_add(&record->trace, field->body.data, field->body.len);
	(void)buf_add_str(&record->trace, field->is_truncated ? "...|" : "|");
	return record->fail_with;
}

/* Feeds pieces of `first` bytes, then of `step`; returns how many were taken. */
static size_t scan(struct record *record, struct slice data, size_t first, size_t step)
{
	struct header_scanner scanner;
	size_t next = first;
	size_t total = 0;

	header_scanner_init(&scanner, on_field, record);
	while (data.len > 0 && !header_scanner_is_over(&scanner)) {
		size_t len = next < data.len ? next : data.len;
		size_t used = 0;
		char *piece = xmalloc(len);
		memcpy(piece, data.data, len);
		assert_int_equal(header_scanner_feed(&scanner, (struct slice){ piece, len }, &used),
				 0);
		free(piece);
		assert_true(used == len || header_scanner_is_over(&scanner));
		total += used;
		data.data += len;
		data.len -= len;
		next = step;
	}
	assert_int_equal(header_scanner_end(&scanner), 0);
	header_scanner_free(&scanner);
	return total;
}

static void assert_scan(struct slice input, size_t first, size_t step, const char *expected,
			size_t used)
{
	struct record record = { 0 };

	buf_init(&record.trace, 4096);
	size_t total = scan(&record, input, first, step);
	if (strcmp(buf_str(&record.trace), expected) != 0 || total != used)
		fail_msg("\"%s\" gives \"%s\" and %zu, not \"%s\" and %zu", input.data,
			 buf_str(&record.trace), total, expected, used);
	buf_free(&record.trace);
}

static void headers_give_their_fields(void **state)
{
	static const struct {
		const char *input;
		const char *expected;
		size_t rest; /* bytes behind the header */
	} cases[] = {
		{ "A: b\r\n\r\nbody", "A=b|", 4 },
		{ "A: b\n\nbody", "A=b|", 4 },
		{ "A: b\rC: d\r\n\r\nx", "A=b|C=d|", 1 },
		{ "A: b\r\r\nC: d\r\r\n\r\nx", "A=b|C=d|", 1 },
		{ "A: b\n\rx", "A=b|", 1 },
		{ "A:b\nB:\nC: \n\n", "A=b|B=|C=|", 0 },
		{ "A: b\n c\n\td \n\n", "A=b c\td|", 0 },
		{ "A:\n b\n\n", "A=b|", 0 },
		{ "A: b \n \nC: d\n\n", "A=b|C=d|", 0 },
		{ "A : b\nC\t : d\n\n", "A=b|C=d|", 0 },
		{ "A: b: c\n\n", "A=b: c|", 0 },
		{ "A: b", "A=b|", 0 },
		{ "A: b\r", "A=b|", 0 },
		{ "A: b\nC", "A=b|", 0 },
		{ "", "", 0 },
		{ "\nbody: x", "", 7 },
		{ "\r\nbody: x", "", 7 },
		{ "From nsb Thu Sep 19 12:41:43\nA: b\n\n", "A=b|", 0 },
		{ ">From nsb Thu Sep 19 12:41:43\n folded: x\nA: b\n\n", "A=b|", 0 },
		{ " A: b\nC: d\n\n", "C=d|", 0 },
		{ "no field\n folded: x\nA: b\n\n", "A=b|", 0 },
		{ ": x\nA: b\n\n", "A=b|", 0 },
		{ "A\xc3\xa9: x\nA: b\n\n", "A=b|", 0 },
		{ "just text\nof two lines", "", 0 },
		{ "S: \xfc\xff\n\n", "S=\xfc\xff|", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice input = slice_of(cases[i].input);
		size_t used = input.len - cases[i].rest;
		assert_scan(input, input.len, 1, cases[i].expected, used);
		assert_scan(input, 1, 1, cases[i].expected, used);
		for (size_t at = 1; at < input.len; at++)
			assert_scan(input, at, input.len, cases[i].expected, used);
	}
}

static void nul_bytes_stay_in_the_body(void **state)
{
	struct record record = { 0 };

	(void)state;
	buf_init(&record.trace, 64);
	(void)scan(&record, SLICE_LITERAL("A: b\0c\n\n"), 64, 64);
	assert_true(slice_equals(buf_slice(&record.trace), SLICE_LITERAL("A=b\0c|")));
	buf_free(&record.trace);
}

static void fields_are_cut_off_at_their_limit(void **state)
{
	struct record record = { 0 };
	struct buf input;

	(void)state;
	buf_init(&input, 2 * HEADER_FIELD_MAX);
	buf_init(&record.trace, 2 * HEADER_FIELD_MAX);
	(void)buf_add_str(&input, "A: ");
	for (size_t i = 0; i < HEADER_FIELD_MAX; i++)
		(void)buf_add_char(&input, 'x');
	(void)buf_add_str(&input, "\nB: c\n\n");
	(void)scan(&record, buf_slice(&input), 1000, 1000);
	assert_int_equal(record.fields, 2);
	assert_int_equal(record.trace.len, HEADER_FIELD_MAX + 5 + 4);
	assert_string_equal(buf_str(&record.trace) + HEADER_FIELD_MAX + 1, "...|B=c|");
	buf_free(&record.trace);
	buf_free(&input);
}

static void names_longer_than_their_limit_are_no_fields(void **state)
{
	char input[HEADER_NAME_MAX + 16];
	struct record record = { 0 };

	(void)state;
	buf_init(&record.trace, 4096);
	memset(input, 'n', sizeof(input));
	memcpy(input + HEADER_NAME_MAX + 1, ": x\nA: b\n\n", 11);
	(void)scan(&record, slice_of(input), 7, 7);
	assert_string_equal(buf_str(&record.trace), "A=b|");
	buf_free(&record.trace);
}

static void code_of_a_callback_stops_the_scan(void **state)
{
	struct record record = { .fail_with = SYNCD_ECANCELLED };
	struct header_scanner scanner;
	size_t used = 0;

	(void)state;
	buf_init(&record.trace, 64);
	header_scanner_init(&scanner, on_field, &record);
	assert_int_equal(header_scanner_feed(&scanner, slice_of("A: b\nC: d\nE: f\n\n"), &used),
			 SYNCD_ECANCELLED);
	assert_int_equal(record.fields, 1);
	header_scanner_free(&scanner);
	buf_free(&record.trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_give_their_fields),
		cmocka_unit_test(nul_bytes_stay_in_the_body),
		cmocka_unit_test(fields_are_cut_off_at_their_limit),
		cmocka_unit_test(names_longer_than_their_limit_are_no_fields),
		cmocka_unit_test(code_of_a_callback_stops_the_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
