/* Byte-stuffing undone, chunk by chunk and without a copy.
 * SPDX-License-Identifier: MIT */
#include "syncd/dotstuff.h"

#include <string.h>

#define END 1

static void take(struct slice *in, size_t len)
{
	in->data += len;
	in->len -= len;
}

static int give(struct slice data, dot_reader_data callback, void *context)
{
	return data.len > 0 ? callback(context, data) : 0;
}

/* How far the message goes on without a line that begins with a dot. With bare LFs as line ends
 * only up to the first, which stays untaken. */
static size_t run_length(struct dot_reader *reader, struct slice in)
{
	size_t at = 0;
	bool is_behind_cr = reader->state == DOT_BEHIND_CR;
	const char *found;

	while (at < in.len && (found = memchr(in.data + at, '\n', in.len - at)) != NULL) {
		size_t newline = (size_t)(found - in.data);
		if (newline > 0)
			is_behind_cr = in.data[newline - 1] == '\r';
		if (!is_behind_cr && reader->ends_with_lf)
			return newline;
		at = newline + 1;
		if (is_behind_cr && (at == in.len || in.data[at] == '.')) {
			reader->state = DOT_AT_LINE;
			return at;
		}
	}
	if (in.len > 0)
		reader->state = in.data[in.len - 1] == '\r' ? DOT_BEHIND_CR : DOT_IN_LINE;
	return in.len;
}

/* Inside of lines, or where one begins that has no dot. */
static int read_lines(struct dot_reader *reader, struct slice *in, dot_reader_data data,
		      void *context)
{
	size_t len = run_length(reader, *in);
	int rc = give((struct slice){ in->data, len }, data, context);
	bool is_bare = rc == 0 && len < in->len && reader->state != DOT_AT_LINE;

	take(in, len);
	if (!is_bare)
		return rc;
	take(in, 1);
	reader->state = DOT_AT_LINE;
	return give(SLICE_LITERAL("\r\n"), data, context);
}

/* Behind a dot that begins a line: the end, or it is dropped. */
static int read_dot(struct dot_reader *reader, struct slice *in)
{
	if (in->data[0] == '\r') {
		reader->state = DOT_AT_CR;
		take(in, 1);
		return 0;
	}
	reader->state = DOT_IN_LINE;
	if (in->data[0] != '\n' || !reader->ends_with_lf)
		return 0;
	take(in, 1);
	return END;
}

static int read_dot_cr(struct dot_reader *reader, struct slice *in, dot_reader_data data,
		       void *context)
{
	if (in->data[0] == '\n') {
		take(in, 1);
		return END;
	}
	reader->state = DOT_BEHIND_CR;
	return give(SLICE_LITERAL("\r"), data, context);
}

int dot_reader_feed(struct dot_reader *reader, struct slice *in, dot_reader_data data,
		    void *context)
{
	int rc = 0;

	while (rc == 0 && in->len > 0) {
		switch (reader->state) {
		case DOT_AT_LINE:
			reader->state = in->data[0] == '.' ? DOT_AT_DOT : DOT_IN_LINE;
			if (reader->state == DOT_AT_DOT)
				take(in, 1);
			break;
		case DOT_AT_DOT:
			rc = read_dot(reader, in);
			break;
		case DOT_AT_CR:
			rc = read_dot_cr(reader, in, data, context);
			break;
		case DOT_IN_LINE:
		case DOT_BEHIND_CR:
			rc = read_lines(reader, in, data, context);
			break;
		}
	}
	return rc;
}
