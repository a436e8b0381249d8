/* What goes over the connections of a script.
 * SPDX-License-Identifier: MIT */
#include "script/wire.h"

#include "syncd/must.h"

void wire_init(struct wire *wire)
{
	*wire = (struct wire){ 0 };
	buf_init(&wire->sent, MEMORY_STREAM_MAX);
	buf_init(&wire->held, MEMORY_STREAM_MAX);
}

void wire_free(struct wire *wire)
{
	if (wire->is_compressed)
		deflate_peer_free(&wire->peer);
	buf_free(&wire->sent);
	buf_free(&wire->held);
}

void wire_compress(struct wire *wire)
{
	must(!wire->is_compressed);
	deflate_peer_init(&wire->peer);
	wire->is_compressed = true;
}

struct slice wire_sent(struct wire *wire, struct memory_stream *memory)
{
	struct slice written = memory_stream_written(memory);

	if (wire->is_compressed)
		must(deflate_peer_decode(&wire->peer, written, &wire->sent));
	else
		must(buf_add(&wire->sent, written.data, written.len) == 0);
	memory_stream_consume(memory, written.len);
	return (struct slice){ buf_str(&wire->sent), wire->sent.len };
}

void wire_consume(struct wire *wire, size_t len)
{
	buf_consume(&wire->sent, len);
}

void wire_hold(struct wire *wire, struct slice data)
{
	if (wire->is_compressed)
		deflate_peer_encode(&wire->peer, data, &wire->held);
	else
		must(buf_add(&wire->held, data.data, data.len) == 0);
}

void wire_say(struct wire *wire, struct memory_stream *memory, struct slice data)
{
	wire_hold(wire, data);
	memory_stream_push(memory, buf_slice(&wire->held));
	buf_reset(&wire->held);
}
