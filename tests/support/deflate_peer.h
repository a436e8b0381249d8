/* The server's side of a compressed connection (RFC 4978), for tests.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_DEFLATE_PEER_H
#define TESTS_SUPPORT_DEFLATE_PEER_H

#include <stdbool.h>
#include <zlib.h>

#include "syncd/buf.h"

struct deflate_peer {
	z_stream encoder;
	z_stream decoder;
};

void deflate_peer_init(struct deflate_peer *peer);
void deflate_peer_free(struct deflate_peer *peer);

/* Adds `data` to `out`, compressed and flushed. */
void deflate_peer_encode(struct deflate_peer *peer, struct slice data, struct buf *out);

/* The same, and the stream's end behind it. */
void deflate_peer_finish(struct deflate_peer *peer, struct slice data, struct buf *out);

/* Adds to `out` what `data` holds. False when it is no deflate. */
bool deflate_peer_decode(struct deflate_peer *peer, struct slice data, struct buf *out);

#endif
