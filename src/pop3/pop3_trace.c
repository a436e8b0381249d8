/* Protocol traffic for -vv, every secret redacted and no mail bodies.
 * SPDX-License-Identifier: MIT */
#include "pop3_private.h"

#define TRACE_MAX 1024 /* bytes of one line in the log */

static int shown(struct slice text)
{
	return text.len < TRACE_MAX ? (int)text.len : TRACE_MAX;
}

void pop3_trace_sent(const struct pop3_session *session, const struct pop3_command_type *type,
		     struct slice line)
{
	if (type->is_secret)
		log_trace(session->settings.account, "C: %s ***", type->name);
	else
		log_trace(session->settings.account, "C: %.*s", shown(line), line.data);
}

/* A challenge may give a secret away. */
void pop3_trace_status(const struct pop3_session *session, const struct pop3_status *status)
{
	const char *account = session->settings.account;

	if (status->indicator == POP3_CHALLENGE)
		log_trace(account, "S: + ***");
	else if (status->code.len > 0)
		log_trace(account, "S: %s [%.*s%s%.*s] %.*s",
			  status->indicator == POP3_OK ? "+OK" : "-ERR", (int)status->code.len,
			  status->code.data, status->code_argument.len > 0 ? " " : "",
			  shown(status->code_argument), status->code_argument.data,
			  shown(status->text), status->text.data);
	else
		log_trace(account, "S: %s %.*s", status->indicator == POP3_OK ? "+OK" : "-ERR",
			  shown(status->text), status->text.data);
}

void pop3_trace_line(const struct pop3_session *session, struct slice line)
{
	log_trace(session->settings.account, "S: %.*s", shown(line), line.data);
}
