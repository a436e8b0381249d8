/* The real IMAP server that the remote port's tests talk to.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PORT_SERVER_H
#define TESTS_PORT_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#define SERVER_USER "me"
#define SERVER_PASSWORD "correct horse battery staple"

struct server {
	pid_t pid;
	int stdin_fd;  /* the server ends with it */
	uint16_t port; /* on 127.0.0.1, without TLS; 0: no server is installed here */
};

/* Starts it without these capabilities (NULL-terminated) and waits until it answers. Aborts
 * when it is installed and does not start. */
void server_start(struct server *server, const char *const *without);

/* Ends it and waits for that. */
void server_stop(struct server *server);

#endif
