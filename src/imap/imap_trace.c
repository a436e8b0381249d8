/* Protocol traffic for -vv, every secret redacted and no mail bodies.
 * SPDX-License-Identifier: MIT */
#include "imap_private.h"

#define TRACE_MAX 1024 /* bytes of one line in the log */

void imap_trace_sent(const struct imap_command *command)
{
	struct buf line;

	if (!log_is_on(LOG_LEVEL_TRACE))
		return;
	buf_init(&line, TRACE_MAX);
	if (command->type->is_secret)
		(void)buf_printf(&line, "%s %s ***", command->tag, command->type->name);
	else
		imap_write_trace(&command->write, &line);
	log_trace(command->session->settings.account, "C: %s", buf_str(&line));
	buf_free(&line);
}

/* What finds no room is left out: this is for the eye. */
static void trace_arg(struct buf *line, const struct imap_arg *arg)
{
	switch (arg->kind) {
	case IMAP_LIST:
		(void)buf_add_char(line, '(');
		for (const struct imap_arg *child = arg->child; child != NULL;
		     child = child->next) {
			trace_arg(line, child);
			if (child->next != NULL)
				(void)buf_add_char(line, ' ');
		}
		(void)buf_add_char(line, ')');
		break;
	case IMAP_STREAMED:
		(void)buf_printf(line, "{%llu}", (unsigned long long)arg->size);
		break;
	case IMAP_STRING:
		(void)buf_printf(line, "\"%.*s\"", arg->text.len < 200 ? (int)arg->text.len : 200,
				 arg->text.data);
		break;
	case IMAP_NIL:
	case IMAP_ATOM:
		(void)buf_add(line, arg->text.data, arg->text.len);
		break;
	}
}

static void trace_args(struct buf *line, const struct imap_arg *args)
{
	for (const struct imap_arg *arg = args; arg != NULL; arg = arg->next) {
		(void)buf_add_char(line, ' ');
		trace_arg(line, arg);
	}
}

static void trace_status(struct buf *line, const struct imap_response *response)
{
	static const char *const names[] = {
		[IMAP_OK] = "OK",   [IMAP_NO] = "NO",           [IMAP_BAD] = "BAD",
		[IMAP_BYE] = "BYE", [IMAP_PREAUTH] = "PREAUTH",
	};

	if (response->tag.len > 0)
		(void)buf_printf(line, "%.*s", (int)response->tag.len, response->tag.data);
	else
		(void)buf_add_char(line, '*');
	(void)buf_printf(line, " %s", names[response->condition]);
	if (response->code.len > 0) {
		(void)buf_printf(line, " [%.*s", (int)response->code.len, response->code.data);
		trace_args(line, response->code_args);
		(void)buf_add_char(line, ']');
	}
	(void)buf_printf(line, " %.*s", (int)response->text.len, response->text.data);
}

void imap_trace_received(const struct imap_session *session, const struct imap_response *response)
{
	struct buf line;

	if (!log_is_on(LOG_LEVEL_TRACE))
		return;
	buf_init(&line, TRACE_MAX);
	switch (response->kind) {
	case IMAP_CONTINUATION:
		/* In a login it may be a challenge that gives a secret away. */
		(void)buf_printf(&line, "+ %.*s",
				 session->phase == IMAP_PHASE_LOGIN ? 0 : (int)response->text.len,
				 response->text.data);
		break;
	case IMAP_STATUS:
		trace_status(&line, response);
		break;
	case IMAP_UNTAGGED:
		(void)buf_add_str(&line, "* ");
		if (response->has_number)
			(void)buf_printf(&line, "%u ", response->number);
		(void)buf_add(&line, response->name.data, response->name.len);
		trace_args(&line, response->args);
		break;
	}
	log_trace(session->settings.account, "S: %s", buf_str(&line));
	buf_free(&line);
}
