/* Errors: classes, exit statuses, the text a person reads.
 * SPDX-License-Identifier: MIT */
#include "syncd/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

static void each_code_has_its_class_status_and_name(void **state)
{
	static const struct {
		int code;
		enum error_class class;
		int status; /* CONTRACT 1.1 */
	} rows[] = {
		{ SYNCD_OK, ERROR_CLASS_NONE, 0 },
		{ SYNCD_ECANCELLED, ERROR_CLASS_RETRY, 75 },
		{ SYNCD_ENET, ERROR_CLASS_RETRY, 75 },
		{ SYNCD_ETIMEOUT, ERROR_CLASS_RETRY, 75 },
		{ SYNCD_EBUSY, ERROR_CLASS_RETRY, 75 },
		{ SYNCD_EPROTO, ERROR_CLASS_RETRY, 75 },
		{ SYNCD_EAUTH, ERROR_CLASS_AUTH, 77 },
		{ SYNCD_ETRUST, ERROR_CLASS_AUTH, 77 },
		{ SYNCD_EHELD, ERROR_CLASS_HELD, 1 },
		{ SYNCD_EMESSAGE, ERROR_CLASS_MESSAGE, 1 },
		{ SYNCD_ESERVER, ERROR_CLASS_PERMANENT, 1 },
		{ SYNCD_EIO, ERROR_CLASS_PERMANENT, 73 },
		{ SYNCD_ENOSPC, ERROR_CLASS_PERMANENT, 73 },
		{ SYNCD_ENOTFOUND, ERROR_CLASS_PERMANENT, 1 },
		{ SYNCD_EROOT, ERROR_CLASS_PERMANENT, 73 },
		{ SYNCD_ECONFIG, ERROR_CLASS_PERMANENT, 78 },
		{ SYNCD_EUSAGE, ERROR_CLASS_PERMANENT, 64 },
		{ SYNCD_EBUG, ERROR_CLASS_BUG, 70 },
		{ SYNCD_ELIMIT, ERROR_CLASS_PERMANENT, 1 },
		{ SYNCD_EVALIDITY, ERROR_CLASS_PERMANENT, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(rows[i].code, -(int)i); /* none is left out */
		assert_int_equal(error_class_of(rows[i].code), rows[i].class);
		assert_int_equal(error_exit_status(rows[i].code), rows[i].status);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(error_code_name(rows[i].code),
						error_code_name(rows[k].code));
	}
	assert_string_equal(error_code_name(SYNCD_ENET), "net");
}

static void a_permanent_status_wins_over_75_and_0_loses(void **state)
{
	static const struct {
		int first, second, merged;
	} rows[] = {
		{ 0, 0, 0 },    { 0, 75, 75 },  { 75, 0, 75 },  { 0, 1, 1 },
		{ 1, 0, 1 },    { 75, 1, 1 },   { 1, 75, 1 },   { 75, 77, 77 },
		{ 77, 75, 77 }, { 73, 77, 73 }, { 75, 75, 75 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(error_exit_merge(rows[i].first, rows[i].second), rows[i].merged);
}

static void setting_fills_code_and_printable_text(void **state)
{
	struct error err = { .context = "old", .server_code = "OLD" };

	(void)state;
	assert_int_equal(error_set(&err, SYNCD_ESERVER, "no \x1b[31m%s\r\n", "really\x7f"),
			 SYNCD_ESERVER);
	assert_int_equal(err.code, SYNCD_ESERVER);
	assert_string_equal(err.text, "no ?[31mreally???");
	assert_string_equal(err.context, "");
	assert_string_equal(err.server_code, "");
	assert_int_equal(error_set(NULL, SYNCD_EIO, "nobody reads it"), SYNCD_EIO);
	error_clear(&err);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.text, "");
}

static void the_innermost_context_wins(void **state)
{
	struct error err = { .code = 0 };

	(void)state;
	(void)error_set(&err, SYNCD_EIO, "text");
	error_context(&err, "mailbox %s", "A\nB");
	error_context(&err, "account work");
	assert_string_equal(err.context, "mailbox A?B");
	error_context(NULL, "nobody reads it");
}

static void endless_text_is_cut(void **state)
{
	struct error err = { .code = 0 };
	char text[2 * ERROR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)error_set(&err, SYNCD_EIO, "%s", text);
	error_context(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_int_equal(strlen(err.context), ERROR_CONTEXT_MAX - 1);
}

static void errno_values_become_codes(void **state)
{
	static const struct {
		int errno_value;
		int code;
	} rows[] = {
		{ ENOSPC, SYNCD_ENOSPC }, { EDQUOT, SYNCD_ENOSPC }, { ENOENT, SYNCD_ENOTFOUND },
		{ EACCES, SYNCD_EIO },    { EIO, SYNCD_EIO },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(error_set_errno(&err, rows[i].errno_value, "cannot open", "/x"),
				 rows[i].code);
		assert_non_null(strstr(err.text, "cannot open /x: "));
		assert_non_null(strstr(err.text, strerror(rows[i].errno_value)));
	}
}

static void formatting_leaves_out_what_is_not_there(void **state)
{
	static const struct {
		struct error err;
		const char *text;
	} rows[] = {
		{ { .text = "refused" }, "refused" },
		{ { .text = "refused", .context = "INBOX" }, "INBOX: refused" },
		{ { .text = "refused", .server_code = "OVERQUOTA" }, "refused [OVERQUOTA]" },
		{ { .text = "t", .context = "c", .server_code = "S" }, "c: t [S]" },
	};
	char out[ERROR_FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(error_format(&rows[i].err, out, sizeof(out)), rows[i].text);
	assert_string_equal(error_format(&rows[3].err, out, 4), "c: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_class_status_and_name),
		cmocka_unit_test(a_permanent_status_wins_over_75_and_0_loses),
		cmocka_unit_test(setting_fills_code_and_printable_text),
		cmocka_unit_test(the_innermost_context_wins),
		cmocka_unit_test(endless_text_is_cut),
		cmocka_unit_test(errno_values_become_codes),
		cmocka_unit_test(formatting_leaves_out_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
