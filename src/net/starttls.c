/* TLS over a connection that began in plaintext.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "context.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "tls.h"

struct starttls {
	struct net_starttls *req;
	struct tls_handshake handshake;
	struct loop_timer deadline;
	struct stream_user plain_user; /* of a stream that only gets closed */
	struct error err;
};

static void starttls_finish(struct starttls *starttls, struct stream *stream,
			    const struct error *err)
{
	struct net_starttls *req = starttls->req;
	struct error copy;

	if (stream == NULL)
		copy = *err;
	loop_timer_stop(&starttls->deadline);
	free(starttls);
	req->impl = NULL;
	req->done(req, stream, stream != NULL ? NULL : &copy);
}

static void starttls_handshake_done(struct tls_handshake *req, struct stream *stream,
				    const struct error *err)
{
	starttls_finish(container_of(req, struct starttls, handshake), stream, err);
}

static void starttls_deadline_fired(struct loop_timer *timer)
{
	struct starttls *starttls = container_of(timer, struct starttls, deadline);

	(void)error_set(&starttls->err, SYNCD_ETIMEOUT, "the TLS handshake was not over in time");
	tls_handshake_abort(&starttls->handshake, &starttls->err);
}

static void plain_closed(struct stream_user *user)
{
	struct starttls *starttls = container_of(user, struct starttls, plain_user);

	starttls_finish(starttls, NULL, &starttls->err);
}

/* A stream that is being closed says nothing else any more. */
static const struct stream_user_ops plain_user_ops = { .closed = plain_closed };

static void starttls_refuse(struct starttls *starttls, struct stream *plain, size_t unread)
{
	(void)error_set(&starttls->err, SYNCD_EPROTO,
			"%zu bytes followed the answer to STARTTLS in plaintext: "
			"someone may have put them there",
			unread);
	starttls->plain_user.ops = &plain_user_ops;
	stream_read_stop(plain);
	stream_set_user(plain, &starttls->plain_user);
	stream_close(plain);
}

void net_starttls_start(struct net_context *context, struct net_starttls *req, struct stream *plain,
			size_t unread, net_starttls_done done)
{
	struct starttls *starttls = xcalloc(1, sizeof(*starttls));

	req->done = done;
	req->impl = starttls;
	starttls->req = req;
	loop_timer_init(context->loop, &starttls->deadline, starttls_deadline_fired);
	if (unread > 0) {
		starttls_refuse(starttls, plain, unread);
		return;
	}
	if (context->target->timeout_ms > 0)
		loop_timer_start(&starttls->deadline, context->target->timeout_ms);
	tls_handshake_start(context, &starttls->handshake, plain, starttls_handshake_done);
}

void net_starttls_cancel(struct net_starttls *req)
{
	struct starttls *starttls = req->impl;

	if (starttls == NULL)
		return;
	(void)error_set(&starttls->err, SYNCD_ECANCELLED, "cancelled");
	if (starttls->handshake.tls != NULL)
		tls_handshake_abort(&starttls->handshake, &starttls->err);
}
