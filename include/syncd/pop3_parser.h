/* POP3 responses from bytes (RFC 1939 §3): a push parser that can stop at every byte. Lines are
 * bounded and given whole, messages are streamed with their byte-stuffing undone.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_POP3_PARSER_H
#define SYNCD_POP3_PARSER_H

#include <stddef.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/pop3_line.h"

/* Bytes of a line that is not a message's. RFC 2449 §4 has 512 for most, RFC 5034 §4 more for
 * challenges; what passes this never ends. */
#define POP3_LINE_MAX (68 * 1024)

/* What comes behind a status line: only who asked knows. */
enum pop3_follows {
	POP3_FOLLOWS_STATUS, /* nothing, but for the next answer */
	POP3_FOLLOWS_LINES,
	POP3_FOLLOWS_MESSAGE,
};

struct pop3_parser;

/* What is lent is valid during the call. Other than 0 (or what status() gives) stops the parser
 * with that code, which is to be negative. */
struct pop3_parser_ops {
	/* Returns one of enum pop3_follows. */
	int (*status)(void *context, const struct pop3_status *status);
	/* Of a multi-line response, its byte-stuffing undone. */
	int (*line)(void *context, struct slice line);
	/* Of a message, in CRLF form, never empty, as much at a time as there is. */
	int (*data)(void *context, struct slice data);
	/* The lines or the message are complete. */
	int (*end)(void *context);
};

/* `ops` and `context` are borrowed for the parser's life. The caller frees the
 * parser with pop3_parser_free, which leaves NULL; never from a callback. */
struct pop3_parser *pop3_parser_new(const struct pop3_parser_ops *ops, void *context);
void pop3_parser_free(struct pop3_parser **parser);

/* Takes all the bytes. Returns 0, or the first callback's code (`err` untouched), or with `err`
 * SYNCD_EPROTO for a line that is no status where one must be, SYNCD_ELIMIT for one without end
 * (never the bytes themselves, which may be mail or secrets); after an error the parser only wants
 * to be freed. A callback may neither free nor feed the parser.
 *
 * Tolerated: bare LF as the end of lines; of a message only from a server that ended the status
 * line before it so (dotstuff.h). */
int pop3_parser_feed(struct pop3_parser *parser, struct slice data, struct error *err);

/* Makes pop3_parser_feed return right after the status line being called back (STLS: what follows
 * belongs to another layer). Called from `status`. */
void pop3_parser_pause(struct pop3_parser *parser);

/* How many bytes at the end of the last feed's data were not looked at: 0 unless
 * paused or stopped. */
size_t pop3_parser_unread(const struct pop3_parser *parser);

#endif
