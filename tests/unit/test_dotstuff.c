/* Byte-stuffing undone: each case whole, byte by byte and cut at each position.
 * SPDX-License-Identifier: MIT */
#include "syncd/dotstuff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/alloc.h"
#include "syncd/error.h"
#include "syncd/must.h"

struct reader_case {
	const char *sent;
	bool ends_with_lf;
	const char *message;
	const char *rest; /* behind the end; NULL: it has not come */
};

static const struct reader_case cases[] = {
	{ ".\r\n", false, "", "" },
	{ "a\r\n.\r\n", false, "a\r\n", "" },
	{ "a\r\nb\r\n.\r\n+OK\r\n", false, "a\r\nb\r\n", "+OK\r\n" },
	{ "..\r\n.\r\n", false, ".\r\n", "" },
	{ "...\r\n..a\r\n.\r\n", false, "..\r\n.a\r\n", "" },
	{ "a.\r\n.b.\r\n.\r\n", false, "a.\r\nb.\r\n", "" },
	{ "\r\n\r\n.\r\n", false, "\r\n\r\n", "" },
	/* A CR that is no line's end. */
	{ "a\rb\r\r\n.\r\n", false, "a\rb\r\r\n", "" },
	{ ".\rb\r\n.\r\n", false, "\rb\r\n", "" },
	{ ".\r\r\n.\r\n", false, "\r\r\n", "" },
	/* Nor is a bare LF: what follows is not looked at, or a message could end itself. */
	{ "a\n.\nb\r\n.\r\n", false, "a\n.\nb\r\n", "" },
	{ "a\n.\r\nb\r\n.\r\n", false, "a\n.\r\nb\r\n", "" },
	{ "a\n..b\r\n.\r\n", false, "a\n..b\r\n", "" },
	{ ".\n\r\n.\r\n", false, "\n\r\n", "" },
	{ "\n\r\n.\r\n", false, "\n\r\n", "" },
	{ "a\r\n.\n", false, "a\r\n\n", NULL },
	/* No end yet. */
	{ "a\r\n", false, "a\r\n", NULL },
	{ "a\r\n.", false, "a\r\n", NULL },
	{ "a\r\n.\r", false, "a\r\n", NULL },
	{ "a.\r\n", false, "a.\r\n", NULL },
	/* A server that ends its lines with LF. */
	{ "a\nb\n.\n+OK\n", true, "a\r\nb\r\n", "+OK\n" },
	{ "\n\n..\n..c\n.\n", true, "\r\n\r\n.\r\n.c\r\n", "" },
	{ "a\r\nb\n.\r\n", true, "a\r\nb\r\n", "" },
	{ ".\n", true, "", "" },
	{ "a\rb\n.\n", true, "a\rb\r\n", "" },
};

struct gathered {
	struct buf text;
	size_t calls;
	size_t stop_at; /* the call that stops it; 0: none */
};

static int gather(void *context, struct slice data)
{
	struct gathered *gathered = context;

	assert_true(data.len > 0);
	assert_int_equal(buf_add(&gathered->text, data.data, data.len), 0);
	return ++gathered->calls == gathered->stop_at ? SYNCD_ECANCELLED : 0;
}

/* Feeds a piece in a block of its own; the reader's answer, and what it left. */
static int feed_piece(struct dot_reader *reader, struct slice piece, struct gathered *gathered,
		      size_t *left)
{
	char *copy = xmalloc(piece.len);

	memcpy(copy, piece.data, piece.len);
	struct slice in = { copy, piece.len };
	int rc = dot_reader_feed(reader, &in, gather, gathered);
	*left = in.len;
	free(copy);
	return rc;
}

static void check_case(const struct reader_case *c, size_t first, size_t step)
{
	struct dot_reader reader = { .ends_with_lf = c->ends_with_lf };
	struct gathered gathered = { .calls = 0 };
	struct slice rest = slice_of(c->sent);
	size_t next = first;
	int rc = 0;

	buf_init(&gathered.text, 4096);
	while (rc == 0 && rest.len > 0) {
		size_t left;
		size_t len = next < rest.len ? next : rest.len;
		rc = feed_piece(&reader, (struct slice){ rest.data, len }, &gathered, &left);
		rest.data += len - left;
		rest.len -= len - left;
		next = step;
	}
	assert_string_equal(buf_str(&gathered.text), c->message);
	assert_int_equal(rc, c->rest != NULL);
	if (c->rest != NULL)
		assert_true(slice_equals_str(rest, c->rest));
	buf_free(&gathered.text);
}

static void messages_are_read_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].sent);
		print_message("  %zu\n", i);
		for (size_t first = 1; first <= len; first++) {
			check_case(&cases[i], first, len);
			check_case(&cases[i], first, 1);
		}
	}
}

static void lines_without_dots_come_in_one_piece(void **state)
{
	struct dot_reader reader = { .ends_with_lf = false };
	struct gathered gathered = { .calls = 0 };
	size_t left;

	(void)state;
	buf_init(&gathered.text, 4096);
	assert_int_equal(
		feed_piece(&reader, SLICE_LITERAL("a\r\nb\r\nc\r\n.\r\n"), &gathered, &left), 1);
	assert_int_equal(gathered.calls, 1);
	buf_free(&gathered.text);
}

static void callbacks_code_stops_the_reader(void **state)
{
	struct dot_reader reader = { .ends_with_lf = false };
	struct gathered gathered = { .stop_at = 1 };
	size_t left;

	(void)state;
	buf_init(&gathered.text, 4096);
	assert_int_equal(feed_piece(&reader, SLICE_LITERAL("a\r\n..b\r\n.\r\n"), &gathered, &left),
			 SYNCD_ECANCELLED);
	assert_string_equal(buf_str(&gathered.text), "a\r\n");
	buf_free(&gathered.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_read_however_they_are_cut),
		cmocka_unit_test(lines_without_dots_come_in_one_piece),
		cmocka_unit_test(callbacks_code_stops_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
