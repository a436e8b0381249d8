/* The parts of IMAP responses that may be larger than any line: literals and
 * sets of numbers.
 * SPDX-License-Identifier: MIT */
#include "imap_internal.h"

#include <inttypes.h>

#include "syncd/must.h"

/* --- Sets ----------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool imap_set_starts(const struct imap_parser *parser, char c)
{
	if (parser->depth != 0 || !is_digit(c))
		return false;
	if (parser->special == IMAP_SPECIAL_ESEARCH)
		return imap_arg_is(parser->lists[0].last, "ALL");
	return parser->special == IMAP_SPECIAL_SEARCH || parser->special == IMAP_SPECIAL_VANISHED;
}

void imap_set_begin(struct imap_parser *parser)
{
	parser->element = (struct imap_set_element){ 0 };
	parser->state = IMAP_IN_SET;
}

static const char *set_name(const struct imap_parser *parser)
{
	const struct imap_arg *first = parser->lists[0].first;

	if (parser->special == IMAP_SPECIAL_SEARCH)
		return "SEARCH";
	if (parser->special == IMAP_SPECIAL_ESEARCH)
		return "ESEARCH";
	/* RFC 7162 §3.2.10: (EARLIER) marks what vanished before this session. */
	if (first != NULL && first->kind == IMAP_LIST && imap_arg_is(first->child, "EARLIER"))
		return "VANISHED (EARLIER)";
	return "VANISHED";
}

/* Gives the element to the callback and starts the next. */
static int finish_element(struct imap_parser *parser)
{
	struct imap_set_element element = parser->element;

	parser->element = (struct imap_set_element){ 0 };
	uint64_t low = element.has_low ? element.low : element.value;
	uint64_t high = element.value;
	if (element.is_bad || !element.has_digits || low == 0 || high == 0) {
		parser->response.is_damaged = true;
		return 0;
	}
	if (parser->ops->range == NULL)
		return 0;
	/* RFC 3501 §9, seq-range: the two ends may come in either order. */
	return parser->ops->range(parser->context, set_name(parser),
				  (uint32_t)(low < high ? low : high),
				  (uint32_t)(low < high ? high : low));
}

static void element_byte(struct imap_set_element *element, char c)
{
	if (is_digit(c)) {
		element->has_digits = true;
		element->value = element->value * 10 + (unsigned)(c - '0');
		if (element->value > UINT32_MAX) {
			element->is_bad = true;
			element->value = 0;
		}
	} else if (c == ':' && element->has_digits && !element->has_low) {
		element->has_low = true;
		element->has_digits = false;
		element->low = element->value;
		element->value = 0;
	} else {
		element->is_bad = true;
	}
}

int imap_in_set(struct imap_parser *parser, struct slice *in)
{
	char c = in->data[0];

	if (c == ' ' || c == '\t' || c == '\n' || c == '(' || c == ')' || c == '"') {
		parser->state = IMAP_AT_ARG;
		return finish_element(parser);
	}
	in->data++;
	in->len--;
	if (c == ',')
		return finish_element(parser);
	if (c != '\r')
		element_byte(&parser->element, c);
	return 0;
}

/* --- Literals ------------------------------------------------------------- */

/* Reads "{n}", "{n+}", "{n-}" or those behind "~" from the token's end: RFC 3501 §4.3, RFC 7888,
 * RFC 3516. *prefix_len is what stands before it: an atom whose space is missing. */
static bool literal_announced(struct slice token, size_t *prefix_len, struct slice *digits)
{
	size_t end = token.len;

	if (end < 3 || token.data[end - 1] != '}')
		return false;
	end--;
	if (token.data[end - 1] == '+' || token.data[end - 1] == '-')
		end--;
	size_t at = end;
	while (at > 0 && is_digit(token.data[at - 1]))
		at--;
	if (at == end || at == 0 || token.data[at - 1] != '{')
		return false;
	*digits = (struct slice){ token.data + at, end - at };
	at--;
	if (at > 0 && token.data[at - 1] == '~')
		at--;
	*prefix_len = at;
	return true;
}

/* The UID that a FETCH response has named so far, or 0. */
static uint32_t uid_so_far(const struct imap_parser *parser)
{
	uint64_t uid = 0;

	for (const struct imap_arg *arg = parser->lists[1].first; arg != NULL; arg = arg->next)
		if (imap_arg_is(arg, "UID") && imap_arg_number(arg->next, &uid) &&
		    uid <= UINT32_MAX)
			return (uint32_t)uid;
	return 0;
}

/* Asks who gets the literal: 1 streamed, 0 kept, or negative. */
static int ask_for_literal(struct imap_parser *parser, uint64_t size)
{
	const struct imap_arg *before = parser->lists[parser->depth].last;
	struct slice section = { "", 0 };

	if (parser->ops->literal_begin == NULL || parser->special != IMAP_SPECIAL_FETCH ||
	    parser->depth == 0)
		return 0;
	if (before != NULL && before->kind == IMAP_ATOM)
		section = before->text;
	return parser->ops->literal_begin(parser->context, parser->response.number,
					  uid_so_far(parser), section, size);
}

static int end_streamed(struct imap_parser *parser)
{
	parser->state = IMAP_AT_ARG;
	return parser->ops->literal_end(parser->context);
}

static int end_kept(struct imap_parser *parser)
{
	parser->state = IMAP_AT_ARG;
	return imap_tree_add(parser, IMAP_STRING, imap_tree_token(parser)) != NULL ? 0
										   : SYNCD_ELIMIT;
}

static int begin_literal(struct imap_parser *parser, uint64_t size)
{
	if (size > IMAP_LITERAL_MAX)
		return error_set(&parser->err, SYNCD_ELIMIT,
				 "the server announced a literal of %" PRIu64 " bytes", size);
	int answer = ask_for_literal(parser, size);
	if (answer < 0)
		return answer;
	parser->literal_left = size;
	parser->token_at = parser->text_len;
	if (answer == 0) {
		if (size > IMAP_LITERAL_TREE_MAX)
			return error_set(&parser->err, SYNCD_ELIMIT,
					 "the server sent a literal of more than %d bytes "
					 "where none may be that large",
					 IMAP_LITERAL_TREE_MAX);
		parser->state = IMAP_IN_LITERAL_KEPT;
		return size == 0 ? end_kept(parser) : 0;
	}
	must(parser->ops->literal_data != NULL && parser->ops->literal_end != NULL);
	struct imap_arg *node = imap_tree_add(parser, IMAP_STREAMED, (struct slice){ NULL, 0 });
	if (node == NULL)
		return SYNCD_ELIMIT;
	node->size = size;
	parser->state = IMAP_IN_LITERAL_STREAM;
	return size == 0 ? end_streamed(parser) : 0;
}

int imap_literal_check(struct imap_parser *parser, bool *is_literal)
{
	size_t prefix_len = 0;
	struct slice digits;
	uint64_t size = 0;

	*is_literal = !parser->is_in_code &&
		      literal_announced(imap_tree_token(parser), &prefix_len, &digits);
	if (!*is_literal)
		return 0;
	if (!imap_arg_number(&(struct imap_arg){ .kind = IMAP_ATOM, .text = digits }, &size))
		return error_set(&parser->err, SYNCD_ELIMIT,
				 "the server announced a literal of more than 2^64 bytes");
	parser->text_len = parser->token_at + prefix_len;
	if (prefix_len > 0 && imap_tree_add(parser, IMAP_ATOM, imap_tree_token(parser)) == NULL)
		return SYNCD_ELIMIT;
	return begin_literal(parser, size);
}

/* Takes what `in` has of the literal. */
static struct slice take_literal(struct imap_parser *parser, struct slice *in)
{
	struct slice part = *in;

	if (part.len > parser->literal_left)
		part.len = (size_t)parser->literal_left;
	parser->literal_left -= part.len;
	in->data += part.len;
	in->len -= part.len;
	return part;
}

int imap_in_literal_kept(struct imap_parser *parser, struct slice *in)
{
	struct slice part = take_literal(parser, in);

	int rc = imap_tree_text(parser, part.data, part.len);
	if (rc != 0)
		return rc;
	return parser->literal_left == 0 ? end_kept(parser) : 0;
}

int imap_in_literal_stream(struct imap_parser *parser, struct slice *in)
{
	struct slice part = take_literal(parser, in);

	int rc = parser->ops->literal_data(parser->context, part);
	if (rc != 0)
		return rc;
	return parser->literal_left == 0 ? end_streamed(parser) : 0;
}
