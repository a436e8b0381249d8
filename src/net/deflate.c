/* The DEFLATE layer: zlib's raw streams over any stream (RFC 4978).
 * SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/net.h"

/* Our side sends short commands that are all alike, and now and then a message. A window of 4 KB
 * takes 32 KB a connection in place of 256, and a message grows by a twentieth. */
#define DEFLATE_WINDOW_BITS 12
#define DEFLATE_MEM_LEVEL 5
#define INFLATE_WINDOW_BITS 15 /* the server may use all that the format has */

#define DEFLATE_CHUNK 16384              /* bytes handed on at a time, in both directions */
#define DEFLATE_TURN_MAX (256 * 1024)    /* decoded in one turn of the loop, at least */
#define DEFLATE_WAITING_MAX (256 * 1024) /* more than a layer below delivers at once */

enum deflate_state {
	DEFLATE_OPEN,
	DEFLATE_BROKEN, /* broken() was called */
	DEFLATE_CLOSING,
};

struct deflate {
	struct stream stream;
	struct stream_user lower_user;
	struct stream *lower;
	struct loop *loop;
	enum deflate_state state;

	z_stream in;
	struct buf waiting; /* arrived, and not decoded as the user or the turn stopped it */
	bool has_more;      /* the decoder holds bytes for which its output had no room */
	bool is_reading;    /* the user wants bytes */
	bool is_lower_reading;
	struct error error;     /* the lower layer's; told when what came before it is handed on */
	struct loop_defer pump; /* decodes what waits */

	z_stream out;
	size_t unflushed;        /* bytes taken since the last flush */
	bool is_lower_full;      /* its drained() is to come */
	bool is_drained_owed;    /* ours is */
	struct loop_defer flush; /* the end of a burst of writes */
};

static struct deflate *deflate_of(const struct stream *stream)
{
	return container_of(stream, struct deflate, stream);
}

static struct deflate *deflate_of_user(struct stream_user *user)
{
	return container_of(user, struct deflate, lower_user);
}

/* --- Reading ------------------------------------------------------------------ */

static void deflate_read_lower(struct deflate *layer, bool is_wanted)
{
	if (is_wanted == layer->is_lower_reading)
		return;
	layer->is_lower_reading = is_wanted;
	if (is_wanted)
		stream_read_start(layer->lower);
	else
		stream_read_stop(layer->lower);
}

static void deflate_break(struct deflate *layer, const struct error *err)
{
	struct error copy = *err;

	layer->state = DEFLATE_BROKEN;
	loop_defer_cancel(&layer->pump);
	loop_defer_cancel(&layer->flush);
	deflate_read_lower(layer, false);
	layer->stream.user->ops->broken(layer->stream.user, &copy);
}

static void deflate_decode_failed(struct deflate *layer, int rc)
{
	struct error err;

	if (rc == Z_STREAM_END)
		(void)error_set(&err, SYNCD_ENET, "the connection was closed by the other side");
	else
		(void)error_set(&err, SYNCD_EPROTO, "the compressed data is damaged: %s",
				layer->in.msg != NULL ? layer->in.msg : "no raw deflate");
	deflate_break(layer, &err);
}

/* Decodes one chunk and hands it on. Returns its length. */
static size_t deflate_decode(struct deflate *layer)
{
	unsigned char data[DEFLATE_CHUNK];

	layer->in.next_out = data;
	layer->in.avail_out = sizeof(data);
	int rc = inflate(&layer->in, Z_SYNC_FLUSH);
	size_t len = sizeof(data) - layer->in.avail_out;
	layer->has_more = layer->in.avail_out == 0;
	if (len > 0)
		layer->stream.user->ops->data(layer->stream.user,
					      (struct slice){ (const char *)data, len });
	/* Z_BUF_ERROR: there was nothing more after all. */
	if (rc != Z_OK && rc != Z_BUF_ERROR && layer->state == DEFLATE_OPEN)
		deflate_decode_failed(layer, rc);
	return len;
}

/* Hands on what `input` gives, as long as the user wants it: a few bytes can become a thousand
 * times as many, so that a turn of the loop has its end too. Returns how many bytes are left. */
static size_t deflate_deliver(struct deflate *layer, struct slice input)
{
	size_t decoded = 0;

	must(input.len <= UINT_MAX);
	layer->in.next_in = (z_const Bytef *)input.data;
	layer->in.avail_in = (uInt)input.len;
	while (layer->state == DEFLATE_OPEN && layer->is_reading && decoded < DEFLATE_TURN_MAX &&
	       (layer->in.avail_in > 0 || layer->has_more))
		decoded += deflate_decode(layer);
	return layer->in.avail_in;
}

static bool deflate_has_input(const struct deflate *layer)
{
	return layer->waiting.len > 0 || layer->has_more;
}

static void deflate_pump(struct loop_defer *defer);

/* Behind whatever arrived: reads on below only when nothing waits here. */
static void deflate_settle(struct deflate *layer)
{
	bool has_work = layer->is_reading && deflate_has_input(layer);

	if (layer->state != DEFLATE_OPEN)
		return;
	if (!has_work && layer->error.code != 0) {
		deflate_break(layer, &layer->error);
		return;
	}
	deflate_read_lower(layer, layer->is_reading && !has_work);
	if (has_work)
		loop_defer(layer->loop, &layer->pump, deflate_pump);
}

static void deflate_pump(struct loop_defer *defer)
{
	struct deflate *layer = container_of(defer, struct deflate, pump);
	size_t left = deflate_deliver(layer, buf_slice(&layer->waiting));

	buf_consume(&layer->waiting, layer->waiting.len - left);
	if (left == 0)
		buf_free(&layer->waiting);
	deflate_settle(layer);
}

static void deflate_lower_data(struct stream_user *user, struct slice data)
{
	struct deflate *layer = deflate_of_user(user);
	size_t left = data.len;

	if (layer->state != DEFLATE_OPEN)
		return;
	if (layer->waiting.len == 0)
		left = deflate_deliver(layer, data);
	must(buf_add(&layer->waiting, data.data + (data.len - left), left) == 0);
	deflate_settle(layer);
}

/* The last words may still be waiting here. */
static void deflate_lower_broken(struct stream_user *user, const struct error *err)
{
	struct deflate *layer = deflate_of_user(user);

	if (layer->state != DEFLATE_OPEN)
		return;
	layer->error = *err;
	deflate_settle(layer);
}

static void deflate_read_start(struct stream *stream)
{
	struct deflate *layer = deflate_of(stream);

	layer->is_reading = true;
	if (layer->state != DEFLATE_OPEN)
		return;
	if (deflate_has_input(layer))
		loop_defer(layer->loop, &layer->pump, deflate_pump);
	else
		deflate_read_lower(layer, true);
}

static void deflate_read_stop(struct stream *stream)
{
	struct deflate *layer = deflate_of(stream);

	layer->is_reading = false;
	deflate_read_lower(layer, false);
}

/* --- Writing ------------------------------------------------------------------ */

static void deflate_encode(struct deflate *layer, struct slice data, int flush)
{
	unsigned char out[DEFLATE_CHUNK];

	must(data.len <= UINT_MAX);
	layer->out.next_in = (z_const Bytef *)data.data;
	layer->out.avail_in = (uInt)data.len;
	do {
		layer->out.next_out = out;
		layer->out.avail_out = sizeof(out);
		int rc = deflate(&layer->out, flush);
		must(rc == Z_OK || rc == Z_BUF_ERROR);
		size_t len = sizeof(out) - layer->out.avail_out;
		if (len > 0 && stream_write(layer->lower, (struct slice){ (const char *)out,
									  len }) == STREAM_FULL)
			layer->is_lower_full = true;
	} while (layer->out.avail_out == 0);
}

static bool deflate_is_full(const struct deflate *layer)
{
	return layer->is_lower_full || layer->unflushed >= STREAM_HIGH_WATER;
}

static void deflate_tell_drained(struct deflate *layer)
{
	if (layer->state != DEFLATE_OPEN || !layer->is_drained_owed || deflate_is_full(layer))
		return;
	layer->is_drained_owed = false;
	layer->stream.user->ops->drained(layer->stream.user);
}

static void deflate_flush(struct loop_defer *defer)
{
	struct deflate *layer = container_of(defer, struct deflate, flush);

	layer->unflushed = 0;
	deflate_encode(layer, (struct slice){ NULL, 0 }, Z_SYNC_FLUSH);
	deflate_tell_drained(layer);
}

static void deflate_lower_drained(struct stream_user *user)
{
	struct deflate *layer = deflate_of_user(user);

	layer->is_lower_full = false;
	deflate_tell_drained(layer);
}

/* A flush costs four bytes and ends the matching of what comes next: one for all that is written
 * in a turn of the loop. What shrinks to nothing never fills the layer below, hence our own
 * limit: it gives the loop its turn. */
static enum stream_write_result deflate_write(struct stream *stream, struct slice data)
{
	struct deflate *layer = deflate_of(stream);

	must(layer->state == DEFLATE_OPEN || layer->state == DEFLATE_BROKEN);
	if (layer->state != DEFLATE_OPEN || data.len == 0)
		return STREAM_OK;
	deflate_encode(layer, data, Z_NO_FLUSH);
	layer->unflushed += data.len;
	loop_defer(layer->loop, &layer->flush, deflate_flush);
	if (!deflate_is_full(layer))
		return STREAM_OK;
	layer->is_drained_owed = true;
	return STREAM_FULL;
}

/* Without what the encoder holds: that is for a turn only, and would look like progress to
 * someone who watches this number when it goes. */
static size_t deflate_unsent(const struct stream *stream)
{
	return stream_unsent(deflate_of(stream)->lower);
}

/* --- The end -------------------------------------------------------------------- */

static void deflate_close(struct stream *stream)
{
	struct deflate *layer = deflate_of(stream);

	must(layer->state != DEFLATE_CLOSING);
	layer->state = DEFLATE_CLOSING;
	loop_defer_cancel(&layer->pump);
	loop_defer_cancel(&layer->flush);
	stream_close(layer->lower);
}

static void deflate_lower_closed(struct stream_user *user)
{
	struct deflate *layer = deflate_of_user(user);
	struct stream_user *upper = layer->stream.user;

	must(layer->state == DEFLATE_CLOSING);
	(void)inflateEnd(&layer->in);
	(void)deflateEnd(&layer->out);
	buf_free(&layer->waiting);
	free(layer);
	upper->ops->closed(upper);
}

/* --- Passed through --------------------------------------------------------------- */

static size_t deflate_binding(const struct stream *stream, const char *type, unsigned char *out,
			      size_t size)
{
	return stream_binding(deflate_of(stream)->lower, type, out, size);
}

static bool deflate_is_secure(const struct stream *stream)
{
	return stream_is_secure(deflate_of(stream)->lower);
}

static bool deflate_is_loopback(const struct stream *stream)
{
	return stream_is_loopback(deflate_of(stream)->lower);
}

/* --- Birth ----------------------------------------------------------------------- */

static const struct stream_ops deflate_ops = {
	.write = deflate_write,
	.read_start = deflate_read_start,
	.read_stop = deflate_read_stop,
	.close = deflate_close,
	.unsent = deflate_unsent,
	.binding = deflate_binding,
	.is_secure = deflate_is_secure,
	.is_loopback = deflate_is_loopback,
};

static const struct stream_user_ops deflate_user_ops = {
	.data = deflate_lower_data,
	.drained = deflate_lower_drained,
	.broken = deflate_lower_broken,
	.closed = deflate_lower_closed,
};

static void *deflate_alloc(void *opaque, uInt count, uInt size)
{
	(void)opaque;
	return xcalloc(count, size);
}

static void deflate_dealloc(void *opaque, void *memory)
{
	(void)opaque;
	free(memory);
}

struct stream *net_compress(struct loop *loop, struct stream *plain, struct slice unread)
{
	struct deflate *layer = xcalloc(1, sizeof(*layer));

	layer->stream.ops = &deflate_ops;
	layer->lower_user.ops = &deflate_user_ops;
	layer->lower = plain;
	layer->loop = loop;
	layer->in.zalloc = deflate_alloc;
	layer->in.zfree = deflate_dealloc;
	layer->out.zalloc = deflate_alloc;
	layer->out.zfree = deflate_dealloc;
	must(inflateInit2(&layer->in, -INFLATE_WINDOW_BITS) == Z_OK);
	must(deflateInit2(&layer->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -DEFLATE_WINDOW_BITS,
			  DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
	buf_init(&layer->waiting, DEFLATE_WAITING_MAX);
	must(buf_add(&layer->waiting, unread.data, unread.len) == 0);
	stream_read_stop(plain);
	stream_set_user(plain, &layer->lower_user);
	return &layer->stream;
}
