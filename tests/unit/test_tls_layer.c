/* Tests of the TLS layer as a stream: OpenSSL's server side behind a scripted
 * stream on a fake loop, so that every byte and turn is the test's.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/deflate_peer.h"
#include "support/stream_sink.h"
#include "support/test_cert.h"
#include "support/tls_peer.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/net.h"

struct fixture {
	struct loop *loop;
	struct test_cert cert;
	char fingerprint[80];
	struct net_target target;
	struct net_context *context;
	struct net_starttls req;
	struct stream_sink sink;
	SSL_CTX *server_ctx;
	struct tls_peer server;
};

static void secured(struct net_starttls *req, struct stream *stream, const struct error *err)
{
	struct fixture *f = container_of(req, struct fixture, req);

	assert_null(err);
	assert_non_null(stream);
	stream_sink_init(&f->sink, stream);
}

static int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err;

	f->loop = loop_new_fake();
	f->cert = test_cert_new(NULL, "server", "DNS:server", 86400);
	test_cert_fingerprint(&f->cert, f->fingerprint);
	f->target = (struct net_target){ .host = "server",
					 .tls = NET_TLS_STARTTLS,
					 .tls_fingerprint = f->fingerprint,
					 .timeout_ms = 60000 };
	f->context = net_context_new(f->loop, &f->target, &err);
	must(f->context != NULL);
	f->server_ctx = SSL_CTX_new(TLS_server_method());
	must(SSL_CTX_use_certificate(f->server_ctx, f->cert.x509) == 1);
	must(SSL_CTX_use_PrivateKey(f->server_ctx, f->cert.key) == 1);
	tls_peer_init(&f->server, f->loop, f->server_ctx);
	*state = f;
	return 0;
}

static void open_stream(struct fixture *f)
{
	net_starttls_start(f->context, &f->req, memory_stream_stream(f->server.memory), 0, secured);
	assert_null(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_non_null(f->sink.stream);
}

static int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	f->sink.on_event = NULL;
	if (f->sink.stream != NULL)
		stream_close(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	stream_sink_free(&f->sink);
	net_context_free(&f->context);
	tls_peer_free(&f->server);
	loop_free(&f->loop);
	SSL_CTX_free(f->server_ctx);
	test_cert_free(&f->cert);
	free(f);
	return 0;
}

static void handshake_and_data_survive_coming_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	const char *const records[] = { "hello ", "world", NULL };

	memory_stream_set_split(f->server.memory, 1);
	open_stream(f);
	stream_read_start(f->sink.stream);
	tls_peer_say(&f->server, records);
	assert_int_equal(stream_write(f->sink.stream, SLICE_LITERAL("to the server")), STREAM_OK);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "hello world");
	assert_string_equal(buf_str(&f->server.received), "to the server");
}

static void stop_at_data(struct stream_sink *sink)
{
	if (sink->stream != NULL)
		stream_read_stop(sink->stream);
}

static void read_stop_inside_data_holds_the_next_record_without_its_being_lost(void **state)
{
	struct fixture *f = *state;
	const char *const records[] = { "one", "two", "three", NULL };

	open_stream(f);
	f->sink.on_event = stop_at_data;
	stream_read_start(f->sink.stream);
	tls_peer_say(&f->server, records);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "one");
	assert_false(memory_stream_is_reading(f->server.memory));
	stream_read_start(f->sink.stream);
	assert_string_equal(buf_str(&f->sink.data), "one");
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "onetwo");
	stream_read_start(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "onetwothree");
}

static void new_layer_does_not_read_on_behind_the_handshake(void **state)
{
	struct fixture *f = *state;
	const char *const records[] = { "early", NULL };

	open_stream(f);
	assert_false(memory_stream_is_reading(f->server.memory));
	tls_peer_say(&f->server, records);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.data_calls, 0);
	stream_read_start(f->sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "early");
}

static void full_and_drained_of_the_lower_layer_reach_the_user(void **state)
{
	static char block[STREAM_HIGH_WATER];
	struct fixture *f = *state;

	open_stream(f);
	memory_stream_set_blocked(f->server.memory, true);
	assert_int_equal(stream_write(f->sink.stream, (struct slice){ block, sizeof(block) }),
			 STREAM_FULL);
	assert_true(stream_unsent(f->sink.stream) >= sizeof(block));
	memory_stream_set_blocked(f->server.memory, false);
	assert_int_equal(f->sink.drained_calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.drained_calls, 1);
	assert_int_equal(f->server.received.len, sizeof(block));
}

static void cut_below_is_told_once_and_writes_are_dropped(void **state)
{
	struct fixture *f = *state;
	const char *const records[] = { "last words", NULL };

	open_stream(f);
	stream_read_start(f->sink.stream);
	tls_peer_say(&f->server, records);
	memory_stream_break(f->server.memory, SYNCD_ETIMEOUT, "gone", false);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&f->sink.data), "last words");
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_ETIMEOUT);
	assert_int_equal(stream_write(f->sink.stream, SLICE_LITERAL("x")), STREAM_OK);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->server.received.len, 0);
}

static void servers_close_notify_is_an_end_with_enet(void **state)
{
	struct fixture *f = *state;

	open_stream(f);
	stream_read_start(f->sink.stream);
	(void)SSL_shutdown(f->server.ssl);
	tls_peer_turn(&f->server);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_ENET);
}

static void garbage_between_records_is_eproto(void **state)
{
	struct fixture *f = *state;

	open_stream(f);
	stream_read_start(f->sink.stream);
	memory_stream_push_str(f->server.memory, "injected plaintext\r\n");
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.broken_calls, 1);
	assert_int_equal(f->sink.broken.code, SYNCD_EPROTO);
	assert_int_equal(f->sink.data_calls, 0);
}

/* As a session does it: inside data(), with what came behind the server's OK. */
struct compressing {
	struct stream_sink plain;
	struct stream_sink sink;
	struct loop *loop;
};

static void compress_behind_ok(struct stream_sink *plain)
{
	struct compressing *c = container_of(plain, struct compressing, plain);
	struct slice unread = { plain->data.data + 4, plain->data.len - 4 };

	stream_sink_init(&c->sink, net_compress(c->loop, plain->stream, unread));
	stream_read_start(c->sink.stream);
}

static void deflate_goes_over_tls_in_the_middle_of_its_data(void **state)
{
	struct fixture *f = *state;
	struct compressing c = { .loop = f->loop };
	struct deflate_peer peer;
	struct buf wire;
	struct buf received;
	size_t len;

	deflate_peer_init(&peer);
	buf_init(&wire, MEMORY_STREAM_MAX);
	buf_init(&received, MEMORY_STREAM_MAX);
	open_stream(f);
	stream_sink_init(&c.plain, f->sink.stream);
	c.plain.on_event = compress_behind_ok;
	stream_read_start(c.plain.stream);
	must(buf_add_str(&wire, "OK\r\n") == 0);
	deflate_peer_encode(&peer, SLICE_LITERAL("same record, "), &wire);
	must(SSL_write_ex(f->server.ssl, wire.data, wire.len, &len) == 1);
	buf_reset(&wire);
	deflate_peer_encode(&peer, SLICE_LITERAL("next record"), &wire);
	must(SSL_write_ex(f->server.ssl, wire.data, wire.len, &len) == 1);
	tls_peer_turn(&f->server);
	loop_fake_advance(f->loop, 0);
	assert_string_equal(buf_str(&c.sink.data), "same record, next record");
	(void)stream_write(c.sink.stream, SLICE_LITERAL("to the server"));
	loop_fake_advance(f->loop, 0);
	assert_true(deflate_peer_decode(&peer, buf_slice(&f->server.received), &received));
	assert_string_equal(buf_str(&received), "to the server");
	assert_true(stream_is_secure(c.sink.stream));
	f->sink.stream = NULL;
	stream_close(c.sink.stream);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(SSL_get_shutdown(f->server.ssl), SSL_RECEIVED_SHUTDOWN);
	stream_sink_free(&c.sink);
	buf_free(&c.plain.data);
	buf_free(&wire);
	buf_free(&received);
	deflate_peer_free(&peer);
}

static void loopback_below_shows_through(void **state)
{
	struct fixture *f = *state;

	open_stream(f);
	assert_false(stream_is_loopback(f->sink.stream));
	memory_stream_set_loopback(f->server.memory, true);
	assert_true(stream_is_loopback(f->sink.stream));
}

static void close_tells_the_server_and_then_the_user(void **state)
{
	struct fixture *f = *state;

	open_stream(f);
	stream_close(f->sink.stream);
	assert_int_equal(f->sink.closed_calls, 0);
	loop_fake_advance(f->loop, 0);
	assert_int_equal(f->sink.closed_calls, 1);
	assert_int_equal(SSL_get_shutdown(f->server.ssl), SSL_RECEIVED_SHUTDOWN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(handshake_and_data_survive_coming_byte_by_byte),
		CASE(read_stop_inside_data_holds_the_next_record_without_its_being_lost),
		CASE(new_layer_does_not_read_on_behind_the_handshake),
		CASE(full_and_drained_of_the_lower_layer_reach_the_user),
		CASE(cut_below_is_told_once_and_writes_are_dropped),
		CASE(servers_close_notify_is_an_end_with_enet),
		CASE(garbage_between_records_is_eproto),
		CASE(deflate_goes_over_tls_in_the_middle_of_its_data),
		CASE(loopback_below_shows_through),
		CASE(close_tells_the_server_and_then_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
