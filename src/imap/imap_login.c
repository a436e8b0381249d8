/* From the connection to the authenticated state, as a table that reads top to
 * bottom (RFC 3501 §3, §6.1, §6.2). Nothing falls back to less security.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "imap_private.h"

/* `enter` starts what the state does; `event` takes what came of it. Both give the next state, or
 * IMAP_LOGIN_WAIT; a failure is imap_session_fail and WAIT. */
struct login_state {
	const char *name;
	enum imap_login (*enter)(struct imap_session *session);
	enum imap_login (*event)(struct imap_session *session,
				 const struct imap_login_event *event);
};

static enum imap_login fail(struct imap_session *session, const struct error *err)
{
	imap_session_fail(session, err);
	return IMAP_LOGIN_WAIT;
}

static void command_done(struct imap_command *command, int code)
{
	if (!imap_session_is_over(command->session))
		imap_login_event(command->session, &(struct imap_login_event){ .code = code });
}

static const struct imap_command_type plain_type = { .name = "CAPABILITY" };

/* --- dial --- */

static enum imap_login dial_enter(struct imap_session *session)
{
	net_link_dial(&session->link);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login dial_event(struct imap_session *session,
				  const struct imap_login_event *event)
{
	(void)session;
	(void)event;
	return IMAP_LOGIN_GREETING;
}

/* --- greeting: OK, PREAUTH or BYE (RFC 3501 §7.1) --- */

static enum imap_login greeting_enter(struct imap_session *session)
{
	(void)session;
	return IMAP_LOGIN_WAIT;
}

static const struct imap_command_type greeting_type = {
	.name = "greeting",
	.refused = SYNCD_EBUSY,
};

static enum imap_login greeting_event(struct imap_session *session,
				      const struct imap_login_event *event)
{
	struct error err;
	bool wants_tls = session->settings.target->tls == NET_TLS_STARTTLS;

	switch (event->greeting->condition) {
	case IMAP_OK:
		return IMAP_LOGIN_CAPABILITY;
	case IMAP_PREAUTH:
		/* STARTTLS is not allowed any more: someone may be in between (RFC 9051 §11.1). */
		if (wants_tls) {
			(void)error_set(&err, SYNCD_ETRUST,
					"the server greets with PREAUTH, which rules STARTTLS out");
			return fail(session, &err);
		}
		return IMAP_LOGIN_CAPABILITY_AGAIN;
	case IMAP_NO:
	case IMAP_BAD:
	case IMAP_BYE:
		break;
	}
	(void)imap_reply_refused(event->greeting, &greeting_type, &err);
	return fail(session, &err);
}

/* --- capability --- */

static enum imap_login after_capability(const struct imap_session *session)
{
	if (session->settings.target->tls == NET_TLS_STARTTLS && !session->is_upgraded)
		return IMAP_LOGIN_STARTTLS;
	return IMAP_LOGIN_AUTHENTICATE;
}

static void ask_capability(struct imap_session *session)
{
	imap_command_init(session, &session->login_command, &plain_type, command_done);
	imap_write_text(&session->login_command.write, "CAPABILITY");
	imap_command_start(&session->login_command);
}

static enum imap_login capability_enter(struct imap_session *session)
{
	if (session->has_capabilities)
		return after_capability(session);
	ask_capability(session);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login capability_event(struct imap_session *session,
					const struct imap_login_event *event)
{
	if (event->code < 0)
		return fail(session, &session->login_command.err);
	return after_capability(session);
}

/* --- starttls (RFC 3501 §6.2.1) --- */

static void starttls_tagged(struct imap_command *command, const struct imap_response *response)
{
	if (response->condition != IMAP_OK)
		return;
	command->session->is_upgrade_due = true;
	imap_parser_pause(command->session->parser);
}

static const struct imap_command_type starttls_type = {
	.name = "STARTTLS",
	.refused = SYNCD_ETRUST,
	.is_exclusive = true,
	.tagged = starttls_tagged,
};

static enum imap_login starttls_enter(struct imap_session *session)
{
	struct error err;

	if (!imap_session_can(session, IMAP_CAP_STARTTLS)) {
		(void)error_set(&err, SYNCD_ETRUST,
				"the server offers no STARTTLS, which the configuration demands");
		return fail(session, &err);
	}
	imap_command_init(session, &session->login_command, &starttls_type, command_done);
	imap_write_text(&session->login_command.write, "STARTTLS");
	imap_command_start(&session->login_command);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login starttls_event(struct imap_session *session,
				      const struct imap_login_event *event)
{
	if (event->code < 0)
		return fail(session, &session->login_command.err);
	return IMAP_LOGIN_SECURE;
}

/* --- secure: TLS is being put over the stream --- */

void imap_login_upgrade(struct imap_session *session, size_t unread)
{
	session->is_upgrade_due = false;
	/* What was offered without TLS may have been written by anyone. */
	imap_capability_forget(session);
	net_link_secure(&session->link, unread);
}

static enum imap_login secure_enter(struct imap_session *session)
{
	must(session->is_upgrade_due);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login secure_event(struct imap_session *session,
				    const struct imap_login_event *event)
{
	(void)event;
	session->is_upgraded = true;
	return IMAP_LOGIN_CAPABILITY;
}

/* --- authenticate --- */

static enum imap_login authenticate_enter(struct imap_session *session)
{
	struct error err;

	error_clear(&err);
	if (imap_auth_start(session, command_done, &err) < 0)
		return fail(session, &err);
	/* What is offered before and after a login differs; only what comes from now on counts. */
	session->has_capabilities = false;
	return IMAP_LOGIN_WAIT;
}

static enum imap_login authenticate_event(struct imap_session *session,
					  const struct imap_login_event *event)
{
	struct error err;

	const struct error *refusal = event->code < 0 ? &session->login_command.err : NULL;
	if (sasl_exchange_end(&session->exchange, refusal, &err) < 0)
		return fail(session, &err);
	return IMAP_LOGIN_CAPABILITY_AGAIN;
}

/* --- capability, as authenticated --- */

static enum imap_login again_enter(struct imap_session *session)
{
	if (session->has_capabilities)
		return IMAP_LOGIN_INTRODUCE;
	ask_capability(session);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login again_event(struct imap_session *session,
				   const struct imap_login_event *event)
{
	if (event->code < 0)
		return fail(session, &session->login_command.err);
	return IMAP_LOGIN_INTRODUCE;
}

/* --- introduce: all at once, as each answer costs a round trip --- */

static enum imap_login introduce_enter(struct imap_session *session)
{
	imap_introduce_start(session, command_done);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login after_introductions(const struct imap_session *session)
{
	if (imap_session_can(session, IMAP_CAP_NAMESPACE) && session->separator == '\0')
		return IMAP_LOGIN_SEPARATOR;
	return IMAP_LOGIN_READY;
}

static enum imap_login introduce_event(struct imap_session *session,
				       const struct imap_login_event *event)
{
	(void)event;
	if (--session->introductions_left > 0)
		return IMAP_LOGIN_WAIT;
	return session->is_compress_due ? IMAP_LOGIN_COMPRESS : after_introductions(session);
}

/* --- compress: DEFLATE is put over the stream when the parser has returned --- */

/* Not only in this state: answers to other commands may follow that to COMPRESS. */
void imap_login_compress(struct imap_session *session, struct slice unread)
{
	session->is_compress_due = false;
	net_link_cover(&session->link,
		       net_compress(session->settings.loop, session->link.stream, unread));
	if (session->login == IMAP_LOGIN_COMPRESS)
		imap_login_event(session, &(struct imap_login_event){ 0 });
}

static enum imap_login compress_enter(struct imap_session *session)
{
	must(session->is_compress_due);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login compress_event(struct imap_session *session,
				      const struct imap_login_event *event)
{
	(void)event;
	return after_introductions(session);
}

/* --- separator, where NAMESPACE was offered and did not tell it --- */

static enum imap_login separator_enter(struct imap_session *session)
{
	imap_separator_start(session, &session->login_command, command_done);
	return IMAP_LOGIN_WAIT;
}

static enum imap_login separator_event(struct imap_session *session,
				       const struct imap_login_event *event)
{
	(void)session;
	(void)event;
	return IMAP_LOGIN_READY;
}

/* --- ready --- */

static enum imap_login ready_enter(struct imap_session *session)
{
	session->phase = IMAP_PHASE_READY;
	net_link_touch(&session->link);
	session->user->ops->ready(session->user);
	return IMAP_LOGIN_WAIT;
}

static const struct login_state states[] = {
	[IMAP_LOGIN_DIAL] = { "dial", dial_enter, dial_event },
	[IMAP_LOGIN_GREETING] = { "greeting", greeting_enter, greeting_event },
	[IMAP_LOGIN_CAPABILITY] = { "capability", capability_enter, capability_event },
	[IMAP_LOGIN_STARTTLS] = { "starttls", starttls_enter, starttls_event },
	[IMAP_LOGIN_SECURE] = { "secure", secure_enter, secure_event },
	[IMAP_LOGIN_AUTHENTICATE] = { "authenticate", authenticate_enter, authenticate_event },
	[IMAP_LOGIN_CAPABILITY_AGAIN] = { "capability again", again_enter, again_event },
	[IMAP_LOGIN_INTRODUCE] = { "introduce", introduce_enter, introduce_event },
	[IMAP_LOGIN_COMPRESS] = { "compress", compress_enter, compress_event },
	[IMAP_LOGIN_SEPARATOR] = { "separator", separator_enter, separator_event },
	[IMAP_LOGIN_READY] = { "ready", ready_enter, NULL },
};

/* Enters states until one waits. The last statement of whoever calls it, as
 * ready() may close the session. */
static void step(struct imap_session *session, enum imap_login next)
{
	while (next != IMAP_LOGIN_WAIT) {
		log_debug(session->settings.account, "imap login: %s -> %s",
			  states[session->login].name, states[next].name);
		session->login = next;
		next = states[next].enter(session);
	}
}

void imap_login_begin(struct imap_session *session)
{
	step(session, IMAP_LOGIN_DIAL);
}

void imap_login_event(struct imap_session *session, const struct imap_login_event *event)
{
	must(states[session->login].event != NULL);
	step(session, states[session->login].event(session, event));
}
