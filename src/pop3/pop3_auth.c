/* Proving who we are: AUTH (RFC 5034) with what sasl.h does, USER and PASS, or APOP (RFC 1939 §7).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "pop3_private.h"

/* --- AUTH ----------------------------------------------------------------------- */

/* The initial response goes with the command where it fits (RFC 5034 §4), else when the server asks
 * for it. Office 365 breaks off on longer lines (getmail6/getmail6#256). */
static bool auth_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	struct pop3_session *session = command->session;
	const struct buf *initial = &session->exchange.line;
	size_t len = strlen("AUTH  ") + strlen(session->mechanism) + initial->len;

	(void)asked;
	session->is_initial_owed = initial->len > 0 && len > POP3_COMMAND_MAX;
	bool is_given = initial->len > 0 && !session->is_initial_owed;
	must(buf_printf(line, "AUTH %s%s%s", session->mechanism, is_given ? " " : "",
			is_given ? buf_str(initial) : "") == 0);
	return true;
}

static void auth_challenge(struct pop3_command *command, struct slice text)
{
	struct pop3_session *session = command->session;
	struct sasl_exchange *exchange = &session->exchange;

	/* "*" ends the exchange; who goes on behind it would do so for ever. */
	if (!session->is_initial_owed && !sasl_exchange_answer(exchange, text)) {
		pop3_session_fail(session, &exchange->err);
		return;
	}
	session->is_initial_owed = false;
	log_trace(session->settings.account, "C: ***");
	(void)stream_write(session->link.stream, buf_slice(&exchange->line));
	(void)stream_write(session->link.stream, SLICE_LITERAL("\r\n"));
	net_link_touch(&session->link);
}

const struct pop3_command_type pop3_auth_type = {
	.name = "AUTH",
	.refused = SYNCD_EAUTH,
	.is_secret = true,
	.write = auth_write,
	.challenge = auth_challenge,
};

/* --- USER, PASS, APOP -------------------------------------------------------------- */

static bool user_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	(void)asked;
	must(buf_printf(line, "USER %s", command->session->settings.user) == 0);
	return true;
}

static bool pass_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	const struct secret *password = command->session->settings.password;

	(void)asked;
	must(buf_add_str(line, "PASS ") == 0);
	must(buf_add(line, secret_bytes(password), secret_len(password)) == 0);
	return true;
}

static bool apop_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	const struct pop3_session *session = command->session;

	(void)asked;
	must(buf_printf(line, "APOP %s %s", session->settings.user, session->digest) == 0);
	return true;
}

const struct pop3_command_type pop3_user_type = {
	.name = "USER",
	.refused = SYNCD_EAUTH,
	.write = user_write,
};

const struct pop3_command_type pop3_pass_type = {
	.name = "PASS",
	.refused = SYNCD_EAUTH,
	.is_secret = true,
	.write = pass_write,
};

const struct pop3_command_type pop3_apop_type = {
	.name = "APOP",
	.refused = SYNCD_EAUTH,
	.is_secret = true,
	.write = apop_write,
};

/* A line has no quotes and no literals: what would end it, or is too long for one, cannot be sent.
 * Bytes beyond ASCII go as they are, UTF8 offered or not: servers took them long before RFC 6856.
 */
static bool fits_line(struct slice word, size_t room)
{
	for (size_t i = 0; i < word.len; i++) {
		if ((unsigned char)word.data[i] < ' ' || word.data[i] == 0x7f)
			return false;
	}
	return word.len > 0 && word.len <= room;
}

static int check_words(const struct pop3_session *session, const char *command, size_t digest_len,
		       struct error *err)
{
	const struct pop3_settings *settings = &session->settings;
	size_t room = POP3_COMMAND_MAX - strlen("PASS ");

	if (settings->user == NULL || settings->password == NULL)
		return error_set(err, SYNCD_EAUTH, "%s needs a user and a password", command);
	struct slice password = { secret_bytes(settings->password),
				  secret_len(settings->password) };
	if (!fits_line(slice_of(settings->user), room - digest_len))
		return error_set(err, SYNCD_EAUTH, "%s cannot carry this user name", command);
	if (digest_len == 0 && !fits_line(password, room))
		return error_set(err, SYNCD_EAUTH,
				 "%s cannot carry this password: it is empty, too long, or has "
				 "control characters",
				 command);
	return 0;
}

static int begin_apop(struct pop3_session *session, struct error *err)
{
	int rc = check_words(session, "APOP", SASL_APOP_SIZE, err);

	if (rc < 0)
		return rc;
	return sasl_apop_digest(slice_of(session->timestamp), session->settings.password,
				session->digest, err);
}

static int begin_exchange(struct pop3_session *session, struct error *err)
{
	const struct pop3_settings *settings = &session->settings;
	const struct sasl_identity identity = {
		.user = settings->user,
		.password = settings->password,
		.host = settings->target->host,
		.port = settings->target->port,
		.service = "pop",
	};
	int rc = sasl_exchange_begin(&session->exchange, session->mechanism, &identity,
				     session->link.stream, err);

	return rc < 0 ? rc : sasl_exchange_initial(&session->exchange, err);
}

int pop3_auth_choose(struct pop3_session *session, enum pop3_login *next, struct error *err)
{
	struct sasl_offer offer = session->offer;
	struct stream *stream = session->link.stream;
	bool is_secure = session->settings.allow_plaintext || stream_is_secure(stream);

	/* A server that names no way to log in at all is taken to mean the one of RFC 1939. */
	offer.has_login_command = session->has_user || offer.count == 0;
	if (session->timestamp[0] != '\0')
		sasl_offer_add(&offer, SLICE_LITERAL("APOP"));
	int rc = sasl_choose(&offer, session->settings.auth, is_secure, stream, &session->mechanism,
			     err);
	if (rc < 0)
		return rc;
	if (strcmp(session->mechanism, "LOGIN-COMMAND") == 0) {
		*next = POP3_LOGIN_USER;
		return check_words(session, "USER", 0, err);
	}
	if (strcmp(session->mechanism, "APOP") == 0) {
		*next = POP3_LOGIN_APOP;
		return begin_apop(session, err);
	}
	*next = POP3_LOGIN_AUTH;
	return begin_exchange(session, err);
}
