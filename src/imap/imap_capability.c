/* What the server offers (RFC 3501 §7.2.1).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "imap_private.h"

static const struct {
	const char *name;
	uint32_t bits;
} capabilities[] = {
	{ "STARTTLS", IMAP_CAP_STARTTLS },
	{ "LOGINDISABLED", IMAP_CAP_LOGINDISABLED },
	{ "SASL-IR", IMAP_CAP_SASL_IR },
	{ "ID", IMAP_CAP_ID },
	{ "NAMESPACE", IMAP_CAP_NAMESPACE },
	{ "LITERAL+", IMAP_CAP_LITERAL_PLUS },
	{ "LITERAL-", IMAP_CAP_LITERAL_MINUS },
	{ "UIDPLUS", IMAP_CAP_UIDPLUS },
	{ "BINARY", IMAP_CAP_BINARY },
	{ "IDLE", IMAP_CAP_IDLE },
	{ "MOVE", IMAP_CAP_MOVE },
	{ "ENABLE", IMAP_CAP_ENABLE },
	/* QRESYNC implies both (RFC 7162 §3.2.3). */
	{ "CONDSTORE", IMAP_CAP_CONDSTORE },
	{ "QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE | IMAP_CAP_ENABLE },
	{ "ESEARCH", IMAP_CAP_ESEARCH },
	{ "LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED },
	{ "LIST-STATUS", IMAP_CAP_LIST_STATUS },
	{ "UNSELECT", IMAP_CAP_UNSELECT },
	{ "MULTIAPPEND", IMAP_CAP_MULTIAPPEND },
	{ "NOTIFY", IMAP_CAP_NOTIFY },
	{ "COMPRESS=DEFLATE", IMAP_CAP_COMPRESS_DEFLATE },
	{ "OBJECTID", IMAP_CAP_OBJECTID | IMAP_CAP_EMAILID },
	{ "X-GM-EXT-1", IMAP_CAP_GMAIL },
	{ "SPECIAL-USE", IMAP_CAP_SPECIAL_USE },
	/* RFC 9051 appendix E: these belong to the base protocol there. */
	{ "IMAP4REV2", IMAP_CAP_SASL_IR | IMAP_CAP_NAMESPACE | IMAP_CAP_LITERAL_MINUS |
			       IMAP_CAP_UIDPLUS | IMAP_CAP_IDLE | IMAP_CAP_MOVE | IMAP_CAP_ENABLE |
			       IMAP_CAP_ESEARCH | IMAP_CAP_LIST_EXTENDED | IMAP_CAP_LIST_STATUS |
			       IMAP_CAP_UNSELECT },
};

/* "PREFIX123": the smallest told counts. Without a number APPENDLIMIT means that each mailbox has
 * its own (RFC 7889 §2): then the server's word on the message itself has to do. */
static void take_limit(struct slice name, const char *prefix, uint64_t least, uint64_t *limit)
{
	size_t len = strlen(prefix);
	uint64_t value;

	if (name.len < len || !slice_case_equals_str((struct slice){ name.data, len }, prefix))
		return;
	const struct imap_arg number = {
		.kind = IMAP_ATOM,
		.text = { name.data + len, name.len - len },
	};
	if (imap_arg_number(&number, &value) && value >= least && value < *limit)
		*limit = value;
}

/* A size of 0 takes no message at all (RFC 7889 §5); none may be named never (RFC 9738 §3). */
static void take_limits(struct imap_session *session, struct slice name)
{
	struct imap_limits *limits = &session->limits;

	take_limit(name, "APPENDLIMIT=", 0, &limits->append_bytes);
	take_limit(name, "MESSAGELIMIT=", 1, &limits->messages);
	take_limit(name, "MESSAGELIMIT=", 1, &limits->saved_messages);
	take_limit(name, "SAVELIMIT=", 1, &limits->saved_messages);
}

void imap_capability_forget(struct imap_session *session)
{
	session->capabilities = 0;
	session->limits = (struct imap_limits){ UINT64_MAX, UINT64_MAX, UINT64_MAX };
	session->offer = (struct sasl_offer){ 0 };
	session->has_capabilities = false;
}

void imap_capability_take(struct imap_session *session, const struct imap_arg *names)
{
	imap_capability_forget(session);
	session->has_capabilities = true;
	for (const struct imap_arg *arg = names; arg != NULL; arg = arg->next) {
		struct slice name;
		if (!imap_arg_text(arg, &name))
			continue;
		if (name.len > 5 &&
		    slice_case_equals_str((struct slice){ name.data, 5 }, "AUTH=")) {
			sasl_offer_add(&session->offer,
				       (struct slice){ name.data + 5, name.len - 5 });
			continue;
		}
		take_limits(session, name);
		for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
			if (slice_case_equals_str(name, capabilities[i].name))
				session->capabilities |= capabilities[i].bits;
		}
	}
}
