/* Commands with strings and literals in them: what a server that knows the grammar reads of them is
 * what was given, whatever the bytes are. The first byte says how literals are announced; then come
 * strings, each behind two bytes of its length.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "fuzz/fuzz.h"
#include "syncd/imap_parser.h"
#include "syncd/imap_write.h"
#include "syncd/must.h"

#define STRINGS_MAX 16
#define INPUT_MAX 65536

struct sent {
	struct slice strings[STRINGS_MAX];
	size_t count;
	size_t responses;
};

/* The parser of responses reads arguments by the same grammar (RFC 3501 §9, string, literal). */
static int on_response(void *context, const struct imap_response *response)
{
	struct sent *sent = context;
	const struct imap_arg *arg = response->args;

	must(!response->is_damaged && slice_equals_str(response->name, "X"));
	for (size_t i = 0; i < sent->count; i++) {
		must(arg != NULL && arg->kind == IMAP_STRING);
		must(slice_equals(arg->text, sent->strings[i]));
		arg = arg->next;
	}
	must(arg == NULL);
	sent->responses++;
	return 0;
}

static void write_strings(struct imap_write *write, const struct sent *sent, bool are_secret)
{
	imap_write_text(write, "* X");
	for (size_t i = 0; i < sent->count; i++) {
		imap_write_text(write, " ");
		if (are_secret)
			imap_write_secret(write, sent->strings[i]);
		else
			imap_write_string(write, sent->strings[i]);
	}
}

/* Pieces follow each other; a waiting one stands behind the line that announced it. */
static void join_pieces(const struct imap_write *write, struct buf *out)
{
	for (size_t i = 0; i < imap_write_piece_count(write); i++) {
		struct imap_piece piece = imap_write_piece(write, i);
		must(!piece.is_body && piece.size == piece.bytes.len);
		must(!piece.needs_continuation ||
		     (out->len >= 3 && memcmp(out->data + out->len - 3, "}\r\n", 3) == 0));
		must(buf_add(out, piece.bytes.data, piece.bytes.len) == 0);
	}
}

/* Of a secret the log tells the length at most. */
static void check_trace(const struct imap_write *write, const struct sent *sent)
{
	struct buf trace;

	buf_init(&trace, IMAP_COMMAND_MAX);
	imap_write_trace(write, &trace);
	must(trace.len <= 3 + sent->count * strlen(" ~{65535+}\r\n***"));
	buf_free(&trace);
}

static const struct imap_parser_ops ops = { .response = on_response };

static void check_strings(struct sent *sent, enum imap_literal_mode mode, bool is_utf8,
			  bool are_secret)
{
	struct imap_write write;
	struct imap_parser *parser = imap_parser_new(&ops, sent);
	struct error err;
	struct buf out;

	buf_init(&out, 2 * IMAP_COMMAND_MAX);
	imap_write_init(&write, mode, is_utf8);
	write_strings(&write, sent, are_secret);
	if (imap_write_end(&write) == 0) {
		join_pieces(&write, &out);
		if (are_secret)
			check_trace(&write, sent);
		int code = imap_parser_feed(parser, buf_slice(&out), &err);
		must(code == SYNCD_ELIMIT || (code == 0 && sent->responses == 1));
	}
	imap_write_free(&write);
	imap_parser_free(&parser);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sent sent = { .count = 0 };
	size_t at = 1;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	while (at + 2 <= size && sent.count < STRINGS_MAX) {
		size_t len = data[at] * 256u + data[at + 1];
		at += 2;
		if (len > size - at)
			len = size - at;
		sent.strings[sent.count++] = (struct slice){ (const char *)data + at, len };
		at += len;
	}
	check_strings(&sent, (enum imap_literal_mode)(data[0] % 3), (data[0] & 4) != 0,
		      (data[0] & 8) != 0);
	return 0;
}
