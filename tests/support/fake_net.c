/* Memory streams in place of sockets and TLS.
 * SPDX-License-Identifier: MIT */
#include "support/fake_net.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct net_context {
	struct loop *loop;
	enum net_tls tls;
};

/* A dial or STARTTLS under way. */
struct fake_request {
	struct loop_defer defer;
	struct net_context *context;
	struct net_dial *dial;
	struct net_starttls *starttls;
	struct error err;
};

static struct {
	struct memory_stream *streams[FAKE_NET_CONNECTIONS_MAX];
	size_t count;
	int refusal;
	bool is_loopback;
} net;

void fake_net_begin(void)
{
	net.count = 0;
	net.refusal = 0;
	net.is_loopback = false;
}

void fake_net_end(void)
{
	for (size_t i = 0; i < net.count; i++)
		memory_stream_free(&net.streams[i]);
	net.count = 0;
}

struct memory_stream *fake_net_connection(size_t n)
{
	return n < net.count ? net.streams[n] : NULL;
}

size_t fake_net_count(void)
{
	return net.count;
}

void fake_net_refuse(int code)
{
	net.refusal = code;
}

void fake_net_set_loopback(void)
{
	net.is_loopback = true;
}

struct net_context *net_context_new(struct loop *loop, const struct net_target *target,
				    struct error *err)
{
	struct net_context *context = xcalloc(1, sizeof(*context));

	(void)err;
	context->loop = loop;
	context->tls = target->tls;
	return context;
}

void net_context_free(struct net_context **context)
{
	free(*context);
	*context = NULL;
}

static struct stream *make_stream(struct net_context *context, bool is_secure)
{
	must(net.count < FAKE_NET_CONNECTIONS_MAX);
	struct memory_stream *memory = memory_stream_new(context->loop);
	memory_stream_set_secure(memory, is_secure);
	memory_stream_set_loopback(memory, net.is_loopback);
	net.streams[net.count++] = memory;
	return memory_stream_stream(memory);
}

static void request_done(struct loop_defer *defer)
{
	struct fake_request *request = container_of(defer, struct fake_request, defer);
	struct fake_request own = *request;
	struct stream *stream = NULL;

	free(request);
	if (own.err.code == 0)
		stream = make_stream(own.context,
				     own.dial == NULL || own.context->tls == NET_TLS_IMPLICIT);
	if (own.dial != NULL)
		own.dial->done(own.dial, stream, stream != NULL ? NULL : &own.err);
	else
		own.starttls->done(own.starttls, stream, stream != NULL ? NULL : &own.err);
}

static struct fake_request *request_new(struct net_context *context)
{
	struct fake_request *request = xcalloc(1, sizeof(*request));

	request->context = context;
	loop_defer(context->loop, &request->defer, request_done);
	return request;
}

void net_dial_start(struct net_context *context, struct net_dial *dial, net_dial_done done)
{
	struct fake_request *request = request_new(context);

	dial->done = done;
	dial->impl = request;
	request->dial = dial;
	if (net.refusal != 0)
		(void)error_set(&request->err, net.refusal, "the test refuses connections");
}

void net_dial_cancel(struct net_dial *dial)
{
	struct fake_request *request = dial->impl;

	(void)error_set(&request->err, SYNCD_ECANCELLED, "cancelled");
}

void net_starttls_start(struct net_context *context, struct net_starttls *req, struct stream *plain,
			size_t unread, net_starttls_done done)
{
	struct fake_request *request = request_new(context);

	stream_set_user(plain, NULL);
	stream_close(plain);
	req->done = done;
	req->impl = request;
	request->starttls = req;
	if (unread > 0)
		(void)error_set(&request->err, SYNCD_EPROTO, "plaintext behind STARTTLS");
}

void net_starttls_cancel(struct net_starttls *req)
{
	struct fake_request *request = req->impl;

	(void)error_set(&request->err, SYNCD_ECANCELLED, "cancelled");
}
