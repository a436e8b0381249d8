/* Modified UTF-7 both ways, and names that are not such.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_utf7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

static void names_convert_both_ways(void **state)
{
	static const struct {
		const char *utf8;
		const char *utf7;
	} cases[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "a & b", "a &- b" },
		{ "&", "&-" },
		{ "&&", "&-&-" },
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "\xc3\xbc", "&APw-" },
		{ "\xc3\xbc&", "&APw-&-" },
		{ "\xc3\xbc-", "&APw--" },
		{ "\xc3\xa9\xc3\xa9", "&AOkA6Q-" },
		/* RFC 3501 §5.1.3's own example. */
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		  "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
		{ "\xf0\x9f\x98\x80", "&2D3eAA-" },
		{ "a\xf0\x9f\x98\x80z", "a&2D3eAA-z" },
		{ "\t", "&AAk-" },
		{ "\x7f", "&AH8-" },
		{ "\xef\xbf\xbf", "&,,8-" },
		{ "\xf4\x8f\xbf\xbf", "&2,,f,w-" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 256);
		assert_int_equal(imap_utf7_encode(slice_of(cases[i].utf8), &out), 0);
		assert_string_equal(buf_str(&out), cases[i].utf7);
		buf_reset(&out);
		assert_int_equal(imap_utf7_decode(slice_of(cases[i].utf7), &out), 0);
		assert_string_equal(buf_str(&out), cases[i].utf8);
		buf_free(&out);
	}
}

static void names_that_are_not_modified_utf7_are_refused(void **state)
{
	static const char *const cases[] = {
		"&Jjo!", /* RFC 3501: no shift to US-ASCII */
		"&",
		"a&",
		"&AOk",
		"&AGE-",      /* printable ASCII in base64 */
		"&AOk-&AOk-", /* a null shift */
		"&AO-",       /* bits missing */
		"&A-",
		"&AOl-", /* bits too many */
		"&AOkA-",
		"Entw\xc3\xbcrfe", /* 8-bit */
		"a\tb",
		"&2D0-", /* half a surrogate pair */
		"&3gA-",
		"&2D0A6Q-",
		"&U/BTFw-", /* "/" instead of "," */
		"&AAA-",    /* NUL */
		"&AOk=-",
		"x\x7f",
		"&U,BTFw-/&ZeVnLIqe",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 256);
		assert_int_equal(buf_add_str(&out, "x"), 0);
		if (imap_utf7_decode(slice_of(cases[i]), &out) != SYNCD_EPROTO)
			fail_msg("taken: %s", cases[i]);
		assert_string_equal(buf_str(&out), "x");
		buf_free(&out);
	}
}

static void names_that_are_not_utf8_are_refused(void **state)
{
	static const struct slice cases[] = {
		SLICE_LITERAL("\xff"),
		SLICE_LITERAL("\xc3"),
		SLICE_LITERAL("a\x80"),
		SLICE_LITERAL("\xc3("),
		SLICE_LITERAL("\xc0\xaf"),
		SLICE_LITERAL("\xe0\x80\xaf"),
		SLICE_LITERAL("\xf0\x80\x80\xaf"),
		SLICE_LITERAL("\xed\xa0\x80"),
		SLICE_LITERAL("\xf4\x90\x80\x80"),
		SLICE_LITERAL("\xf8\x88\x80\x80\x80"),
		SLICE_LITERAL("\xe6\x97"),
		SLICE_LITERAL("a\0b"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 256);
		assert_int_equal(imap_utf7_encode(cases[i], &out), SYNCD_EPROTO);
		assert_int_equal(out.len, 0);
		buf_free(&out);
	}
}

static void full_buffers_are_left_as_they_were(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_int_equal(buf_add_str(&out, "x"), 0);
	assert_int_equal(imap_utf7_encode(slice_of("\xc3\xbc"), &out), SYNCD_ELIMIT);
	assert_int_equal(imap_utf7_decode(slice_of("abcd"), &out), SYNCD_ELIMIT);
	assert_string_equal(buf_str(&out), "x");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_convert_both_ways),
		cmocka_unit_test(names_that_are_not_modified_utf7_are_refused),
		cmocka_unit_test(names_that_are_not_utf8_are_refused),
		cmocka_unit_test(full_buffers_are_left_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
