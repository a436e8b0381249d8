/* IMAP responses from bytes (RFC 3501 §9, RFC 9051 §9): a push parser that can
 * stop at every byte, builds a bounded argument tree for ordinary responses and
 * streams what may be large.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_PARSER_H
#define SYNCD_IMAP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"

/* Limits on a stranger's data. */
#define IMAP_LINE_MAX (256 * 1024) /* bytes of one response without streamed parts */
#define IMAP_TREE_NODES_MAX 16384  /* nodes of one response's tree */
#define IMAP_TREE_DEPTH_MAX 32
#define IMAP_LITERAL_TREE_MAX (64 * 1024) /* bytes of a literal kept in the tree */
#define IMAP_LITERAL_MAX UINT32_MAX       /* bytes of any literal: a number of RFC 3501 §9 */
#define IMAP_SET_MAX (64 * 1024 * 1024)   /* bytes of one response's sets of numbers */
#define IMAP_WORD_MAX 128                 /* bytes of a tag or of a response's name */

enum imap_arg_kind {
	IMAP_NIL,  /* the atom NIL; `text` keeps how it was written, for a mailbox of that name */
	IMAP_ATOM, /* also numbers, flags with their backslash, section text such as BODY[HEADER] */
	IMAP_STRING, /* quoted (unescaped) or literal; may hold any bytes */
	IMAP_LIST,
	IMAP_STREAMED /* a literal that went to the literal callbacks; `size` is its length */
};

/* One argument; children and next form the tree. Valid during the callback. `text` is that of
 * an atom, string or NIL, `size` the length of text or of the streamed literal. */
struct imap_arg {
	enum imap_arg_kind kind;
	struct slice text;
	uint64_t size;
	const struct imap_arg *child; /* first of a list */
	const struct imap_arg *next;
};

/* True and the value when the argument is a number of 0..UINT64_MAX in digits. */
bool imap_arg_number(const struct imap_arg *arg, uint64_t *value);

/* Text of an atom or string; NIL and others give false. */
bool imap_arg_text(const struct imap_arg *arg, struct slice *text);

/* Case-insensitive comparison with an atom; anything but an atom gives false, and
 * so does NULL, as for the two functions above. */
bool imap_arg_is(const struct imap_arg *arg, const char *atom);

enum imap_response_kind {
	IMAP_UNTAGGED,     /* * NAME args...   or   * NUMBER NAME args... */
	IMAP_STATUS,       /* OK NO BAD BYE PREAUTH, tagged or not */
	IMAP_CONTINUATION, /* + text; a bare "+" too (QUIRKS) */
};

enum imap_condition { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

/* One complete response; everything borrowed, valid during the callback. */
struct imap_response {
	enum imap_response_kind kind;
	struct slice tag; /* empty: untagged */
	bool has_number;
	uint32_t number;   /* * 12 EXISTS */
	struct slice name; /* upper-cased: "FETCH", "LIST", ...; untagged only */
	const struct imap_arg *args;
	enum imap_condition condition;    /* status only */
	struct slice code;                /* upper-cased response code name, or empty */
	const struct imap_arg *code_args; /* [CODE args] */
	struct slice text;                /* human text of status and continuation */
	/* The line broke the grammar (parentheses or quotes that do not match, a number or UID
	 * range that is none) and `args` hold what could be read: never take such a
	 * response as complete, e.g. a SEARCH or VANISHED. The condition of a status holds
	 * all the same; only its code and text may be wrong. */
	bool is_damaged;
};

struct imap_parser;

struct imap_parser_ops {
	/* A complete response. Returning other than 0 stops the parser with that code. */
	int (*response)(void *context, const struct imap_response *response);

	/* A literal inside a FETCH response is about to come: `uid` and `sequence` are what the
	 * response said so far (uid 0: not yet said), `section` the atom before it
	 * ("BODY[]", "BODY[HEADER.FIELDS (...)]"). Return 1 to have it streamed, 0 to keep it
	 * in the tree (bounded: SYNCD_ELIMIT above IMAP_LITERAL_TREE_MAX), negative to stop.
	 * May be NULL: all in the tree. A server may send a short body as a quoted
	 * string, or NIL for an empty one; those are never announced here but found in
	 * the tree (IMAP_STRING, IMAP_NIL). An empty literal gives begin and end, no data.
	 * `data` points into the bytes being fed, as much at a time as there is. */
	int (*literal_begin)(void *context, uint32_t sequence, uint32_t uid, struct slice section,
			     uint64_t size_bytes);
	int (*literal_data)(void *context, struct slice data);
	int (*literal_end)(void *context);

	/* One UID or sequence number range of `* SEARCH`, `* ESEARCH ... ALL` or
	 * `* VANISHED` as it is read, `low` <= `high`; these can be longer than any line
	 * limit, so they never go into the tree. May be NULL: dropped. `name` is "SEARCH",
	 * "ESEARCH", "VANISHED" or "VANISHED (EARLIER)". The response follows when its line is
	 * complete. Ranges with 0, "*" or numbers beyond 32 bits are dropped and make the response
	 * damaged: a "1:*" must never be taken for the disappearance of everything.
	 * The set of PARTIAL (RFC 9394) is in the tree. Returning other than 0
	 * stops the parser with that code. */
	int (*range)(void *context, const char *name, uint32_t low, uint32_t high);
};

/* `ops` and `context` are borrowed for the parser's life. The caller frees the
 * parser with imap_parser_free, which leaves NULL; never from a callback. */
struct imap_parser *imap_parser_new(const struct imap_parser_ops *ops, void *context);
void imap_parser_free(struct imap_parser **parser);

/* Takes all the bytes, calling back as responses complete. Returns 0, or the
 * first callback's code (`err` untouched), or SYNCD_EPROTO / SYNCD_ELIMIT with `err` saying where
 * (never the bytes themselves, which may be mail or secrets); after an error the parser only
 * wants to be freed. A callback may neither free nor feed the parser.
 *
 * Tolerated, each seen from a server: a bare "+"; status without text, or with nothing
 * but a code; a code on a line of its own ("[COPYUID 55 31 6]", Exchange: given as an
 * untagged OK); empty lines; bare LF; spaces that are missing, doubled or trailing; 8-bit and
 * control bytes; literal8 and {n+} literals. */
int imap_parser_feed(struct imap_parser *parser, struct slice data, struct error *err);

/* Makes imap_parser_feed return right after the response being called back
 * (STARTTLS, COMPRESS: what follows belongs to another layer). Called from `response`. */
void imap_parser_pause(struct imap_parser *parser);

/* How many bytes at the end of the last feed's data were not looked at: 0 unless
 * paused or stopped. The next feed starts behind the response that paused. */
size_t imap_parser_unread(const struct imap_parser *parser);

#endif
