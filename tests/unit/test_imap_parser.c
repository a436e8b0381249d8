/* The IMAP response parser: every case fed whole, byte by byte and cut in two
 * at each position, with the same events.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/imap_events.h"
#include "syncd/must.h"

static void assert_trace(struct slice input, size_t first, size_t step, const char *expected)
{
	struct imap_events events;
	struct error err = { 0 };

	imap_events_init(&events, true);
	int rc = imap_events_feed(&events, input, first, step, &err);
	if (rc != 0)
		fail_msg("\"%s\" gives %d: %s", input.data, rc, err.text);
	assert_string_equal(buf_str(&events.text), expected);
	imap_events_free(&events);
}

struct parser_case {
	const char *input;
	const char *expected;
};

static void assert_cases(const struct parser_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slice input = slice_of(cases[i].input);
		assert_trace(input, 0, 0, cases[i].expected);
		assert_trace(input, 1, 1, cases[i].expected);
		for (size_t at = 1; at < input.len; at++)
			assert_trace(input, at, 0, cases[i].expected);
	}
}

/* --- Tables --------------------------------------------------------------- */

static void ordinary_responses_become_trees(void **state)
{
	static const struct parser_case cases[] = {
		{ "* 12 EXISTS\r\n", "12 EXISTS{}\n" },
		{ "* 0 recent\r\n", "0 RECENT{}\n" },
		{ "* CAPABILITY IMAP4rev1 AUTH=PLAIN LITERAL+\r\n",
		  "CAPABILITY{IMAP4rev1 AUTH=PLAIN LITERAL+}\n" },
		{ "* FLAGS (\\Seen $Junk \\*)\r\n", "FLAGS{(\\Seen $Junk \\*)}\n" },
		{ "* LIST (\\HasNoChildren) \"/\" \"a \\\"b\\\" \\\\c\"\r\n",
		  "LIST{(\\HasNoChildren) '/' 'a \"b\" \\c'}\n" },
		{ "* LIST () NIL INBOX\r\n", "LIST{() nil INBOX}\n" },
		{ "* LIST () \".\" {5}\r\na\"b\\c\r\n", "LIST{() '.' 'a\"b\\c'}\n" },
		{ "* LIST () \".\" {0}\r\n\r\n", "LIST{() '.' ''}\n" },
		{ "* LIST (\\NonExistent) \".\" New (\"OLDNAME\" (\"Old\"))\r\n",
		  "LIST{(\\NonExistent) '.' New ('OLDNAME' ('Old'))}\n" },
		{ "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", "NAMESPACE{(('' '/')) nil nil}\n" },
		{ "* STATUS foo (MESSAGES 3 UIDNEXT 4)\r\n",
		  "STATUS{foo (MESSAGES 3 UIDNEXT 4)}\n" },
		{ "* THREAD (1)(2 3)(4 (5)(6))\r\n", "THREAD{(1) (2 3) (4 (5) (6))}\n" },
		{ "* ID (\"name\" \"Dovecot\" \"x\" NIL)\r\n", "ID{('name' 'Dovecot' 'x' nil)}\n" },
		{ "* ENABLED\r\n* ENABLED QRESYNC\r\n", "ENABLED{}\nENABLED{QRESYNC}\n" },
		{ "* 1 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12))\r\n",
		  "1 FETCH{(UID 7 FLAGS (\\Seen) MODSEQ (12))}\n" },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases));
}

static void statuses_and_continuations_have_code_and_text(void **state)
{
	static const struct parser_case cases[] = {
		{ "a1 OK done it\r\n", "a1 OK[:]done it\n" },
		{ "a1 ok [read-write] done\r\n", "a1 OK[READ-WRITE:]done\n" },
		{ "* OK [UIDVALIDITY 3] valid\r\n", "OK[UIDVALIDITY:3]valid\n" },
		{ "* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n",
		  "OK[PERMANENTFLAGS:(\\Seen \\*)]x\n" },
		{ "a NO [TRYCREATE] no [really] no\r\n", "a NO[TRYCREATE:]no [really] no\n" },
		{ "a BAD what (\"\r\n", "a BAD[:]what (\"\n" },
		{ "* BYE going\r\n* PREAUTH hi\r\n", "BYE[:]going\nPREAUTH[:]hi\n" },
		{ "a OK [COPYUID 3 1:2,4 7:9] ok\r\n", "a OK[COPYUID:3 1:2,4 7:9]ok\n" },
		{ "a OK [CAPABILITY A B=C] in\r\n", "a OK[CAPABILITY:A B=C]in\n" },
		{ "a OK [MAILBOXID (F-x)] x\r\n", "a OK[MAILBOXID:(F-x)]x\n" },
		{ "* OK [BADCHARSET (\"a]b\" c)] x\r\n", "OK[BADCHARSET:('a]b' c)]x\n" },
		{ "+ idling\r\n", "+[:]idling\n" },
		{ "+ [x] {5}\r\n", "+[:][x] {5}\n" },
		{ "* OK text ends in a {5}\r\n* 1 EXISTS\r\n",
		  "OK[:]text ends in a {5}\n1 EXISTS{}\n" },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases));
}

static void literals_of_fetch_are_streamed(void **state)
{
	static const struct parser_case cases[] = {
		{ "* 3 FETCH (UID 9 BODY[] {5}\r\nab\r\nc FLAGS ())\r\n",
		  "<3 9 BODY[] 5:ab\r\nc>3 FETCH{(UID 9 BODY[] ~5 FLAGS ())}\n" },
		{ "* 3 FETCH (BODY[] {2}\r\nok UID 9)\r\n",
		  "<3 0 BODY[] 2:ok>3 FETCH{(BODY[] ~2 UID 9)}\n" },
		{ "* 3 FETCH (UID 9 BODY[] {0}\r\n)\r\n",
		  "<3 9 BODY[] 0:>3 FETCH{(UID 9 BODY[] ~0)}\n" },
		{ "* 3 FETCH (UID 9 BINARY[1] ~{3}\r\nabc)\r\n",
		  "<3 9 BINARY[1] 3:abc>3 FETCH{(UID 9 BINARY[1] ~3)}\n" },
		{ "* 3 FETCH (UID 9 RFC822 {3+}\r\nabc)\r\n",
		  "<3 9 RFC822 3:abc>3 FETCH{(UID 9 RFC822 ~3)}\n" },
		{ "* 3 FETCH (UID 9 BODY[]<0> {1}\nz)\n",
		  "<3 9 BODY[]<0> 1:z>3 FETCH{(UID 9 BODY[]<0> ~1)}\n" },
		{ "* 3 FETCH (UID 9 BODY[]{1}\r\nz)\r\n",
		  "<3 9 BODY[] 1:z>3 FETCH{(UID 9 BODY[] ~1)}\n" },
		{ "* 1 FETCH (BODY[HEADER.FIELDS (DATE FROM)] {1}\r\nz UID 2)\r\n",
		  "<1 0 BODY[HEADER.FIELDS (DATE FROM)] 1:z>"
		  "1 FETCH{(BODY[HEADER.FIELDS (DATE FROM)] ~1 UID 2)}\n" },
		{ "* 1 FETCH (BODY[HEADER.FIELDS (\"X]\" Y[Z])]<0> {1}\r\nz)\r\n",
		  "<1 0 BODY[HEADER.FIELDS (\"X]\" Y[Z])]<0> 1:z>"
		  "1 FETCH{(BODY[HEADER.FIELDS (\"X]\" Y[Z])]<0> ~1)}\n" },
		{ "* 1 FETCH (BODY[] NIL UID 1)\r\n", "1 FETCH{(BODY[] nil UID 1)}\n" },
		{ "* 1 FETCH (BODY[] \"hi\" UID 1)\r\n", "1 FETCH{(BODY[] 'hi' UID 1)}\n" },
		{ "* 1 FETCH (BODY[] {1}\r\na BODY[HEADER] {1}\r\nb)\r\n",
		  "<1 0 BODY[] 1:a><1 0 BODY[HEADER] 1:b>1 FETCH{(BODY[] ~1 BODY[HEADER] ~1)}\n" },
		{ "* 1 FETCH (ENVELOPE (\"d\" {3}\r\nsub))\r\n",
		  "<1 0  3:sub>1 FETCH{(ENVELOPE ('d' ~3))}\n" },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases));
}

static void sets_of_search_and_vanished_are_streamed(void **state)
{
	static const struct parser_case cases[] = {
		{ "* SEARCH 2 84 882\r\n", "SEARCH=2:2 SEARCH=84:84 SEARCH=882:882 SEARCH{}\n" },
		{ "* SEARCH\r\n", "SEARCH{}\n" },
		{ "* SEARCH 5 (MODSEQ 9)\r\n", "SEARCH=5:5 SEARCH{(MODSEQ 9)}\n" },
		{ "* ESEARCH (TAG \"a\") UID ALL 1:3,7 MODSEQ 9\r\n",
		  "ESEARCH=1:3 ESEARCH=7:7 ESEARCH{(TAG 'a') UID ALL MODSEQ 9}\n" },
		{ "* ESEARCH (TAG \"a\") UID COUNT 5 MIN 2\r\n",
		  "ESEARCH{(TAG 'a') UID COUNT 5 MIN 2}\n" },
		{ "* ESEARCH (TAG \"a\") UID PARTIAL (1:5 3,4)\r\n",
		  "ESEARCH{(TAG 'a') UID PARTIAL (1:5 3,4)}\n" },
		{ "* VANISHED 3,9:7\r\n", "VANISHED=3:3 VANISHED=7:9 VANISHED{}\n" },
		{ "* VANISHED (EARLIER) 1:4294967295\r\n",
		  "VANISHED (EARLIER)=1:4294967295 VANISHED{(EARLIER)}\n" },
		{ "* VANISHED (EARLIER)\r\n", "VANISHED{(EARLIER)}\n" },
		{ "* VANISHED 1:*\r\n", "!VANISHED{}\n" },
		{ "* VANISHED 0,5,4294967296,1:2:3,6\r\n",
		  "VANISHED=5:5 VANISHED=6:6 !VANISHED{}\n" },
		{ "* SEARCH 12x 5\r\n", "SEARCH=5:5 !SEARCH{}\n" },
		{ "* VANISHED 5,\r\n", "VANISHED=5:5 !VANISHED{}\n" },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases));
}

static void oddities_of_real_servers_are_read(void **state)
{
	static const struct parser_case cases[] = {
		/* A bare "+" (modern-email/defects#7). */
		{ "+\r\n", "+[:]\n" },
		{ "+ \r\n", "+[:]\n" },
		/* Gmail: a code without text (modern-email/defects#28). */
		{ "* OK [HIGHESTMODSEQ 126550]\r\n", "OK[HIGHESTMODSEQ:126550]\n" },
		{ "a OK\r\n", "a OK[:]\n" },
		{ "* OK \r\n", "OK[:]\n" },
		{ "* OK[ALERT]x\r\n", "OK[ALERT:]x\n" },
		/* Exchange 2010, of a MOVE (MailKit issue 115). */
		{ "[COPYUID 55 31 6]\r\n* 1 EXPUNGE\r\n", "OK[COPYUID:55 31 6]\n1 EXPUNGE{}\n" },
		{ "* [COPYUID 55 31 6]\r\n", "OK[COPYUID:55 31 6]\n" },
		/* A trailing space in ID's list (defects#24). */
		{ "* ID (\"name\" \"x\" )\r\n", "ID{('name' 'x')}\n" },
		/* 163.com: an empty STATUS list (defects#15). */
		{ "* STATUS INBOX ()\r\n", "STATUS{INBOX ()}\n" },
		/* Strato: a negative MODSEQ. */
		{ "* 1 FETCH (UID 1 MODSEQ (-5))\r\n", "1 FETCH{(UID 1 MODSEQ (-5))}\n" },
		{ "* 1 FETCH (FLAGS NIL UID NIL)\r\n", "1 FETCH{(FLAGS nil UID nil)}\n" },
		{ "* 2 FETCH(UID 1  FLAGS(\\Seen)MODSEQ(3) ) \r\n",
		  "2 FETCH{(UID 1 FLAGS (\\Seen) MODSEQ (3))}\n" },
		{ "* LIST () \"/\" \"Entw\xc3\xbcrfe\"\r\n", "LIST{() '/' 'Entw\xc3\xbcrfe'}\n" },
		{ "* LIST () \"/\" [Gmail]/Sent\r\n", "LIST{() '/' [Gmail]/Sent}\n" },
		{ "* LIST () \"/\" a[b (x)\r\n", "LIST{() '/' a[b (x)}\n" },
		{ "* STATUS x (UIDNEXT 99999999999999999999999)\r\n",
		  "STATUS{x (UIDNEXT 99999999999999999999999)}\n" },
		{ "\r\n\n* 1 EXISTS\n", "1 EXISTS{}\n" },
		{ "*  5   EXISTS\r\n", "5 EXISTS{}\n" },
		{ "* LIST () \"/\" {bar}\r\n", "LIST{() '/' {bar}}\n" },
		/* iCloud: unescaped quotes in ENVELOPE (MailCore/mailcore2#1967). */
		{ "* 1 FETCH (ENVELOPE (\"a \"b\" c\" NIL) UID 1)\r\n",
		  "1 FETCH{(ENVELOPE ('a ' b ' c' nil) UID 1)}\n" },
		/* Keywords that only look like section text. */
		{ "* 1 FETCH (FLAGS (body[x y) UID 1)\r\n", "1 FETCH{(FLAGS (body[x y) UID 1)}\n" },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases));
}

static void lines_that_break_the_grammar_are_marked_damaged(void **state)
{
	static const struct parser_case cases[] = {
		{ "* 99999999999 EXISTS\r\n* 1 EXISTS\r\n", "!EXISTS{}\n1 EXISTS{}\n" },
		{ "* FLAGS (\\Seen\r\n* 1 EXISTS\r\n", "!FLAGS{(\\Seen)}\n1 EXISTS{}\n" },
		{ "* FLAGS \\Seen)\r\n", "!FLAGS{\\Seen}\n" },
		{ "* LIST () \"/\" \"a\r\n* 1 EXISTS\r\n", "!LIST{() '/' 'a'}\n1 EXISTS{}\n" },
		{ "* LIST () \"/\" \"a\\\r\n", "!LIST{() '/' 'a'}\n" },
		{ "* OK [ALERT don't\r\n", "!OK[ALERT:don't]\n" },
		{ "* OK [BADCHARSET (x] y\r\n", "!OK[BADCHARSET:(x] y)]\n" },
		{ "* OK [ALERT \"x] y\r\n", "!OK[ALERT:'x] y']\n" },
		{ "* 1 FETCH (BODY[HEADER\r\n", "!1 FETCH{(BODY[HEADER)}\n" },
	};

	(void)state;
	assert_cases(cases, ARRAY_LEN(cases));
}

static void what_is_not_imap_stops_the_parser(void **state)
{
	static const char *const cases[] = {
		"garbage\r\n",    "*\r\n",       "* \r\n",    "* 5\r\n",
		"a1 FETCH 5\r\n", "a1 1 OK\r\n", "* (x)\r\n", "HTTP/1.1 400 Bad Request\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 0; step < 2; step++) {
			struct imap_events events;
			struct error err = { 0 };
			imap_events_init(&events, true);
			assert_int_equal(
				imap_events_feed(&events, slice_of(cases[i]), step, step, &err),
				SYNCD_EPROTO);
			assert_int_equal(err.code, SYNCD_EPROTO);
			assert_int_equal(events.responses, 0);
			imap_events_free(&events);
		}
	}
}

/* --- Limits --------------------------------------------------------------- */

/* Feeds `start`, then `unit` `count` times. */
static int feed_repeated(const char *start, const char *unit, size_t count, bool is_streaming)
{
	struct imap_events events;
	struct error err = { 0 };

	imap_events_init(&events, is_streaming);
	struct imap_parser *parser = imap_parser_new(&imap_events_ops, &events);
	int rc = imap_parser_feed(parser, slice_of(start), &err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = imap_parser_feed(parser, slice_of(unit), &err);
	assert_int_equal(err.code, rc);
	imap_parser_free(&parser);
	imap_events_free(&events);
	return rc;
}

static void everything_a_server_sends_has_a_limit(void **state)
{
	(void)state;
	assert_int_equal(feed_repeated("", "a", IMAP_WORD_MAX, false), 0);
	assert_int_equal(feed_repeated("", "a", IMAP_WORD_MAX + 1, false), SYNCD_EPROTO);
	assert_int_equal(feed_repeated("* ", "a", IMAP_WORD_MAX + 1, false), SYNCD_EPROTO);
	assert_int_equal(feed_repeated("* X ", "0123456789abcdef", 16384, false), SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* OK ", "0123456789abcdef", 16384, false), SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* X \"", "0123456789abcdef", 16384, false), SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* X ", "a ", IMAP_TREE_NODES_MAX, false), 0);
	assert_int_equal(feed_repeated("* X ", "a ", IMAP_TREE_NODES_MAX + 1, false), SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* X ", "(", IMAP_TREE_DEPTH_MAX, false), 0);
	assert_int_equal(feed_repeated("* X ", "(", IMAP_TREE_DEPTH_MAX + 1, false), SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* X {65536}\r\n", "", 1, false), 0);
	assert_int_equal(feed_repeated("* X {65537}\r\n", "", 1, false), SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* 1 FETCH (BODY[] {65537}\r\n", "", 1, false),
			 SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* 1 FETCH (BODY[] {4294967295}\r\n", "", 1, true), 0);
	assert_int_equal(feed_repeated("* 1 FETCH (BODY[] {4294967296}\r\n", "", 1, true),
			 SYNCD_ELIMIT);
	assert_int_equal(feed_repeated("* 1 FETCH (BODY[] {18446744073709551616}\r\n", "", 1, true),
			 SYNCD_ELIMIT);
}

/* Bytes of which nothing is kept. */
static void what_fills_no_memory_has_a_limit_too(void **state)
{
	static const char *const starts[] = { "", "* OK ", "* X ", "* X \"", "* X a", "* X BODY[" };
	char many[4097];

	(void)state;
	many[sizeof(many) - 1] = '\0';
	memset(many, '\r', sizeof(many) - 1);
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		assert_int_equal(feed_repeated(starts[i], many, 1000, false), SYNCD_ELIMIT);
	memset(many, '\n', sizeof(many) - 1);
	assert_int_equal(feed_repeated("", many, 1000, false), SYNCD_ELIMIT);
	memset(many, ' ', sizeof(many) - 1);
	assert_int_equal(feed_repeated("* X ", many, 1000, false), SYNCD_ELIMIT);
	memset(many, '1', sizeof(many) - 1);
	assert_int_equal(feed_repeated("* SEARCH ", many, IMAP_SET_MAX / 4096 - 1, false), 0);
	assert_int_equal(feed_repeated("* SEARCH ", many, IMAP_SET_MAX / 4096, false),
			 SYNCD_ELIMIT);
}

static void streamed_parts_may_pass_every_limit_of_a_line(void **state)
{
	(void)state;
	assert_int_equal(feed_repeated("* SEARCH", " 4294967295", 100000, false), 0);
	assert_int_equal(feed_repeated("* VANISHED 1", ",4294967290:4294967295", 100000, false), 0);
	assert_int_equal(
		feed_repeated("* 1 FETCH (BODY[] {1600000}\r\n", "0123456789abcdef", 100000, true),
		0);
}

static int on_range(void *context, const char *name, uint32_t low, uint32_t high)
{
	size_t *count = context;

	(void)name;
	(void)low;
	(void)high;
	(*count)++;
	return 0;
}

static int on_response(void *context, const struct imap_response *response)
{
	(void)context;
	assert_false(response->is_damaged);
	return 0;
}

static void searches_of_a_million_are_read(void **state)
{
	static const struct imap_parser_ops ops = { .response = on_response, .range = on_range };
	struct error err = { 0 };
	size_t count = 0;
	struct imap_parser *parser = imap_parser_new(&ops, &count);

	(void)state;
	assert_int_equal(imap_parser_feed(parser, slice_of("* SEARCH"), &err), 0);
	for (size_t i = 0; i < 1000000; i++)
		assert_int_equal(imap_parser_feed(parser, slice_of(" 2000000000"), &err), 0);
	assert_int_equal(imap_parser_feed(parser, slice_of("\r\n"), &err), 0);
	assert_int_equal(count, 1000000);
	imap_parser_free(&parser);
}

static void ordinary_responses_follow_large_ones(void **state)
{
	struct imap_events events;
	struct error err = { 0 };
	struct buf input;

	(void)state;
	buf_init(&input, IMAP_LINE_MAX);
	assert_int_equal(buf_add_str(&input, "* X"), 0);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(buf_add_str(&input, " \"abcd\""), 0);
	assert_int_equal(buf_add_str(&input, "\r\n"), 0);
	size_t large = input.len;
	assert_int_equal(buf_add_str(&input, "* LIST () \"/\" a\r\n"), 0);
	imap_events_init(&events, true);
	assert_int_equal(imap_events_feed(&events, buf_slice(&input), large, 1, &err), 0);
	assert_int_equal(events.responses, 2);
	assert_non_null(strstr(buf_str(&events.text), " 'abcd'}\nLIST{() '/' a}\n"));
	imap_events_free(&events);
	buf_free(&input);
}

/* --- Control -------------------------------------------------------------- */

static int on_pausing_response(void *context, const struct imap_response *response)
{
	struct imap_parser **parser = context;

	(void)response;
	imap_parser_pause(*parser);
	return 0;
}

static void pause_leaves_what_follows_unread(void **state)
{
	static const struct imap_parser_ops ops = { .response = on_pausing_response };
	struct imap_parser *parser = NULL;
	struct error err = { 0 };

	(void)state;
	parser = imap_parser_new(&ops, &parser);
	assert_int_equal(imap_parser_feed(parser, slice_of("a OK go\r\n\x16\x03\x01"), &err), 0);
	assert_int_equal(imap_parser_unread(parser), 3);
	assert_int_equal(imap_parser_feed(parser, slice_of("* 1 EXISTS\r\n"), &err), 0);
	assert_int_equal(imap_parser_unread(parser), 0);
	imap_parser_free(&parser);
	assert_null(parser);
}

static void code_of_a_callback_stops_the_parser(void **state)
{
	struct imap_events events;
	struct error err = { 0 };

	(void)state;
	imap_events_init(&events, false);
	events.fail_with = SYNCD_ECANCELLED;
	assert_int_equal(
		imap_events_feed(&events, slice_of("* 1 EXISTS\r\n* 2 EXISTS\r\n"), 0, 0, &err),
		SYNCD_ECANCELLED);
	assert_int_equal(events.responses, 1);
	assert_int_equal(err.code, 0);
	imap_events_free(&events);
}

static void literals_stay_in_the_tree_when_nobody_wants_them_streamed(void **state)
{
	struct imap_events events;
	struct error err = { 0 };

	(void)state;
	imap_events_init(&events, false);
	assert_int_equal(imap_events_feed(&events, slice_of("* 1 FETCH (BODY[] {4}\r\na\r\nb)\r\n"),
					  1, 1, &err),
			 0);
	assert_string_equal(buf_str(&events.text), "1 FETCH{(BODY[] 'a\r\nb')}\n");
	imap_events_free(&events);
}

static void arguments_read_as_numbers_only_when_they_are(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
		enum imap_arg_kind kind;
		bool is_number;
	} cases[] = {
		{ "0", 0, IMAP_ATOM, true },
		{ "18446744073709551615", UINT64_MAX, IMAP_ATOM, true },
		{ "18446744073709551616", 0, IMAP_ATOM, false },
		{ "-1", 0, IMAP_ATOM, false },
		{ "", 0, IMAP_ATOM, false },
		{ "1x", 0, IMAP_ATOM, false },
		{ "1", 0, IMAP_STRING, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_arg arg = { .kind = cases[i].kind, .text = slice_of(cases[i].text) };
		uint64_t value = 0;
		assert_int_equal(imap_arg_number(&arg, &value), cases[i].is_number);
		assert_true(value == cases[i].value);
	}
	assert_false(imap_arg_number(NULL, &(uint64_t){ 0 }));
	assert_false(imap_arg_is(NULL, "X"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_responses_become_trees),
		cmocka_unit_test(statuses_and_continuations_have_code_and_text),
		cmocka_unit_test(literals_of_fetch_are_streamed),
		cmocka_unit_test(sets_of_search_and_vanished_are_streamed),
		cmocka_unit_test(oddities_of_real_servers_are_read),
		cmocka_unit_test(lines_that_break_the_grammar_are_marked_damaged),
		cmocka_unit_test(what_is_not_imap_stops_the_parser),
		cmocka_unit_test(everything_a_server_sends_has_a_limit),
		cmocka_unit_test(what_fills_no_memory_has_a_limit_too),
		cmocka_unit_test(streamed_parts_may_pass_every_limit_of_a_line),
		cmocka_unit_test(searches_of_a_million_are_read),
		cmocka_unit_test(ordinary_responses_follow_large_ones),
		cmocka_unit_test(pause_leaves_what_follows_unread),
		cmocka_unit_test(code_of_a_callback_stops_the_parser),
		cmocka_unit_test(literals_stay_in_the_tree_when_nobody_wants_them_streamed),
		cmocka_unit_test(arguments_read_as_numbers_only_when_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
