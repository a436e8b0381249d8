/* What lines of POP3 responses say.
 * SPDX-License-Identifier: MIT */
#include "syncd/pop3_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

static void assert_slice(struct slice slice, const char *text)
{
	if (!slice_equals_str(slice, text))
		fail_msg("\"%.*s\" in place of \"%s\"", (int)slice.len, slice.data, text);
}

/* --- Status lines --- */

static const struct {
	const char *line;
	int indicator; /* -1: none */
	const char *code;
	const char *argument;
	const char *text;
} status_cases[] = {
	{ "+OK", POP3_OK, "", "", "" },
	{ "+OK ", POP3_OK, "", "", "" },
	{ "+OK 2 320", POP3_OK, "", "", "2 320" },
	{ "-ERR no such message", POP3_ERR, "", "", "no such message" },
	{ "-ERR", POP3_ERR, "", "", "" },
	{ "-err in lower case", POP3_ERR, "", "", "in lower case" },
	{ "+OK\tbehind a tab \t", POP3_OK, "", "", "behind a tab" },
	/* RFC 2449 §3: a greeting's text needs no blank. */
	{ "+OK<1@b>", POP3_OK, "", "", "<1@b>" },
	{ "+ERR Server error: Failed", POP3_ERR, "", "", "Server error: Failed" },
	/* RFC 2449 §8, RFC 3206 */
	{ "-ERR [IN-USE] Do you have another?", POP3_ERR, "IN-USE", "", "Do you have another?" },
	{ "-ERR [in-use] lower case", POP3_ERR, "in-use", "", "lower case" },
	{ "-ERR [SYS/TEMP]", POP3_ERR, "SYS/TEMP", "", "" },
	{ "-ERR[AUTH] no blank", POP3_ERR, "AUTH", "", "no blank" },
	{ "-ERR [LOGIN-DELAY 300] wait", POP3_ERR, "LOGIN-DELAY", "300", "wait" },
	{ "+OK [X a b ]", POP3_OK, "X", "a b", "" },
	/* What only looks like a code. */
	{ "-ERR [] nothing", POP3_ERR, "", "", "[] nothing" },
	{ "-ERR [never closed", POP3_ERR, "", "", "[never closed" },
	{ "-ERR [ IN-USE] a blank", POP3_ERR, "", "", "[ IN-USE] a blank" },
	{ "-ERR [\x01] control", POP3_ERR, "", "", "[\x01] control" },
	{ "-ERR locked [IN-USE]", POP3_ERR, "", "", "locked [IN-USE]" },
	/* RFC 5034 §4; a bare "+" was seen of IMAP servers. */
	{ "+ PDE4OTY=", POP3_CHALLENGE, "", "", "PDE4OTY=" },
	{ "+ ", POP3_CHALLENGE, "", "", "" },
	{ "+", POP3_CHALLENGE, "", "", "" },
	{ "+ [AUTH] is no code here", POP3_CHALLENGE, "", "", "[AUTH] is no code here" },
	/* Anything else. */
	{ "", -1, "", "", "" },
	{ "OK", -1, "", "", "" },
	{ "-ER", -1, "", "", "" },
	{ "+O", -1, "", "", "" },
	{ " +OK", -1, "", "", "" },
	{ "1 120", -1, "", "", "" },
	{ ".", -1, "", "", "" },
	{ "* OK IMAP4rev1", -1, "", "", "" },
};

static void status_lines_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(status_cases); i++) {
		struct pop3_status status;
		bool is_status = pop3_line_status(slice_of(status_cases[i].line), &status);
		print_message("  %s\n", status_cases[i].line);
		assert_int_equal(is_status, status_cases[i].indicator >= 0);
		if (!is_status)
			continue;
		assert_int_equal(status.indicator, status_cases[i].indicator);
		assert_slice(status.code, status_cases[i].code);
		assert_slice(status.code_argument, status_cases[i].argument);
		assert_slice(status.text, status_cases[i].text);
	}
}

static void code_beyond_the_limit_is_text(void **state)
{
	char line[POP3_CODE_MAX + 16] = "-ERR [";
	struct pop3_status status;

	(void)state;
	memset(line + 6, 'X', POP3_CODE_MAX + 1);
	line[6 + POP3_CODE_MAX + 1] = ']';
	assert_true(pop3_line_status(slice_of(line), &status));
	assert_int_equal(status.code.len, 0);
	line[6 + POP3_CODE_MAX] = ']';
	assert_true(pop3_line_status(slice_of(line), &status));
	assert_int_equal(status.code.len, POP3_CODE_MAX);
}

static const struct {
	const char *code;
	const char *name;
	bool has;
} code_cases[] = {
	{ "SYS/TEMP", "SYS/TEMP", true },
	{ "sys/temp", "SYS/TEMP", true },
	{ "SYS/TEMP/DISK", "SYS/TEMP", true },
	{ "SYS/TEMP/DISK", "SYS", true },
	{ "SYS/TEMPORARY", "SYS/TEMP", false },
	{ "SYS", "SYS/TEMP", false },
	{ "AUTH", "AUTH", true },
	{ "", "AUTH", false },
};

static void codes_have_levels_of_detail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(code_cases); i++) {
		struct pop3_status status = { .code = slice_of(code_cases[i].code) };
		assert_int_equal(pop3_line_has_code(&status, code_cases[i].name),
				 code_cases[i].has);
	}
}

/* --- Listings --- */

static const struct {
	const char *line;
	bool is_good;
	uint32_t number;
	uint64_t size;
} scan_cases[] = {
	{ "1 120", true, 1, 120 },
	{ "2 200 and more", true, 2, 200 },
	{ "  3 \t 300", true, 3, 300 },
	{ "4294967295 18446744073709551615", true, UINT32_MAX, UINT64_MAX },
	{ "4294967296 1", false, 0, 0 },
	{ "1 18446744073709551616", false, 0, 0 },
	{ "0 120", false, 0, 0 },
	{ "1", false, 0, 0 },
	{ "", false, 0, 0 },
	{ "1 -5", false, 0, 0 },
	{ "+1 5", false, 0, 0 },
	{ "1 12x", false, 0, 0 },
	{ "7 ten-twenty-four", false, 0, 0 },
};

static void scan_listings_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scan_cases); i++) {
		uint32_t number = 0;
		uint64_t size = 0;
		print_message("  %s\n", scan_cases[i].line);
		assert_int_equal(pop3_line_scan(slice_of(scan_cases[i].line), &number, &size),
				 scan_cases[i].is_good);
		if (!scan_cases[i].is_good)
			continue;
		assert_int_equal(number, scan_cases[i].number);
		assert_true(size == scan_cases[i].size);
	}
}

static const struct {
	const char *line;
	const char *uid; /* NULL: none */
	uint32_t number;
} uid_cases[] = {
	{ "1 whqtswO00WBw418f9t5JxYwZ", "whqtswO00WBw418f9t5JxYwZ", 1 },
	/* thunderbird/thunderbird-android#323 */
	{ "12   three blanks", "three blanks", 12 },
	{ "2 QhdPYR:00WBw1Ph7x7 \t", "QhdPYR:00WBw1Ph7x7", 2 },
	{ "3 \xc3\xa4", "\xc3\xa4", 3 },
	{ "3", NULL, 0 },
	{ "3 ", NULL, 0 },
	{ "x 3", NULL, 0 },
	{ "0 abc", NULL, 0 },
	{ "4 a\x01"
	  "b",
	  NULL, 0 },
	{ "4 a\x7f", NULL, 0 },
};

static void unique_ids_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uid_cases); i++) {
		uint32_t number = 0;
		struct slice uid = { NULL, 0 };
		print_message("  %s\n", uid_cases[i].line);
		bool is_good = pop3_line_unique_id(slice_of(uid_cases[i].line), &number, &uid);
		assert_int_equal(is_good, uid_cases[i].uid != NULL);
		if (!is_good)
			continue;
		assert_int_equal(number, uid_cases[i].number);
		assert_slice(uid, uid_cases[i].uid);
	}
}

static void unique_id_has_a_limit(void **state)
{
	char line[POP3_UID_MAX + 16] = "1 ";
	uint32_t number;
	struct slice uid;

	(void)state;
	memset(line + 2, 'x', POP3_UID_MAX + 1);
	assert_false(pop3_line_unique_id((struct slice){ line, POP3_UID_MAX + 3 }, &number, &uid));
	assert_true(pop3_line_unique_id((struct slice){ line, POP3_UID_MAX + 2 }, &number, &uid));
	assert_int_equal(uid.len, POP3_UID_MAX);
}

static const struct {
	const char *text;
	bool is_good;
	uint32_t count;
	uint64_t size;
} drop_cases[] = {
	{ "2 320", true, 2, 320 },
	{ "0 0", true, 0, 0 },
	{ "7 1800662 octets", true, 7, 1800662 },
	{ "7", false, 0, 0 },
	{ "", false, 0, 0 },
	{ "seven 1800662", false, 0, 0 },
	{ "7 #octets", false, 0, 0 },
};

static void drop_listings_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(drop_cases); i++) {
		uint32_t count = 0;
		uint64_t size = 0;
		print_message("  %s\n", drop_cases[i].text);
		assert_int_equal(pop3_line_drop(slice_of(drop_cases[i].text), &count, &size),
				 drop_cases[i].is_good);
		if (!drop_cases[i].is_good)
			continue;
		assert_int_equal(count, drop_cases[i].count);
		assert_true(size == drop_cases[i].size);
	}
}

/* --- The greeting --- */

static const struct {
	const char *text;
	const char *timestamp; /* NULL: none */
} timestamp_cases[] = {
	{ "POP3 server ready <1896.697170952@dbc.mtview.ca.us>",
	  "<1896.697170952@dbc.mtview.ca.us>" },
	{ "<1@b> ready", "<1@b>" },
	{ "POP3 server ready", NULL },
	{ "", NULL },
	{ "ready <1896.697170952", NULL },
	{ "ready 1@b>", NULL },
	{ "ready <>", NULL },
	{ "ready <no-at>", NULL },
	{ "ready <@b>", NULL },
	{ "ready <a@>", NULL },
	{ "ready <a@b@c>", NULL },
	{ "ready <a b@c>", NULL },
	{ "ready <a<1@b>", NULL },
	{ "ready <\xff@b>", NULL },
};

static void only_proper_timestamps_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(timestamp_cases); i++) {
		struct slice timestamp;
		bool is_good = pop3_line_timestamp(slice_of(timestamp_cases[i].text), &timestamp);
		print_message("  %s\n", timestamp_cases[i].text);
		assert_int_equal(is_good, timestamp_cases[i].timestamp != NULL);
		if (is_good)
			assert_slice(timestamp, timestamp_cases[i].timestamp);
	}
}

static void timestamp_has_a_limit(void **state)
{
	char text[POP3_TIMESTAMP_MAX + 2] = "<";
	struct slice timestamp;

	(void)state;
	memset(text + 1, 'a', sizeof(text) - 2);
	text[2] = '@';
	text[POP3_TIMESTAMP_MAX] = '>';
	assert_false(
		pop3_line_timestamp((struct slice){ text, POP3_TIMESTAMP_MAX + 1 }, &timestamp));
	text[POP3_TIMESTAMP_MAX - 1] = '>';
	assert_true(pop3_line_timestamp((struct slice){ text, POP3_TIMESTAMP_MAX }, &timestamp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines_are_read),
		cmocka_unit_test(code_beyond_the_limit_is_text),
		cmocka_unit_test(codes_have_levels_of_detail),
		cmocka_unit_test(scan_listings_are_read),
		cmocka_unit_test(unique_ids_are_read),
		cmocka_unit_test(unique_id_has_a_limit),
		cmocka_unit_test(drop_listings_are_read),
		cmocka_unit_test(only_proper_timestamps_count),
		cmocka_unit_test(timestamp_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
