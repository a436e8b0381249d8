/* OpenSSL's server side behind a scripted stream, for tests on a fake loop:
 * every byte and turn is the test's.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_TLS_PEER_H
#define TESTS_SUPPORT_TLS_PEER_H

#include <openssl/ssl.h>

#include "support/memory_stream.h"

struct tls_peer {
	struct memory_stream *memory; /* its stream is what the client gets */
	SSL *ssl;
	BIO *to_server;
	BIO *from_server;
	struct buf received; /* from the client, decrypted */
};

/* Shakes hands and reads by itself from now on. `ctx` is borrowed. */
void tls_peer_init(struct tls_peer *peer, struct loop *loop, SSL_CTX *ctx);

/* The client must have closed its side. */
void tls_peer_free(struct tls_peer *peer);

/* Moves what the server has to say to the client, after calls on `ssl`. */
void tls_peer_turn(struct tls_peer *peer);

/* Each of the NULL-terminated texts is a TLS record of its own; all arrive together. */
void tls_peer_say(struct tls_peer *peer, const char *const *records);

#endif
