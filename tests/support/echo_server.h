/* A server on 127.0.0.1 in a thread of its own, with or without TLS, for tests
 * of connections. It greets, then sends back what it gets, one connection at a
 * time. A line "quit" makes it close.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_ECHO_SERVER_H
#define TESTS_SUPPORT_ECHO_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/test_cert.h"

enum echo_mode {
	ECHO_PLAIN,
	ECHO_TLS,
	ECHO_STARTTLS, /* waits for a line in plaintext, answers "OK\n", then TLS */
	ECHO_SILENT,   /* accepts and says nothing */
	ECHO_DEAF,     /* plain: never reads until echo_server_hear */
};

/* Zero-initialised is a plain echo without greeting. */
struct echo_options {
	enum echo_mode mode;
	const char *greeting; /* sent first (inside TLS), or NULL */
	size_t flood;         /* bytes of 'x' sent behind the greeting */
	const struct test_cert *cert;
	const struct test_cert *client_authority; /* then clients need a certificate of it */
	int max_version;                          /* TLS1_2_VERSION..., 0 for the newest */
	bool closes_after_greeting;
};

#define ECHO_BINDING_SIZE 32

/* What the latest TLS connection was like, as the server saw it. */
struct echo_seen {
	unsigned connections;
	unsigned handshakes;
	unsigned char exporter[ECHO_BINDING_SIZE];
};

struct echo_server;

/* Listening when it returns. Options are copied, what they point to is not. */
struct echo_server *echo_server_new(const struct echo_options *options);
uint16_t echo_server_port(const struct echo_server *server);
struct echo_seen echo_server_seen(struct echo_server *server);
void echo_server_hear(struct echo_server *server);
void echo_server_free(struct echo_server **server);

#endif
