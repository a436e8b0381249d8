/* What the files of the IMAP response parser share: lexer, tree, streamed
 * parts and responses. Seen by src/proto/imap_*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_PROTO_IMAP_INTERNAL_H
#define SYNCD_PROTO_IMAP_INTERNAL_H

#include "syncd/imap_parser.h"

/* Where the parser stands between two bytes. */
enum imap_state {
	IMAP_AT_START,          /* before a response */
	IMAP_IN_TAG,            /* the first word */
	IMAP_IN_NAME,           /* number or name, or OK, NO... behind the tag */
	IMAP_AT_CODE,           /* behind OK, NO...: "[" or text may come */
	IMAP_AT_TEXT,           /* before human text */
	IMAP_IN_TEXT,           /* inside it, up to the line's end */
	IMAP_AT_ARG,            /* between two arguments */
	IMAP_IN_ATOM,           /* also a literal's announcement, known at the line's end */
	IMAP_IN_SECTION,        /* inside the brackets of BODY[...] */
	IMAP_IN_SECTION_QUOTE,  /* inside a quoted header name there */
	IMAP_IN_QUOTED,         /* inside a quoted string */
	IMAP_IN_QUOTED_ESCAPE,  /* behind its backslash */
	IMAP_IN_SET,            /* numbers that go to ops->range */
	IMAP_IN_LITERAL_KEPT,   /* bytes that go to the tree */
	IMAP_IN_LITERAL_STREAM, /* bytes that go to ops->literal_data */
	IMAP_STATE_COUNT
};

/* Responses of which a part is streamed. */
enum imap_special {
	IMAP_ORDINARY,
	IMAP_SPECIAL_FETCH,
	IMAP_SPECIAL_SEARCH,
	IMAP_SPECIAL_ESEARCH,
	IMAP_SPECIAL_VANISHED,
};

/* A list being filled; the outermost one stands for the response itself. */
struct imap_open_list {
	struct imap_arg *list; /* NULL for the outermost */
	struct imap_arg *first;
	struct imap_arg *last;
};

/* One element of a UID set as it is read. */
struct imap_set_element {
	uint64_t low;
	uint64_t value;
	bool has_low;
	bool has_digits;
	bool is_bad;
};

struct imap_parser {
	const struct imap_parser_ops *ops;
	void *context;
	enum imap_state state;
	bool is_paused;
	bool has_failed;
	size_t unread;
	struct error err;

	/* The arena of one response. Both have their full size from the start and never
	 * move, so that slices and pointers into them stay; pages that no response
	 * touches cost no memory. */
	char *text;
	size_t text_len;
	struct imap_arg *nodes;
	size_t node_count;

	struct imap_open_list lists[IMAP_TREE_DEPTH_MAX + 1];
	size_t depth; /* of the list being filled; 0: the outermost */

	size_t line_bytes; /* of the response, without what is streamed */
	size_t set_bytes;  /* the same of one that is a set */

	size_t token_at;       /* where the word, atom, string or text began in `text` */
	size_t section_depth;  /* open brackets in a section */
	uint64_t literal_left; /* bytes of the literal still to come */
	struct imap_set_element element;

	bool is_in_code;
	enum imap_special special;
	struct imap_response response; /* what is known so far */
};

typedef int (*imap_state_fn)(struct imap_parser *parser, struct slice *in);

/* --- imap_tree.c --- */

/* Empties the arena for the next response. */
void imap_tree_reset(struct imap_parser *parser);

/* Fills the parser's error; returns SYNCD_ELIMIT. */
int imap_line_is_long(struct imap_parser *parser);

/* Adds bytes to the arena's text. Returns 0 or SYNCD_ELIMIT with the parser's error filled. */
int imap_tree_text(struct imap_parser *parser, const char *data, size_t len);

/* Adds an argument to the list being filled. Returns it, or NULL (the parser's
 * error is filled, SYNCD_ELIMIT). */
struct imap_arg *imap_tree_add(struct imap_parser *parser, enum imap_arg_kind kind,
			       struct slice text);

/* Opens a list inside the current one: 0 or SYNCD_ELIMIT. */
int imap_tree_open(struct imap_parser *parser);

/* Closes the current list; false when none is open. */
bool imap_tree_close(struct imap_parser *parser);

/* The text from `token_at` on. */
struct slice imap_tree_token(const struct imap_parser *parser);

/* --- imap_lexer.c: arguments --- */

int imap_at_arg(struct imap_parser *parser, struct slice *in);
int imap_in_atom(struct imap_parser *parser, struct slice *in);
int imap_in_section(struct imap_parser *parser, struct slice *in);
int imap_in_section_quote(struct imap_parser *parser, struct slice *in);
int imap_in_quoted(struct imap_parser *parser, struct slice *in);
int imap_in_quoted_escape(struct imap_parser *parser, struct slice *in);

/* Adds the bytes of `in` up to the first that ends a run (a line end; outside of human text also
 * quotes, blanks, brackets, parentheses, backslash) to the text, taking them from `in`. */
int imap_take_run(struct imap_parser *parser, struct slice *in, unsigned char stop_classes);

/* Character classes, bits to be joined. */
enum {
	IMAP_CLASS_LINE = 1,   /* CR, LF */
	IMAP_CLASS_BLANK = 2,  /* space, tab */
	IMAP_CLASS_PAREN = 4,  /* ( ) */
	IMAP_CLASS_SQUARE = 8, /* [ ] */
	IMAP_CLASS_QUOTE = 16, /* " */
	IMAP_CLASS_ESCAPE = 32 /* backslash */
};

/* --- imap_stream.c: what may be larger than a line --- */

/* True when the byte that starts an argument starts a set to be streamed. */
bool imap_set_starts(const struct imap_parser *parser, char c);
void imap_set_begin(struct imap_parser *parser);
int imap_in_set(struct imap_parser *parser, struct slice *in);

/* At the end of a line whose last atom is the current token: *is_literal says
 * whether it announces a literal, which has then begun. */
int imap_literal_check(struct imap_parser *parser, bool *is_literal);
int imap_in_literal_kept(struct imap_parser *parser, struct slice *in);
int imap_in_literal_stream(struct imap_parser *parser, struct slice *in);

/* --- imap_response.c: from the tag to the callback --- */

/* The line is over: delivers the response and prepares for the next. */
int imap_response_end(struct imap_parser *parser);

/* The "]" of a response code. */
void imap_response_code_end(struct imap_parser *parser);

#endif
