/* What syncctl reads from the socket and shows: whatever a daemon says, the text has only lines,
 * nothing that could drive a terminal, and a line for each line there should be. The first byte
 * chooses colours and the width of the screen.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/ctl/connection.h"
#include "../../src/ctl/render.h"
#include "fuzz/fuzz.h"
#include "syncd/must.h"

#define INPUT_MAX 65536 /* less than a socket holds */

static const char *const colours[] = { "\033[32m", "\033[36m", "\033[33m", "\033[31m", "\033[0m" };

/* The length of the colour that stands there, or 0. */
static size_t colour_len(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(colours); i++) {
		if (strncmp(text, colours[i], strlen(colours[i])) == 0)
			return strlen(colours[i]);
	}
	return 0;
}

static void check_text(struct buf *text, bool has_colours)
{
	json_t *is_utf8 = json_stringn(buf_str(text), text->len);

	must(is_utf8 != NULL);
	json_decref(is_utf8);
	must(strlen(buf_str(text)) == text->len);
	for (const char *p = buf_str(text); *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		size_t colour = has_colours ? colour_len(p) : 0;
		if (colour > 0)
			p += colour - 1;
		else
			must(c == '\n' || (c >= 0x20 && c != 0x7f));
		must(c != 0xc2 || (unsigned char)p[1] >= 0xa0);
	}
	buf_reset(text);
}

static size_t count_lines(const struct buf *text)
{
	size_t count = 0;

	for (size_t i = 0; i < text->len; i++)
		count += text->data[i] == '\n';
	return count;
}

static void check_progress(const json_t *event, size_t columns, struct buf *text)
{
	struct render_progress progress = {
		.done = (uint64_t)json_integer_value(json_object_get(event, "done")),
		.total = (uint64_t)json_integer_value(json_object_get(event, "total")),
		.bytes = (uint64_t)json_integer_value(json_object_get(event, "bytes")),
		.elapsed_ms = (uint64_t)json_integer_value(json_object_get(event, "id")),
	};

	render_progress_text(&progress, columns, text);
	must(text->len <= columns);
	check_text(text, false);
}

static void check_message(const json_t *message, const struct render_options *options,
			  size_t columns)
{
	const json_t *result = json_object_get(message, "result");
	const json_t *event = json_object_get(message, "params");
	struct buf text;

	buf_init(&text, RENDER_MAX);
	render_status_text(result, options, &text);
	check_text(&text, options->has_colours);
	render_sync_text(result, &text);
	must(count_lines(&text) == 1);
	check_text(&text, false);
	render_plan_text(result, &text);
	must(count_lines(&text) == json_array_size(json_object_get(result, "actions")));
	check_text(&text, false);
	render_failures_text(result, "syncctl: ", &text);
	must(count_lines(&text) == json_array_size(json_object_get(result, "failures")));
	check_text(&text, false);
	render_event_text(event, options, &text);
	must(count_lines(&text) == 1);
	check_text(&text, options->has_colours);
	check_progress(event, columns, &text);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct connection connection;
	struct error err;
	json_t *message;
	int fds[2];

	if (size == 0 || size > INPUT_MAX)
		return 0;
	struct render_options options = { .has_colours = data[0] % 2 == 1, .now_s = 1700000000 };
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	must(send(fds[0], data + 1, size - 1, 0) == (ssize_t)size - 1);
	must(close(fds[0]) == 0);
	connection.fd = fds[1];
	buf_init(&connection.input, CONNECTION_LINE_MAX);
	while (connection_read(&connection, &message, &err) == 0) {
		check_message(message, &options, data[0]);
		json_decref(message);
	}
	must(err.code == SYNCD_ENET || err.code == SYNCD_EPROTO);
	connection_close(&connection);
	return 0;
}
