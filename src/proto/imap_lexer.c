/* The arguments of an IMAP response from bytes: lists, atoms, quoted strings.
 * Every state can stop behind any byte. CR is dropped wherever it stands
 * outside of literals, so that a bare LF ends a line as CRLF does.
 * SPDX-License-Identifier: MIT */
#include "imap_internal.h"

#include <strings.h>

/* clang-format off */
static const unsigned char char_classes[256] = {
	['\r'] = IMAP_CLASS_LINE, ['\n'] = IMAP_CLASS_LINE,
	[' '] = IMAP_CLASS_BLANK, ['\t'] = IMAP_CLASS_BLANK,
	['('] = IMAP_CLASS_PAREN, [')'] = IMAP_CLASS_PAREN,
	['['] = IMAP_CLASS_SQUARE, [']'] = IMAP_CLASS_SQUARE,
	['"'] = IMAP_CLASS_QUOTE, ['\\'] = IMAP_CLASS_ESCAPE,
};
/* clang-format on */

static void take(struct slice *in, size_t len)
{
	in->data += len;
	in->len -= len;
}

int imap_take_run(struct imap_parser *parser, struct slice *in, unsigned char stop_classes)
{
	size_t len = 0;

	while (len < in->len && (char_classes[(unsigned char)in->data[len]] & stop_classes) == 0)
		len++;
	if (len == 0)
		return 0;
	int rc = imap_tree_text(parser, in->data, len);
	take(in, len);
	return rc;
}

/* The current token becomes an argument. */
static int finish_token(struct imap_parser *parser, enum imap_arg_kind kind)
{
	struct slice token = imap_tree_token(parser);

	if (kind == IMAP_ATOM && token.len == 3 && slice_case_equals_str(token, "NIL"))
		kind = IMAP_NIL;
	parser->state = IMAP_AT_ARG;
	return imap_tree_add(parser, kind, token) != NULL ? 0 : SYNCD_ELIMIT;
}

static void begin_token(struct imap_parser *parser, enum imap_state state)
{
	parser->token_at = parser->text_len;
	parser->state = state;
}

int imap_at_arg(struct imap_parser *parser, struct slice *in)
{
	char c = in->data[0];

	if (c == ']' && parser->is_in_code && parser->depth == 0) {
		imap_response_code_end(parser);
	} else if (c == '"') {
		begin_token(parser, IMAP_IN_QUOTED);
	} else if (c == '(') {
		take(in, 1);
		return imap_tree_open(parser);
	} else if (c == ')') {
		if (!imap_tree_close(parser))
			parser->response.is_damaged = true;
	} else if (c == '\n') {
		take(in, 1);
		return imap_response_end(parser);
	} else if (c != ' ' && c != '\t' && c != '\r') {
		if (imap_set_starts(parser, c))
			imap_set_begin(parser);
		else
			begin_token(parser, IMAP_IN_ATOM);
		return 0;
	}
	take(in, 1);
	return 0;
}

/* "BODY[" and "BINARY[" open a section specification that is one atom up to
 * its "]" (RFC 3501 §7.4.2); elsewhere "[" is an ordinary character. */
static bool section_starts(const struct imap_parser *parser)
{
	struct slice token = imap_tree_token(parser);

	return parser->special == IMAP_SPECIAL_FETCH && parser->depth == 1 &&
	       ((token.len >= 4 && strncasecmp(token.data, "BODY", 4) == 0) ||
		(token.len >= 6 && strncasecmp(token.data, "BINARY", 6) == 0));
}

static int square_in_atom(struct imap_parser *parser, struct slice *in)
{
	if (in->data[0] == ']' && parser->is_in_code && parser->depth == 0)
		return finish_token(parser, IMAP_ATOM);
	if (in->data[0] == '[' && section_starts(parser)) {
		parser->section_depth = 1;
		parser->state = IMAP_IN_SECTION;
	}
	int rc = imap_tree_text(parser, in->data, 1);
	take(in, 1);
	return rc;
}

static int line_end_in_atom(struct imap_parser *parser, struct slice *in)
{
	bool is_literal = false;

	int rc = imap_literal_check(parser, &is_literal);
	if (rc != 0)
		return rc;
	if (!is_literal)
		return finish_token(parser, IMAP_ATOM);
	take(in, 1);
	return 0;
}

int imap_in_atom(struct imap_parser *parser, struct slice *in)
{
	int rc = imap_take_run(parser, in,
			       IMAP_CLASS_LINE | IMAP_CLASS_BLANK | IMAP_CLASS_PAREN |
				       IMAP_CLASS_SQUARE | IMAP_CLASS_QUOTE);
	if (rc != 0 || in->len == 0)
		return rc;
	switch (in->data[0]) {
	case '[':
	case ']':
		return square_in_atom(parser, in);
	case '\r':
		take(in, 1);
		return 0;
	case '\n':
		return line_end_in_atom(parser, in);
	default:
		return finish_token(parser, IMAP_ATOM);
	}
}

/* A line end where none may be: what was read so far counts. */
static int cut_token(struct imap_parser *parser, enum imap_arg_kind kind)
{
	parser->response.is_damaged = true;
	return finish_token(parser, kind);
}

int imap_in_section(struct imap_parser *parser, struct slice *in)
{
	int rc = imap_take_run(parser, in, IMAP_CLASS_LINE | IMAP_CLASS_SQUARE | IMAP_CLASS_QUOTE);
	if (rc != 0 || in->len == 0)
		return rc;
	char c = in->data[0];
	if (c == '\n')
		return cut_token(parser, IMAP_ATOM);
	if (c == '[')
		parser->section_depth++;
	if (c == ']' && --parser->section_depth == 0)
		parser->state = IMAP_IN_ATOM;
	if (c == '"')
		parser->state = IMAP_IN_SECTION_QUOTE;
	rc = c != '\r' ? imap_tree_text(parser, &c, 1) : 0;
	take(in, 1);
	return rc;
}

int imap_in_section_quote(struct imap_parser *parser, struct slice *in)
{
	int rc = imap_take_run(parser, in, IMAP_CLASS_LINE | IMAP_CLASS_QUOTE);
	if (rc != 0 || in->len == 0)
		return rc;
	char c = in->data[0];
	if (c == '\n')
		return cut_token(parser, IMAP_ATOM);
	if (c == '"')
		parser->state = IMAP_IN_SECTION;
	rc = c != '\r' ? imap_tree_text(parser, &c, 1) : 0;
	take(in, 1);
	return rc;
}

int imap_in_quoted(struct imap_parser *parser, struct slice *in)
{
	int rc = imap_take_run(parser, in, IMAP_CLASS_LINE | IMAP_CLASS_QUOTE | IMAP_CLASS_ESCAPE);
	if (rc != 0 || in->len == 0)
		return rc;
	char c = in->data[0];
	if (c == '\n')
		return cut_token(parser, IMAP_STRING);
	take(in, 1);
	if (c == '\\')
		parser->state = IMAP_IN_QUOTED_ESCAPE;
	return c == '"' ? finish_token(parser, IMAP_STRING) : 0;
}

int imap_in_quoted_escape(struct imap_parser *parser, struct slice *in)
{
	char c = in->data[0];

	if (c == '\n')
		return cut_token(parser, IMAP_STRING);
	take(in, 1);
	if (c == '\r')
		return 0;
	parser->state = IMAP_IN_QUOTED;
	return imap_tree_text(parser, &c, 1);
}
