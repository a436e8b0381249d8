/* The TLS layer: a stream over any stream. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_TLS_H
#define SYNCD_NET_TLS_H

#include "context.h"
#include "syncd/stream.h"

struct tls;
struct tls_handshake;

/* On success `stream` is the callee's; otherwise NULL, and everything below has
 * been closed and freed. */
typedef void (*tls_handshake_done)(struct tls_handshake *req, struct stream *stream,
				   const struct error *err);

struct tls_handshake {
	tls_handshake_done done;
	struct tls *tls;
};

/* Begins the handshake over `lower` and takes that over in any outcome. The
 * time limit is the caller's. */
void tls_handshake_start(struct net_context *context, struct tls_handshake *req,
			 struct stream *lower, tls_handshake_done done);

/* Gives up; done follows with `err`. A handshake that has failed already keeps its
 * own reason, unless `err` is SYNCD_ECANCELLED. */
void tls_handshake_abort(struct tls_handshake *req, const struct error *err);

#endif
