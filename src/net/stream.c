/* The one way into every layer of a connection; see LAYERS.md.
 * SPDX-License-Identifier: MIT */
#include "syncd/stream.h"

void stream_set_user(struct stream *stream, struct stream_user *user)
{
	stream->user = user;
}

enum stream_write_result stream_write(struct stream *stream, struct slice data)
{
	return stream->ops->write(stream, data);
}

void stream_read_start(struct stream *stream)
{
	stream->ops->read_start(stream);
}

void stream_read_stop(struct stream *stream)
{
	stream->ops->read_stop(stream);
}

void stream_close(struct stream *stream)
{
	stream->ops->close(stream);
}

size_t stream_unsent(const struct stream *stream)
{
	return stream->ops->unsent(stream);
}

size_t stream_binding(const struct stream *stream, const char *type, unsigned char *out,
		      size_t size)
{
	return stream->ops->binding != NULL ? stream->ops->binding(stream, type, out, size) : 0;
}

bool stream_is_secure(const struct stream *stream)
{
	return stream->ops->is_secure(stream);
}

bool stream_is_loopback(const struct stream *stream)
{
	return stream->ops->is_loopback(stream);
}
