/* A user of streams that keeps what it is told.
 * SPDX-License-Identifier: MIT */
#include "support/stream_sink.h"

#include "syncd/must.h"

static struct stream_sink *sink_of(struct stream_user *user)
{
	return container_of(user, struct stream_sink, user);
}

static void sink_event(struct stream_sink *sink)
{
	must(sink->closed_calls <= 1);
	if (sink->on_event != NULL)
		sink->on_event(sink);
}

static void sink_data(struct stream_user *user, struct slice data)
{
	struct stream_sink *sink = sink_of(user);

	must(data.len > 0 && sink->broken_calls == 0);
	must(buf_add(&sink->data, data.data, data.len) == 0);
	sink->data_calls++;
	sink_event(sink);
}

static void sink_drained(struct stream_user *user)
{
	struct stream_sink *sink = sink_of(user);

	sink->drained_calls++;
	sink_event(sink);
}

static void sink_broken(struct stream_user *user, const struct error *err)
{
	struct stream_sink *sink = sink_of(user);

	sink->broken_calls++;
	sink->broken = *err;
	sink_event(sink);
}

static void sink_closed(struct stream_user *user)
{
	struct stream_sink *sink = sink_of(user);

	sink->closed_calls++;
	sink->stream = NULL;
	sink_event(sink);
}

static const struct stream_user_ops sink_ops = {
	.data = sink_data,
	.drained = sink_drained,
	.broken = sink_broken,
	.closed = sink_closed,
};

void stream_sink_init(struct stream_sink *sink, struct stream *stream)
{
	*sink = (struct stream_sink){ .user.ops = &sink_ops, .stream = stream };
	buf_init(&sink->data, STREAM_SINK_MAX);
	stream_set_user(stream, &sink->user);
}

void stream_sink_free(struct stream_sink *sink)
{
	must(sink->stream == NULL);
	buf_free(&sink->data);
}
