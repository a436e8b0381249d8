/* From a server's refusal to our codes: response codes of RFC 2449 §8, RFC 3206, RFC 6856 §5, and
 * the words of servers that have none. SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"
#include "syncd/refusal.h"

#include "pop3_private.h"

/* Seconds after which one that limits logins may be asked again: Hotmail says "Exceeded the login
 * limit for a 15 minute period." even of LIST (frappe/frappe#242). */
#define LOGIN_LIMIT_S (15 * 60)

/* `message` is the code when the command is about one message, which must not hold others up. */
static const struct {
	const char *name;
	int code;
	int message;
} codes[] = {
	{ "IN-USE", SYNCD_EBUSY, SYNCD_EBUSY },   { "LOGIN-DELAY", SYNCD_EBUSY, SYNCD_EBUSY },
	{ "SYS/TEMP", SYNCD_EBUSY, SYNCD_EBUSY }, { "SYS/PERM", SYNCD_ESERVER, SYNCD_EMESSAGE },
	{ "AUTH", SYNCD_EAUTH, SYNCD_EMESSAGE },  { "UTF8", SYNCD_ESERVER, SYNCD_EMESSAGE },
};

/* What says "in use" where no code does. An account that is locked is no such thing, and to try on
 * would only keep it so. */
static const char *const locked_words[] = {
	"maildrop already locked", /* RFC 1939 §7 */
	"unable to lock mail",     /* the same: "maildrop"; others "mailbox" */
	"maildrop lock busy",      /* Qualcomm's popper: "Is another session active?" */
	"mailbox locked",          /* VPOP3 (helpdesk.pscs.co.uk/612651) */
	"mailbox is locked",
	"already in use", /* perdition passes it on (horms/perdition#4) */
};

static bool is_locked(struct slice text)
{
	for (size_t i = 0; i < ARRAY_LEN(locked_words); i++) {
		if (slice_case_contains(text, locked_words[i]))
			return true;
	}
	return false;
}

static bool is_login_limit(struct slice text)
{
	return slice_case_contains(text, "exceeded the login limit");
}

/* Of a login, a refusal without a code is believed to be about the password, AUTH-RESP-CODE (RFC
 * 3206 §5) or not: a server that lies there would have the account locked by our attempts. */
static int code_of(const struct pop3_status *status, const struct pop3_command_type *type)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (pop3_line_has_code(status, codes[i].name))
			return type->refused == SYNCD_EMESSAGE ? codes[i].message : codes[i].code;
	}
	if (refusal_is_temporary(status->text) || is_login_limit(status->text) ||
	    is_locked(status->text))
		return SYNCD_EBUSY;
	return type->refused != 0 ? type->refused : SYNCD_ESERVER;
}

/* "[LOGIN-DELAY]" has no number in RFC 2449 §8.1.1, but the capability of that name has. */
static uint32_t pause_of(const struct pop3_session *session, const struct pop3_status *status)
{
	uint64_t seconds;

	if (is_login_limit(status->text))
		return LOGIN_LIMIT_S;
	if (!pop3_line_has_code(status, "LOGIN-DELAY"))
		return 0;
	if (pop3_line_number(status->code_argument, UINT64_MAX, &seconds))
		return seconds < POP3_DELAY_MAX_S ? (uint32_t)seconds : POP3_DELAY_MAX_S;
	return session->policy.login_delay_s;
}

int pop3_reply_refused(const struct pop3_session *session, const struct pop3_status *status,
		       const struct pop3_command_type *type, struct error *err)
{
	int code = code_of(status, type);

	if (status->text.len > 0)
		(void)error_set(err, code, "%.*s", (int)status->text.len, status->text.data);
	else
		(void)error_set(err, code, "the server refused without a reason");
	size_t len = status->code.len;
	if (len >= sizeof(err->server_code))
		len = sizeof(err->server_code) - 1;
	if (len > 0)
		memcpy(err->server_code, status->code.data, len);
	err->server_code[len] = '\0';
	err->retry_after_s = pause_of(session, status);
	error_context(err, "%s", type->name);
	return code;
}
