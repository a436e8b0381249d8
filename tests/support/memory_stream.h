/* A stream whose other side is the test: the test pushes bytes to the user,
 * looks at what the user wrote, holds sending back, cuts it. Works on either
 * loop; events come through deferred calls, so that the contract of stream.h
 * holds: never inside the call, nothing but closed() after stream_close.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_MEMORY_STREAM_H
#define TESTS_SUPPORT_MEMORY_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/buf.h"
#include "syncd/loop.h"
#include "syncd/stream.h"

#define MEMORY_STREAM_MAX (64u * 1024 * 1024) /* bytes held in either direction */

struct memory_stream;

/* Called in a later turn after the user wrote or closed: a scripted server
 * looks at memory_stream_written, answers with memory_stream_push and consumes.
 * `context` is what memory_stream_set_peer was given. */
typedef void (*memory_stream_peer)(struct memory_stream *memory, void *context);

/* An open, silent stream, neither secure nor loopback. The test owns `memory`, and lends the
 * stream to the user under test. */
struct memory_stream *memory_stream_new(struct loop *loop);

/* The user must have closed the stream and been told so (or never have had it:
 * no user set). *memory becomes NULL. */
void memory_stream_free(struct memory_stream **memory);

/* What is given to the code under test. */
struct stream *memory_stream_stream(struct memory_stream *memory);

void memory_stream_set_peer(struct memory_stream *memory, memory_stream_peer peer, void *context);

/* Bytes from the other side; they arrive in later turns, while the user is
 * reading. Ignored after a cut or close. */
void memory_stream_push(struct memory_stream *memory, struct slice data);
void memory_stream_push_str(struct memory_stream *memory, const char *text);

/* At most `size` bytes arrive at a time, each piece in a turn of its own; 0 (the
 * default) for all that there is at once. */
void memory_stream_set_split(struct memory_stream *memory, size_t size);

/* Cuts the stream: when the bytes pushed before have arrived, or at once if
 * `drops_pushed`, the user gets broken() with `code` and `text`. */
void memory_stream_break(struct memory_stream *memory, int code, const char *text,
			 bool drops_pushed);

/* What the user wrote and the test has not consumed; valid until the next write
 * or consume. Stays readable after close. */
struct slice memory_stream_written(const struct memory_stream *memory);
void memory_stream_consume(struct memory_stream *memory, size_t len);

/* While blocked, what the user writes counts as unsent: from STREAM_HIGH_WATER
 * on its writes report STREAM_FULL. Unblocking sends all, and drained() follows
 * if it is owed. */
void memory_stream_set_blocked(struct memory_stream *memory, bool is_blocked);

void memory_stream_set_secure(struct memory_stream *memory, bool is_secure);
void memory_stream_set_loopback(struct memory_stream *memory, bool is_loopback);

/* Gives the stream a channel binding of `type` ("tls-exporter"); both must
 * outlive the stream. */
void memory_stream_set_binding(struct memory_stream *memory, const char *type, struct slice value);

bool memory_stream_is_reading(const struct memory_stream *memory);

/* True once the user called stream_close. */
bool memory_stream_is_closed(const struct memory_stream *memory);

#endif
