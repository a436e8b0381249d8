/* The IMAP parser's events as text.
 * SPDX-License-Identifier: MIT */
#include "support/imap_trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void trace_slice(struct buf *out, struct slice text)
{
	must(buf_add(out, text.data, text.len) == 0);
}

static void trace_args(struct buf *out, const struct imap_arg *arg)
{
	for (; arg != NULL; arg = arg->next) {
		if (arg->kind == IMAP_NIL) {
			(void)buf_add_str(out, "nil");
		} else if (arg->kind == IMAP_ATOM) {
			trace_slice(out, arg->text);
		} else if (arg->kind == IMAP_STRING) {
			(void)buf_add_char(out, '\'');
			trace_slice(out, arg->text);
			(void)buf_add_char(out, '\'');
		} else if (arg->kind == IMAP_STREAMED) {
			(void)buf_printf(out, "~%" PRIu64, arg->size);
		} else {
			(void)buf_add_char(out, '(');
			trace_args(out, arg->child);
			(void)buf_add_char(out, ')');
		}
		if (arg->next != NULL)
			(void)buf_add_char(out, ' ');
	}
}

static int on_response(void *context, const struct imap_response *response)
{
	static const char *const conditions[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };
	struct imap_trace *trace = context;
	struct buf *out = &trace->text;

	trace->responses++;
	if (response->is_damaged) {
		trace->damaged++;
		(void)buf_add_char(out, '!');
	}
	if (response->tag.len > 0) {
		trace_slice(out, response->tag);
		(void)buf_add_char(out, ' ');
	}
	if (response->has_number)
		(void)buf_printf(out, "%" PRIu32 " ", response->number);
	if (response->kind == IMAP_UNTAGGED) {
		trace_slice(out, response->name);
		(void)buf_add_char(out, '{');
		trace_args(out, response->args);
		(void)buf_add_char(out, '}');
	} else {
		(void)buf_add_str(out, response->kind == IMAP_CONTINUATION
					       ? "+"
					       : conditions[response->condition]);
		(void)buf_add_char(out, '[');
		trace_slice(out, response->code);
		(void)buf_add_char(out, ':');
		trace_args(out, response->code_args);
		(void)buf_add_char(out, ']');
		trace_slice(out, response->text);
	}
	(void)buf_add_char(out, '\n');
	return trace->fail_with;
}

static int on_literal_begin(void *context, uint32_t sequence, uint32_t uid, struct slice section,
			    uint64_t size_bytes)
{
	struct imap_trace *trace = context;

	if (!trace->is_streaming)
		return 0;
	(void)buf_printf(&trace->text, "<%" PRIu32 " %" PRIu32 " ", sequence, uid);
	trace_slice(&trace->text, section);
	(void)buf_printf(&trace->text, " %" PRIu64 ":", size_bytes);
	return 1;
}

static int on_literal_data(void *context, struct slice data)
{
	struct imap_trace *trace = context;

	must(data.len > 0);
	trace_slice(&trace->text, data);
	return 0;
}

static int on_literal_end(void *context)
{
	struct imap_trace *trace = context;

	return buf_add_str(&trace->text, ">");
}

static int on_range(void *context, const char *name, uint32_t low, uint32_t high)
{
	struct imap_trace *trace = context;

	must(low <= high && low > 0);
	return buf_printf(&trace->text, "%s=%" PRIu32 ":%" PRIu32 " ", name, low, high);
}

const struct imap_parser_ops imap_trace_ops = {
	.response = on_response,
	.literal_begin = on_literal_begin,
	.literal_data = on_literal_data,
	.literal_end = on_literal_end,
	.range = on_range,
};

/* Feeds `data` with cuts behind the first `first` bytes and then every `step`
 * bytes (0: none). Every piece is a block of its own for the sanitizers. */
int imap_trace_feed(struct imap_trace *trace, struct slice data, size_t first, size_t step,
		    struct error *err)
{
	struct imap_parser *parser = imap_parser_new(&imap_trace_ops, trace);
	size_t next = first > 0 ? first : data.len;
	int rc = 0;

	while (rc == 0 && data.len > 0) {
		size_t len = next < data.len ? next : data.len;
		char *piece = xmalloc(len);
		memcpy(piece, data.data, len);
		rc = imap_parser_feed(parser, (struct slice){ piece, len }, err);
		free(piece);
		data.data += len;
		data.len -= len;
		next = step > 0 ? step : data.len;
	}
	imap_parser_free(&parser);
	return rc;
}

void imap_trace_init(struct imap_trace *trace, bool is_streaming)
{
	*trace = (struct imap_trace){ .is_streaming = is_streaming };
	buf_init(&trace->text, IMAP_TRACE_MAX);
}

void imap_trace_free(struct imap_trace *trace)
{
	buf_free(&trace->text);
}
