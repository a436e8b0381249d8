/* From a server's refusal to our codes: response codes of RFC 3501 §7.1, RFC
 * 5530, RFC 9208, and the words of servers that have none.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "imap_private.h"

/* `message` is the code when the command is about messages: one that cannot be read or
 * stored must not hold the others up, so what may be its own fault counts as that. */
static const struct {
	const char *name;
	int code;
	int message;
} codes[] = {
	{ "UNAVAILABLE", SYNCD_EBUSY, SYNCD_EBUSY },
	{ "INUSE", SYNCD_EBUSY, SYNCD_EBUSY },
	{ "LIMIT", SYNCD_EBUSY, SYNCD_EMESSAGE },
	{ "SERVERBUG", SYNCD_EBUSY, SYNCD_EMESSAGE }, /* Dovecot, of a damaged message */
	{ "AUTHENTICATIONFAILED", SYNCD_EAUTH, SYNCD_EAUTH },
	{ "AUTHORIZATIONFAILED", SYNCD_EAUTH, SYNCD_EAUTH },
	{ "EXPIRED", SYNCD_EAUTH, SYNCD_EAUTH },
	{ "PRIVACYREQUIRED", SYNCD_ETRUST, SYNCD_ETRUST },
	{ "OVERQUOTA", SYNCD_ENOSPC, SYNCD_ENOSPC },
	{ "NONEXISTENT", SYNCD_ENOTFOUND, SYNCD_ENOTFOUND },
	{ "TRYCREATE", SYNCD_ENOTFOUND, SYNCD_ENOTFOUND },
};

static int code_of(const struct imap_response *response, int refused)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (slice_equals_str(response->code, codes[i].name))
			return refused == SYNCD_EMESSAGE ? codes[i].message : codes[i].code;
	}
	if (imap_quirk_is_throttled(response->text))
		return SYNCD_EBUSY;
	return refused != 0 ? refused : SYNCD_ESERVER;
}

int imap_reply_refused(const struct imap_response *response, int refused, const char *what,
		       struct error *err)
{
	int code = code_of(response, refused);

	if (response->text.len > 0)
		(void)error_set(err, code, "%.*s", (int)response->text.len, response->text.data);
	else
		(void)error_set(err, code, "the server refused without a reason");
	size_t len = response->code.len;
	if (len >= sizeof(err->server_code))
		len = sizeof(err->server_code) - 1;
	if (len > 0)
		memcpy(err->server_code, response->code.data, len);
	err->server_code[len] = '\0';
	error_context(err, "%s", what);
	return code;
}
