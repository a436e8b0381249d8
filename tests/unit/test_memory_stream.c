/* Tests that the tests' in-memory stream keeps the contract of stream.h.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/memory_stream.h"
#include "support/stream_sink.h"
#include "syncd/alloc.h"

struct fixture {
	struct loop *loop;
	struct memory_stream *memory;
	struct stream_sink sink;
};

static int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->loop = loop_new_fake();
	f->memory = memory_stream_new(f->loop);
	stream_sink_init(&f->sink, memory_stream_stream(f->memory));
	*state = f;
	return 0;
}

static int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	if (f->sink.stream != NULL && !memory_stream_is_closed(f->memory))
		stream_close(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	stream_sink_free(&f->sink);
	memory_stream_free(&f->memory);
	loop_free(&f->loop);
	free(f);
	return 0;
}

static void pushed_bytes_arrive_later_and_only_while_reading(void **state)
{
	struct fixture *f = *state;

	memory_stream_push_str(f->memory, "abc");
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 0);
	stream_read_start(f->sink.stream);
	assert_int_equal(f->sink.data_calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "abc");
}

static void split_makes_every_piece_an_event(void **state)
{
	struct fixture *f = *state;

	memory_stream_set_split(f->memory, 1);
	stream_read_start(f->sink.stream);
	memory_stream_push_str(f->memory, "abcd");
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 4);
	assert_string_equal(buf_str(&f->sink.data), "abcd");
}

static void stop_reading(struct stream_sink *sink)
{
	if (sink->stream != NULL)
		stream_read_stop(sink->stream);
}

static void read_stop_inside_data_holds_the_next_piece(void **state)
{
	struct fixture *f = *state;

	memory_stream_set_split(f->memory, 2);
	f->sink.on_event = stop_reading;
	stream_read_start(f->sink.stream);
	memory_stream_push_str(f->memory, "abcd");
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "ab");
	stream_read_start(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "abcd");
}

static void break_comes_behind_the_bytes_pushed_before(void **state)
{
	struct fixture *f = *state;

	stream_read_start(f->sink.stream);
	memory_stream_push_str(f->memory, "bye");
	memory_stream_break(f->memory, SYNCD_ENET, "cut", false);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "bye");
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_ENET);
	assert_int_equal(stream_write(f->sink.stream, SLICE_LITERAL("x")), STREAM_OK);
	assert_int_equal(memory_stream_written(f->memory).len, 0);
}

static void break_that_drops_needs_no_reader(void **state)
{
	struct fixture *f = *state;

	memory_stream_push_str(f->memory, "lost");
	memory_stream_break(f->memory, SYNCD_ENET, "cut", true);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 0);
	assert_int_equal(f->sink.broken_calls, 1);
}

static void blocked_writes_report_full_then_drained_once(void **state)
{
	struct fixture *f = *state;
	static char block[STREAM_HIGH_WATER];

	memory_stream_set_blocked(f->memory, true);
	assert_int_equal(stream_write(f->sink.stream, SLICE_LITERAL("x")), STREAM_OK);
	assert_int_equal(stream_write(f->sink.stream, (struct slice){ block, sizeof(block) }),
			 STREAM_FULL);
	assert_int_equal(stream_unsent(f->sink.stream), sizeof(block) + 1);
	memory_stream_set_blocked(f->memory, false);
	assert_int_equal(f->sink.drained_calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.drained_calls, 1);
	assert_int_equal(stream_unsent(f->sink.stream), 0);
}

static void close_is_followed_by_closed_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	stream_read_start(f->sink.stream);
	memory_stream_push_str(f->memory, "late");
	stream_close(f->sink.stream);
	assert_int_equal(f->sink.closed_calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.closed_calls, 1);
	assert_int_equal(f->sink.data_calls, 0);
}

static void answer_hello(struct memory_stream *memory, void *context)
{
	int *calls = context;

	(*calls)++;
	if (!slice_equals_str(memory_stream_written(memory), "hello"))
		return;
	memory_stream_consume(memory, 5);
	memory_stream_push_str(memory, "world");
}

static void peer_answers_what_was_written(void **state)
{
	struct fixture *f = *state;
	int calls = 0;

	memory_stream_set_peer(f->memory, answer_hello, &calls);
	stream_read_start(f->sink.stream);
	(void)stream_write(f->sink.stream, SLICE_LITERAL("hel"));
	(void)stream_write(f->sink.stream, SLICE_LITERAL("lo"));
	assert_int_equal(calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(calls, 1);
	assert_string_equal(buf_str(&f->sink.data), "world");
	stream_close(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(calls, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pushed_bytes_arrive_later_and_only_while_reading),
		CASE(split_makes_every_piece_an_event),
		CASE(read_stop_inside_data_holds_the_next_piece),
		CASE(break_comes_behind_the_bytes_pushed_before),
		CASE(break_that_drops_needs_no_reader),
		CASE(blocked_writes_report_full_then_drained_once),
		CASE(close_is_followed_by_closed_and_nothing_else),
		CASE(peer_answers_what_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
