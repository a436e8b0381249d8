/* Tests of the DEFLATE layer: zlib's other side behind a scripted stream on a
 * fake loop, so that every byte and turn is the test's.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/deflate_peer.h"
#include "support/memory_stream.h"
#include "support/stream_sink.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/net.h"

#define SOCKET_DELIVERY 65536 /* the most that a socket brings at once */
#define TURN_MAX (272 * 1024) /* a turn's limit, and the chunk that passed it */
#define BOMB_SIZE (32 * 1024 * 1024)
#define LARGE_SIZE (3 * 1024 * 1024)

struct fixture {
	struct loop *loop;
	struct memory_stream *memory;
	struct stream *stream;
	struct stream_sink sink;
	struct deflate_peer peer;
	struct buf wire;     /* encoded by the peer, or taken from what was written */
	struct buf received; /* by the peer */
	struct loop_defer turn;
	size_t seen;     /* bytes that had come by the last turn */
	size_t most;     /* that came in one turn */
	size_t stops_at; /* from so many bytes on the user wants no more; 0: never */
};

static int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->loop = loop_new_fake();
	f->memory = memory_stream_new(f->loop);
	memory_stream_set_split(f->memory, SOCKET_DELIVERY);
	deflate_peer_init(&f->peer);
	buf_init(&f->wire, MEMORY_STREAM_MAX);
	buf_init(&f->received, MEMORY_STREAM_MAX);
	*state = f;
	return 0;
}

static void open_with(struct fixture *f, struct slice unread)
{
	f->stream = net_compress(f->loop, memory_stream_stream(f->memory), unread);
	stream_sink_init(&f->sink, f->stream);
	f->sink.context = f;
}

static void open_stream(struct fixture *f)
{
	open_with(f, SLICE_LITERAL(""));
}

static void open_reading(struct fixture *f)
{
	open_stream(f);
	stream_read_start(f->stream);
}

static int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	loop_defer_cancel(&f->turn);
	f->sink.on_event = NULL;
	if (f->sink.stream != NULL)
		stream_close(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.closed_calls, 1);
	stream_sink_free(&f->sink);
	memory_stream_free(&f->memory);
	loop_free(&f->loop);
	deflate_peer_free(&f->peer);
	buf_free(&f->wire);
	buf_free(&f->received);
	free(f);
	return 0;
}

static void peer_says(struct fixture *f, struct slice data)
{
	buf_reset(&f->wire);
	deflate_peer_encode(&f->peer, data, &f->wire);
	memory_stream_push(f->memory, buf_slice(&f->wire));
}

/* Runs what is due; the peer decodes what was written. */
static void settle(struct fixture *f)
{
	loop_fake_advance(f->loop, 0);
	struct slice written = memory_stream_written(f->memory);
	assert_true(deflate_peer_decode(&f->peer, written, &f->received));
	memory_stream_consume(f->memory, written.len);
}

/* Words and runs, as mail is: repeatable, and never the same for long. */
static struct slice large_text(void)
{
	static char text[LARGE_SIZE];
	uint32_t seed = 1;

	for (size_t i = 0; i < sizeof(text); i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = (seed >> 16) % 3 == 0 ? (char)('a' + (seed >> 20) % 16) : 'e';
	}
	return (struct slice){ text, sizeof(text) };
}

static void bytes_survive_both_ways_coming_one_by_one(void **state)
{
	struct fixture *f = *state;

	memory_stream_set_split(f->memory, 1);
	open_reading(f);
	peer_says(f, SLICE_LITERAL("* 1 EXISTS\r\n"));
	peer_says(f, SLICE_LITERAL("* 2 EXISTS\r\n"));
	assert_int_equal(stream_write(f->stream, SLICE_LITERAL("A1 NOOP\r\n")), STREAM_OK);
	settle(f);
	(void)stream_write(f->stream, SLICE_LITERAL("A2 NOOP\r\n"));
	settle(f);
	assert_string_equal(buf_str(&f->sink.data), "* 1 EXISTS\r\n* 2 EXISTS\r\n");
	assert_string_equal(buf_str(&f->received), "A1 NOOP\r\nA2 NOOP\r\n");
}

static void stop_for_a_turn(struct stream_sink *sink)
{
	if (sink->stream != NULL && sink->data_calls % 7 == 0)
		stream_read_stop(sink->stream);
}

static void megabytes_survive_both_ways_with_pauses(void **state)
{
	struct fixture *f = *state;
	struct slice text = large_text();

	open_reading(f);
	f->sink.on_event = stop_for_a_turn;
	peer_says(f, text);
	for (size_t at = 0; at < text.len; at += SOCKET_DELIVERY)
		(void)stream_write(f->stream, (struct slice){ text.data + at, SOCKET_DELIVERY });
	for (int turn = 0; turn < 1000 && f->sink.data.len < text.len; turn++) {
		settle(f);
		stream_read_start(f->stream);
	}
	assert_int_equal(f->sink.data.len, text.len);
	assert_memory_equal(f->sink.data.data, text.data, text.len);
	assert_int_equal(f->received.len, text.len);
	assert_memory_equal(f->received.data, text.data, text.len);
}

static void bytes_behind_the_ok_are_the_first_to_be_decoded(void **state)
{
	struct fixture *f = *state;

	deflate_peer_encode(&f->peer, SLICE_LITERAL("early "), &f->wire);
	open_with(f, buf_slice(&f->wire));
	assert_false(memory_stream_is_reading(f->memory));
	peer_says(f, SLICE_LITERAL("late"));
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 0);
	stream_read_start(f->stream);
	assert_int_equal(f->sink.data_calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "early late");
}

static void bytes_behind_the_ok_may_end_anywhere(void **state)
{
	struct fixture *f = *state;

	deflate_peer_encode(&f->peer, SLICE_LITERAL("cut in two"), &f->wire);
	open_with(f, (struct slice){ f->wire.data, 3 });
	stream_read_start(f->stream);
	loop_fake_advance(f->loop, 0);
	memory_stream_push(f->memory, (struct slice){ f->wire.data + 3, f->wire.len - 3 });
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "cut in two");
}

static void stop_when_enough(struct stream_sink *sink)
{
	struct fixture *f = sink->context;

	if (sink->stream != NULL && sink->data.len >= f->stops_at)
		stream_read_stop(sink->stream);
}

static void push_bomb(struct fixture *f)
{
	static char zeros[BOMB_SIZE];

	peer_says(f, (struct slice){ zeros, sizeof(zeros) });
	assert_true(f->wire.len < SOCKET_DELIVERY);
}

static void bomb_stops_at_the_users_word_and_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	f->stops_at = 1;
	f->sink.on_event = stop_when_enough;
	push_bomb(f);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 1);
	assert_false(memory_stream_is_reading(f->memory));
	f->sink.on_event = NULL;
	stream_read_start(f->stream);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data.len, BOMB_SIZE);
}

static void count_turn(struct loop_defer *defer)
{
	struct fixture *f = container_of(defer, struct fixture, turn);

	if (f->sink.data.len - f->seen > f->most)
		f->most = f->sink.data.len - f->seen;
	f->seen = f->sink.data.len;
	if (f->seen < BOMB_SIZE)
		loop_defer(f->loop, &f->turn, count_turn);
}

static void bomb_leaves_the_loop_its_turns(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	push_bomb(f);
	loop_defer(f->loop, &f->turn, count_turn);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data.len, BOMB_SIZE);
	assert_in_range(f->most, 1, TURN_MAX);
	assert_true(memory_stream_is_reading(f->memory));
}

static void cut_is_told_once_behind_what_still_waits(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	push_bomb(f);
	memory_stream_break(f->memory, SYNCD_ETIMEOUT, "gone", false);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data.len, BOMB_SIZE);
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_ETIMEOUT);
	assert_int_equal(stream_write(f->stream, SLICE_LITERAL("x")), STREAM_OK);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(memory_stream_written(f->memory).len, 0);
}

static void cut_is_told_to_a_user_who_has_stopped(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	f->stops_at = 1;
	f->sink.on_event = stop_when_enough;
	push_bomb(f);
	memory_stream_break(f->memory, SYNCD_ENET, "gone", false);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 1);
	assert_int_equal(f->sink.broken_calls, 1);
}

static void plain_text_is_eproto(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	memory_stream_push_str(f->memory, "* BYE not compressed\r\n");
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_EPROTO);
	assert_non_null(strstr(f->sink.broken.text, "damaged"));
	assert_false(memory_stream_is_reading(f->memory));
}

static void damage_is_told_behind_what_was_whole(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	peer_says(f, SLICE_LITERAL("whole"));
	memory_stream_push(f->memory, SLICE_LITERAL("\xff\xff\xff\xff"));
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "whole");
	assert_int_equal(f->sink.broken.code, SYNCD_EPROTO);
}

static void peers_end_of_the_stream_is_an_end_with_enet(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	deflate_peer_finish(&f->peer, SLICE_LITERAL("* BYE\r\n"), &f->wire);
	memory_stream_push(f->memory, buf_slice(&f->wire));
	memory_stream_push_str(f->memory, "rest");
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "* BYE\r\n");
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_ENET);
}

static void writes_of_one_turn_are_flushed_once(void **state)
{
	struct fixture *f = *state;
	const char *const line = "A1 UID FETCH 1:100 (UID FLAGS)\r\n";
	const char flush[] = { 0, 0, (char)0xff, (char)0xff };

	open_stream(f);
	for (const char *p = line; *p != '\0'; p++)
		(void)stream_write(f->stream, (struct slice){ p, 1 });
	assert_int_equal(memory_stream_written(f->memory).len, 0);
	loop_fake_advance(f->loop, 0);
	struct slice written = memory_stream_written(f->memory);
	assert_in_range(written.len, sizeof(flush), strlen(line) + 8);
	assert_memory_equal(written.data + written.len - sizeof(flush), flush, sizeof(flush));
	settle(f);
	assert_string_equal(buf_str(&f->received), line);
}

static void silence_is_not_flushed(void **state)
{
	struct fixture *f = *state;

	open_stream(f);
	assert_int_equal(stream_write(f->stream, SLICE_LITERAL("")), STREAM_OK);
	loop_fake_advance(f->loop, 60000);
	assert_int_equal(memory_stream_written(f->memory).len, 0);
}

static void full_and_drained_of_the_lower_layer_reach_the_user(void **state)
{
	struct fixture *f = *state;
	struct slice text = large_text();

	open_stream(f);
	memory_stream_set_blocked(f->memory, true);
	assert_int_equal(stream_write(f->stream, text), STREAM_FULL);
	assert_true(stream_unsent(f->stream) >= STREAM_HIGH_WATER);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.drained_calls, 0);
	memory_stream_set_blocked(f->memory, false);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.drained_calls, 1);
	assert_int_equal(stream_unsent(f->stream), 0);
}

static void what_shrinks_to_nothing_is_full_until_the_turns_end(void **state)
{
	static char zeros[STREAM_HIGH_WATER / 2];
	struct fixture *f = *state;

	open_stream(f);
	assert_int_equal(stream_write(f->stream, (struct slice){ zeros, sizeof(zeros) }),
			 STREAM_OK);
	assert_int_equal(stream_write(f->stream, (struct slice){ zeros, sizeof(zeros) }),
			 STREAM_FULL);
	assert_int_equal(f->sink.drained_calls, 0);
	settle(f);
	assert_int_equal(f->sink.drained_calls, 1);
	assert_int_equal(f->received.len, 2 * sizeof(zeros));
}

static void close_at_data(struct stream_sink *sink)
{
	if (sink->data_calls == 1 && sink->closed_calls == 0)
		stream_close(sink->stream);
}

static void close_inside_data_leaves_nothing_but_closed(void **state)
{
	struct fixture *f = *state;

	open_reading(f);
	f->sink.on_event = close_at_data;
	(void)stream_write(f->stream, SLICE_LITERAL("never sent"));
	push_bomb(f);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 1);
	assert_int_equal(f->sink.broken_calls, 0);
	assert_int_equal(f->sink.closed_calls, 1);
}

static void lower_layers_nature_shows_through(void **state)
{
	struct fixture *f = *state;
	unsigned char binding[16];

	open_stream(f);
	assert_false(stream_is_secure(f->stream));
	assert_false(stream_is_loopback(f->stream));
	memory_stream_set_secure(f->memory, true);
	memory_stream_set_loopback(f->memory, true);
	memory_stream_set_binding(f->memory, "tls-exporter", SLICE_LITERAL("bound"));
	assert_true(stream_is_secure(f->stream));
	assert_true(stream_is_loopback(f->stream));
	assert_int_equal(stream_binding(f->stream, "tls-exporter", binding, sizeof(binding)), 5);
	assert_memory_equal(binding, "bound", 5);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(bytes_survive_both_ways_coming_one_by_one),
		CASE(megabytes_survive_both_ways_with_pauses),
		CASE(bytes_behind_the_ok_are_the_first_to_be_decoded),
		CASE(bytes_behind_the_ok_may_end_anywhere),
		CASE(bomb_stops_at_the_users_word_and_goes_on_where_it_was),
		CASE(bomb_leaves_the_loop_its_turns),
		CASE(cut_is_told_once_behind_what_still_waits),
		CASE(cut_is_told_to_a_user_who_has_stopped),
		CASE(plain_text_is_eproto),
		CASE(damage_is_told_behind_what_was_whole),
		CASE(peers_end_of_the_stream_is_an_end_with_enet),
		CASE(writes_of_one_turn_are_flushed_once),
		CASE(silence_is_not_flushed),
		CASE(full_and_drained_of_the_lower_layer_reach_the_user),
		CASE(what_shrinks_to_nothing_is_full_until_the_turns_end),
		CASE(close_inside_data_leaves_nothing_but_closed),
		CASE(lower_layers_nature_shows_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
