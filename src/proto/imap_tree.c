/* The argument tree of one IMAP response: an arena of bounded size that is
 * used again for the next.
 * SPDX-License-Identifier: MIT */
#include "imap_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "syncd/alloc.h"

/* From these sizes on a response's memory is given back instead of kept. */
#define TEXT_KEPT_MAX (32 * 1024)
#define NODES_KEPT_MAX 512

void imap_tree_reset(struct imap_parser *parser)
{
	if (parser->text_len > TEXT_KEPT_MAX || parser->node_count > NODES_KEPT_MAX) {
		free(parser->text);
		free(parser->nodes);
		parser->text = NULL;
	}
	if (parser->text == NULL) {
		parser->text = xmalloc(IMAP_LINE_MAX);
		parser->nodes = xmalloc(IMAP_TREE_NODES_MAX * sizeof(*parser->nodes));
	}
	parser->text_len = 0;
	parser->node_count = 0;
	parser->depth = 0;
	parser->lists[0] = (struct imap_open_list){ 0 };
}

int imap_line_is_long(struct imap_parser *parser)
{
	return error_set(&parser->err, SYNCD_ELIMIT,
			 "a response of the server is longer than %d bytes", IMAP_LINE_MAX);
}

int imap_tree_text(struct imap_parser *parser, const char *data, size_t len)
{
	if (len > IMAP_LINE_MAX - parser->text_len)
		return imap_line_is_long(parser);
	memcpy(parser->text + parser->text_len, data, len);
	parser->text_len += len;
	return 0;
}

struct imap_arg *imap_tree_add(struct imap_parser *parser, enum imap_arg_kind kind,
			       struct slice text)
{
	struct imap_open_list *open = &parser->lists[parser->depth];

	if (parser->node_count == IMAP_TREE_NODES_MAX) {
		(void)error_set(&parser->err, SYNCD_ELIMIT,
				"a response of the server has more than %d arguments",
				IMAP_TREE_NODES_MAX);
		return NULL;
	}
	struct imap_arg *node = &parser->nodes[parser->node_count++];
	*node = (struct imap_arg){ .kind = kind, .text = text, .size = text.len };
	if (open->last != NULL)
		open->last->next = node;
	else
		open->first = node;
	if (open->last == NULL && open->list != NULL)
		open->list->child = node;
	open->last = node;
	return node;
}

int imap_tree_open(struct imap_parser *parser)
{
	if (parser->depth == IMAP_TREE_DEPTH_MAX)
		return error_set(&parser->err, SYNCD_ELIMIT,
				 "a response of the server has lists nested more than %d deep",
				 IMAP_TREE_DEPTH_MAX);
	struct imap_arg *list = imap_tree_add(parser, IMAP_LIST, (struct slice){ NULL, 0 });
	if (list == NULL)
		return SYNCD_ELIMIT;
	parser->lists[++parser->depth] = (struct imap_open_list){ .list = list };
	return 0;
}

bool imap_tree_close(struct imap_parser *parser)
{
	if (parser->depth == 0)
		return false;
	parser->depth--;
	return true;
}

struct slice imap_tree_token(const struct imap_parser *parser)
{
	return (struct slice){ parser->text + parser->token_at,
			       parser->text_len - parser->token_at };
}

bool imap_arg_number(const struct imap_arg *arg, uint64_t *value)
{
	uint64_t sum = 0;

	if (arg == NULL || arg->kind != IMAP_ATOM || arg->text.len == 0)
		return false;
	for (size_t i = 0; i < arg->text.len; i++) {
		if (arg->text.data[i] < '0' || arg->text.data[i] > '9')
			return false;
		unsigned digit = (unsigned)(arg->text.data[i] - '0');
		if (sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return true;
}

bool imap_arg_text(const struct imap_arg *arg, struct slice *text)
{
	if (arg == NULL || (arg->kind != IMAP_ATOM && arg->kind != IMAP_STRING))
		return false;
	*text = arg->text;
	return true;
}

bool imap_arg_is(const struct imap_arg *arg, const char *atom)
{
	return arg != NULL && arg->kind == IMAP_ATOM && slice_case_equals_str(arg->text, atom);
}
