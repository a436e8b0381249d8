/* The IMAP parser's events as text.
 * SPDX-License-Identifier: MIT */
#include "support/imap_events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void render_slice(struct buf *out, struct slice text)
{
	must(buf_add(out, text.data, text.len) == 0);
}

static void render_args(struct buf *out, const struct imap_arg *arg)
{
	for (; arg != NULL; arg = arg->next) {
		if (arg->kind == IMAP_NIL) {
			(void)buf_add_str(out, "nil");
		} else if (arg->kind == IMAP_ATOM) {
			render_slice(out, arg->text);
		} else if (arg->kind == IMAP_STRING) {
			(void)buf_add_char(out, '\'');
			render_slice(out, arg->text);
			(void)buf_add_char(out, '\'');
		} else if (arg->kind == IMAP_STREAMED) {
			(void)buf_printf(out, "~%" PRIu64, arg->size);
		} else {
			(void)buf_add_char(out, '(');
			render_args(out, arg->child);
			(void)buf_add_char(out, ')');
		}
		if (arg->next != NULL)
			(void)buf_add_char(out, ' ');
	}
}

static int on_response(void *context, const struct imap_response *response)
{
	static const char *const conditions[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };
	struct imap_events *events = context;
	struct buf *out = &events->text;

	events->responses++;
	if (response->is_damaged) {
		events->damaged++;
		(void)buf_add_char(out, '!');
	}
	if (response->tag.len > 0) {
		render_slice(out, response->tag);
		(void)buf_add_char(out, ' ');
	}
	if (response->has_number)
		(void)buf_printf(out, "%" PRIu32 " ", response->number);
	if (response->kind == IMAP_UNTAGGED) {
		render_slice(out, response->name);
		(void)buf_add_char(out, '{');
		render_args(out, response->args);
		(void)buf_add_char(out, '}');
	} else {
		(void)buf_add_str(out, response->kind == IMAP_CONTINUATION
					       ? "+"
					       : conditions[response->condition]);
		(void)buf_add_char(out, '[');
		render_slice(out, response->code);
		(void)buf_add_char(out, ':');
		render_args(out, response->code_args);
		(void)buf_add_char(out, ']');
		render_slice(out, response->text);
	}
	(void)buf_add_char(out, '\n');
	return events->fail_with;
}

static int on_literal_begin(void *context, uint32_t sequence, uint32_t uid, struct slice section,
			    uint64_t size_bytes)
{
	struct imap_events *events = context;

	if (!events->is_streaming)
		return 0;
	(void)buf_printf(&events->text, "<%" PRIu32 " %" PRIu32 " ", sequence, uid);
	render_slice(&events->text, section);
	(void)buf_printf(&events->text, " %" PRIu64 ":", size_bytes);
	return 1;
}

static int on_literal_data(void *context, struct slice data)
{
	struct imap_events *events = context;

	must(data.len > 0);
	render_slice(&events->text, data);
	return 0;
}

static int on_literal_end(void *context)
{
	struct imap_events *events = context;

	return buf_add_str(&events->text, ">");
}

static int on_range(void *context, const char *name, uint32_t low, uint32_t high)
{
	struct imap_events *events = context;

	must(low <= high && low > 0);
	return buf_printf(&events->text, "%s=%" PRIu32 ":%" PRIu32 " ", name, low, high);
}

const struct imap_parser_ops imap_events_ops = {
	.response = on_response,
	.literal_begin = on_literal_begin,
	.literal_data = on_literal_data,
	.literal_end = on_literal_end,
	.range = on_range,
};

/* Feeds `data` with cuts behind the first `first` bytes and then every `step`
 * bytes (0: none). Every piece is a block of its own for the sanitizers. */
int imap_events_feed(struct imap_events *events, struct slice data, size_t first, size_t step,
		     struct error *err)
{
	struct imap_parser *parser = imap_parser_new(&imap_events_ops, events);
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

void imap_events_init(struct imap_events *events, bool is_streaming)
{
	*events = (struct imap_events){ .is_streaming = is_streaming };
	buf_init(&events->text, IMAP_EVENTS_MAX);
}

void imap_events_free(struct imap_events *events)
{
	buf_free(&events->text);
}
