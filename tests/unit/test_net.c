/* Tests of dialling, sockets and tunnels, over the loopback interface.
 * SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "support/dialer.h"
#include "support/echo_server.h"
#include "syncd/must.h"

static struct net_target plain_target(uint16_t port)
{
	return (struct net_target){
		.host = "127.0.0.1", .port = port, .tls = NET_TLS_NONE, .timeout_ms = 4000
	};
}

/* What most tests need: a server, a context for it, one connection. */
struct fixture {
	struct loop *loop;
	struct echo_server *server;
	struct net_target target;
	struct net_context *context;
	struct dialer dialer;
};

static void fixture_start(struct fixture *f, const struct echo_options *options)
{
	struct error err;

	*f = (struct fixture){ .loop = loop_new() };
	f->server = echo_server_new(options);
	f->target = plain_target(echo_server_port(f->server));
	f->context = net_context_new(f->loop, &f->target, &err);
	assert_non_null(f->context);
}

static void fixture_end(struct fixture *f)
{
	dialer_close(&f->dialer);
	net_context_free(&f->context);
	echo_server_free(&f->server);
	loop_free(&f->loop);
}

static void dial_reaches_a_server_and_bytes_come_back(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .greeting = "hi\n" });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	dialer_wait_data(&f.dialer, 3);
	assert_int_equal(stream_write(f.dialer.sink.stream, SLICE_LITERAL("echo")), STREAM_OK);
	dialer_wait_data(&f.dialer, 7);
	assert_string_equal(buf_str(&f.dialer.sink.data), "hi\necho");
	fixture_end(&f);
}

static void loopback_socket_is_known_as_such_secure_and_has_no_binding(void **state)
{
	struct fixture f;
	unsigned char binding[64];

	(void)state;
	fixture_start(&f, &(struct echo_options){ 0 });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	assert_true(stream_is_loopback(f.dialer.sink.stream));
	assert_true(stream_is_secure(f.dialer.sink.stream));
	assert_int_equal(
		stream_binding(f.dialer.sink.stream, "tls-exporter", binding, sizeof(binding)), 0);
	fixture_end(&f);
}

/* The socket of this process that is connected to `port`. */
static int find_socket(uint16_t port)
{
	for (int fd = 0; fd < 256; fd++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
		    peer.sin_family == AF_INET && ntohs(peer.sin_port) == port)
			return fd;
	}
	fail_msg("no socket is connected to port %u", port);
	return -1;
}

static int socket_option(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void kernel_gives_a_silent_peer_up_within_two_minutes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ 0 });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	int fd = find_socket(f.target.port);
	assert_true(socket_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
#ifdef TCP_KEEPIDLE
	int silence_s = socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE);
	int probes_s = socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
		       socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT);
	assert_in_range(silence_s, 1, 30);
	assert_in_range(probes_s, 45, 120 - silence_s);
#endif
#ifdef TCP_USER_TIMEOUT
	assert_in_range(socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 45000, 120000);
#endif
	fixture_end(&f);
}

static void name_with_a_dead_first_address_still_connects(void **state)
{
	struct fixture f;

	(void)state;
	/* The server listens on 127.0.0.1 only; localhost may be ::1 first. */
	fixture_start(&f, &(struct echo_options){ .greeting = "hi\n" });
	f.target.host = "localhost";
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	fixture_end(&f);
}

static void new_stream_reads_nothing_until_told(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .greeting = "hi\n" });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	dialer_idle(&f.dialer, 20);
	assert_int_equal(f.dialer.sink.data_calls, 0);
	fixture_end(&f);
}

static void servers_close_breaks_with_enet_behind_its_last_words(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(
		&f, &(struct echo_options){ .greeting = "* BYE\n", .closes_after_greeting = true });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	stream_read_start(f.dialer.sink.stream);
	dialer_wait_broken(&f.dialer);
	assert_string_equal(buf_str(&f.dialer.sink.data), "* BYE\n");
	assert_int_equal(f.dialer.sink.broken.code, SYNCD_ENET);
	assert_non_null(strstr(f.dialer.sink.broken.text, "closed by the other side"));
	assert_int_equal(stream_write(f.dialer.sink.stream, SLICE_LITERAL("x")), STREAM_OK);
	fixture_end(&f);
}

static void failed_write_does_not_hide_the_servers_last_words(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(
		&f, &(struct echo_options){ .greeting = "* BYE\n", .closes_after_greeting = true });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	dialer_idle(&f.dialer, 20); /* the server is gone, its words are unread */
	for (int i = 0; i < 5; i++)
		(void)stream_write(f.dialer.sink.stream, SLICE_LITERAL("a1 LOGIN\n"));
	stream_read_start(f.dialer.sink.stream);
	dialer_wait_broken(&f.dialer);
	assert_string_equal(buf_str(&f.dialer.sink.data), "* BYE\n");
	fixture_end(&f);
}

static void stop_at_first_data(struct stream_sink *sink)
{
	if (sink->stream == NULL || sink->broken_calls > 0)
		return;
	stream_read_stop(sink->stream);
	loop_stop(((struct dialer *)sink->context)->loop);
}

static void read_stop_keeps_the_flood_in_the_kernel(void **state)
{
	enum { FLOOD = 8 * 1024 * 1024 };
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .flood = FLOOD });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	void (*on_event)(struct stream_sink *) = f.dialer.sink.on_event;
	f.dialer.sink.on_event = stop_at_first_data;
	stream_read_start(f.dialer.sink.stream);
	loop_run(f.loop);
	assert_int_equal(f.dialer.sink.data_calls, 1);
	dialer_idle(&f.dialer, 20);
	assert_int_equal(f.dialer.sink.data_calls, 1);
	f.dialer.sink.on_event = on_event;
	dialer_wait_data(&f.dialer, FLOOD);
	assert_int_equal(f.dialer.sink.data.len, FLOOD);
	fixture_end(&f);
}

static void unread_writes_fill_up_and_drain_later(void **state)
{
	static char block[STREAM_HIGH_WATER];
	enum stream_write_result result = STREAM_OK;
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ .mode = ECHO_DEAF });
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	for (int i = 0; i < 200 && result == STREAM_OK; i++)
		result = stream_write(f.dialer.sink.stream, (struct slice){ block, sizeof(block) });
	assert_int_equal(result, STREAM_FULL);
	assert_true(stream_unsent(f.dialer.sink.stream) >= STREAM_HIGH_WATER);
	assert_int_equal(f.dialer.sink.drained_calls, 0);
	echo_server_hear(f.server);
	dialer_wait_drained(&f.dialer);
	assert_true(stream_unsent(f.dialer.sink.stream) <= STREAM_LOW_WATER);
	fixture_end(&f);
}

static void closed_port_is_enet_naming_host_and_port(void **state)
{
	struct fixture f;
	char context[64];

	(void)state;
	fixture_start(&f, &(struct echo_options){ 0 });
	echo_server_free(&f.server);
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), SYNCD_ENET);
	(void)snprintf(context, sizeof(context), "connecting to 127.0.0.1 port %u", f.target.port);
	assert_string_equal(f.dialer.err.context, context);
	assert_non_null(strstr(f.dialer.err.text, "refused"));
	f.server = echo_server_new(&(struct echo_options){ 0 });
	fixture_end(&f);
}

static void name_that_does_not_exist_is_enet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ 0 });
	f.target.host = "no such name";
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), SYNCD_ENET);
	assert_non_null(strstr(f.dialer.err.text, "cannot be resolved"));
	fixture_end(&f);
}

static void cancelled_dial_is_done_as_cancelled(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct echo_options){ 0 });
	dialer_start(&f.dialer, f.loop, f.context);
	net_dial_cancel(&f.dialer.dial);
	assert_int_equal(f.dialer.done_calls, 0);
	assert_int_equal(dialer_wait_done(&f.dialer), SYNCD_ECANCELLED);
	net_dial_cancel(&f.dialer.dial);
	fixture_end(&f);
}

/* Cancels at every turn of the loop that a dial takes. */
struct late_cancel {
	struct loop_defer defer;
	struct dialer *dialer;
	int turns;
};

static void late_cancel_turn(struct loop_defer *defer)
{
	struct late_cancel *late = container_of(defer, struct late_cancel, defer);

	if (late->turns-- > 0)
		loop_defer(late->dialer->loop, defer, late_cancel_turn);
	else
		net_dial_cancel(&late->dialer->dial);
}

static void dial_cancelled_at_any_turn_is_done_once(void **state)
{
	struct fixture f;
	bool has_succeeded = false;

	(void)state;
	for (int turns = 0; turns < 100000 && !has_succeeded; turns = turns * 2 + 1) {
		fixture_start(&f, &(struct echo_options){ 0 });
		struct late_cancel late = { .dialer = &f.dialer, .turns = turns };
		dialer_start(&f.dialer, f.loop, f.context);
		loop_defer(f.loop, &late.defer, late_cancel_turn);
		int code = dialer_wait_done(&f.dialer);
		has_succeeded = code == 0;
		assert_true(has_succeeded || code == SYNCD_ECANCELLED);
		loop_defer_cancel(&late.defer);
		fixture_end(&f);
	}
	assert_true(has_succeeded);
}

/* --- Tunnels -------------------------------------------------------------------- */

static void tunnel_open(struct fixture *f, const char *command)
{
	fixture_start(f, &(struct echo_options){ 0 });
	f->target.tunnel = command;
	assert_int_equal(dialer_open(&f->dialer, f->loop, f->context), 0);
}

static void tunnel_is_its_commands_stdin_and_stdout(void **state)
{
	struct fixture f;

	(void)state;
	tunnel_open(&f, "cat");
	assert_true(stream_is_secure(f.dialer.sink.stream));
	assert_false(stream_is_loopback(f.dialer.sink.stream));
	(void)stream_write(f.dialer.sink.stream, SLICE_LITERAL("through the cat"));
	dialer_wait_data(&f.dialer, 15);
	assert_string_equal(buf_str(&f.dialer.sink.data), "through the cat");
	fixture_end(&f);
}

static void tunnel_that_fails_breaks_and_tells_its_status(void **state)
{
	struct fixture f;

	(void)state;
	tunnel_open(&f, "echo last words; exit 42");
	stream_read_start(f.dialer.sink.stream);
	dialer_wait_broken(&f.dialer);
	assert_string_equal(buf_str(&f.dialer.sink.data), "last words\n");
	assert_int_equal(f.dialer.sink.broken.code, SYNCD_ENET);
	assert_non_null(strstr(f.dialer.sink.broken.text, "status 42"));
	fixture_end(&f);
}

static void tunnel_that_ignores_the_end_of_input_is_told_to_go(void **state)
{
	struct fixture f;

	(void)state;
	tunnel_open(&f, "exec sleep 60");
	uint64_t start = loop_now_ms(f.loop);
	struct loop *loop = f.loop;
	dialer_close(&f.dialer);
	assert_true(loop_now_ms(loop) - start < 3000);
	net_context_free(&f.context);
	echo_server_free(&f.server);
	loop_free(&f.loop);
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(dial_reaches_a_server_and_bytes_come_back),
		CASE(loopback_socket_is_known_as_such_secure_and_has_no_binding),
		CASE(kernel_gives_a_silent_peer_up_within_two_minutes),
		CASE(name_with_a_dead_first_address_still_connects),
		CASE(new_stream_reads_nothing_until_told),
		CASE(servers_close_breaks_with_enet_behind_its_last_words),
		CASE(failed_write_does_not_hide_the_servers_last_words),
		CASE(read_stop_keeps_the_flood_in_the_kernel),
		CASE(unread_writes_fill_up_and_drain_later),
		CASE(closed_port_is_enet_naming_host_and_port),
		CASE(name_that_does_not_exist_is_enet),
		CASE(cancelled_dial_is_done_as_cancelled),
		CASE(dial_cancelled_at_any_turn_is_done_once),
		CASE(tunnel_is_its_commands_stdin_and_stdout),
		CASE(tunnel_that_fails_breaks_and_tells_its_status),
		CASE(tunnel_that_ignores_the_end_of_input_is_told_to_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
