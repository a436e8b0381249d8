/* OpenSSL's server side behind a scripted stream.
 * SPDX-License-Identifier: MIT */
#include "support/tls_peer.h"

#include <string.h>

#include "syncd/must.h"

static void turn(struct memory_stream *memory, void *context)
{
	struct tls_peer *peer = context;
	struct slice written = memory_stream_written(memory);
	char data[4096];
	size_t len = 0;
	char *answer;

	must(written.len == 0 || BIO_write(peer->to_server, written.data, (int)written.len) > 0);
	memory_stream_consume(memory, written.len);
	if (!SSL_is_init_finished(peer->ssl))
		(void)SSL_do_handshake(peer->ssl);
	while (SSL_is_init_finished(peer->ssl) &&
	       SSL_read_ex(peer->ssl, data, sizeof(data), &len) == 1)
		must(buf_add(&peer->received, data, len) == 0);
	long answer_len = BIO_get_mem_data(peer->from_server, &answer);
	if (answer_len > 0)
		memory_stream_push(memory, (struct slice){ answer, (size_t)answer_len });
	(void)BIO_reset(peer->from_server);
}

void tls_peer_init(struct tls_peer *peer, struct loop *loop, SSL_CTX *ctx)
{
	peer->memory = memory_stream_new(loop);
	peer->ssl = SSL_new(ctx);
	peer->to_server = BIO_new(BIO_s_mem());
	peer->from_server = BIO_new(BIO_s_mem());
	must(peer->ssl != NULL && peer->to_server != NULL && peer->from_server != NULL);
	SSL_set_bio(peer->ssl, peer->to_server, peer->from_server);
	SSL_set_accept_state(peer->ssl);
	buf_init(&peer->received, MEMORY_STREAM_MAX);
	memory_stream_set_peer(peer->memory, turn, peer);
}

void tls_peer_free(struct tls_peer *peer)
{
	memory_stream_free(&peer->memory);
	SSL_free(peer->ssl);
	buf_free(&peer->received);
}

void tls_peer_turn(struct tls_peer *peer)
{
	turn(peer->memory, peer);
}

void tls_peer_say(struct tls_peer *peer, const char *const *records)
{
	size_t len = 0;

	for (; *records != NULL; records++)
		must(SSL_write_ex(peer->ssl, *records, strlen(*records), &len) == 1);
	tls_peer_turn(peer);
}
