/* IMAP responses as a whole: tag, number, name, status and code, delivered
 * when their line is complete; and the parser's public functions.
 * SPDX-License-Identifier: MIT */
#include "imap_internal.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

/* Of a response as it is sent: quotes, blanks and parentheses are not in the arena. */
#define LINE_BYTES_MAX (2 * IMAP_LINE_MAX)

static void begin_response(struct imap_parser *parser)
{
	imap_tree_reset(parser);
	parser->state = IMAP_AT_START;
	parser->is_in_code = false;
	parser->special = IMAP_ORDINARY;
	parser->token_at = 0;
	parser->line_bytes = 0;
	parser->set_bytes = 0;
	parser->response = (struct imap_response){ .kind = IMAP_UNTAGGED };
}

static int not_imap(struct imap_parser *parser, const char *what)
{
	return error_set(&parser->err, SYNCD_EPROTO, "the server sent what is not IMAP: %s", what);
}

static void take_byte(struct slice *in)
{
	in->data++;
	in->len--;
}

/* Closes what is open and calls back. A line that ends inside a list is damaged. */
int imap_response_end(struct imap_parser *parser)
{
	struct imap_response *response = &parser->response;

	if (parser->depth > 0 || parser->is_in_code)
		response->is_damaged = true;
	if (parser->is_in_code)
		imap_response_code_end(parser);
	if (response->kind == IMAP_UNTAGGED)
		response->args = parser->lists[0].first;
	int rc = parser->ops->response(parser->context, response);
	begin_response(parser);
	return rc;
}

/* --- Tag and name --------------------------------------------------------- */

static int at_start(struct imap_parser *parser, struct slice *in)
{
	char c = in->data[0];

	if (c == '\r' || c == '\n' || c == ' ' || c == '\t') {
		take_byte(in);
	} else if (c == '+') {
		take_byte(in);
		parser->response.kind = IMAP_CONTINUATION;
		parser->state = IMAP_AT_TEXT;
	} else if (c == '[') {
		/* Exchange 2010 sends the code of a MOVE without its "* OK". */
		parser->response.kind = IMAP_STATUS;
		parser->state = IMAP_AT_CODE;
	} else {
		parser->state = IMAP_IN_TAG;
	}
	return 0;
}

/* Adds bytes to the current word up to one that ends it; words have a limit of their own. */
static int take_word(struct imap_parser *parser, struct slice *in, unsigned char stop_classes)
{
	int rc = imap_take_run(parser, in, stop_classes | IMAP_CLASS_LINE | IMAP_CLASS_BLANK);
	if (rc != 0)
		return rc;
	if (parser->text_len - parser->token_at > IMAP_WORD_MAX)
		return not_imap(parser, "a tag or name without an end");
	return 0;
}

static int in_tag(struct imap_parser *parser, struct slice *in)
{
	int rc = take_word(parser, in, 0);
	if (rc != 0 || in->len == 0)
		return rc;
	if (in->data[0] == '\n')
		return not_imap(parser, "a line of a single word");
	take_byte(in);
	struct slice tag = imap_tree_token(parser);
	if (!slice_equals_str(tag, "*"))
		parser->response.tag = tag;
	parser->token_at = parser->text_len;
	parser->state = IMAP_IN_NAME;
	return 0;
}

static bool find_condition(struct slice name, enum imap_condition *condition)
{
	static const char *const names[] = {
		[IMAP_OK] = "OK",   [IMAP_NO] = "NO",           [IMAP_BAD] = "BAD",
		[IMAP_BYE] = "BYE", [IMAP_PREAUTH] = "PREAUTH",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_equals_str(name, names[i])) {
			*condition = (enum imap_condition)i;
			return true;
		}
	}
	return false;
}

static enum imap_special find_special(struct slice name)
{
	if (slice_equals_str(name, "FETCH"))
		return IMAP_SPECIAL_FETCH;
	if (slice_equals_str(name, "SEARCH"))
		return IMAP_SPECIAL_SEARCH;
	if (slice_equals_str(name, "ESEARCH"))
		return IMAP_SPECIAL_ESEARCH;
	return slice_equals_str(name, "VANISHED") ? IMAP_SPECIAL_VANISHED : IMAP_ORDINARY;
}

/* ASCII only, whatever the locale. */
static void upper_case(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 'a' + 'A');
}

/* The word is the number of "* 12 EXISTS": true, and the name comes next. One
 * that does not fit 32 bits leaves the response without a number, damaged. */
static bool take_number(struct imap_parser *parser, struct slice word)
{
	struct imap_response *response = &parser->response;
	uint64_t value = 0;

	if (response->tag.len > 0 || response->has_number || response->is_damaged)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
	bool is_read =
		imap_arg_number(&(struct imap_arg){ .kind = IMAP_ATOM, .text = word }, &value);
	if (is_read && value <= UINT32_MAX) {
		response->has_number = true;
		response->number = (uint32_t)value;
	} else {
		response->is_damaged = true;
	}
	return true;
}

static int finish_name(struct imap_parser *parser)
{
	struct imap_response *response = &parser->response;
	struct slice word = imap_tree_token(parser);

	if (take_number(parser, word)) {
		parser->token_at = parser->text_len;
		return 0;
	}
	upper_case(parser->text + parser->token_at, word.len);
	if (!response->has_number && find_condition(word, &response->condition)) {
		response->kind = IMAP_STATUS;
		parser->state = IMAP_AT_CODE;
		return 0;
	}
	if (response->tag.len > 0)
		return not_imap(parser, "a tagged line with neither OK, NO nor BAD");
	response->name = word;
	parser->special = find_special(word);
	parser->state = IMAP_AT_ARG;
	return 0;
}

static int in_name(struct imap_parser *parser, struct slice *in)
{
	int rc = take_word(parser, in, IMAP_CLASS_PAREN | IMAP_CLASS_SQUARE);
	if (rc != 0 || in->len == 0)
		return rc;
	char c = in->data[0];
	bool is_empty = parser->text_len == parser->token_at;
	if (c == '\r' || (is_empty && (c == ' ' || c == '\t'))) {
		take_byte(in);
		return 0;
	}
	if (!is_empty)
		return finish_name(parser);
	if (c == '[' && parser->response.tag.len == 0 && !parser->response.has_number) {
		parser->response.kind = IMAP_STATUS;
		parser->state = IMAP_AT_CODE;
		return 0;
	}
	return not_imap(parser, "a response without a name");
}

/* --- Codes and text ------------------------------------------------------- */

static int at_code(struct imap_parser *parser, struct slice *in)
{
	char c = in->data[0];

	if (c == '[') {
		parser->is_in_code = true;
		parser->state = IMAP_AT_ARG;
		take_byte(in);
	} else if (c == ' ' || c == '\t') {
		take_byte(in);
	} else {
		parser->state = IMAP_AT_TEXT;
	}
	return 0;
}

void imap_response_code_end(struct imap_parser *parser)
{
	struct imap_response *response = &parser->response;
	const struct imap_arg *first = parser->lists[0].first;

	parser->is_in_code = false;
	parser->depth = 0;
	parser->state = IMAP_AT_TEXT;
	response->code_args = first;
	if (first == NULL || first->kind != IMAP_ATOM)
		return;
	upper_case(parser->text + (first->text.data - parser->text), first->text.len);
	response->code = first->text;
	response->code_args = first->next;
}

static int at_text(struct imap_parser *parser, struct slice *in)
{
	if (in->data[0] == ' ' || in->data[0] == '\t') {
		take_byte(in);
		return 0;
	}
	parser->token_at = parser->text_len;
	parser->state = IMAP_IN_TEXT;
	return 0;
}

static int in_text(struct imap_parser *parser, struct slice *in)
{
	int rc = imap_take_run(parser, in, IMAP_CLASS_LINE);
	if (rc != 0 || in->len == 0)
		return rc;
	char c = in->data[0];
	take_byte(in);
	if (c == '\r')
		return 0;
	parser->response.text = imap_tree_token(parser);
	return imap_response_end(parser);
}

/* --- The parser ----------------------------------------------------------- */

static const imap_state_fn state_fns[IMAP_STATE_COUNT] = {
	[IMAP_AT_START] = at_start,
	[IMAP_IN_TAG] = in_tag,
	[IMAP_IN_NAME] = in_name,
	[IMAP_AT_CODE] = at_code,
	[IMAP_AT_TEXT] = at_text,
	[IMAP_IN_TEXT] = in_text,
	[IMAP_AT_ARG] = imap_at_arg,
	[IMAP_IN_ATOM] = imap_in_atom,
	[IMAP_IN_SECTION] = imap_in_section,
	[IMAP_IN_SECTION_QUOTE] = imap_in_section_quote,
	[IMAP_IN_QUOTED] = imap_in_quoted,
	[IMAP_IN_QUOTED_ESCAPE] = imap_in_quoted_escape,
	[IMAP_IN_SET] = imap_in_set,
	[IMAP_IN_LITERAL_KEPT] = imap_in_literal_kept,
	[IMAP_IN_LITERAL_STREAM] = imap_in_literal_stream,
};

struct imap_parser *imap_parser_new(const struct imap_parser_ops *ops, void *context)
{
	struct imap_parser *parser = xcalloc(1, sizeof(*parser));

	must(ops->response != NULL);
	parser->ops = ops;
	parser->context = context;
	begin_response(parser);
	return parser;
}

void imap_parser_free(struct imap_parser **parser)
{
	if (*parser == NULL)
		return;
	free((*parser)->text);
	free((*parser)->nodes);
	free(*parser);
	*parser = NULL;
}

/* Blanks, line ends and digits fill no arena, and could come for ever. */
static int count_bytes(struct imap_parser *parser, enum imap_special special, size_t len)
{
	if (special == IMAP_ORDINARY || special == IMAP_SPECIAL_FETCH) {
		parser->line_bytes += len;
		return parser->line_bytes > LINE_BYTES_MAX ? imap_line_is_long(parser) : 0;
	}
	parser->set_bytes += len;
	if (parser->set_bytes <= IMAP_SET_MAX)
		return 0;
	return error_set(&parser->err, SYNCD_ELIMIT, "the server sent a set of more than %d bytes",
			 IMAP_SET_MAX);
}

static int step(struct imap_parser *parser, struct slice *data)
{
	enum imap_special special = parser->special;
	enum imap_state state = parser->state;
	size_t len = data->len;

	int rc = state_fns[state](parser, data);
	if (rc != 0 || state == IMAP_IN_LITERAL_STREAM)
		return rc;
	return count_bytes(parser, special, len - data->len);
}

int imap_parser_feed(struct imap_parser *parser, struct slice data, struct error *err)
{
	int rc = 0;

	must(!parser->has_failed);
	parser->is_paused = false;
	while (data.len > 0 && rc == 0 && !parser->is_paused)
		rc = step(parser, &data);
	parser->unread = data.len;
	if (rc == 0)
		return 0;
	parser->has_failed = true;
	if (parser->err.code != 0 && err != NULL)
		*err = parser->err;
	return rc;
}

void imap_parser_pause(struct imap_parser *parser)
{
	parser->is_paused = true;
}

size_t imap_parser_unread(const struct imap_parser *parser)
{
	return parser->unread;
}
