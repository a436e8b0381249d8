/* A user of streams that keeps what it is told, for looking at afterwards.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_STREAM_SINK_H
#define TESTS_SUPPORT_STREAM_SINK_H

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/stream.h"

#define STREAM_SINK_MAX (64u * 1024 * 1024)

/* `stream` is NULL again once closed() came. Counts say how often each event came. */
struct stream_sink {
	struct stream_user user;
	struct stream *stream;
	struct buf data;
	size_t data_calls;
	size_t drained_calls;
	size_t broken_calls;
	size_t closed_calls;
	struct error broken;
	void (*on_event)(struct stream_sink *sink); /* after each event, or NULL */
	void *context;                              /* for on_event */
};

/* Becomes the user of `stream`; does not start reading. */
void stream_sink_init(struct stream_sink *sink, struct stream *stream);

/* Frees what was gathered; the stream must be closed. */
void stream_sink_free(struct stream_sink *sink);

#endif
