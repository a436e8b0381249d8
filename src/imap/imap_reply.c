/* From a server's refusal to our codes: response codes of RFC 3501 §7.1, RFC
 * 5530, RFC 9208, RFC 9738, and the words of servers that have none.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"
#include "syncd/refusal.h"

#include "imap_private.h"

/* `message` is the code when the command is about messages: one that cannot be read or stored must
 * not hold the others up, so what may be its own fault counts as that. `upload`: when it brings
 * messages into a mailbox. What is not here leaves a plain refusal what it is for the command:
 * ALREADYEXISTS, CANNOT, CLIENTBUG, CONTACTADMIN, CORRUPTION, NOPERM, TOOBIG... */
static const struct {
	const char *name;
	int code;
	int message;
	int upload;
} codes[] = {
	{ "UNAVAILABLE", SYNCD_EBUSY, SYNCD_EBUSY, SYNCD_EBUSY },
	{ "INUSE", SYNCD_EBUSY, SYNCD_EBUSY, SYNCD_EBUSY },
	/* Cyrus, of a message that it has too many copies of (cyrusimap/cyrus-imapd#4125). */
	{ "LIMIT", SYNCD_EBUSY, SYNCD_EMESSAGE, SYNCD_EMESSAGE },
	{ "MESSAGELIMIT", SYNCD_EBUSY, SYNCD_EMESSAGE, SYNCD_EMESSAGE },
	/* Dovecot, of a damaged message. */
	{ "SERVERBUG", SYNCD_EBUSY, SYNCD_EMESSAGE, SYNCD_EMESSAGE },
	/* A full mailbox only where something is added (RFC 9208 §4.3.1): Gmail says it of FETCH
	 * when too much was downloaded that day (ljmerza/ha-email-sensor#16). */
	{ "OVERQUOTA", SYNCD_EBUSY, SYNCD_EBUSY, SYNCD_ENOSPC },
	{ "AUTHENTICATIONFAILED", SYNCD_EAUTH, SYNCD_EAUTH, SYNCD_EAUTH },
	{ "AUTHORIZATIONFAILED", SYNCD_EAUTH, SYNCD_EAUTH, SYNCD_EAUTH },
	{ "EXPIRED", SYNCD_EAUTH, SYNCD_EAUTH, SYNCD_EAUTH },
	{ "PRIVACYREQUIRED", SYNCD_ETRUST, SYNCD_ETRUST, SYNCD_ETRUST },
	{ "NONEXISTENT", SYNCD_ENOTFOUND, SYNCD_ENOTFOUND, SYNCD_ENOTFOUND },
	{ "TRYCREATE", SYNCD_ENOTFOUND, SYNCD_ENOTFOUND, SYNCD_ENOTFOUND },
};

static int code_of(const struct imap_response *response, const struct imap_command_type *type)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (!slice_equals_str(response->code, codes[i].name))
			continue;
		if (type->is_upload)
			return codes[i].upload;
		return type->refused == SYNCD_EMESSAGE ? codes[i].message : codes[i].code;
	}
	if (refusal_is_temporary(response->text))
		return SYNCD_EBUSY;
	return type->refused != 0 ? type->refused : SYNCD_ESERVER;
}

int imap_reply_refused(const struct imap_response *response, const struct imap_command_type *type,
		       struct error *err)
{
	int code = code_of(response, type);

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
	error_context(err, "%s", type->name);
	return code;
}

bool imap_reply_is_cut(const struct imap_response *response, struct imap_cut *cut)
{
	const struct imap_arg *args = response->code_args;
	uint64_t uid;

	*cut = (struct imap_cut){ 0 };
	if (!slice_equals_str(response->code, "MESSAGELIMIT"))
		return false;
	if (imap_arg_number(args, &cut->most) && imap_arg_number(args->next, &uid) &&
	    uid <= UINT32_MAX)
		cut->lowest_uid = (uint32_t)uid;
	return true;
}

bool imap_reply_goes_on(const struct imap_response *response, uint32_t *highest)
{
	struct imap_cut cut;

	if (response->condition != IMAP_OK || !imap_reply_is_cut(response, &cut)) {
		*highest = 0;
		return true;
	}
	if (cut.lowest_uid == 0 || cut.lowest_uid > *highest) {
		*highest = 0;
		return false;
	}
	*highest = cut.lowest_uid - 1;
	return true;
}
