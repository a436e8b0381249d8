/* The life of an IMAP session: connection and parser below, commands and user
 * above, and the orderly end whatever happens.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_session.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static struct imap_command *command_of(struct list *link)
{
	return container_of(link, struct imap_command, link);
}

bool imap_session_is_over(const struct imap_session *session)
{
	return session->phase == IMAP_PHASE_BROKEN || session->phase == IMAP_PHASE_CLOSING;
}

bool imap_session_is_live(const struct imap_session *session)
{
	return session->phase == IMAP_PHASE_READY;
}

bool imap_session_can(const struct imap_session *session, enum imap_capability capability)
{
	return (session->capabilities & (uint32_t)capability) != 0;
}

const struct imap_limits *imap_session_limits(const struct imap_session *session)
{
	return &session->limits;
}

bool imap_session_has_qresync(const struct imap_session *session)
{
	return session->has_qresync;
}

const char *imap_session_prefix(const struct imap_session *session)
{
	return session->prefix;
}

char imap_session_separator(const struct imap_session *session)
{
	return session->separator;
}

const struct imap_namespace *imap_session_namespaces(const struct imap_session *session,
						     size_t *count)
{
	*count = session->namespace_count;
	return session->namespaces;
}

const struct imap_mailbox *imap_session_mailbox(const struct imap_session *session)
{
	return &session->mailbox;
}

struct slice imap_session_selected(const struct imap_session *session)
{
	return buf_slice(&session->selected);
}

void imap_session_forget_mailbox(struct imap_session *session)
{
	session->mailbox = (struct imap_mailbox){ 0 };
}

/* --- The end ---------------------------------------------------------------- */

static void session_free_if_closed(struct imap_session *session)
{
	struct imap_user *user = session->user;

	if (!session->is_link_closed || session->notify != NULL ||
	    !list_is_empty(&session->queue) || !list_is_empty(&session->flight))
		return;
	loop_defer_cancel(&session->over);
	imap_parser_free(&session->parser);
	sasl_exchange_free(&session->exchange);
	buf_free(&session->selected);
	imap_namespace_forget(session);
	free(session);
	user->ops->closed(user);
}

/* Completes all commands, then tells the user. */
static void session_over(struct loop_defer *defer)
{
	struct imap_session *session = container_of(defer, struct imap_session, over);

	while (!list_is_empty(&session->flight) || !list_is_empty(&session->queue)) {
		struct list *link = list_first(&session->flight);
		struct imap_command *command =
			command_of(link != NULL ? link : list_first(&session->queue));
		if (command->err.code == 0)
			command->err = session->err;
		imap_command_finish(command, command->err.code);
	}
	imap_notify_over(session);
	if (session->phase == IMAP_PHASE_BROKEN && !session->is_told) {
		session->is_told = true;
		session->user->ops->broken(session->user, &session->err);
		return;
	}
	session_free_if_closed(session);
}

void imap_session_fail(struct imap_session *session, const struct error *err)
{
	if (!imap_session_is_over(session)) {
		session->phase = IMAP_PHASE_BROKEN;
		session->err = *err;
		net_link_halt(&session->link);
	}
	loop_defer(session->settings.loop, &session->over, session_over);
}

void imap_session_close(struct imap_session *session)
{
	must(session->phase != IMAP_PHASE_CLOSING);
	if (session->phase != IMAP_PHASE_BROKEN)
		(void)error_set(&session->err, SYNCD_ECANCELLED, "the session was given up");
	session->phase = IMAP_PHASE_CLOSING;
	net_link_close(&session->link);
	loop_defer(session->settings.loop, &session->over, session_over);
}

void imap_session_cancel(struct imap_session *session)
{
	struct error err;

	(void)error_set(&err, SYNCD_ECANCELLED, "cancelled");
	imap_session_fail(session, &err);
}

static const struct imap_command_type logout_type = { .name = "LOGOUT", .is_exclusive = true };

static void logout_done(struct imap_command *command, int code)
{
	(void)code;
	if (!imap_session_is_over(command->session))
		imap_session_close(command->session);
}

void imap_session_logout(struct imap_session *session)
{
	if (session->phase != IMAP_PHASE_READY || !list_is_empty(&session->flight) ||
	    !list_is_empty(&session->queue)) {
		imap_session_close(session);
		return;
	}
	session->phase = IMAP_PHASE_LOGOUT;
	imap_command_init(session, &session->logout, &logout_type, logout_done);
	imap_write_text(&session->logout.write, "LOGOUT");
	imap_command_start(&session->logout);
}

/* --- Time -------------------------------------------------------------------- */

static struct imap_session *session_of_link(const struct net_link *link)
{
	return container_of(link, struct imap_session, link);
}

static uint64_t link_patience_ms(const struct net_link *link)
{
	const struct imap_session *session = session_of_link(link);

	if (imap_session_is_over(session) || session->is_idling)
		return 0;
	if (session->phase != IMAP_PHASE_LOGIN && list_is_empty(&session->flight))
		return 0;
	if (session->phase == IMAP_PHASE_LOGOUT)
		return IMAP_LOGOUT_TIMEOUT_MS;
	return session->settings.target->timeout_ms;
}

void imap_session_pause(struct imap_session *session)
{
	net_link_pause(&session->link);
}

void imap_session_resume(struct imap_session *session)
{
	net_link_resume(&session->link);
}

/* --- What arrives --------------------------------------------------------------- */

static const struct imap_command_type bye_type = { .name = "BYE", .refused = SYNCD_ENET };

/* BYE says why the connection will end; the end itself may follow at once or never. */
static void take_bye(struct imap_session *session, const struct imap_response *response)
{
	struct error err;

	if (session->phase == IMAP_PHASE_LOGOUT)
		return;
	(void)imap_reply_refused(response, &bye_type, &err);
	imap_session_fail(session, &err);
}

/* The first command that takes the untagged status for its own. */
static void offer_status(struct imap_session *session, const struct imap_response *response)
{
	list_for_each(link, &session->flight)
	{
		struct imap_command *command = command_of(link);
		if (command->type->status != NULL && command->type->status(command, response))
			return;
	}
}

static void take_status(struct imap_session *session, const struct imap_response *response)
{
	if (slice_equals_str(response->code, "CAPABILITY"))
		imap_capability_take(session, response->code_args);
	if (response->tag.len > 0) {
		(void)imap_mailbox_take(session, response);
		imap_command_answer(session, response);
		return;
	}
	if (session->login == IMAP_LOGIN_GREETING && session->phase == IMAP_PHASE_LOGIN) {
		imap_login_event(session, &(struct imap_login_event){ .greeting = response });
		return;
	}
	if (response->condition == IMAP_BYE) {
		take_bye(session, response);
		return;
	}
	(void)imap_mailbox_take(session, response);
	offer_status(session, response);
	if (session->notify != NULL)
		imap_notify_take_code(session, response);
}

static bool command_claims(struct imap_command *command, const struct imap_response *response)
{
	return command->type->untagged != NULL && command->type->untagged(command, response);
}

/* The command that takes the response as meant for it, or NULL. */
static struct imap_command *find_claimer(struct imap_session *session,
					 const struct imap_response *response)
{
	struct imap_command *taker = session->taker;

	if (taker != NULL && command_claims(taker, response))
		return taker;
	list_for_each(link, &session->flight)
	{
		struct imap_command *command = command_of(link);
		bool was_asked = taker != NULL && taker == command;
		if (!was_asked && command_claims(command, response))
			return command;
	}
	return NULL;
}

static void take_untagged(struct imap_session *session, const struct imap_response *response)
{
	if (slice_equals_str(response->name, "CAPABILITY"))
		imap_capability_take(session, response->args);
	bool is_news = imap_mailbox_take(session, response);
	struct imap_command *claimer = find_claimer(session, response);
	if (imap_session_is_over(session))
		return;
	imap_mailbox_tell(session, response,
			  claimer != NULL && claimer->type->is_own_change == NULL);
	if (claimer == NULL && session->notify != NULL)
		imap_notify_take(session, response);
	if (claimer == NULL && is_news && session->phase == IMAP_PHASE_READY)
		session->user->ops->news(session->user);
}

static int take_response(void *context, const struct imap_response *response)
{
	struct imap_session *session = context;

	imap_trace_received(session, response);
	session->answer_bytes =
		response->tag.len > 0 ? 0 : session->answer_bytes + IMAP_ANSWER_RESPONSE;
	switch (response->kind) {
	case IMAP_STATUS:
		take_status(session, response);
		break;
	case IMAP_CONTINUATION:
		imap_command_continue(session, response->text);
		break;
	case IMAP_UNTAGGED:
		take_untagged(session, response);
		break;
	}
	session->taker = NULL;
	return imap_session_is_over(session) ? SYNCD_ECANCELLED : 0;
}

static int take_literal_begin(void *context, uint32_t sequence, uint32_t uid, struct slice section,
			      uint64_t size_bytes)
{
	struct imap_session *session = context;

	session->literal = NULL;
	list_for_each(link, &session->flight)
	{
		struct imap_command *command = command_of(link);
		if (command->type->literal_begin == NULL)
			continue;
		int rc = command->type->literal_begin(command, sequence, uid, section, size_bytes);
		if (imap_session_is_over(session))
			return SYNCD_ECANCELLED;
		if (rc != 0) {
			session->literal = rc > 0 ? command : NULL;
			session->taker = command;
			return rc;
		}
	}
	/* Nobody's: read past it, whatever its size. */
	return 1;
}

static int take_literal_data(void *context, struct slice data)
{
	struct imap_session *session = context;

	if (session->literal != NULL) {
		session->answer_bytes -=
			data.len < session->answer_bytes ? data.len : session->answer_bytes;
		session->literal->type->literal_data(session->literal, data);
	}
	return imap_session_is_over(session) ? SYNCD_ECANCELLED : 0;
}

static int take_literal_end(void *context)
{
	struct imap_session *session = context;

	session->literal = NULL;
	return imap_session_is_over(session) ? SYNCD_ECANCELLED : 0;
}

static int take_range(void *context, const char *name, uint32_t low, uint32_t high)
{
	struct imap_session *session = context;
	bool is_earlier = strcmp(name, "VANISHED (EARLIER)") == 0;

	if (is_earlier || strcmp(name, "VANISHED") == 0) {
		imap_mailbox_vanished(session, low, high, is_earlier);
		return 0;
	}
	list_for_each(link, &session->flight)
	{
		struct imap_command *command = command_of(link);
		if (command->type->range != NULL) {
			command->type->range(command, low, high);
			break;
		}
	}
	return 0;
}

static const struct imap_parser_ops parser_ops = {
	.response = take_response,
	.literal_begin = take_literal_begin,
	.literal_data = take_literal_data,
	.literal_end = take_literal_end,
	.range = take_range,
};

/* --- The connection ---------------------------------------------------------------- */

static void link_open(struct net_link *link)
{
	imap_login_event(session_of_link(link), &(struct imap_login_event){ 0 });
}

/* What comes without an end is no progress, though it holds the timeout up. */
static bool is_endless(struct imap_session *session, size_t len)
{
	uint64_t most = IMAP_ANSWER_MAX + IMAP_ANSWER_EXISTS * (uint64_t)session->mailbox.exists;
	struct error err;

	session->answer_bytes += len;
	if (session->answer_bytes <= most)
		return false;
	(void)error_set(&err, SYNCD_ELIMIT, "the server answers without coming to an end");
	if (session->phase == IMAP_PHASE_LOGOUT)
		imap_session_close(session);
	else
		imap_session_fail(session, &err);
	return true;
}

static void link_data(struct net_link *link, struct slice data)
{
	struct imap_session *session = session_of_link(link);
	struct error err;

	if (is_endless(session, data.len))
		return;
	session->heard_ms = loop_now_ms(session->settings.loop);
	/* Whatever else is said before the end must not put it off. */
	if (session->phase != IMAP_PHASE_LOGOUT)
		net_link_touch(link);
	error_clear(&err);
	int rc = imap_parser_feed(session->parser, data, &err);
	if (imap_session_is_over(session))
		return;
	if (rc < 0) {
		imap_session_fail(session, &err);
		return;
	}
	size_t unread = imap_parser_unread(session->parser);
	if (session->is_upgrade_due)
		imap_login_upgrade(session, unread);
	else if (session->is_compress_due)
		imap_login_compress(session,
				    (struct slice){ data.data + (data.len - unread), unread });
}

static void link_drained(struct net_link *link)
{
	net_link_touch(link);
	imap_command_drained(session_of_link(link));
}

static void link_failed(struct net_link *link, const struct error *err)
{
	struct imap_session *session = session_of_link(link);

	if (session->phase == IMAP_PHASE_LOGOUT)
		imap_session_close(session);
	else
		imap_session_fail(session, err);
}

static void link_closed(struct net_link *link)
{
	struct imap_session *session = session_of_link(link);

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

struct imap_session *imap_session_new(const struct imap_settings *settings, struct imap_user *user)
{
	struct imap_session *session = xcalloc(1, sizeof(*session));

	session->settings = *settings;
	session->user = user;
	session->parser = imap_parser_new(&parser_ops, session);
	imap_capability_forget(session);
	list_init(&session->queue);
	list_init(&session->flight);
	buf_init(&session->selected, IMAP_NAME_MAX);
	net_link_init(&session->link, &link_ops, settings->loop, settings->net);
	return session;
}

void imap_session_start(struct imap_session *session)
{
	must(session->phase == IMAP_PHASE_LOGIN && session->login == IMAP_LOGIN_DIAL);
	imap_login_begin(session);
}
