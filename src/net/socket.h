/* The lowest layer: a TCP socket, or a tunnel command behind a socket pair.
 * Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_SOCKET_H
#define SYNCD_NET_SOCKET_H

#include <uv.h>

#include "syncd/loop.h"
#include "syncd/stream.h"

struct socket_connect;
/* `status` is 0 or libuv's error; UV_ECANCELED when the stream was closed. */
typedef void (*socket_connect_done)(struct socket_connect *req, int status);

struct socket_connect {
	uv_connect_t uv;
	socket_connect_done done;
};

/* A stream over a socket that socket_connect_start is to connect. It may be
 * closed without having a user. */
struct stream *socket_new_tcp(struct loop *loop);

/* Connects a stream of socket_new_tcp. Returns 0, or libuv's error and no
 * callback follows. `req` must live until the callback, even when the stream is
 * closed before. */
int socket_connect_start(struct stream *stream, struct socket_connect *req,
			 const struct sockaddr *address, socket_connect_done done);

/* Runs `command` with sh -c; its stdin and stdout are the stream, its stderr is
 * ours. NULL with `err` (SYNCD_EIO) when it cannot be started. */
struct stream *socket_new_tunnel(struct loop *loop, const char *command, struct error *err);

#endif
