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
#define IMAP_LINE_MAX (256 * 1024)      /* bytes of one response without streamed parts */
#define IMAP_TREE_NODES_MAX 16384       /* nodes of one response's tree */
#define IMAP_TREE_DEPTH_MAX 32
#define IMAP_LITERAL_TREE_MAX (64 * 1024) /* bytes of a literal kept in the tree */

enum imap_arg_kind {
	IMAP_NIL,
	IMAP_ATOM,    /* also numbers, flags with their backslash, section text such as BODY[HEADER] */
	IMAP_STRING,  /* quoted (unescaped) or literal; may hold any bytes */
	IMAP_LIST,
	IMAP_STREAMED /* a literal that went to the literal callbacks; `size` is its length */
};

/* One argument; children and next form the tree. Valid during the callback. */
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

/* Case-insensitive comparison with an atom. */
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
	struct slice tag;         /* empty: untagged */
	bool has_number;
	uint32_t number;          /* * 12 EXISTS */
	struct slice name;        /* upper-cased: "FETCH", "LIST", ...; untagged only */
	const struct imap_arg *args;
	enum imap_condition condition;     /* status only */
	struct slice code;                 /* upper-cased response code name, or empty */
	const struct imap_arg *code_args;  /* [CODE args] */
	struct slice text;                 /* human text of status and continuation */
};

struct imap_parser;

struct imap_parser_ops {
	/* A complete response. Returning other than 0 stops the parser with that code. */
	int (*response)(void *context, const struct imap_response *response);

	/* A literal inside a FETCH response is about to come: `uid` and `sequence` are what the
	 * response said so far (uid 0: not yet said), `section` the atom before it
	 * ("BODY[]", "BODY[HEADER.FIELDS (...)]"). Return 1 to have it streamed, 0 to keep it
	 * in the tree (bounded), negative to stop. May be NULL: all in the tree. */
	int (*literal_begin)(void *context, uint32_t sequence, uint32_t uid, struct slice section,
			     uint64_t size_bytes);
	int (*literal_data)(void *context, struct slice data);
	int (*literal_end)(void *context);

	/* One UID or sequence number range of `* SEARCH`, `* ESEARCH ... ALL` or
	 * `* VANISHED` as it is read, `low` <= `high`; these can be longer than any line
	 * limit, so they never go into the tree. May be NULL: dropped. `name` is "SEARCH",
	 * "ESEARCH", "VANISHED" or "VANISHED (EARLIER)". */
	int (*range)(void *context, const char *name, uint32_t low, uint32_t high);
};

/* `ops` and `context` are borrowed for the parser's life. */
struct imap_parser *imap_parser_new(const struct imap_parser_ops *ops, void *context);
void imap_parser_free(struct imap_parser **parser);

/* Takes all the bytes, calling back as responses complete. Returns 0, or the
 * first callback's code, or SYNCD_EPROTO / SYNCD_ELIMIT with `err` saying where; after an
 * error the parser only wants to be freed. A callback may free nothing of the parser's. */
int imap_parser_feed(struct imap_parser *parser, struct slice data, struct error *err);

/* Makes imap_parser_feed return right after the response being called back;
 * *rest then tells how many bytes of the data were not looked at (STARTTLS,
 * COMPRESS: what follows belongs to another layer). Called from `response`. */
void imap_parser_pause(struct imap_parser *parser);
size_t imap_parser_unread(const struct imap_parser *parser);

#endif
