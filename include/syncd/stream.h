/* A two-way byte stream, and the chain of layers it is made of: socket or
 * tunnel, TLS, DEFLATE, and in tests a scripted server. The seam under every
 * protocol session: they know this header and loop.h, nothing of sockets.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_STREAM_H
#define SYNCD_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/buf.h"
#include "syncd/error.h"

struct stream;
struct stream_user;

/* What the user of a stream gives it; embedded in the user's struct. */
struct stream_user_ops {
	/* Bytes arrived; `data` is valid during the call. The user takes all of
	 * them; to slow the sender down it calls stream_read_stop, after which
	 * at most what is already decoded may still arrive. */
	void (*data)(struct stream_user *user, struct slice data);

	/* The bytes waiting to be sent fell to STREAM_LOW_WATER or less, after
	 * stream_write had reported STREAM_FULL. */
	void (*drained)(struct stream_user *user);

	/* The stream is over: `err` has SYNCD_ENET for an end or a cut by the other side,
	 * SYNCD_ETRUST for a TLS verification failure, ... Reported once; only
	 * stream_close may follow. */
	void (*broken)(struct stream_user *user, const struct error *err);

	/* stream_close is complete: the stream is freed, nothing more follows. */
	void (*closed)(struct stream_user *user);
};

struct stream_user {
	const struct stream_user_ops *ops;
};

#define STREAM_HIGH_WATER (256 * 1024) /* unsent bytes from which a write reports STREAM_FULL */
#define STREAM_LOW_WATER (64 * 1024)

enum stream_write_result {
	STREAM_OK,   /* taken, go on */
	STREAM_FULL, /* taken, but wait for drained() before writing more */
};

struct stream_ops {
	enum stream_write_result (*write)(struct stream *stream, struct slice data);
	void (*read_start)(struct stream *stream);
	void (*read_stop)(struct stream *stream);
	void (*close)(struct stream *stream);
	size_t (*unsent)(const struct stream *stream);
	/* RFC 5929/9266 channel binding of a TLS layer: type "tls-exporter" or
	 * "tls-server-end-point"; returns the length put in `out`, 0 when there is none. */
	size_t (*binding)(const struct stream *stream, const char *type, unsigned char *out,
			  size_t size);
	bool (*is_secure)(const struct stream *stream);
	bool (*is_loopback)(const struct stream *stream);
};

/* Every layer embeds this first; `user` is who gets the events. */
struct stream {
	const struct stream_ops *ops;
	struct stream_user *user;
};

/* Who gets the events from now on. A new stream is not reading: the user calls
 * stream_read_start when it is ready. */
void stream_set_user(struct stream *stream, struct stream_user *user);

/* Copies and sends; never blocks, never calls back inside. After broken(),
 * bytes are dropped. */
enum stream_write_result stream_write(struct stream *stream, struct slice data);

void stream_read_start(struct stream *stream);
void stream_read_stop(struct stream *stream);

/* Gives the stream up now; closed() follows later, exactly once, and nothing
 * else before it. A tunnel's command is given a second to end by itself, then is
 * killed: closed() may take that long. */
void stream_close(struct stream *stream);

/* Bytes taken but not yet handed to the kernel. */
size_t stream_unsent(const struct stream *stream);

size_t stream_binding(const struct stream *stream, const char *type, unsigned char *out,
		      size_t size);

/* TLS, or a tunnel, or a loopback socket: a password may travel on it. */
bool stream_is_secure(const struct stream *stream);

/* The socket's peer is this machine, so that bytes cost nothing. Never so for a tunnel: its command
 * leads elsewhere, or the user would have named the host. */
bool stream_is_loopback(const struct stream *stream);

#endif
