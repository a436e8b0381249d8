/* Line ends into each other: each case whole, byte by byte and cut at each position.
 * SPDX-License-Identifier: MIT */
#include "syncd/crlf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

/* Takes the next piece: `first` bytes, then `step` at a time. */
static struct slice next_piece(struct slice *rest, size_t *next, size_t step)
{
	struct slice piece = { rest->data, *next < rest->len ? *next : rest->len };

	rest->data += piece.len;
	rest->len -= piece.len;
	*next = step;
	return piece;
}

static void assert_encodes(struct slice input, size_t first, size_t step, struct slice expected)
{
	struct crlf_encoder encoder = { 0 };
	struct crlf_count count = { 0 };
	struct buf out;
	size_t next = first;

	buf_init(&out, 256);
	while (input.len > 0) {
		struct slice piece = next_piece(&input, &next, step);
		assert_int_equal(crlf_encode(&encoder, piece, &out), 0);
		crlf_count(&count, piece);
	}
	assert_true(slice_equals(buf_slice(&out), expected));
	assert_int_equal(count.size_bytes, expected.len);
	assert_int_equal(count.has_nul,
			 expected.len > 0 && memchr(expected.data, '\0', expected.len) != NULL);
	buf_free(&out);
}

static void assert_decodes(struct slice input, size_t first, size_t step, struct slice expected)
{
	struct crlf_decoder decoder = { 0 };
	struct buf out;
	size_t next = first;

	buf_init(&out, 256);
	while (input.len > 0)
		assert_int_equal(crlf_decode(&decoder, next_piece(&input, &next, step), &out), 0);
	assert_int_equal(crlf_decode_end(&decoder, &out), 0);
	assert_true(slice_equals(buf_slice(&out), expected));
	buf_free(&out);
}

struct crlf_case {
	struct slice input;
	struct slice expected;
};

typedef void (*check_fn)(struct slice input, size_t first, size_t step, struct slice expected);

static void assert_cases(const struct crlf_case *cases, size_t count, check_fn check)
{
	for (size_t i = 0; i < count; i++) {
		check(cases[i].input, cases[i].input.len, 1, cases[i].expected);
		check(cases[i].input, 1, 1, cases[i].expected);
		for (size_t at = 1; at < cases[i].input.len; at++)
			check(cases[i].input, at, cases[i].input.len, cases[i].expected);
	}
}

static void bare_lf_becomes_crlf_and_is_counted(void **state)
{
	static const struct crlf_case cases[] = {
		{ SLICE_LITERAL(""), SLICE_LITERAL("") },
		{ SLICE_LITERAL("abc"), SLICE_LITERAL("abc") },
		{ SLICE_LITERAL("a\nb\n"), SLICE_LITERAL("a\r\nb\r\n") },
		{ SLICE_LITERAL("a\r\nb\r\n"), SLICE_LITERAL("a\r\nb\r\n") },
		{ SLICE_LITERAL("\n\n\r\n\n"), SLICE_LITERAL("\r\n\r\n\r\n\r\n") },
		{ SLICE_LITERAL("a\rb\r"), SLICE_LITERAL("a\rb\r") },
		{ SLICE_LITERAL("\r\r\n"), SLICE_LITERAL("\r\r\n") },
		{ SLICE_LITERAL("\ra\n"), SLICE_LITERAL("\ra\r\n") },
		{ SLICE_LITERAL("a\0\nb"), SLICE_LITERAL("a\0\r\nb") },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases), assert_encodes);
}

static void only_the_pair_becomes_lf(void **state)
{
	static const struct crlf_case cases[] = {
		{ SLICE_LITERAL(""), SLICE_LITERAL("") },
		{ SLICE_LITERAL("abc"), SLICE_LITERAL("abc") },
		{ SLICE_LITERAL("a\r\nb\r\n"), SLICE_LITERAL("a\nb\n") },
		{ SLICE_LITERAL("a\nb\rc"), SLICE_LITERAL("a\nb\rc") },
		{ SLICE_LITERAL("\r\r\n"), SLICE_LITERAL("\r\n") },
		{ SLICE_LITERAL("\r\n\r\n"), SLICE_LITERAL("\n\n") },
		{ SLICE_LITERAL("a\r"), SLICE_LITERAL("a\r") },
		{ SLICE_LITERAL("\r\r"), SLICE_LITERAL("\r\r") },
		{ SLICE_LITERAL("\r\0\r\n"), SLICE_LITERAL("\r\0\n") },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases), assert_decodes);
}

static void buffers_without_room_are_left_alone(void **state)
{
	struct crlf_encoder encoder = { 0 };
	struct crlf_decoder decoder = { 0 };
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_int_equal(crlf_encode(&encoder, slice_of("a\nb"), &out), SYNCD_ELIMIT);
	assert_int_equal(crlf_decode(&decoder, slice_of("abcd"), &out), SYNCD_ELIMIT);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bare_lf_becomes_crlf_and_is_counted),
		cmocka_unit_test(only_the_pair_becomes_lf),
		cmocka_unit_test(buffers_without_room_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
