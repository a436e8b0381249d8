/* Dates in message headers.
 * SPDX-License-Identifier: MIT */
#include "syncd/mail_date.h"

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
		/* RFC 5322, appendix A */
		{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706 },
		{ "Tue, 1 Jul 2003 10:52:37 +0200", 1057049557 },
		{ "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
		  "               -0330 (Newfoundland Time)",
		  -27723480 },
		{ "21 Nov 97 09:55:06 GMT", 880106106 },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706 },
		/* Zones by name: west of Greenwich is later in UTC. */
		{ "Thu, 1 Jan 1970 00:00:00 EST", 18000 },
		{ "Thu, 1 Jan 1970 00:00:00 edt", 14400 },
		{ "Thu, 1 Jan 1970 00:00:00 PST", 28800 },
		{ "Thu, 1 Jan 1970 00:00:00 CEST", 0 },
		{ "Thu, 1 Jan 1970 00:00:00 A", 0 },
		{ "1 Jan 1970 00:00:00", 0 },
		{ "(a (nested \\) one)) Thu, 1 Jan 1970 00:00 +0000 (", 0 },
		{ "Wed, 31 Dec 1969 17:00:00 -0700 MST", 0 },
		{ "Thu,1 Jan 1970 00:00:00 +0000", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t seconds = -7;
		if (!mail_date_parse(slice_of(cases[i].text), &seconds))
			fail_msg("not read: %s", cases[i].text);
		if (seconds != cases[i].seconds)
			fail_msg("%s: %lld", cases[i].text, (long long)seconds);
	}
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		",",
		"()",
		":",
		"(1 Jan 1970 00:00:00 +0000",
		"Thu",
		"Thu, 1 Jan 1970",
		"Thu, 32 Jan 1970 00:00:00 +0000",
		"Thu, 1 Jan 1970 00:00:00 +0000 12",
		"1 Jan 1970 00:00:00 +0000 and much more that has to be longer than any date",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t seconds = -7;
		if (mail_date_parse(slice_of(cases[i]), &seconds))
			fail_msg("read: %s", cases[i]);
		assert_int_equal(seconds, -7);
	}
}

static void received_has_its_date_at_the_end(void **state)
{
	int64_t seconds = 0;

	(void)state;
	assert_true(mail_date_of_received(
		slice_of("from x.y.test by example.net (a; b) via TCP with ESMTP id ABC12345 for "
			 "<mary@example.net>; 21 Nov 1997 10:05:43 -0600"),
		&seconds));
	assert_int_equal(seconds, 880128343);
	assert_false(mail_date_of_received(slice_of("21 Nov 1997 10:05:43 -0600"), &seconds));
	assert_false(mail_date_of_received(slice_of("by a; b"), &seconds));
	assert_false(mail_date_of_received(slice_of(";"), &seconds));
	assert_false(mail_date_of_received(slice_of(""), &seconds));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read),
		cmocka_unit_test(what_is_no_date_is_refused),
		cmocka_unit_test(received_has_its_date_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
