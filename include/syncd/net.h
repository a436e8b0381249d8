/* Connecting: name resolution, happy eyeballs (RFC 8305), tunnels, TLS, DEFLATE.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_H
#define SYNCD_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/stream.h"

enum net_tls {
	NET_TLS_IMPLICIT,
	NET_TLS_STARTTLS, /* the session calls net_starttls after the server's OK */
	NET_TLS_NONE,
};

/* Where and how (CONTRACT 2.1). Strings are borrowed and must outlive every
 * connection made with it. */
struct net_target {
	const char *host;
	uint16_t port;
	enum net_tls tls;
	const char *tunnel;          /* sh -c command in place of host and port, or NULL */
	const char *tls_ca_file;     /* or NULL: the system's store */
	const char *tls_fingerprint; /* "sha256:HEX" of the leaf, or NULL; then it alone decides */
	const char *tls_client_cert; /* PEM files, or NULL */
	const char *tls_client_key;
	uint64_t timeout_ms; /* for a dial in all, and for a STARTTLS handshake; 0: none */
};

/* Keeps what connections to one target share: the SSL_CTX and the TLS session
 * to resume. One an account. */
struct net_context;

/* Loads CA and client certificate files; with TLS over a tunnel, `host` (for the
 * certificate's name) or a fingerprint must be there. Returns NULL and fills `err`
 * (SYNCD_ECONFIG naming the file) when one cannot be used. */
struct net_context *net_context_new(struct loop *loop, const struct net_target *target,
				    struct error *err);

/* Every dial and stream of it must be over. */
void net_context_free(struct net_context **context);

struct net_dial;

/* `stream` belongs to the callee's side on success (TLS handshake done when
 * implicit); NULL otherwise, with `err` filled: SYNCD_ENET, SYNCD_ETIMEOUT,
 * SYNCD_ETRUST, SYNCD_EPROTO (no TLS there, or too old), SYNCD_EAUTH (our client
 * certificate is refused), SYNCD_EIO (the tunnel cannot be started), SYNCD_ECANCELLED. */
typedef void (*net_dial_done)(struct net_dial *dial, struct stream *stream,
			      const struct error *err);

struct net_dial {
	net_dial_done done;
	void *impl; /* net's */
};

void net_dial_start(struct net_context *context, struct net_dial *dial, net_dial_done done);
void net_dial_cancel(struct net_dial *dial); /* done follows with SYNCD_ECANCELLED */

struct net_starttls;
typedef void (*net_starttls_done)(struct net_starttls *req, struct stream *stream,
				  const struct error *err);
struct net_starttls {
	net_starttls_done done;
	void *impl; /* net's */
};

/* Puts TLS over `plain`, which it takes over in any outcome (on failure it is
 * closed and freed inside). `unread` is how many plaintext bytes the session has
 * received behind the server's OK: anything but 0 is SYNCD_EPROTO, as someone
 * may have injected them (RFC 3501 §6.2.1, CVE-2011-0411). */
void net_starttls_start(struct net_context *context, struct net_starttls *req, struct stream *plain,
			size_t unread, net_starttls_done done);
void net_starttls_cancel(struct net_starttls *req);

/* Puts DEFLATE over `plain`, which the new stream takes over (RFC 4978). `unread` are the bytes
 * that came behind the server's OK: compressed already, copied, the first to be decoded. What the
 * session itself wrote is out before. Cannot fail, and needs no handshake: set the user
 * at once. What is written in one turn of the loop is sent at the end of it, and before that as
 * the encoder fills up. Data that cannot be decoded breaks the stream with SYNCD_EPROTO. */
struct stream *net_compress(struct loop *loop, struct stream *plain, struct slice unread);

#endif
