/* Connecting: resolve, race the addresses, or start the tunnel, then TLS.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "addresses.h"
#include "context.h"
#include "socket.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "tls.h"

#define DIAL_STAGGER_MS 250 /* RFC 8305 §5, "Connection Attempt Delay" */

enum dial_state {
	DIAL_RESOLVING,
	DIAL_CONNECTING,
	DIAL_TLS,
	DIAL_OVER, /* the outcome is known; done is called in the next turn */
	DIAL_TOLD, /* done was called; late requests of libuv's are awaited */
};

struct dial;

struct attempt {
	struct dial *dial;
	struct socket_connect req;
	struct stream *stream; /* NULL when not under way */
};

struct dial {
	struct net_dial *req;
	struct net_context *context;
	enum dial_state state;
	struct loop_timer deadline;
	struct loop_timer stagger;
	struct loop_defer finish;
	uv_getaddrinfo_t resolve;
	struct tls_handshake handshake;
	struct addresses addresses;
	struct attempt attempts[ADDRESSES_MAX];
	size_t next;    /* address to try */
	size_t running; /* attempts under way */
	size_t owed;    /* libuv's requests that have not come back */
	struct stream *result;
	struct error err;
};

/* --- The outcome --------------------------------------------------------------- */

static void dial_request_back(struct dial *dial)
{
	must(dial->owed > 0);
	if (--dial->owed == 0 && dial->state == DIAL_TOLD)
		free(dial);
}

static void dial_finish(struct loop_defer *defer)
{
	struct dial *dial = container_of(defer, struct dial, finish);
	struct net_dial *req = dial->req;
	struct stream *result = dial->result;
	struct error err = dial->err;

	dial->state = DIAL_TOLD;
	if (dial->owed == 0)
		free(dial);
	req->impl = NULL;
	req->done(req, result, result != NULL ? NULL : &err);
}

static void dial_drop_attempts(struct dial *dial)
{
	loop_timer_stop(&dial->stagger);
	for (size_t i = 0; i < dial->next; i++) {
		if (dial->attempts[i].stream == NULL)
			continue;
		stream_close(dial->attempts[i].stream);
		dial->attempts[i].stream = NULL;
	}
	dial->running = 0;
}

/* The one way out: with a stream, or without and dial->err filled. */
static void dial_over(struct dial *dial, struct stream *result)
{
	must(dial->state != DIAL_OVER && dial->state != DIAL_TOLD);
	must(result != NULL || dial->err.code != 0);
	if (dial->state == DIAL_RESOLVING && dial->owed > 0)
		(void)uv_cancel((uv_req_t *)&dial->resolve); /* too late is harmless */
	dial_drop_attempts(dial);
	loop_timer_stop(&dial->deadline);
	dial->state = DIAL_OVER;
	dial->result = result;
	loop_defer(dial->context->loop, &dial->finish, dial_finish);
}

static void dial_fail(struct dial *dial)
{
	if (dial->context->target->tunnel != NULL)
		error_context(&dial->err, "tunnel");
	else
		error_context(&dial->err, "connecting to %s port %u", dial->context->target->host,
			      dial->context->target->port);
	dial_over(dial, NULL);
}

/* --- TLS ------------------------------------------------------------------------- */

static void dial_tls_done(struct tls_handshake *req, struct stream *stream, const struct error *err)
{
	struct dial *dial = container_of(req, struct dial, handshake);

	if (stream == NULL) {
		dial->err = *err;
		dial_fail(dial);
		return;
	}
	dial_over(dial, stream);
}

static void dial_connected(struct dial *dial, struct stream *stream)
{
	if (dial->context->target->tls != NET_TLS_IMPLICIT) {
		dial_over(dial, stream);
		return;
	}
	dial_drop_attempts(dial);
	dial->state = DIAL_TLS;
	tls_handshake_start(dial->context, &dial->handshake, stream, dial_tls_done);
}

/* --- Connecting -------------------------------------------------------------------- */

static void dial_attempt_next(struct dial *dial);

static void attempt_failed(struct attempt *attempt, int status)
{
	struct dial *dial = attempt->dial;

	(void)error_set(&dial->err, SYNCD_ENET, "%s", uv_strerror(status));
	stream_close(attempt->stream);
	attempt->stream = NULL;
	dial->running--;
}

static void attempt_done(struct socket_connect *req, int status)
{
	struct attempt *attempt = container_of(req, struct attempt, req);
	struct dial *dial = attempt->dial;
	struct stream *stream = attempt->stream;

	if (stream == NULL) { /* dropped meanwhile */
		dial_request_back(dial);
		return;
	}
	dial->owed--;
	if (status != 0) {
		attempt_failed(attempt, status);
		dial_attempt_next(dial);
		return;
	}
	attempt->stream = NULL;
	dial->running--;
	dial_connected(dial, stream);
}

static int attempt_start(struct dial *dial, size_t index)
{
	struct attempt *attempt = &dial->attempts[index];
	const void *address = &dial->addresses.list[index];

	attempt->dial = dial;
	attempt->stream = socket_new_tcp(dial->context->loop);
	dial->running++;
	int rc = socket_connect_start(attempt->stream, &attempt->req, address, attempt_done);
	if (rc != 0)
		attempt_failed(attempt, rc);
	else
		dial->owed++;
	return rc;
}

/* Begins with the next address that can be tried at all; with none left and
 * none under way the dial has failed. */
static void dial_attempt_next(struct dial *dial)
{
	while (dial->next < dial->addresses.count) {
		if (attempt_start(dial, dial->next++) == 0)
			break;
	}
	if (dial->running == 0)
		dial_fail(dial);
	else if (dial->next < dial->addresses.count)
		loop_timer_start(&dial->stagger, DIAL_STAGGER_MS);
}

static void dial_stagger_fired(struct loop_timer *timer)
{
	dial_attempt_next(container_of(timer, struct dial, stagger));
}

static void dial_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct dial *dial = container_of(req, struct dial, resolve);

	if (dial->state != DIAL_RESOLVING) {
		uv_freeaddrinfo(found);
		dial_request_back(dial);
		return;
	}
	dial->owed--;
	addresses_take(&dial->addresses, found);
	uv_freeaddrinfo(found);
	if (status != 0 || dial->addresses.count == 0) {
		(void)error_set(&dial->err, SYNCD_ENET, "the name cannot be resolved: %s",
				status != 0 ? uv_strerror(status) : "no address");
		dial_fail(dial);
		return;
	}
	dial->state = DIAL_CONNECTING;
	dial_attempt_next(dial);
}

static void dial_resolve(struct dial *dial)
{
	const struct net_target *target = dial->context->target;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", target->port);
	int rc = uv_getaddrinfo(loop_uv(dial->context->loop), &dial->resolve, dial_resolved,
				target->host, port, &hints);
	if (rc == 0) {
		dial->owed++;
		return;
	}
	(void)error_set(&dial->err, SYNCD_ENET, "the name cannot be resolved: %s", uv_strerror(rc));
	dial_fail(dial);
}

/* --- From outside -------------------------------------------------------------------- */

/* Ends whatever is under way with dial->err. */
static void dial_abort(struct dial *dial)
{
	if (dial->state == DIAL_TLS)
		tls_handshake_abort(&dial->handshake, &dial->err);
	else
		dial_fail(dial);
}

static void dial_deadline_fired(struct loop_timer *timer)
{
	struct dial *dial = container_of(timer, struct dial, deadline);
	unsigned long long limit_ms = dial->context->target->timeout_ms;
	static const char *const doing[] = {
		[DIAL_RESOLVING] = "the name was not resolved",
		[DIAL_CONNECTING] = "no connection",
		[DIAL_TLS] = "the TLS handshake was not over",
	};

	(void)error_set(&dial->err, SYNCD_ETIMEOUT, "%s within %llu.%llu s", doing[dial->state],
			limit_ms / 1000, limit_ms % 1000 / 100);
	dial_abort(dial);
}

static void dial_tunnel(struct dial *dial)
{
	struct stream *stream =
		socket_new_tunnel(dial->context->loop, dial->context->target->tunnel, &dial->err);

	if (stream == NULL)
		dial_fail(dial);
	else
		dial_connected(dial, stream);
}

void net_dial_start(struct net_context *context, struct net_dial *dial_req, net_dial_done done)
{
	struct dial *dial = xcalloc(1, sizeof(*dial));

	dial_req->done = done;
	dial_req->impl = dial;
	dial->req = dial_req;
	dial->context = context;
	loop_timer_init(context->loop, &dial->deadline, dial_deadline_fired);
	loop_timer_init(context->loop, &dial->stagger, dial_stagger_fired);
	if (context->target->timeout_ms > 0)
		loop_timer_start(&dial->deadline, context->target->timeout_ms);
	if (context->target->tunnel != NULL)
		dial_tunnel(dial);
	else
		dial_resolve(dial);
}

void net_dial_cancel(struct net_dial *dial_req)
{
	struct dial *dial = dial_req->impl;

	if (dial == NULL)
		return;
	(void)error_set(&dial->err, SYNCD_ECANCELLED, "cancelled");
	if (dial->state != DIAL_OVER) {
		dial_abort(dial);
	} else if (dial->result != NULL) {
		stream_close(dial->result);
		dial->result = NULL;
	}
}
