/* What lies between a protocol session and its stream, the same for all of them.
 * SPDX-License-Identifier: MIT */
#include "syncd/net_link.h"

#include "syncd/must.h"

static struct net_link *link_of_stream(struct stream_user *user)
{
	return container_of(user, struct net_link, stream_user);
}

static void closed_if_over(struct net_link *link)
{
	if (!link->is_closing || link->is_dialling || link->is_securing || link->stream != NULL)
		return;
	loop_defer_cancel(&link->over);
	link->ops->closed(link);
}

static void fail(struct net_link *link, const struct error *err)
{
	if (!link->is_halted)
		link->ops->failed(link, err);
}

/* --- Time --------------------------------------------------------------------- */

void net_link_touch(struct net_link *link)
{
	uint64_t patience_ms = 0;

	link->unsent_seen = link->stream != NULL ? stream_unsent(link->stream) : 0;
	if (link->stream != NULL && link->pauses == 0 && !link->is_halted)
		patience_ms = link->ops->patience_ms(link);
	if (patience_ms > 0)
		loop_timer_start(&link->progress, patience_ms);
	else
		loop_timer_stop(&link->progress);
}

/* Bytes that left are progress too: something large on a slow link. */
static void time_is_up(struct loop_timer *timer)
{
	struct net_link *link = container_of(timer, struct net_link, progress);
	struct error err;

	if (stream_unsent(link->stream) < link->unsent_seen) {
		net_link_touch(link);
		return;
	}
	(void)error_set(&err, SYNCD_ETIMEOUT, "no answer from the server for %llu s",
			(unsigned long long)(link->ops->patience_ms(link) / 1000));
	fail(link, &err);
}

/* --- The stream ------------------------------------------------------------------ */

static void stream_data(struct stream_user *user, struct slice data)
{
	struct net_link *link = link_of_stream(user);

	if (!link->is_halted)
		link->ops->data(link, data);
}

static void stream_drained(struct stream_user *user)
{
	struct net_link *link = link_of_stream(user);

	if (!link->is_halted)
		link->ops->drained(link);
}

static void stream_broken(struct stream_user *user, const struct error *err)
{
	fail(link_of_stream(user), err);
}

static void stream_closed(struct stream_user *user)
{
	struct net_link *link = link_of_stream(user);

	link->stream = NULL;
	closed_if_over(link);
}

static const struct stream_user_ops stream_ops = {
	.data = stream_data,
	.drained = stream_drained,
	.broken = stream_broken,
	.closed = stream_closed,
};

static void take_stream(struct net_link *link, struct stream *stream)
{
	link->stream = stream;
	stream_set_user(stream, &link->stream_user);
	if (link->is_closing)
		stream_close(stream);
	else if (link->pauses == 0 && !link->is_halted)
		stream_read_start(stream);
	net_link_touch(link);
}

/* A dial or TLS came to an end. */
static void came(struct net_link *link, struct stream *stream, const struct error *err)
{
	if (stream != NULL)
		take_stream(link, stream);
	if (link->is_closing)
		closed_if_over(link);
	else if (stream == NULL)
		fail(link, err);
	else if (!link->is_halted)
		link->ops->open(link);
}

static void dial_done(struct net_dial *dial, struct stream *stream, const struct error *err)
{
	struct net_link *link = container_of(dial, struct net_link, dial);

	link->is_dialling = false;
	came(link, stream, err);
}

static void secure_done(struct net_starttls *req, struct stream *stream, const struct error *err)
{
	struct net_link *link = container_of(req, struct net_link, starttls);

	link->is_securing = false;
	came(link, stream, err);
}

/* --- What the session asks for ------------------------------------------------------ */

void net_link_init(struct net_link *link, const struct net_link_ops *ops, struct loop *loop,
		   struct net_context *context)
{
	*link = (struct net_link){
		.ops = ops,
		.loop = loop,
		.context = context,
		.stream_user.ops = &stream_ops,
	};
	loop_timer_init(loop, &link->progress, time_is_up);
}

void net_link_dial(struct net_link *link)
{
	link->is_dialling = true;
	net_dial_start(link->context, &link->dial, dial_done);
}

void net_link_secure(struct net_link *link, size_t unread)
{
	struct stream *plain = link->stream;

	must(plain != NULL && !link->is_halted);
	link->stream = NULL;
	link->is_securing = true;
	net_link_touch(link);
	net_starttls_start(link->context, &link->starttls, plain, unread, secure_done);
}

void net_link_cover(struct net_link *link, struct stream *stream)
{
	must(!link->is_halted);
	take_stream(link, stream);
}

void net_link_pause(struct net_link *link)
{
	if (link->pauses++ == 0 && link->stream != NULL && !link->is_halted)
		stream_read_stop(link->stream);
	net_link_touch(link);
}

void net_link_resume(struct net_link *link)
{
	must(link->pauses > 0);
	if (--link->pauses == 0 && link->stream != NULL && !link->is_halted)
		stream_read_start(link->stream);
	net_link_touch(link);
}

bool net_link_is_paused(const struct net_link *link)
{
	return link->pauses > 0;
}

void net_link_halt(struct net_link *link)
{
	if (link->is_halted)
		return;
	link->is_halted = true;
	loop_timer_stop(&link->progress);
	if (link->stream != NULL)
		stream_read_stop(link->stream);
}

static void close_turn(struct loop_defer *defer)
{
	closed_if_over(container_of(defer, struct net_link, over));
}

void net_link_close(struct net_link *link)
{
	must(!link->is_closing);
	net_link_halt(link);
	link->is_closing = true;
	if (link->is_dialling)
		net_dial_cancel(&link->dial);
	if (link->is_securing)
		net_starttls_cancel(&link->starttls);
	if (link->stream != NULL)
		stream_close(link->stream);
	loop_defer(link->loop, &link->over, close_turn);
}
