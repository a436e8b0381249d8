/* POP3 responses from bytes: each case whole, byte by byte and cut at each position; and what real
 * servers said, where the corpus is.
 * SPDX-License-Identifier: MIT */
#include "syncd/pop3_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#define CORPUS "../shared/corpus/transcripts/pop3"
#define TEXT_MAX (1 << 20)

/* What is called back, as text. */
struct events {
	struct buf text;
	const char *follows; /* a letter for each status: '+' nothing, 'l' lines, 'm' a message;
			      * the last one again and again; 's' stops, 'p' pauses */
	struct pop3_parser *parser;
};

static int on_status(void *context, const struct pop3_status *status)
{
	static const char *const indicators[] = { "OK", "ERR", "challenge" };
	struct events *events = context;
	char follows = events->follows[0];

	must(buf_printf(&events->text, "%s[%.*s]%.*s;", indicators[status->indicator],
			(int)status->code.len, status->code.data, (int)status->text.len,
			status->text.data) == 0);
	if (events->follows[1] != '\0')
		events->follows++;
	if (follows == 'p')
		pop3_parser_pause(events->parser);
	if (follows == 's')
		return SYNCD_ECANCELLED;
	if (status->indicator != POP3_OK)
		return POP3_FOLLOWS_STATUS;
	return follows == 'l'   ? POP3_FOLLOWS_LINES
	       : follows == 'm' ? POP3_FOLLOWS_MESSAGE
				: POP3_FOLLOWS_STATUS;
}

static int on_line(void *context, struct slice line)
{
	struct events *events = context;

	return buf_printf(&events->text, "line %.*s;", (int)line.len, line.data);
}

static int on_data(void *context, struct slice data)
{
	struct events *events = context;

	assert_true(data.len > 0);
	return buf_add(&events->text, data.data, data.len);
}

static int on_end(void *context)
{
	struct events *events = context;

	return buf_add_str(&events->text, "end;");
}

static const struct pop3_parser_ops ops = {
	.status = on_status,
	.line = on_line,
	.data = on_data,
	.end = on_end,
};

/* Feeds `sent` with cuts behind the first `first` bytes and then every `step`; each piece is a
 * block of its own for the sanitizers. */
static int feed(struct events *events, const char *follows, struct slice sent, size_t first,
		size_t step, struct error *err)
{
	size_t next = first;
	int rc = 0;

	buf_reset(&events->text);
	events->follows = follows;
	events->parser = pop3_parser_new(&ops, events);
	error_clear(err);
	while (rc == 0 && sent.len > 0) {
		size_t len = next < sent.len ? next : sent.len;
		char *piece = xmalloc(len);
		memcpy(piece, sent.data, len);
		rc = pop3_parser_feed(events->parser, (struct slice){ piece, len }, err);
		free(piece);
		len -= pop3_parser_unread(events->parser);
		sent.data += len;
		sent.len -= len;
		next = step;
	}
	pop3_parser_free(&events->parser);
	return rc;
}

static const struct {
	const char *sent;
	const char *follows;
	int code;
	const char *events;
} cases[] = {
	{ "+OK ready\r\n", "+", 0, "OK[]ready;" },
	{ "+OK a\r\n-ERR [AUTH] b\r\n+ Yg==\r\n", "+", 0, "OK[]a;ERR[AUTH]b;challenge[]Yg==;" },
	{ "+OK a\n-ERR b\n", "+", 0, "OK[]a;ERR[]b;" },
	{ "+OK list\r\n1 120\r\n2 200\r\n.\r\n+OK\r\n", "l+", 0,
	  "OK[]list;line 1 120;line 2 200;end;OK[];" },
	{ "+OK\r\n.\r\n+OK\r\n.\r\n", "l", 0, "OK[];end;OK[];end;" },
	{ "+OK\r\n..a\r\n...\r\n\r\n.\r\n", "l", 0, "OK[];line .a;line ..;line ;end;" },
	{ "+OK\n1 2\n.\n+OK\n", "l+", 0, "OK[];line 1 2;end;OK[];" },
	{ "-ERR no\r\n+OK\r\n", "l+", 0, "ERR[]no;OK[];" },
	{ "+OK 9 octets\r\na\r\n..b\r\n.\r\n+OK\r\n", "m+", 0,
	  "OK[]9 octets;a\r\n.b\r\nend;OK[];" },
	{ "+OK\r\n.\r\n-ERR\r\n+OK\r\nx\r\n.\r\n", "m", 0, "OK[];end;ERR[];OK[];x\r\nend;" },
	{ "+OK\r\na\n.\nb\r\n.\r\n", "m", 0, "OK[];a\n.\nb\r\nend;" },
	{ "+OK\na\n.\n-ERR\r\n", "m", 0, "OK[];a\r\nend;ERR[];" },
	/* What is paused goes on behind. */
	{ "+OK go\r\n+OK on\r\n", "p+", 0, "OK[]go;OK[]on;" },
	{ "+OK go\r\n+OK on\r\n", "s", SYNCD_ECANCELLED, "OK[]go;" },
	{ "gibberish\r\n", "+", SYNCD_EPROTO, "" },
	{ "+OK\r\n\r\n", "+", SYNCD_EPROTO, "OK[];" },
	{ "+OK\r\nFrom: me\r\n.\r\n", "+", SYNCD_EPROTO, "OK[];" },
};

static void check_case(struct events *events, size_t i, size_t first, size_t step)
{
	struct error err;

	assert_int_equal(feed(events, cases[i].follows, slice_of(cases[i].sent), first, step, &err),
			 cases[i].code);
	assert_string_equal(buf_str(&events->text), cases[i].events);
	if (cases[i].code == SYNCD_EPROTO)
		assert_int_equal(err.code, SYNCD_EPROTO);
}

static void responses_are_read_however_they_are_cut(void **state)
{
	struct events events = { .follows = "" };

	(void)state;
	buf_init(&events.text, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].sent);
		print_message("  %zu\n", i);
		for (size_t first = 1; first <= len; first++) {
			check_case(&events, i, first, len);
			check_case(&events, i, first, 1);
		}
	}
	buf_free(&events.text);
}

static void pause_leaves_what_follows_unread(void **state)
{
	struct events events = { .follows = "p" };
	struct error err;

	(void)state;
	buf_init(&events.text, TEXT_MAX);
	events.parser = pop3_parser_new(&ops, &events);
	assert_int_equal(pop3_parser_feed(events.parser, SLICE_LITERAL("+OK go\r\nEVIL"), &err), 0);
	assert_int_equal(pop3_parser_unread(events.parser), 4);
	pop3_parser_free(&events.parser);
	buf_free(&events.text);
}

/* A line of `len` bytes and CRLF behind "+OK" and, perhaps, a status line before it. */
static int feed_long(const char *follows, const char *before, size_t len, size_t step)
{
	struct events events = { .follows = follows };
	struct error err;
	struct buf sent;

	buf_init(&events.text, TEXT_MAX);
	buf_init(&sent, TEXT_MAX);
	must(buf_add_str(&sent, before) == 0);
	char *line = buf_reserve(&sent, len);
	memset(line, 'x', len);
	memcpy(line, "+OK", 3);
	sent.len += len;
	must(buf_add_str(&sent, "\r\n") == 0);
	int rc = feed(&events, follows, buf_slice(&sent), step, step, &err);
	assert_int_equal(err.code, rc);
	buf_free(&sent);
	buf_free(&events.text);
	return rc;
}

static void lines_have_a_limit_and_messages_have_none(void **state)
{
	static const size_t steps[] = { 1000, TEXT_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(feed_long("+", "", POP3_LINE_MAX - 1, steps[i]), 0);
		assert_int_equal(feed_long("+", "", POP3_LINE_MAX, steps[i]), SYNCD_ELIMIT);
		assert_int_equal(feed_long("l", "+OK\r\n", POP3_LINE_MAX - 1, steps[i]), 0);
		assert_int_equal(feed_long("l", "+OK\r\n", POP3_LINE_MAX, steps[i]), SYNCD_ELIMIT);
		assert_int_equal(feed_long("m", "+OK\r\n", 5 * POP3_LINE_MAX, steps[i]), 0);
	}
}

/* --- Transcripts --- */

static const struct {
	const char *file;
	const char *follows;
	const char *contains;
} transcripts[] = {
	{ "gmail/greeting.txt", "+", "Gpop ready" },
	{ "gmail/capa1.txt", "l", "line SASL PLAIN XOAUTH2;" },
	{ "gmail/capa2.txt", "l", "line PIPELINING;" },
	{ "gmail/list.txt", "l", "line 3 1026;end;" },
	{ "gmail/uidl.txt", "l", "line 3 103;end;" },
	{ "gmail/plus.txt", "+", "challenge[];" },
	{ "gmail/stat.txt", "+", "OK[]3 221409;" },
	{ "gmail/retr1.txt", "m", "end;" },
	{ "gmail/retr123.txt", "m", "end;" },
	{ "gmail/top123.txt", "m", "end;" },
	{ "gmail/dele123.txt", "+", "OK[];OK[];OK[];" },
	{ "gmail/quit.txt", "+", "OK[]Farewell.;" },
	{ "comcast/greeting.txt", "+", "OK[]POP3 ready;" },
	{ "comcast/capa2.txt", "l", "line IMPLEMENTATION ZimbraInc;" },
	{ "comcast/list.txt", "l", "line 7 7168;end;" },
	{ "comcast/retr1.txt", "m", "end;" },
	{ "comcast/err.txt", "+", "ERR[];" },
};

/* The file as the server sent it: its line ends are CRLF, or have become LF. */
static bool read_crlf(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	int before = EOF;

	if (file == NULL)
		return false;
	buf_reset(out);
	for (int c = getc(file); c != EOF; before = c, c = getc(file)) {
		if (c == '\n' && before != '\r')
			assert_int_equal(buf_add_char(out, '\r'), 0);
		assert_int_equal(buf_add_char(out, (char)c), 0);
	}
	(void)fclose(file);
	return true;
}

static void transcripts_of_servers_parse(void **state)
{
	struct events events = { .follows = "" };
	struct error err;
	struct buf sent;
	char path[256];

	(void)state;
	buf_init(&events.text, TEXT_MAX);
	buf_init(&sent, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(transcripts); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", CORPUS, transcripts[i].file);
		if (!read_crlf(path, &sent)) {
			buf_free(&events.text);
			buf_free(&sent);
			skip(); /* the corpus is not part of the project */
			return;
		}
		print_message("  %s\n", transcripts[i].file);
		for (size_t step = 1; step <= 7; step += 3) {
			assert_int_equal(feed(&events, transcripts[i].follows, buf_slice(&sent),
					      step, step, &err),
					 0);
			assert_non_null(strstr(buf_str(&events.text), transcripts[i].contains));
		}
	}
	buf_free(&events.text);
	buf_free(&sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_read_however_they_are_cut),
		cmocka_unit_test(pause_leaves_what_follows_unread),
		cmocka_unit_test(lines_have_a_limit_and_messages_have_none),
		cmocka_unit_test(transcripts_of_servers_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
