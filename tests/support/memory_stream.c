/* The in-memory stream of the tests.
 * SPDX-License-Identifier: MIT */
#include "support/memory_stream.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

enum memory_state {
	MEMORY_OPEN,
	MEMORY_CUT,     /* broken() is owed once the pushed bytes have arrived */
	MEMORY_BROKEN,  /* broken() was called */
	MEMORY_CLOSING, /* closed() is owed */
	MEMORY_CLOSED,
};

struct memory_stream {
	struct stream stream;
	struct loop *loop;
	enum memory_state state;
	struct buf pushed;
	struct buf written;
	struct error cut;
	struct loop_defer deliver;
	struct loop_defer drain;
	struct loop_defer close;
	struct loop_defer peer_turn;
	memory_stream_peer peer;
	void *peer_context;
	size_t split;
	size_t unsent;
	const char *binding_type;
	struct slice binding;
	bool is_reading;
	bool is_blocked;
	bool is_drained_owed;
	bool is_secure;
	bool is_loopback;
};

static struct memory_stream *memory_of(const struct stream *stream)
{
	return container_of(stream, struct memory_stream, stream);
}

static void memory_deliver(struct loop_defer *defer);

static bool memory_has_news(const struct memory_stream *memory)
{
	if (memory->state != MEMORY_OPEN && memory->state != MEMORY_CUT)
		return false;
	if (memory->pushed.len > 0)
		return memory->is_reading;
	return memory->state == MEMORY_CUT;
}

static void memory_schedule(struct memory_stream *memory)
{
	if (memory_has_news(memory))
		loop_defer(memory->loop, &memory->deliver, memory_deliver);
}

/* One piece of what was pushed, or the cut behind it. The piece is copied, as
 * the test may push more from inside the user's callback. */
static void memory_deliver(struct loop_defer *defer)
{
	struct memory_stream *memory = container_of(defer, struct memory_stream, deliver);
	struct stream_user *user = memory->stream.user;

	if (!memory_has_news(memory))
		return;
	if (memory->pushed.len == 0) {
		memory->state = MEMORY_BROKEN;
		if (user != NULL)
			user->ops->broken(user, &memory->cut);
		return;
	}
	size_t len = memory->pushed.len;
	if (memory->split > 0 && memory->split < len)
		len = memory->split;
	char *piece = xmalloc(len);
	memcpy(piece, memory->pushed.data, len);
	buf_consume(&memory->pushed, len);
	memory_schedule(memory);
	user->ops->data(user, (struct slice){ piece, len });
	free(piece);
}

static void memory_peer_turn(struct loop_defer *defer)
{
	struct memory_stream *memory = container_of(defer, struct memory_stream, peer_turn);

	memory->peer(memory, memory->peer_context);
}

static void memory_tell_peer(struct memory_stream *memory)
{
	if (memory->peer != NULL)
		loop_defer(memory->loop, &memory->peer_turn, memory_peer_turn);
}

static enum stream_write_result memory_write(struct stream *stream, struct slice data)
{
	struct memory_stream *memory = memory_of(stream);

	must(memory->state != MEMORY_CLOSING && memory->state != MEMORY_CLOSED);
	if (memory->state != MEMORY_OPEN)
		return STREAM_OK;
	must(buf_add(&memory->written, data.data, data.len) == 0);
	memory_tell_peer(memory);
	if (memory->is_blocked)
		memory->unsent += data.len;
	if (memory->unsent < STREAM_HIGH_WATER)
		return STREAM_OK;
	memory->is_drained_owed = true;
	return STREAM_FULL;
}

static void memory_read_start(struct stream *stream)
{
	struct memory_stream *memory = memory_of(stream);

	must(memory->state != MEMORY_CLOSING && memory->state != MEMORY_CLOSED);
	memory->is_reading = true;
	memory_schedule(memory);
}

static void memory_read_stop(struct stream *stream)
{
	memory_of(stream)->is_reading = false;
}

static void memory_close_now(struct loop_defer *defer)
{
	struct memory_stream *memory = container_of(defer, struct memory_stream, close);
	struct stream_user *user = memory->stream.user;

	memory->state = MEMORY_CLOSED;
	if (user != NULL)
		user->ops->closed(user);
}

static void memory_close(struct stream *stream)
{
	struct memory_stream *memory = memory_of(stream);

	must(memory->state != MEMORY_CLOSING && memory->state != MEMORY_CLOSED);
	memory->state = MEMORY_CLOSING;
	memory->is_reading = false;
	loop_defer_cancel(&memory->deliver);
	loop_defer_cancel(&memory->drain);
	loop_defer(memory->loop, &memory->close, memory_close_now);
	memory_tell_peer(memory);
}

static size_t memory_unsent(const struct stream *stream)
{
	return memory_of(stream)->unsent;
}

static size_t memory_binding(const struct stream *stream, const char *type, unsigned char *out,
			     size_t size)
{
	const struct memory_stream *memory = memory_of(stream);

	if (memory->binding_type == NULL || strcmp(type, memory->binding_type) != 0 ||
	    memory->binding.len > size)
		return 0;
	memcpy(out, memory->binding.data, memory->binding.len);
	return memory->binding.len;
}

static bool memory_is_secure(const struct stream *stream)
{
	return memory_of(stream)->is_secure;
}

static bool memory_is_loopback(const struct stream *stream)
{
	return memory_of(stream)->is_loopback;
}

static const struct stream_ops memory_ops = {
	.write = memory_write,
	.read_start = memory_read_start,
	.read_stop = memory_read_stop,
	.close = memory_close,
	.unsent = memory_unsent,
	.binding = memory_binding,
	.is_secure = memory_is_secure,
	.is_loopback = memory_is_loopback,
};

struct memory_stream *memory_stream_new(struct loop *loop)
{
	struct memory_stream *memory = xcalloc(1, sizeof(*memory));

	memory->stream.ops = &memory_ops;
	memory->loop = loop;
	buf_init(&memory->pushed, MEMORY_STREAM_MAX);
	buf_init(&memory->written, MEMORY_STREAM_MAX);
	return memory;
}

void memory_stream_free(struct memory_stream **memory)
{
	must((*memory)->state == MEMORY_CLOSED || (*memory)->stream.user == NULL);
	loop_defer_cancel(&(*memory)->deliver);
	loop_defer_cancel(&(*memory)->drain);
	loop_defer_cancel(&(*memory)->close);
	loop_defer_cancel(&(*memory)->peer_turn);
	buf_free(&(*memory)->pushed);
	buf_free(&(*memory)->written);
	free(*memory);
	*memory = NULL;
}

struct stream *memory_stream_stream(struct memory_stream *memory)
{
	return &memory->stream;
}

void memory_stream_set_peer(struct memory_stream *memory, memory_stream_peer peer, void *context)
{
	memory->peer = peer;
	memory->peer_context = context;
}

void memory_stream_push(struct memory_stream *memory, struct slice data)
{
	if (memory->state != MEMORY_OPEN)
		return;
	must(buf_add(&memory->pushed, data.data, data.len) == 0);
	memory_schedule(memory);
}

void memory_stream_push_str(struct memory_stream *memory, const char *text)
{
	memory_stream_push(memory, slice_of(text));
}

void memory_stream_set_split(struct memory_stream *memory, size_t size)
{
	memory->split = size;
}

void memory_stream_break(struct memory_stream *memory, int code, const char *text,
			 bool drops_pushed)
{
	if (memory->state != MEMORY_OPEN)
		return;
	(void)error_set(&memory->cut, code, "%s", text);
	memory->state = MEMORY_CUT;
	if (drops_pushed)
		buf_reset(&memory->pushed);
	loop_defer_cancel(&memory->drain);
	memory_schedule(memory);
}

struct slice memory_stream_written(const struct memory_stream *memory)
{
	return (struct slice){ buf_str(&memory->written), memory->written.len };
}

void memory_stream_consume(struct memory_stream *memory, size_t len)
{
	buf_consume(&memory->written, len);
}

static void memory_drained(struct loop_defer *defer)
{
	struct memory_stream *memory = container_of(defer, struct memory_stream, drain);
	struct stream_user *user = memory->stream.user;

	memory->is_drained_owed = false;
	if (user != NULL)
		user->ops->drained(user);
}

void memory_stream_set_blocked(struct memory_stream *memory, bool is_blocked)
{
	memory->is_blocked = is_blocked;
	if (is_blocked)
		return;
	memory->unsent = 0;
	if (memory->is_drained_owed && memory->state == MEMORY_OPEN)
		loop_defer(memory->loop, &memory->drain, memory_drained);
}

void memory_stream_set_secure(struct memory_stream *memory, bool is_secure)
{
	memory->is_secure = is_secure;
}

void memory_stream_set_loopback(struct memory_stream *memory, bool is_loopback)
{
	memory->is_loopback = is_loopback;
}

void memory_stream_set_binding(struct memory_stream *memory, const char *type, struct slice value)
{
	memory->binding_type = type;
	memory->binding = value;
}

bool memory_stream_is_reading(const struct memory_stream *memory)
{
	return memory->is_reading;
}

bool memory_stream_is_closed(const struct memory_stream *memory)
{
	return memory->state == MEMORY_CLOSING || memory->state == MEMORY_CLOSED;
}
