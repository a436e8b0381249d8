/* INTERNALDATE both ways.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

static void dates_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ " 7-Feb-1994 21:52:25 -0800", 760686745 },
		{ "17-Jul-1996 02:44:25 -0700", 837596665 },
		{ " 1-Jan-1970 00:00:00 +0000", 0 },
		{ "1-Jan-1970 01:00:00 +0100", 0 },
		{ "31-Dec-1969 23:59:59 +0000", -1 },
		{ "29-Feb-2000 12:00:00 +0000", 951825600 },
		{ "01-Mar-2100 00:00:00 +0000", 4107542400 },
		{ "19-Jan-2038 03:14:08 +0000", 2147483648 },
		{ "12-Sep-2023 13:39:01 -0400", 1694540341 },
		{ " 1-jan-70 00:00", 0 },
		{ "1 Jan 1970 0:00:00 GMT", 0 },
		{ "01-JAN-1970 00:00:00 Z ", 0 },
		{ "31-Dec-1998 23:59:60 UTC", 915148800 },
		{ "1-Jan-0001 00:00:00 +0000", -62135596800 },
		{ "31-Dec-9999 23:59:59 +0000", 253402300799 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t seconds = -7;
		if (!imap_date_parse(slice_of(cases[i].text), &seconds))
			fail_msg("not read: %s", cases[i].text);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"7-Feb-1994",
		"30-Feb-1994 00:00:00 +0000",
		"29-Feb-1900 00:00:00 +0000",
		"0-Jan-1994 00:00:00 +0000",
		"32-Jan-1994 00:00:00 +0000",
		"1-Foo-1994 00:00:00 +0000",
		"1-Jan-0000 00:00:00 +0000",
		"1-Jan-199 00:00:00 +0000",
		"1-Jan-19944 00:00:00 +0000",
		"1-Jan-1994 24:00:00 +0000",
		"1-Jan-1994 00:60:00 +0000",
		"1-Jan-1994 00:00:61 +0000",
		"1-Jan-1994 00:00:00 +00",
		"1-Jan-1994 00:00:00 +0060",
		"1-Jan-1994 00:00:00 0000",
		"1-Jan-1994 00:00:00 +0000 x",
		"1-Jan-1994 00:00:0",
		"NIL",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t seconds = -7;
		if (imap_date_parse(slice_of(cases[i]), &seconds))
			fail_msg("read: %s", cases[i]);
		assert_int_equal(seconds, -7);
	}
}

static void dates_are_written_in_utc(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, " 1-Jan-1970 00:00:00 +0000" },
		{ -1, "31-Dec-1969 23:59:59 +0000" },
		{ 760686745, " 8-Feb-1994 05:52:25 +0000" },
		{ 951825600, "29-Feb-2000 12:00:00 +0000" },
		{ 253402300799, "31-Dec-9999 23:59:59 +0000" },
		{ 253402300800, "31-Dec-9999 23:59:59 +0000" },
		{ INT64_MAX, "31-Dec-9999 23:59:59 +0000" },
		{ INT64_MIN, " 1-Jan-0001 00:00:00 +0000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[IMAP_DATE_SIZE];
		imap_date_format(cases[i].seconds, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void every_day_reads_back_as_written(void **state)
{
	(void)state;
	for (int64_t day = -719162; day < 2932896; day += 13) {
		char text[IMAP_DATE_SIZE];
		int64_t seconds = 0;
		int64_t at = day * 86400 + (day * 7919 % 86400 + 86400) % 86400;
		imap_date_format(at, text);
		assert_true(imap_date_parse(slice_of(text), &seconds));
		assert_int_equal(seconds, at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read),
		cmocka_unit_test(what_is_no_date_is_refused),
		cmocka_unit_test(dates_are_written_in_utc),
		cmocka_unit_test(every_day_reads_back_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
