/* Tests of racing a host's addresses (RFC 8305), with a resolver of the test's own
 * in place of libuv's, so that each "address" leads where the test wants.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "support/dialer.h"
#include "support/echo_server.h"
#include "syncd/must.h"

#define ANSWERS_MAX 4
#define HOLE_FILLERS 8

/* What the resolver will say, and when. */
static struct {
	uint16_t ports[ANSWERS_MAX]; /* of 127.0.0.1 */
	size_t count;
	uint64_t delay_ms;
	uv_timer_t timer;
	uv_getaddrinfo_t *req;
	uv_getaddrinfo_cb cb;
	struct sockaddr_in addresses[ANSWERS_MAX];
	struct addrinfo info[ANSWERS_MAX];
} resolver;

static void resolver_closed(uv_handle_t *handle)
{
	(void)handle;
	for (size_t i = 0; i < resolver.count; i++) {
		resolver.addresses[i] =
			(struct sockaddr_in){ .sin_family = AF_INET,
					      .sin_port = htons(resolver.ports[i]) };
		resolver.addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		resolver.info[i] =
			(struct addrinfo){ .ai_family = AF_INET,
					   .ai_addr = (struct sockaddr *)&resolver.addresses[i],
					   .ai_addrlen = sizeof(resolver.addresses[i]),
					   .ai_next = i + 1 < resolver.count ? &resolver.info[i + 1]
									     : NULL };
	}
	resolver.cb(resolver.req, 0, resolver.info);
}

static void resolver_answers(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, resolver_closed);
}

/* These two stand in for libuv's functions of the same names. */
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
		   const char *service, const struct addrinfo *hints)
{
	(void)node;
	(void)service;
	(void)hints;
	req->type = UV_UNKNOWN_REQ; /* so that uv_cancel finds it cannot be cancelled */
	resolver.req = req;
	resolver.cb = cb;
	must(uv_timer_init(loop, &resolver.timer) == 0);
	return uv_timer_start(&resolver.timer, resolver_answers, resolver.delay_ms, 0);
}

void uv_freeaddrinfo(struct addrinfo *info)
{
	(void)info;
}

/* A listener whose queue is full: connecting to it hangs. */
struct hole {
	int listener;
	uint16_t port;
	int fillers[HOLE_FILLERS];
};

static void hole_open(struct hole *hole)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hole->listener = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(hole->listener, (struct sockaddr *)&address, len) == 0);
	must(listen(hole->listener, 0) == 0);
	must(getsockname(hole->listener, (struct sockaddr *)&address, &len) == 0);
	hole->port = ntohs(address.sin_port);
	for (size_t i = 0; i < HOLE_FILLERS; i++) {
		hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(hole->fillers[i], (struct sockaddr *)&address, len);
	}
}

static void hole_close(struct hole *hole)
{
	for (size_t i = 0; i < HOLE_FILLERS; i++)
		(void)close(hole->fillers[i]);
	(void)close(hole->listener);
}

struct fixture {
	struct loop *loop;
	struct echo_server *server;
	struct hole hole;
	uint16_t closed_port;
	struct net_target target;
	struct net_context *context;
	struct dialer dialer;
};

static void fixture_start(struct fixture *f)
{
	struct error err;

	*f = (struct fixture){ .loop = loop_new() };
	f->server = echo_server_new(&(struct echo_options){ 0 });
	f->closed_port = echo_server_port(f->server);
	echo_server_free(&f->server);
	f->server = echo_server_new(&(struct echo_options){ .greeting = "hi\n" });
	hole_open(&f->hole);
	f->target = (struct net_target){
		.host = "mail.example", .port = 143, .tls = NET_TLS_NONE, .timeout_ms = 2000
	};
	f->context = net_context_new(f->loop, &f->target, &err);
	assert_non_null(f->context);
	resolver.count = 0;
	resolver.delay_ms = 0;
}

static void fixture_end(struct fixture *f)
{
	dialer_close(&f->dialer);
	hole_close(&f->hole);
	net_context_free(&f->context);
	echo_server_free(&f->server);
	loop_free(&f->loop);
}

static void resolver_adds(uint16_t port)
{
	resolver.ports[resolver.count++] = port;
}

static void refused_address_makes_way_for_the_next_at_once(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	resolver_adds(f.closed_port);
	resolver_adds(f.closed_port);
	resolver_adds(echo_server_port(f.server));
	uint64_t start = loop_now_ms(f.loop);
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	assert_true(loop_now_ms(f.loop) - start < 200);
	dialer_wait_data(&f.dialer, 3);
	fixture_end(&f);
}

static void silent_address_is_overtaken_after_250_ms(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	resolver_adds(f.hole.port);
	resolver_adds(echo_server_port(f.server));
	uint64_t start = loop_now_ms(f.loop);
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), 0);
	uint64_t took = loop_now_ms(f.loop) - start;
	assert_in_range(took, 250, 1000);
	dialer_wait_data(&f.dialer, 3);
	fixture_end(&f);
}

static void when_all_refuse_the_dial_fails_with_enet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	resolver_adds(f.closed_port);
	resolver_adds(f.closed_port);
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), SYNCD_ENET);
	assert_string_equal(f.dialer.err.context, "connecting to mail.example port 143");
	fixture_end(&f);
}

static void silent_addresses_end_in_a_timeout(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	f.target.timeout_ms = 50;
	resolver_adds(f.hole.port);
	resolver_adds(f.hole.port);
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), SYNCD_ETIMEOUT);
	assert_non_null(strstr(f.dialer.err.text, "no connection"));
	fixture_end(&f);
}

static void name_without_addresses_is_enet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	resolver.info[0] = (struct addrinfo){ .ai_addrlen = UINT32_MAX };
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), SYNCD_ENET);
	fixture_end(&f);
}

static void stuck_resolver_does_not_hold_up_the_timeout_and_may_answer_later(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f);
	f.target.timeout_ms = 20;
	resolver.delay_ms = 60;
	resolver_adds(echo_server_port(f.server));
	assert_int_equal(dialer_open(&f.dialer, f.loop, f.context), SYNCD_ETIMEOUT);
	assert_non_null(strstr(f.dialer.err.text, "name was not resolved"));
	assert_true(uv_is_active((uv_handle_t *)&resolver.timer));
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_address_makes_way_for_the_next_at_once),
		cmocka_unit_test(silent_address_is_overtaken_after_250_ms),
		cmocka_unit_test(when_all_refuse_the_dial_fails_with_enet),
		cmocka_unit_test(silent_addresses_end_in_a_timeout),
		cmocka_unit_test(name_without_addresses_is_enet),
		cmocka_unit_test(stuck_resolver_does_not_hold_up_the_timeout_and_may_answer_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
