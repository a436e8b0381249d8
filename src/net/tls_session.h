/* TLS sessions to resume. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_TLS_SESSION_H
#define SYNCD_NET_TLS_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#define TLS_SESSIONS_MAX 8 /* two for each of an account's usual connections */

/* Zero-initialised is none. */
struct tls_sessions {
	SSL_SESSION *list[TLS_SESSIONS_MAX]; /* the newest last */
	size_t count;
	uint64_t proven_ms; /* when a server last showed its certificate */
};

/* Takes over a session that the server gave. */
void tls_sessions_keep(struct tls_sessions *sessions, SSL_SESSION *session);

/* A full handshake is over: sessions may be resumed for a day from now. */
void tls_sessions_prove(struct tls_sessions *sessions, uint64_t now_ms);

/* Offers the newest session, if there is one, in the handshake that `ssl` is about to begin. */
void tls_sessions_offer(struct tls_sessions *sessions, SSL *ssl, uint64_t now_ms);

void tls_sessions_forget(struct tls_sessions *sessions);

#endif
