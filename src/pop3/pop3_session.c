/* The life of a POP3 session: connection and parser below, commands and user above, and the
 * orderly end whatever happens. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "pop3_private.h"

bool pop3_session_is_over(const struct pop3_session *session)
{
	return session->phase >= POP3_PHASE_DONE;
}

bool pop3_session_is_live(const struct pop3_session *session)
{
	return session->phase == POP3_PHASE_READY;
}

bool pop3_session_can(const struct pop3_session *session, enum pop3_capability capability)
{
	return (session->capabilities & (uint32_t)capability) != 0;
}

const struct pop3_policy *pop3_session_policy(const struct pop3_session *session)
{
	return &session->policy;
}

/* --- The end ------------------------------------------------------------------ */

static void session_free_if_closed(struct pop3_session *session)
{
	struct pop3_user *user = session->user;

	if (!session->is_link_closed || !list_is_empty(&session->queue) ||
	    !list_is_empty(&session->sent))
		return;
	loop_defer_cancel(&session->over);
	loop_defer_cancel(&session->pump);
	pop3_parser_free(&session->parser);
	sasl_exchange_free(&session->exchange);
	buf_free(&session->out);
	free(session);
	user->ops->closed(user);
}

/* Completes all commands, then tells the user. */
static void session_over(struct loop_defer *defer)
{
	struct pop3_session *session = container_of(defer, struct pop3_session, over);

	while (pop3_command_finish_one(session))
		;
	if (session->phase == POP3_PHASE_BROKEN && !session->is_told) {
		session->is_told = true;
		session->user->ops->broken(session->user, &session->err);
		return;
	}
	session_free_if_closed(session);
}

void pop3_session_fail(struct pop3_session *session, const struct error *err)
{
	if (!pop3_session_is_over(session)) {
		session->phase = POP3_PHASE_BROKEN;
		session->err = *err;
		net_link_halt(&session->link);
	}
	loop_defer(session->settings.loop, &session->over, session_over);
}

void pop3_session_close(struct pop3_session *session)
{
	must(session->phase != POP3_PHASE_CLOSING);
	if (session->phase != POP3_PHASE_BROKEN)
		(void)error_set(&session->err, SYNCD_ECANCELLED, "the session was given up");
	session->phase = POP3_PHASE_CLOSING;
	net_link_close(&session->link);
	loop_defer(session->settings.loop, &session->over, session_over);
}

void pop3_session_cancel(struct pop3_session *session)
{
	struct error err;

	(void)error_set(&err, SYNCD_ECANCELLED, "cancelled");
	pop3_session_fail(session, &err);
}

void pop3_session_pause(struct pop3_session *session)
{
	net_link_pause(&session->link);
}

void pop3_session_resume(struct pop3_session *session)
{
	net_link_resume(&session->link);
	pop3_command_pump_later(session);
}

/* --- What arrives ----------------------------------------------------------------- */

static const struct pop3_command_type goodbye_type = { .name = "connection",
						       .refused = SYNCD_ENET };

/* An answer to nothing: servers say why they hang up (as Dovecot does after a while of silence). */
static void take_unasked(struct pop3_session *session, const struct pop3_status *status)
{
	struct error err;

	if (status->indicator == POP3_ERR)
		(void)pop3_reply_refused(session, status, &goodbye_type, &err);
	else
		(void)error_set(&err, SYNCD_EPROTO, "the server answered a command never sent");
	pop3_session_fail(session, &err);
}

/* What a callback of the parser returns. */
static int go_on(const struct pop3_session *session)
{
	return pop3_session_is_over(session) ? SYNCD_ECANCELLED : 0;
}

static int take_status(void *context, const struct pop3_status *status)
{
	struct pop3_session *session = context;
	enum pop3_follows follows = POP3_FOLLOWS_STATUS;

	pop3_trace_status(session, status);
	session->message_bytes = 0;
	if (session->phase == POP3_PHASE_LOGIN && session->login == POP3_LOGIN_GREETING)
		pop3_login_event(session, &(struct pop3_login_event){ .greeting = status });
	else if (session->flight_count == 0)
		take_unasked(session, status);
	else
		follows = pop3_command_status(session, status);
	return go_on(session) < 0 ? go_on(session) : (int)follows;
}

static int take_line(void *context, struct slice line)
{
	pop3_trace_line(context, line);
	pop3_command_line(context, line);
	return go_on(context);
}

/* Bytes are progress, so that one without end would keep the session for ever. */
static int take_data(void *context, struct slice data)
{
	struct pop3_session *session = context;
	struct error err;

	session->message_bytes += data.len;
	if (session->message_bytes > POP3_MESSAGE_MAX) {
		(void)error_set(&err, SYNCD_ELIMIT, "the server sends a message of more than 4 GB");
		pop3_session_fail(session, &err);
	} else {
		pop3_command_data(session, data);
	}
	return go_on(session);
}

static int take_end(void *context)
{
	pop3_command_end(context);
	return go_on(context);
}

static const struct pop3_parser_ops parser_ops = {
	.status = take_status,
	.line = take_line,
	.data = take_data,
	.end = take_end,
};

/* --- The connection ------------------------------------------------------------------- */

static struct pop3_session *session_of_link(const struct net_link *link)
{
	return container_of(link, struct pop3_session, link);
}

static void link_open(struct net_link *link)
{
	pop3_login_event(session_of_link(link), &(struct pop3_login_event){ 0 });
}

static void link_data(struct net_link *link, struct slice data)
{
	struct pop3_session *session = session_of_link(link);
	struct error err;

	net_link_touch(link);
	error_clear(&err);
	int rc = pop3_parser_feed(session->parser, data, &err);
	if (pop3_session_is_over(session))
		return;
	if (rc < 0)
		pop3_session_fail(session, &err);
	else if (session->is_upgrade_due)
		pop3_login_upgrade(session, pop3_parser_unread(session->parser));
	else
		pop3_command_pump(session);
}

/* What is in the pipe is little: nobody waits for it to drain. */
static void link_drained(struct net_link *link)
{
	net_link_touch(link);
}

static uint64_t link_patience_ms(const struct net_link *link)
{
	const struct pop3_session *session = session_of_link(link);
	bool is_awaited = session->phase == POP3_PHASE_LOGIN || session->flight_count > 0;

	return is_awaited ? session->settings.target->timeout_ms : 0;
}

static void link_failed(struct net_link *link, const struct error *err)
{
	pop3_session_fail(session_of_link(link), err);
}

static void link_closed(struct net_link *link)
{
	struct pop3_session *session = session_of_link(link);

	session->is_link_closed = true;
	session_free_if_closed(session);
}

static const struct net_link_ops link_ops = {
	.open = link_open,
	.data = link_data,
	.drained = link_drained,
	.patience_ms = link_patience_ms,
	.failed = link_failed,
	.closed = link_closed,
};

struct pop3_session *pop3_session_new(const struct pop3_settings *settings, struct pop3_user *user)
{
	struct pop3_session *session = xcalloc(1, sizeof(*session));

	session->settings = *settings;
	session->user = user;
	session->parser = pop3_parser_new(&parser_ops, session);
	pop3_capability_forget(session);
	list_init(&session->queue);
	list_init(&session->sent);
	/* In one piece: a buffer that grows leaves copies of the password behind. */
	buf_init(&session->out, POP3_PIPE_COMMANDS * (POP3_COMMAND_MAX + 2));
	must(buf_reserve(&session->out, POP3_COMMAND_MAX + 2) != NULL);
	net_link_init(&session->link, &link_ops, settings->loop, settings->net);
	return session;
}

void pop3_session_start(struct pop3_session *session)
{
	must(session->phase == POP3_PHASE_LOGIN && session->login == POP3_LOGIN_DIAL);
	pop3_login_begin(session);
}
