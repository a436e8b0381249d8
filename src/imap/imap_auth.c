/* Proving who we are: AUTHENTICATE (RFC 3501 §6.2.2, SASL-IR RFC 4959) with
 * what sasl.h does, or the plain LOGIN command.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap_private.h"

static void auth_continuation(struct imap_command *command, struct slice text)
{
	struct sasl_exchange *exchange = &command->session->exchange;

	if (sasl_exchange_answer(exchange, text))
		imap_command_line(command, buf_slice(&exchange->line));
}

static const struct imap_command_type authenticate_type = {
	.name = "AUTHENTICATE",
	.refused = SYNCD_EAUTH,
	.is_exclusive = true,
	.is_secret = true,
	.continuation = auth_continuation,
};

static const struct imap_command_type login_type = {
	.name = "LOGIN",
	.refused = SYNCD_EAUTH,
	.is_exclusive = true,
	.is_secret = true,
};

static int login_start(struct imap_session *session, imap_command_done done, struct error *err)
{
	const struct imap_settings *settings = &session->settings;
	struct imap_command *command = &session->login_command;

	if (settings->user == NULL || settings->password == NULL)
		return error_set(err, SYNCD_EAUTH, "LOGIN needs a user and a password");
	imap_command_init(session, command, &login_type, done);
	imap_write_text(&command->write, "LOGIN ");
	imap_write_string(&command->write, slice_of(settings->user));
	imap_write_text(&command->write, " ");
	imap_write_secret(&command->write, (struct slice){ secret_bytes(settings->password),
							   secret_len(settings->password) });
	imap_command_start(command);
	return 0;
}

/* With SASL-IR the first message goes with the command. */
static int write_initial(struct imap_session *session, struct imap_command *command,
			 struct error *err)
{
	if (!imap_session_can(session, IMAP_CAP_SASL_IR))
		return 0;
	int rc = sasl_exchange_initial(&session->exchange, err);
	if (rc == 0 && session->exchange.line.len > 0) {
		imap_write_text(&command->write, " ");
		imap_write_text(&command->write, buf_str(&session->exchange.line));
	}
	return rc;
}

static int authenticate_start(struct imap_session *session, const char *mechanism,
			      imap_command_done done, struct error *err)
{
	const struct imap_settings *settings = &session->settings;
	const struct sasl_identity identity = {
		.user = settings->user,
		.password = settings->password,
		.host = settings->target->host,
		.port = settings->target->port,
		.service = "imap",
	};
	struct imap_command *command = &session->login_command;

	int rc = sasl_exchange_begin(&session->exchange, mechanism, &identity, session->link.stream,
				     err);
	if (rc < 0)
		return rc;
	imap_command_init(session, command, &authenticate_type, done);
	imap_write_printf(&command->write, "AUTHENTICATE %s", mechanism);
	rc = write_initial(session, command, err);
	if (rc < 0) {
		imap_write_free(&command->write);
		return rc;
	}
	imap_command_start(command);
	return 0;
}

int imap_auth_start(struct imap_session *session, imap_command_done done, struct error *err)
{
	const struct imap_settings *settings = &session->settings;
	const char *mechanism;
	bool is_secure = settings->allow_plaintext || stream_is_secure(session->link.stream);

	session->offer.has_login_command = !imap_session_can(session, IMAP_CAP_LOGINDISABLED);
	int rc = sasl_choose(&session->offer, settings->auth, is_secure, session->link.stream,
			     &mechanism, err);
	if (rc < 0)
		return rc;
	if (strcmp(mechanism, "LOGIN-COMMAND") == 0)
		return login_start(session, done, err);
	return authenticate_start(session, mechanism, done, err);
}
