/* The echo server of the connection tests: blocking calls in a thread.
 * SPDX-License-Identifier: MIT */
#include "support/echo_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#define FLOOD_PIECE 16384

struct echo_server {
	struct echo_options options;
	SSL_CTX *ctx;
	int listener;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	int connection; /* -1 when there is none */
	bool is_stopping;
	bool may_hear;
	struct echo_seen seen;
};

/* One connection: plain, or TLS where ssl is set. */
struct echo_peer {
	int fd;
	SSL *ssl;
};

static bool peer_send(struct echo_peer *peer, const void *data, size_t len)
{
	size_t sent = 0;

	if (peer->ssl != NULL)
		return SSL_write_ex(peer->ssl, data, len, &sent) == 1;
	while (sent < len) {
		ssize_t n = send(peer->fd, (const char *)data + sent, len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		sent += (size_t)n;
	}
	return true;
}

static size_t peer_receive(struct echo_peer *peer, char *data, size_t size)
{
	size_t len = 0;

	if (peer->ssl != NULL)
		return SSL_read_ex(peer->ssl, data, size, &len) == 1 ? len : 0;
	ssize_t n = recv(peer->fd, data, size, 0);
	return n > 0 ? (size_t)n : 0;
}

static bool send_flood(struct echo_peer *peer, size_t left)
{
	char piece[FLOOD_PIECE];

	memset(piece, 'x', sizeof(piece));
	while (left > 0) {
		size_t len = left < sizeof(piece) ? left : sizeof(piece);
		if (!peer_send(peer, piece, len))
			return false;
		left -= len;
	}
	return true;
}

static bool start_tls(struct echo_server *server, struct echo_peer *peer)
{
	peer->ssl = SSL_new(server->ctx);
	must(peer->ssl != NULL && SSL_set_fd(peer->ssl, peer->fd) == 1);
	if (SSL_accept(peer->ssl) != 1)
		return false;
	must(pthread_mutex_lock(&server->lock) == 0);
	server->seen.handshakes++;
	must(SSL_export_keying_material(peer->ssl, server->seen.exporter, ECHO_BINDING_SIZE,
					"EXPORTER-Channel-Binding", 24, NULL, 0, 0) == 1);
	must(pthread_mutex_unlock(&server->lock) == 0);
	return true;
}

static void echo(struct echo_peer *peer)
{
	char data[4096];
	size_t len;

	while ((len = peer_receive(peer, data, sizeof(data))) > 0) {
		if (len == 5 && memcmp(data, "quit\n", 5) == 0)
			break;
		if (!peer_send(peer, data, len))
			break;
	}
}

static void swallow(struct echo_server *server, struct echo_peer *peer, bool waits)
{
	char data[4096];

	must(pthread_mutex_lock(&server->lock) == 0);
	while (waits && !server->may_hear && !server->is_stopping)
		must(pthread_cond_wait(&server->changed, &server->lock) == 0);
	must(pthread_mutex_unlock(&server->lock) == 0);
	while (peer_receive(peer, data, sizeof(data)) > 0) {
	}
}

static void serve(struct echo_server *server, struct echo_peer *peer)
{
	const struct echo_options *options = &server->options;
	char line[64];

	if (options->mode == ECHO_SILENT || options->mode == ECHO_DEAF) {
		swallow(server, peer, options->mode == ECHO_DEAF);
		return;
	}
	if (options->mode == ECHO_STARTTLS &&
	    (peer_receive(peer, line, sizeof(line)) == 0 || !peer_send(peer, "OK\n", 3)))
		return;
	if (options->mode != ECHO_PLAIN && !start_tls(server, peer))
		return;
	if (options->greeting != NULL &&
	    !peer_send(peer, options->greeting, strlen(options->greeting)))
		return;
	if (send_flood(peer, options->flood) && !options->closes_after_greeting)
		echo(peer);
}

static bool connection_began(struct echo_server *server, int fd)
{
	must(pthread_mutex_lock(&server->lock) == 0);
	bool goes_on = !server->is_stopping;
	server->connection = fd;
	server->seen.connections++;
	must(pthread_mutex_unlock(&server->lock) == 0);
	return goes_on;
}

static void connection_ended(struct echo_server *server, struct echo_peer *peer)
{
	if (peer->ssl != NULL && SSL_is_init_finished(peer->ssl))
		(void)SSL_shutdown(peer->ssl);
	SSL_free(peer->ssl);
	must(pthread_mutex_lock(&server->lock) == 0);
	server->connection = -1;
	(void)close(peer->fd);
	must(pthread_mutex_unlock(&server->lock) == 0);
}

static void *server_main(void *arg)
{
	struct echo_server *server = arg;
	int fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
		struct echo_peer peer = { .fd = fd };

		bool goes_on = connection_began(server, fd);
		if (goes_on)
			serve(server, &peer);
		connection_ended(server, &peer);
		if (!goes_on)
			break;
	}
	return NULL;
}

static SSL_CTX *server_ctx(const struct echo_options *options)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	must(ctx != NULL);
	SSL_CTX_set_security_level(ctx, 0);
	must(SSL_CTX_set_min_proto_version(ctx, 0) == 1);
	must(SSL_CTX_set_max_proto_version(ctx, options->max_version) == 1);
	must(SSL_CTX_use_certificate(ctx, options->cert->x509) == 1);
	must(SSL_CTX_use_PrivateKey(ctx, options->cert->key) == 1);
	must(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"echo", 4) == 1);
	if (options->client_authority != NULL) {
		X509_STORE *store = SSL_CTX_get_cert_store(ctx);
		must(X509_STORE_add_cert(store, options->client_authority->x509) == 1);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return ctx;
}

struct echo_server *echo_server_new(const struct echo_options *options)
{
	struct echo_server *server = xcalloc(1, sizeof(*server));
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	server->options = *options;
	server->connection = -1;
	if (options->mode == ECHO_TLS || options->mode == ECHO_STARTTLS)
		server->ctx = server_ctx(options);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->listener = socket(AF_INET, SOCK_STREAM, 0);
	must(server->listener >= 0);
	must(bind(server->listener, (struct sockaddr *)&address, len) == 0);
	must(listen(server->listener, 8) == 0);
	must(getsockname(server->listener, (struct sockaddr *)&address, &len) == 0);
	server->port = ntohs(address.sin_port);
	must(pthread_mutex_init(&server->lock, NULL) == 0);
	must(pthread_cond_init(&server->changed, NULL) == 0);
	must(pthread_create(&server->thread, NULL, server_main, server) == 0);
	return server;
}

uint16_t echo_server_port(const struct echo_server *server)
{
	return server->port;
}

struct echo_seen echo_server_seen(struct echo_server *server)
{
	must(pthread_mutex_lock(&server->lock) == 0);
	struct echo_seen seen = server->seen;
	must(pthread_mutex_unlock(&server->lock) == 0);
	return seen;
}

void echo_server_hear(struct echo_server *server)
{
	must(pthread_mutex_lock(&server->lock) == 0);
	server->may_hear = true;
	must(pthread_cond_broadcast(&server->changed) == 0);
	must(pthread_mutex_unlock(&server->lock) == 0);
}

void echo_server_free(struct echo_server **server)
{
	struct echo_server *s = *server;

	must(pthread_mutex_lock(&s->lock) == 0);
	s->is_stopping = true;
	(void)shutdown(s->listener, SHUT_RDWR); /* makes accept return */
	if (s->connection >= 0)
		(void)shutdown(s->connection, SHUT_RDWR);
	must(pthread_cond_broadcast(&s->changed) == 0);
	must(pthread_mutex_unlock(&s->lock) == 0);
	must(pthread_join(s->thread, NULL) == 0);
	(void)close(s->listener);
	must(pthread_cond_destroy(&s->changed) == 0);
	must(pthread_mutex_destroy(&s->lock) == 0);
	SSL_CTX_free(s->ctx);
	free(s);
	*server = NULL;
}
