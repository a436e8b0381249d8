/* Tests of TLS resumption: which connection may use which session, on a fake
 * loop and clock.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/stream_sink.h"
#include "support/test_cert.h"
#include "support/tls_peer.h"
#include "syncd/must.h"
#include "syncd/net.h"

#define HOUR_MS (60 * 60 * 1000)
#define DAY_S 86400L
#define SESSIONS_MAX 8 /* kept by a context */
#define CONNECTIONS_MAX 12

/* Of the whole program. */
static struct {
	char client_file[64];
	char fingerprint[80];
	char other_fingerprint[80];
	struct test_cert ca;
	struct test_cert server;
	struct test_cert client;
} pki;

static int pki_setup(void **state)
{
	(void)state;
	pki.ca = test_cert_new(NULL, "Test Authority", NULL, DAY_S);
	pki.server = test_cert_new(&pki.ca, "server", "DNS:server", DAY_S);
	pki.client = test_cert_new(&pki.ca, "client", "DNS:client", DAY_S);
	test_cert_fingerprint(&pki.server, pki.fingerprint);
	test_cert_fingerprint(&pki.client, pki.other_fingerprint);
	strcpy(pki.client_file, "/tmp/syncd-test-client-XXXXXX");
	int fd = mkstemp(pki.client_file);
	must(fd >= 0 && close(fd) == 0);
	test_cert_write(&pki.client, pki.client_file);
	return 0;
}

static int pki_teardown(void **state)
{
	(void)state;
	test_cert_free(&pki.ca);
	test_cert_free(&pki.server);
	test_cert_free(&pki.client);
	return unlink(pki.client_file);
}

struct connection {
	struct net_starttls req;
	struct tls_peer peer;
	struct stream_sink sink;
	struct error err;
};

struct fixture {
	struct loop *loop;
	struct net_target target;
	struct net_context *context;
	SSL_CTX *server_ctx;
	struct connection connections[CONNECTIONS_MAX];
	size_t count;
};

/* A server that knows no sessions of any other. */
static SSL_CTX *new_server(int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	must(ctx != NULL);
	must(SSL_CTX_set_max_proto_version(ctx, version) == 1);
	must(SSL_CTX_use_certificate(ctx, pki.server.x509) == 1);
	must(SSL_CTX_use_PrivateKey(ctx, pki.server.key) == 1);
	must(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4) == 1);
	return ctx;
}

static void fixture_start(struct fixture *f, int version)
{
	*f = (struct fixture){ .loop = loop_new_fake(), .server_ctx = new_server(version) };
	f->target = (struct net_target){ .host = "server",
					 .tls = NET_TLS_STARTTLS,
					 .tls_fingerprint = pki.fingerprint,
					 .timeout_ms = 60000 };
}

static void secured(struct net_starttls *req, struct stream *stream, const struct error *err)
{
	struct connection *connection = container_of(req, struct connection, req);

	if (stream != NULL)
		stream_sink_init(&connection->sink, stream);
	else
		connection->err = *err;
}

/* Starts a connection; nothing runs yet. */
static struct connection *begin(struct fixture *f)
{
	struct connection *connection = &f->connections[f->count++];
	struct error err;

	must(f->count <= CONNECTIONS_MAX);
	if (f->context == NULL)
		f->context = net_context_new(f->loop, &f->target, &err);
	assert_non_null(f->context);
	tls_peer_init(&connection->peer, f->loop, f->server_ctx);
	net_starttls_start(f->context, &connection->req,
			   memory_stream_stream(connection->peer.memory), 0, secured);
	return connection;
}

/* A connection whose handshake is over. What the server sends behind it (with TLS 1.3
 * the tickets) is not read. */
static struct connection *open_connection(struct fixture *f)
{
	struct connection *connection = begin(f);

	loop_fake_advance(f->loop, 0);
	assert_non_null(connection->sink.stream);
	return connection;
}

static bool is_resumed(const struct connection *connection)
{
	return SSL_session_reused(connection->peer.ssl) == 1;
}

/* Reads, so that the client gets the tickets. */
static void listen_to(struct fixture *f, struct connection *connection)
{
	stream_read_start(connection->sink.stream);
	loop_fake_advance(f->loop, 0);
}

static void close_all(struct fixture *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct connection *connection = &f->connections[i];
		if (connection->sink.stream != NULL)
			stream_close(connection->sink.stream);
		loop_fake_advance(f->loop, 0);
		if (connection->err.code == 0)
			stream_sink_free(&connection->sink);
		tls_peer_free(&connection->peer);
		*connection = (struct connection){ 0 };
	}
	f->count = 0;
}

static void fixture_end(struct fixture *f)
{
	close_all(f);
	net_context_free(&f->context);
	SSL_CTX_free(f->server_ctx);
	loop_free(&f->loop);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void second_connection_resumes_the_first_ones_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		struct connection *first = open_connection(&f);
		assert_false(is_resumed(first));
		listen_to(&f, first);
		struct connection *second = open_connection(&f);
		assert_true(is_resumed(second));
		fixture_end(&f);
	}
}

static void ticket_of_tls_1_3_is_used_once(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, TLS1_3_VERSION);
	SSL_CTX_set_num_tickets(f.server_ctx, 3);
	listen_to(&f, open_connection(&f));
	for (int i = 0; i < 3; i++)
		(void)begin(&f);
	loop_fake_advance(f.loop, 0);
	for (size_t i = 1; i < f.count; i++)
		assert_true(is_resumed(&f.connections[i]));
	assert_false(is_resumed(open_connection(&f)));
	fixture_end(&f);
}

static void session_of_tls_1_2_serves_all_that_begin_at_once(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, TLS1_2_VERSION);
	(void)open_connection(&f);
	for (int i = 0; i < 4; i++)
		(void)begin(&f);
	loop_fake_advance(f.loop, 0);
	for (size_t i = 1; i < f.count; i++)
		assert_true(is_resumed(&f.connections[i]));
	fixture_end(&f);
}

static void only_so_many_tickets_are_kept(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, TLS1_3_VERSION);
	SSL_CTX_set_num_tickets(f.server_ctx, 3 * SESSIONS_MAX);
	listen_to(&f, open_connection(&f));
	for (int i = 0; i < SESSIONS_MAX; i++)
		assert_true(is_resumed(open_connection(&f)));
	assert_false(is_resumed(open_connection(&f)));
	fixture_end(&f);
}

static void refused_session_falls_back_to_a_full_handshake(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		listen_to(&f, open_connection(&f));
		close_all(&f);
		SSL_CTX_free(f.server_ctx);
		f.server_ctx = new_server(versions[i]);
		struct connection *full = open_connection(&f);
		assert_false(is_resumed(full));
		listen_to(&f, full);
		assert_true(is_resumed(open_connection(&f)));
		fixture_end(&f);
	}
}

static void certificate_is_asked_for_again_after_a_day_of_resumptions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		listen_to(&f, open_connection(&f));
		loop_fake_advance(f.loop, 23 * HOUR_MS);
		struct connection *later = open_connection(&f);
		assert_true(is_resumed(later));
		listen_to(&f, later);
		loop_fake_advance(f.loop, HOUR_MS);
		struct connection *next_day = open_connection(&f);
		assert_false(is_resumed(next_day));
		listen_to(&f, next_day);
		assert_true(is_resumed(open_connection(&f)));
		fixture_end(&f);
	}
}

static void connection_that_was_cut_is_resumed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		SSL_CTX_set_num_tickets(f.server_ctx, 1);
		struct connection *first = open_connection(&f);
		listen_to(&f, first);
		memory_stream_break(first->peer.memory, SYNCD_ENET, "cut", true);
		loop_fake_advance(f.loop, 0);
		assert_int_equal(first->sink.broken_calls, 1);
		close_all(&f);
		assert_true(is_resumed(open_connection(&f)));
		fixture_end(&f);
	}
}

static void connection_that_was_tampered_with_is_not_resumed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		SSL_CTX_set_num_tickets(f.server_ctx, 1);
		struct connection *first = open_connection(&f);
		listen_to(&f, first);
		memory_stream_push_str(first->peer.memory, "no TLS record at all\r\n");
		loop_fake_advance(f.loop, 0);
		assert_int_equal(first->sink.broken.code, SYNCD_EPROTO);
		close_all(&f);
		assert_false(is_resumed(open_connection(&f)));
		fixture_end(&f);
	}
}

static void session_tried_in_a_handshake_that_failed_is_forgotten(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		listen_to(&f, open_connection(&f));
		struct connection *cut = begin(&f);
		memory_stream_break(cut->peer.memory, SYNCD_ENET, "cut", true);
		loop_fake_advance(f.loop, 0);
		assert_int_equal(cut->err.code, SYNCD_ENET);
		assert_false(is_resumed(open_connection(&f)));
		fixture_end(&f);
	}
}

static void other_trust_begins_without_sessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;

		fixture_start(&f, versions[i]);
		listen_to(&f, open_connection(&f));
		close_all(&f);
		net_context_free(&f.context);
		f.target.tls_fingerprint = pki.other_fingerprint;
		struct connection *refused = begin(&f);
		loop_fake_advance(f.loop, 0);
		assert_int_equal(refused->err.code, SYNCD_ETRUST);
		fixture_end(&f);
	}
}

static void resumed_session_knows_both_certificates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct fixture f;
		unsigned char digests[2][EVP_MAX_MD_SIZE];

		fixture_start(&f, versions[i]);
		f.target.tls_client_cert = pki.client_file;
		X509_STORE *store = SSL_CTX_get_cert_store(f.server_ctx);
		must(X509_STORE_add_cert(store, pki.ca.x509) == 1);
		SSL_CTX_set_verify(f.server_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
		struct connection *first = open_connection(&f);
		listen_to(&f, first);
		struct connection *second = open_connection(&f);
		assert_true(is_resumed(second));
		assert_int_equal(
			X509_cmp(SSL_get0_peer_certificate(second->peer.ssl), pki.client.x509), 0);
		size_t len = stream_binding(first->sink.stream, "tls-server-end-point", digests[0],
					    sizeof(digests[0]));
		assert_true(len > 0);
		assert_int_equal(stream_binding(second->sink.stream, "tls-server-end-point",
						digests[1], sizeof(digests[1])),
				 len);
		assert_memory_equal(digests[0], digests[1], len);
		fixture_end(&f);
	}
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(second_connection_resumes_the_first_ones_session),
		CASE(ticket_of_tls_1_3_is_used_once),
		CASE(session_of_tls_1_2_serves_all_that_begin_at_once),
		CASE(only_so_many_tickets_are_kept),
		CASE(refused_session_falls_back_to_a_full_handshake),
		CASE(certificate_is_asked_for_again_after_a_day_of_resumptions),
		CASE(connection_that_was_cut_is_resumed),
		CASE(connection_that_was_tampered_with_is_not_resumed),
		CASE(session_tried_in_a_handshake_that_failed_is_forgotten),
		CASE(other_trust_begins_without_sessions),
		CASE(resumed_session_knows_both_certificates),
	};

	return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
