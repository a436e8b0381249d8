/* IMAP commands: what is sent, and where the client waits.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_write.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/error.h"
#include "syncd/must.h"

#define OUT_MAX (512 * 1024)

/* Renders the pieces of an ended command: "^" where a "+" is waited for, "|"
 * between pieces, "<n>" for a body. */
static void assert_pieces(const struct imap_write *write, const char *expected)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < imap_write_piece_count(write); i++) {
		struct imap_piece piece = imap_write_piece(write, i);
		if (i > 0)
			(void)buf_add_str(&out, piece.needs_continuation ? "^" : "|");
		if (piece.is_body)
			(void)buf_printf(&out, "<%" PRIu64 ">", piece.size);
		else
			(void)buf_add(&out, piece.bytes.data, piece.bytes.len);
		assert_int_equal(piece.is_body ? 0 : piece.bytes.len,
				 piece.is_body ? 0 : piece.size);
	}
	assert_string_equal(buf_str(&out), expected);
	buf_free(&out);
}

static void assert_sent(struct imap_write *write, const char *expected)
{
	assert_int_equal(imap_write_end(write), 0);
	assert_pieces(write, expected);
	imap_write_reset(write);
}

static void strings_are_quoted_when_safe_and_literals_otherwise(void **state)
{
	static const struct {
		struct slice text;
		const char *sync;
		const char *plus;
		const char *utf8;
	} cases[] = {
		{ SLICE_LITERAL(""), "\"\"\r\n", "\"\"\r\n", "\"\"\r\n" },
		{ SLICE_LITERAL("a b"), "\"a b\"\r\n", "\"a b\"\r\n", "\"a b\"\r\n" },
		{ SLICE_LITERAL("a\"b\\c"), "\"a\\\"b\\\\c\"\r\n", "\"a\\\"b\\\\c\"\r\n",
		  "\"a\\\"b\\\\c\"\r\n" },
		{ SLICE_LITERAL("a\r\nb"), "{4}\r\n^a\r\nb\r\n", "{4+}\r\na\r\nb\r\n",
		  "{4+}\r\na\r\nb\r\n" },
		{ SLICE_LITERAL("\xc3\xbc"), "{2}\r\n^\xc3\xbc\r\n", "{2+}\r\n\xc3\xbc\r\n",
		  "\"\xc3\xbc\"\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_write write;
		imap_write_init(&write, IMAP_LITERAL_SYNC, false);
		imap_write_string(&write, cases[i].text);
		assert_sent(&write, cases[i].sync);
		imap_write_free(&write);
		imap_write_init(&write, IMAP_LITERAL_PLUS, false);
		imap_write_string(&write, cases[i].text);
		assert_sent(&write, cases[i].plus);
		imap_write_free(&write);
		imap_write_init(&write, IMAP_LITERAL_MINUS, true);
		imap_write_string(&write, cases[i].text);
		assert_sent(&write, cases[i].utf8);
		imap_write_free(&write);
	}
}

static void nul_makes_a_literal8(void **state)
{
	struct imap_write write;

	(void)state;
	imap_write_init(&write, IMAP_LITERAL_PLUS, false);
	imap_write_string(&write, SLICE_LITERAL("a\0b"));
	assert_int_equal(imap_write_end(&write), 0);
	struct slice sent = imap_write_piece(&write, 0).bytes;
	assert_true(slice_equals(sent, SLICE_LITERAL("~{3+}\r\na\0b\r\n")));
	imap_write_free(&write);
}

static void commands_go_on_behind_a_literal(void **state)
{
	struct imap_write write;

	(void)state;
	imap_write_init(&write, IMAP_LITERAL_SYNC, false);
	imap_write_text(&write, "A1 RENAME ");
	imap_write_string(&write, slice_of("a\nb"));
	imap_write_text(&write, " ");
	imap_write_string(&write, slice_of("c\nd"));
	assert_sent(&write, "A1 RENAME {3}\r\n^a\nb {3}\r\n^c\nd\r\n");
	imap_write_free(&write);
}

static void bodies_are_announced_in_the_mode_of_the_server(void **state)
{
	static const struct {
		uint64_t size;
		const char *expected;
		enum imap_literal_mode mode;
		unsigned form;
	} cases[] = {
		{ 5, "A {5}\r\n^<5>|\r\n", IMAP_LITERAL_SYNC, IMAP_BODY_PLAIN },
		{ 0, "A {0}\r\n^<0>|\r\n", IMAP_LITERAL_SYNC, IMAP_BODY_PLAIN },
		{ 5, "A ~{5}\r\n^<5>|\r\n", IMAP_LITERAL_SYNC, IMAP_BODY_BINARY },
		{ 5000000000, "A {5000000000+}\r\n|<5000000000>|\r\n", IMAP_LITERAL_PLUS,
		  IMAP_BODY_PLAIN },
		{ 5, "A ~{5+}\r\n|<5>|\r\n", IMAP_LITERAL_PLUS, IMAP_BODY_BINARY },
		{ 5, "A {5}\r\n^<5>|\r\n", IMAP_LITERAL_PLUS, IMAP_BODY_ASKED },
		{ 5, "A ~{5}\r\n^<5>|\r\n", IMAP_LITERAL_MINUS,
		  IMAP_BODY_ASKED | IMAP_BODY_BINARY },
		{ 4096, "A {4096+}\r\n|<4096>|\r\n", IMAP_LITERAL_MINUS, IMAP_BODY_PLAIN },
		{ 4097, "A {4097}\r\n^<4097>|\r\n", IMAP_LITERAL_MINUS, IMAP_BODY_PLAIN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_write write;
		imap_write_init(&write, cases[i].mode, false);
		imap_write_text(&write, "A ");
		imap_write_body(&write, cases[i].size, cases[i].form);
		assert_sent(&write, cases[i].expected);
		imap_write_free(&write);
	}
}

static void several_bodies_fit_in_one_append(void **state)
{
	struct imap_write write;

	(void)state;
	imap_write_init(&write, IMAP_LITERAL_MINUS, false);
	imap_write_text(&write, "A1 APPEND INBOX ");
	imap_write_body(&write, 10, IMAP_BODY_PLAIN);
	imap_write_text(&write, " ");
	imap_write_body(&write, 9999, IMAP_BODY_PLAIN);
	assert_sent(&write, "A1 APPEND INBOX {10+}\r\n|<10>| {9999}\r\n^<9999>|\r\n");
	imap_write_free(&write);
}

static void arguments_are_rendered_as_imap_wants_them(void **state)
{
	struct imap_write write;
	struct keyword_table table;

	(void)state;
	keyword_table_init(&table);
	uint64_t work = keyword_table_intern(&table, slice_of("work"));
	imap_write_init(&write, IMAP_LITERAL_SYNC, false);
	imap_write_printf(&write, "A%d APPEND ", 7);
	imap_write_mailbox(&write, "Entw\xc3\xbcrfe & \"so\"");
	imap_write_text(&write, " ");
	imap_write_flags(&write, &table, FLAG_SEEN | FLAG_DELETED | work);
	imap_write_text(&write, " ");
	imap_write_date(&write, 0);
	assert_sent(&write, "A7 APPEND \"Entw&APw-rfe &- \\\"so\\\"\" (\\Seen \\Deleted work) "
			    "\" 1-Jan-1970 00:00:00 +0000\"\r\n");
	imap_write_flags(&write, &table, 0);
	assert_sent(&write, "()\r\n");
	imap_write_free(&write);
	keyword_table_free(&table);
}

static void mailbox_names_stay_utf8_where_the_server_takes_it(void **state)
{
	struct imap_write write;

	(void)state;
	imap_write_init(&write, IMAP_LITERAL_SYNC, true);
	imap_write_mailbox(&write, "\xc3\xbc & x");
	assert_sent(&write, "\"\xc3\xbc & x\"\r\n");
	imap_write_free(&write);
}

static void names_that_are_not_utf8_fail_the_command(void **state)
{
	struct imap_write write;

	(void)state;
	imap_write_init(&write, IMAP_LITERAL_SYNC, false);
	imap_write_mailbox(&write, "\xff");
	imap_write_text(&write, " x");
	assert_int_equal(imap_write_end(&write), SYNCD_EPROTO);
	imap_write_reset(&write);
	imap_write_text(&write, "NOOP");
	assert_sent(&write, "NOOP\r\n");
	imap_write_free(&write);
}

static void commands_have_a_largest_size(void **state)
{
	struct imap_write write;

	(void)state;
	imap_write_init(&write, IMAP_LITERAL_SYNC, false);
	for (size_t i = 0; i < IMAP_COMMAND_MAX / 8; i++)
		imap_write_text(&write, "12345678");
	assert_int_equal(imap_write_end(&write), SYNCD_ELIMIT);
	imap_write_free(&write);
}

static void secrets_are_marked_and_hidden_from_the_log(void **state)
{
	static const struct {
		const char *password;
		const char *sent;
	} cases[] = {
		{ "p\"w", "A LOGIN \"me\" |\"p\\\"w\"|\r\n" },
		{ "p\xc3\xbc", "A LOGIN \"me\" {3}\r\n^p\xc3\xbc|\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_write write;
		struct buf trace;
		imap_write_init(&write, IMAP_LITERAL_SYNC, false);
		buf_init(&trace, 1024);
		imap_write_text(&write, "A LOGIN ");
		imap_write_string(&write, slice_of("me"));
		imap_write_text(&write, " ");
		imap_write_secret(&write, slice_of(cases[i].password));
		assert_int_equal(imap_write_end(&write), 0);
		imap_write_trace(&write, &trace);
		assert_null(strchr(buf_str(&trace), 'p'));
		assert_non_null(strstr(buf_str(&trace), "***"));
		assert_true(imap_write_piece(&write, 1).is_secret);
		assert_pieces(&write, cases[i].sent);
		imap_write_free(&write);
		buf_free(&trace);
	}
}

static void uid_sets_are_split_over_commands_of_8000_bytes(void **state)
{
	struct imap_write write;
	struct uidset set = { 0 };
	struct uidset_place place = { 0 };
	uint64_t total = 0;
	size_t commands = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(uidset_add(&set, 1000000000u + 2 * i), 0);
	imap_write_init(&write, IMAP_LITERAL_SYNC, false);
	for (; uidset_format_left(&set, &place); commands++) {
		imap_write_reset(&write);
		imap_write_text(&write, "A1 UID STORE ");
		total += imap_write_uids(&write, &set, &place, 30, UINT64_MAX);
		imap_write_text(&write, " +FLAGS.SILENT (\\Seen \\Flag)x");
		assert_int_equal(imap_write_end(&write), 0);
		size_t len = imap_write_piece(&write, 0).bytes.len;
		assert_true(len <= IMAP_COMMAND_LINE_MAX);
		assert_true(len > IMAP_COMMAND_LINE_MAX - 40 || total == 5000);
	}
	assert_int_equal(total, 5000);
	assert_int_equal(commands, 7);
	imap_write_free(&write);
	uidset_free(&set);
}

static void scattered_uids_go_in_one_command(void **state)
{
	struct imap_write write;
	struct uidset set = { 0 };
	struct uidset_place place = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 470; i++)
		assert_int_equal(uidset_add(&set, 100000 + 211 * i), 0);
	imap_write_init(&write, IMAP_LITERAL_SYNC, false);
	imap_write_text(&write, "A1 UID STORE ");
	assert_int_equal(imap_write_uids(&write, &set, &place, 30, UINT64_MAX), 470);
	assert_false(uidset_format_left(&set, &place));
	imap_write_free(&write);
	uidset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_quoted_when_safe_and_literals_otherwise),
		cmocka_unit_test(nul_makes_a_literal8),
		cmocka_unit_test(commands_go_on_behind_a_literal),
		cmocka_unit_test(bodies_are_announced_in_the_mode_of_the_server),
		cmocka_unit_test(several_bodies_fit_in_one_append),
		cmocka_unit_test(arguments_are_rendered_as_imap_wants_them),
		cmocka_unit_test(mailbox_names_stay_utf8_where_the_server_takes_it),
		cmocka_unit_test(names_that_are_not_utf8_fail_the_command),
		cmocka_unit_test(commands_have_a_largest_size),
		cmocka_unit_test(secrets_are_marked_and_hidden_from_the_log),
		cmocka_unit_test(uid_sets_are_split_over_commands_of_8000_bytes),
		cmocka_unit_test(scattered_uids_go_in_one_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
