/* From the connection to the open maildrop, as a table that reads top to bottom (RFC 1939 §3, §4,
 * RFC 2449 §5, RFC 2595 §4). Nothing falls back to less security.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "pop3_private.h"

/* `enter` starts what the state does; `event` takes what came of it. Both give the next state, or
 * POP3_LOGIN_WAIT; a failure is pop3_session_fail and WAIT. */
struct login_state {
	const char *name;
	enum pop3_login (*enter)(struct pop3_session *session);
	enum pop3_login (*event)(struct pop3_session *session,
				 const struct pop3_login_event *event);
};

static enum pop3_login fail(struct pop3_session *session, const struct error *err)
{
	pop3_session_fail(session, err);
	return POP3_LOGIN_WAIT;
}

static void command_done(struct pop3_command *command, int code)
{
	if (!pop3_session_is_over(command->session))
		pop3_login_event(command->session, &(struct pop3_login_event){ .code = code });
}

static enum pop3_login ask(struct pop3_session *session, const struct pop3_command_type *type)
{
	pop3_command_start(session, &session->login_command, type, command_done);
	return POP3_LOGIN_WAIT;
}

/* --- dial --- */

static enum pop3_login dial_enter(struct pop3_session *session)
{
	net_link_dial(&session->link);
	return POP3_LOGIN_WAIT;
}

static enum pop3_login dial_event(struct pop3_session *session,
				  const struct pop3_login_event *event)
{
	(void)session;
	(void)event;
	return POP3_LOGIN_GREETING;
}

/* --- greeting: one line, perhaps with a timestamp for APOP (RFC 1939 §4, §7) --- */

static enum pop3_login greeting_enter(struct pop3_session *session)
{
	(void)session;
	return POP3_LOGIN_WAIT;
}

static const struct pop3_command_type greeting_type = {
	.name = "greeting",
	.refused = SYNCD_EBUSY,
};

static enum pop3_login greeting_event(struct pop3_session *session,
				      const struct pop3_login_event *event)
{
	struct slice timestamp;
	struct error err;

	if (event->greeting->indicator != POP3_OK) {
		(void)pop3_reply_refused(session, event->greeting, &greeting_type, &err);
		return fail(session, &err);
	}
	if (pop3_line_timestamp(event->greeting->text, &timestamp))
		memcpy(session->timestamp, timestamp.data, timestamp.len);
	return POP3_LOGIN_CAPA;
}

/* --- capa (RFC 2449 §5). Refused, it is a server of before --- */

static void capa_accepted(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct pop3_status *status)
{
	(void)asked;
	(void)status;
	pop3_capability_begin(command->session);
}

static void capa_line(struct pop3_command *command, struct slice line)
{
	struct error err;

	if (pop3_capability_take(command->session, line, &err) < 0)
		pop3_session_fail(command->session, &err);
}

static const struct pop3_command_type capa_type = {
	.name = "CAPA",
	.follows = POP3_FOLLOWS_LINES,
	.accepted = capa_accepted,
	.line = capa_line,
};

static enum pop3_login capa_enter(struct pop3_session *session)
{
	return ask(session, &capa_type);
}

static enum pop3_login capa_event(struct pop3_session *session,
				  const struct pop3_login_event *event)
{
	(void)event;
	if (session->settings.target->tls == NET_TLS_STARTTLS && !session->is_upgraded)
		return POP3_LOGIN_STLS;
	return POP3_LOGIN_LANGUAGE;
}

/* --- stls (RFC 2595 §4) --- */

static void stls_accepted(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct pop3_status *status)
{
	(void)asked;
	(void)status;
	command->session->is_upgrade_due = true;
	pop3_parser_pause(command->session->parser);
}

static const struct pop3_command_type stls_type = {
	.name = "STLS",
	.refused = SYNCD_ETRUST,
	.accepted = stls_accepted,
};

static enum pop3_login stls_enter(struct pop3_session *session)
{
	struct error err;

	if (pop3_session_can(session, POP3_CAP_STLS))
		return ask(session, &stls_type);
	(void)error_set(&err, SYNCD_ETRUST,
			"the server offers no STLS, which the configuration demands");
	return fail(session, &err);
}

static enum pop3_login stls_event(struct pop3_session *session,
				  const struct pop3_login_event *event)
{
	if (event->code < 0)
		return fail(session, &session->login_command.err);
	return POP3_LOGIN_SECURE;
}

/* --- secure: TLS is being put over the stream --- */

/* What was said without TLS may have been said by anyone, the greeting's timestamp too. */
void pop3_login_upgrade(struct pop3_session *session, size_t unread)
{
	session->is_upgrade_due = false;
	pop3_capability_forget(session);
	session->timestamp[0] = '\0';
	net_link_secure(&session->link, unread);
}

static enum pop3_login secure_enter(struct pop3_session *session)
{
	must(session->is_upgrade_due);
	return POP3_LOGIN_WAIT;
}

static enum pop3_login secure_event(struct pop3_session *session,
				    const struct pop3_login_event *event)
{
	(void)event;
	session->is_upgraded = true;
	return POP3_LOGIN_CAPA;
}

/* --- language: UTF8 and LANG (RFC 6856 §2, §3), before the login as UTF8 must be. A refusal leaves
 * things as they are --- */

static bool lang_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	(void)asked;
	must(buf_printf(line, "LANG %s", command->session->settings.language) == 0);
	return true;
}

static const struct pop3_command_type utf8_type = { .name = "UTF8" };
static const struct pop3_command_type lang_type = { .name = "LANG", .write = lang_write };

static void ask_language(struct pop3_session *session, const struct pop3_command_type *type)
{
	pop3_command_start(session, &session->languages[session->languages_left++], type,
			   command_done);
}

static enum pop3_login language_enter(struct pop3_session *session)
{
	session->languages_left = 0;
	if (pop3_session_can(session, POP3_CAP_UTF8))
		ask_language(session, &utf8_type);
	if (pop3_session_can(session, POP3_CAP_LANG) && session->settings.language != NULL)
		ask_language(session, &lang_type);
	return session->languages_left > 0 ? POP3_LOGIN_WAIT : POP3_LOGIN_CHOOSE;
}

static enum pop3_login language_event(struct pop3_session *session,
				      const struct pop3_login_event *event)
{
	(void)event;
	return --session->languages_left > 0 ? POP3_LOGIN_WAIT : POP3_LOGIN_CHOOSE;
}

/* --- choose --- */

static enum pop3_login choose_enter(struct pop3_session *session)
{
	enum pop3_login next = POP3_LOGIN_WAIT;
	struct error err;

	error_clear(&err);
	if (pop3_auth_choose(session, &next, &err) < 0)
		return fail(session, &err);
	return next;
}

/* --- user, pass, apop, auth --- */

static enum pop3_login user_enter(struct pop3_session *session)
{
	return ask(session, &pop3_user_type);
}

static enum pop3_login user_event(struct pop3_session *session,
				  const struct pop3_login_event *event)
{
	if (event->code < 0)
		return fail(session, &session->login_command.err);
	return POP3_LOGIN_PASS;
}

static enum pop3_login pass_enter(struct pop3_session *session)
{
	return ask(session, &pop3_pass_type);
}

static enum pop3_login apop_enter(struct pop3_session *session)
{
	return ask(session, &pop3_apop_type);
}

static enum pop3_login auth_enter(struct pop3_session *session)
{
	return ask(session, &pop3_auth_type);
}

/* CAPA is asked again only for what may be told better now: Gmail has PIPELINING behind the login
 * alone, and LOGIN-DELAY and EXPIRE may depend on the user (RFC 2449 §6.5, §6.7). */
static bool wants_capabilities_again(const struct pop3_session *session)
{
	const uint32_t wanted = POP3_CAP_PIPELINING | POP3_CAP_UIDL | POP3_CAP_TOP;

	return session->has_capabilities &&
	       (session->is_user_dependent || (session->capabilities & wanted) != wanted);
}

static enum pop3_login authenticated(struct pop3_session *session,
				     const struct pop3_login_event *event)
{
	const struct error *refusal = event->code < 0 ? &session->login_command.err : NULL;
	struct error err;

	if (sasl_exchange_end(&session->exchange, refusal, &err) < 0)
		return fail(session, &err);
	return wants_capabilities_again(session) ? POP3_LOGIN_CAPA_AGAIN : POP3_LOGIN_READY;
}

/* --- capa, as authenticated. Refused, what was told before holds --- */

static enum pop3_login again_enter(struct pop3_session *session)
{
	return ask(session, &capa_type);
}

static enum pop3_login again_event(struct pop3_session *session,
				   const struct pop3_login_event *event)
{
	(void)session;
	(void)event;
	return POP3_LOGIN_READY;
}

/* --- ready --- */

static enum pop3_login ready_enter(struct pop3_session *session)
{
	session->phase = POP3_PHASE_READY;
	net_link_touch(&session->link);
	session->user->ops->ready(session->user);
	return POP3_LOGIN_WAIT;
}

static const struct login_state states[] = {
	[POP3_LOGIN_DIAL] = { "dial", dial_enter, dial_event },
	[POP3_LOGIN_GREETING] = { "greeting", greeting_enter, greeting_event },
	[POP3_LOGIN_CAPA] = { "capa", capa_enter, capa_event },
	[POP3_LOGIN_STLS] = { "stls", stls_enter, stls_event },
	[POP3_LOGIN_SECURE] = { "secure", secure_enter, secure_event },
	[POP3_LOGIN_LANGUAGE] = { "language", language_enter, language_event },
	[POP3_LOGIN_CHOOSE] = { "choose", choose_enter, NULL },
	[POP3_LOGIN_USER] = { "user", user_enter, user_event },
	[POP3_LOGIN_PASS] = { "pass", pass_enter, authenticated },
	[POP3_LOGIN_APOP] = { "apop", apop_enter, authenticated },
	[POP3_LOGIN_AUTH] = { "auth", auth_enter, authenticated },
	[POP3_LOGIN_CAPA_AGAIN] = { "capa again", again_enter, again_event },
	[POP3_LOGIN_READY] = { "ready", ready_enter, NULL },
};

/* Enters states until one waits. The last statement of whoever calls it, as
 * ready() may close the session. */
static void step(struct pop3_session *session, enum pop3_login next)
{
	while (next != POP3_LOGIN_WAIT) {
		log_debug(session->settings.account, "pop3 login: %s -> %s",
			  states[session->login].name, states[next].name);
		session->login = next;
		next = states[next].enter(session);
	}
}

void pop3_login_begin(struct pop3_session *session)
{
	step(session, POP3_LOGIN_DIAL);
}

void pop3_login_event(struct pop3_session *session, const struct pop3_login_event *event)
{
	must(states[session->login].event != NULL);
	step(session, states[session->login].event(session, event));
}
