/* The real server that the remote port's tests, and those of POP3, talk to.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PORT_SERVER_H
#define TESTS_PORT_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#define SERVER_USER "me"
#define SERVER_PASSWORD "correct horse battery staple"

struct server {
	pid_t pid;
	int stdin_fd;      /* the server ends with it */
	uint16_t port;     /* on 127.0.0.1, without TLS; 0: no server is installed here */
	uint16_t tls_port; /* of POP3, as the next */
	char ca_file[256];
};

/* Starts it without these capabilities (NULL-terminated) and waits until it answers. Aborts
 * when it is installed and does not start. */
void server_start(struct server *server, const char *const *without);

#define SERVER_POP3_USERS 20
#define SERVER_POP3_MESSAGES 20

/* The same of a server that speaks POP3, with and without TLS, for host "localhost". The users are
 * called "me1" and so on, and each has the messages that server.py makes. */
void server_start_pop3(struct server *server);

/* Ends it and waits for that. */
void server_stop(struct server *server);

#endif
