/* POP3 responses from bytes: status lines, lines up to a lone dot, messages.
 * SPDX-License-Identifier: MIT */
#include "syncd/pop3_parser.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/dotstuff.h"
#include "syncd/must.h"

struct pop3_parser {
	const struct pop3_parser_ops *ops;
	void *context;
	enum pop3_follows expected;
	struct buf line;   /* the beginning of one whose end has not come */
	bool ends_with_lf; /* the last line did, without CR */
	struct dot_reader reader;
	bool is_paused;
	size_t unread;
	struct error err;
};

struct pop3_parser *pop3_parser_new(const struct pop3_parser_ops *ops, void *context)
{
	struct pop3_parser *parser = xcalloc(1, sizeof(*parser));

	parser->ops = ops;
	parser->context = context;
	buf_init(&parser->line, POP3_LINE_MAX);
	return parser;
}

void pop3_parser_free(struct pop3_parser **parser)
{
	if (*parser == NULL)
		return;
	buf_free(&(*parser)->line);
	free(*parser);
	*parser = NULL;
}

/* --- Lines ------------------------------------------------------------------ */

/* Keeps what has come of a line. */
static int keep(struct pop3_parser *parser, struct slice part)
{
	if (buf_add(&parser->line, part.data, part.len) == 0)
		return 0;
	return error_set(&parser->err, SYNCD_ELIMIT, "the server sent a line of more than %d bytes",
			 POP3_LINE_MAX);
}

/* Takes a line off `in`, without its end: 1, or 0 when it has not ended yet, or negative. */
static int take_line(struct pop3_parser *parser, struct slice *in, struct slice *line)
{
	const char *newline = memchr(in->data, '\n', in->len);
	struct slice part = { in->data, newline != NULL ? (size_t)(newline - in->data) : in->len };
	size_t taken = newline != NULL ? part.len + 1 : part.len;
	int rc = 0;

	/* In one piece, as most are, it is not copied. */
	if (newline == NULL || parser->line.len > 0 || part.len > POP3_LINE_MAX)
		rc = keep(parser, part);
	in->data += taken;
	in->len -= taken;
	if (rc < 0 || newline == NULL)
		return rc;
	*line = parser->line.len > 0 ? buf_slice(&parser->line) : part;
	parser->ends_with_lf = line->len == 0 || line->data[line->len - 1] != '\r';
	if (!parser->ends_with_lf)
		line->len--;
	return 1;
}

static int read_status(struct pop3_parser *parser, struct slice line)
{
	struct pop3_status status;

	if (!pop3_line_status(line, &status))
		return error_set(&parser->err, SYNCD_EPROTO,
				 "the server's answer begins with neither +OK nor -ERR");
	int follows = parser->ops->status(parser->context, &status);
	if (follows < 0)
		return follows;
	parser->expected = (enum pop3_follows)follows;
	parser->reader = (struct dot_reader){ .ends_with_lf = parser->ends_with_lf };
	return 0;
}

static int end_response(struct pop3_parser *parser)
{
	parser->expected = POP3_FOLLOWS_STATUS;
	return parser->ops->end(parser->context);
}

static int read_one_line(struct pop3_parser *parser, struct slice line)
{
	if (slice_equals_str(line, "."))
		return end_response(parser);
	if (line.len > 0 && line.data[0] == '.') {
		line.data++;
		line.len--;
	}
	return parser->ops->line(parser->context, line);
}

static int read_line(struct pop3_parser *parser, struct slice *in)
{
	struct slice line = { "", 0 };
	int rc = take_line(parser, in, &line);

	if (rc <= 0)
		return rc;
	rc = parser->expected == POP3_FOLLOWS_STATUS ? read_status(parser, line)
						     : read_one_line(parser, line);
	buf_reset(&parser->line);
	return rc;
}

/* --- Messages ------------------------------------------------------------------- */

static int read_message(struct pop3_parser *parser, struct slice *in)
{
	int rc = dot_reader_feed(&parser->reader, in, parser->ops->data, parser->context);

	return rc > 0 ? end_response(parser) : rc;
}

int pop3_parser_feed(struct pop3_parser *parser, struct slice data, struct error *err)
{
	int rc = 0;

	parser->is_paused = false;
	error_clear(&parser->err);
	while (rc == 0 && data.len > 0 && !parser->is_paused)
		rc = parser->expected == POP3_FOLLOWS_MESSAGE ? read_message(parser, &data)
							      : read_line(parser, &data);
	parser->unread = data.len;
	if (parser->err.code != 0)
		*err = parser->err;
	return rc;
}

void pop3_parser_pause(struct pop3_parser *parser)
{
	parser->is_paused = true;
}

size_t pop3_parser_unread(const struct pop3_parser *parser)
{
	return parser->unread;
}
