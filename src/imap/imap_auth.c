/* Proving who we are: AUTHENTICATE (RFC 3501 §6.2.2, SASL-IR RFC 4959) with
 * what sasl.h does, or the plain LOGIN command.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "imap_private.h"

#define AUTH_LINE_MAX (128 * 1024) /* bytes of base64 of one step */

static void auth_cancel(struct imap_command *command, const struct error *err)
{
	command->session->sasl_err = *err;
	imap_command_line(command, SLICE_LITERAL("*"));
}

/* Our reason for giving up says more than the server's BAD to our "*". */
static void auth_continuation(struct imap_command *command, struct slice text)
{
	struct imap_session *session = command->session;
	struct buf line;
	struct error err;

	if (session->sasl_err.code != 0)
		return;
	error_clear(&err);
	buf_init(&line, AUTH_LINE_MAX);
	if (sasl_step(session->sasl, text, &line, &err) == 0)
		imap_command_line(command, buf_slice(&line));
	else
		auth_cancel(command, &err);
	if (line.data != NULL)
		secret_wipe(line.data, line.len);
	buf_free(&line);
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

/* With SASL-IR the first message goes with the command; "=" stands for an empty one. */
static int write_initial(struct imap_session *session, struct imap_command *command,
			 struct error *err)
{
	struct buf line;

	if (!imap_session_can(session, IMAP_CAP_SASL_IR) || !sasl_has_initial(session->sasl))
		return 0;
	buf_init(&line, AUTH_LINE_MAX);
	int rc = sasl_step(session->sasl, (struct slice){ "", 0 }, &line, err);
	if (rc == 0) {
		imap_write_text(&command->write, " ");
		imap_write_text(&command->write, line.len > 0 ? buf_str(&line) : "=");
	}
	if (line.data != NULL)
		secret_wipe(line.data, line.len);
	buf_free(&line);
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

	sasl_free(&session->sasl);
	error_clear(&session->sasl_err);
	session->sasl = sasl_new(mechanism, &identity, session->link.stream, err);
	if (session->sasl == NULL)
		return err->code;
	imap_command_init(session, command, &authenticate_type, done);
	imap_write_printf(&command->write, "AUTHENTICATE %s", mechanism);
	int rc = write_initial(session, command, err);
	if (rc < 0) {
		imap_write_free(&command->write);
		return rc;
	}
	imap_command_start(command);
	return 0;
}

int imap_auth_start(struct imap_session *session, imap_command_done done, struct error *err)
{
	const char *offered[SASL_MECHANISMS_MAX];
	const char *mechanism;
	bool is_secure =
		session->settings.allow_plaintext || stream_is_secure(session->link.stream);

	for (size_t i = 0; i < session->mechanism_count; i++)
		offered[i] = session->mechanisms[i];
	int rc = sasl_choose(offered, session->mechanism_count, session->settings.auth,
			     !imap_session_can(session, IMAP_CAP_LOGINDISABLED), is_secure,
			     session->link.stream, &mechanism, err);
	if (rc < 0)
		return rc;
	if (strcmp(mechanism, "LOGIN-COMMAND") == 0)
		return login_start(session, done, err);
	return authenticate_start(session, mechanism, done, err);
}
