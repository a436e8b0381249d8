/* The DEFLATE layer: in whatever pieces bytes come, and however often the user stops, what it hands
 * on is what zlib makes of them in one go, and damage breaks it once. The first byte is the size of
 * the pieces, the second how many chunks the user takes before it stops for a while.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include <zlib.h>

#include "support/memory_stream.h"
#include "support/stream_sink.h"
#include "syncd/must.h"
#include "syncd/net.h"

#define WIRE_MAX 8192
#define PIECE 4096

static void expect(struct slice wire, struct buf *out, bool *is_whole)
{
	z_stream decoder = { 0 };
	unsigned char piece[PIECE];
	int rc;

	must(inflateInit2(&decoder, -15) == Z_OK);
	decoder.next_in = (z_const Bytef *)wire.data;
	decoder.avail_in = (uInt)wire.len;
	do {
		decoder.next_out = piece;
		decoder.avail_out = sizeof(piece);
		rc = inflate(&decoder, Z_SYNC_FLUSH);
		must(buf_add(out, piece, sizeof(piece) - decoder.avail_out) == 0);
	} while (rc == Z_OK && decoder.avail_out == 0);
	*is_whole = rc == Z_OK || rc == Z_BUF_ERROR;
	(void)inflateEnd(&decoder);
}

static void stop_now_and_then(struct stream_sink *sink)
{
	const size_t *chunks = sink->context;

	if (sink->stream != NULL && *chunks > 0 && sink->data_calls % *chunks == 0)
		stream_read_stop(sink->stream);
}

static void run(struct slice wire, size_t split, size_t chunks)
{
	struct loop *loop = loop_new_fake();
	struct memory_stream *memory = memory_stream_new(loop);
	struct stream_sink sink;
	struct buf expected;
	bool is_whole = true;

	buf_init(&expected, MEMORY_STREAM_MAX);
	expect(wire, &expected, &is_whole);
	memory_stream_set_split(memory, split);
	memory_stream_push(memory,
			   (struct slice){ wire.data + wire.len / 4, wire.len - wire.len / 4 });
	struct stream *stream = net_compress(loop, memory_stream_stream(memory),
					     (struct slice){ wire.data, wire.len / 4 });
	stream_sink_init(&sink, stream);
	sink.on_event = stop_now_and_then;
	sink.context = &chunks;
	for (size_t calls = SIZE_MAX; calls != sink.data_calls && sink.broken_calls == 0;) {
		calls = sink.data_calls;
		stream_read_start(stream);
		loop_fake_advance(loop, 0);
	}
	must(slice_equals(buf_slice(&sink.data), buf_slice(&expected)));
	must(sink.broken_calls == (is_whole ? 0 : 1));
	stream_close(stream);
	loop_fake_advance(loop, 0);
	stream_sink_free(&sink);
	memory_stream_free(&memory);
	loop_free(&loop);
	buf_free(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > WIRE_MAX)
		return 0;
	run((struct slice){ (const char *)data + 2, size - 2 }, data[0], data[1]);
	return 0;
}
