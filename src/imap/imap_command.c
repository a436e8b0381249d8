/* The queue of commands: what is sent when, and who gets the tagged answer
 * (RFC 3501 §2.2.1, §5.5; literals §4.3, RFC 7888).
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_command.h"

#include <stdio.h>

#include "syncd/must.h"

#include "imap_private.h"

static struct imap_command *command_of(struct list *link)
{
	return container_of(link, struct imap_command, link);
}

void imap_command_init(struct imap_session *session, struct imap_command *command,
		       const struct imap_command_type *type, imap_command_done done)
{
	enum imap_literal_mode mode = IMAP_LITERAL_SYNC;

	if (imap_session_can(session, IMAP_CAP_LITERAL_PLUS))
		mode = IMAP_LITERAL_PLUS;
	else if (imap_session_can(session, IMAP_CAP_LITERAL_MINUS))
		mode = IMAP_LITERAL_MINUS;
	*command = (struct imap_command){ .type = type, .done = done, .session = session };
	list_init(&command->link);
	imap_write_init(&command->write, mode, false);
	(void)snprintf(command->tag, sizeof(command->tag), "A%u", ++session->last_tag);
	imap_write_printf(&command->write, "%s ", command->tag);
}

void imap_command_start(struct imap_command *command)
{
	struct imap_session *session = command->session;

	must(command->state == IMAP_COMMAND_IDLE);
	int rc = imap_write_end(&command->write);
	must(rc == 0);
	command->state = IMAP_COMMAND_QUEUED;
	list_append(&session->queue, &command->link);
	imap_command_pump(session);
}

void imap_command_finish(struct imap_command *command, int code)
{
	struct imap_session *session = command->session;

	must(command->state != IMAP_COMMAND_IDLE);
	list_remove(&command->link);
	if (session->sending == command)
		session->sending = NULL;
	if (session->literal == command)
		session->literal = NULL;
	if (session->taker == command)
		session->taker = NULL;
	command->state = IMAP_COMMAND_IDLE;
	imap_write_free(&command->write);
	command->done(command, code);
}

/* Sends the body as far as the stream takes it. True when it is out. A body that ends
 * early ends the session: the server would take what follows for the rest of it. */
static bool command_send_body(struct imap_command *command)
{
	int rc = command->type->body(command);
	struct error err;

	if (rc < 0) {
		(void)error_set(&err, SYNCD_ENET, "given up in the middle of a message: %.200s",
				command->err.text);
		imap_session_fail(command->session, &err);
	}
	return rc > 0;
}

/* Sends pieces up to one that waits for the server or the stream. */
static void command_send(struct imap_command *command)
{
	struct imap_session *session = command->session;
	size_t count = imap_write_piece_count(&command->write);
	/* The server has said "+" to the next piece, or to the body that the stream interrupted. */
	bool is_asked_for =
		command->state == IMAP_COMMAND_STOPPED || command->state == IMAP_COMMAND_BODY;

	session->sending = command;
	while (command->piece < count) {
		struct imap_piece piece = imap_write_piece(&command->write, command->piece);
		if (piece.needs_continuation && !is_asked_for) {
			command->state = IMAP_COMMAND_STOPPED;
			return;
		}
		is_asked_for = false;
		command->state = IMAP_COMMAND_BODY;
		if (piece.is_body && !command_send_body(command))
			return;
		if (!piece.is_body)
			(void)stream_write(session->link.stream, piece.bytes);
		command->piece++;
		/* Refused already: without the messages that would follow, the command is complete
		 * (RFC 3502). */
		if (piece.is_body && command->is_answered && command->code < 0)
			command->piece = count - 1;
	}
	command->state = IMAP_COMMAND_SENT;
	session->sending = NULL;
}

static bool may_send(struct imap_session *session, const struct imap_command *command)
{
	if (list_is_empty(&session->flight))
		return true;
	return !command->type->is_exclusive &&
	       !command_of(list_first(&session->flight))->type->is_exclusive;
}

void imap_command_pump(struct imap_session *session)
{
	if (imap_session_is_over(session)) {
		imap_session_fail(session, &session->err);
		return;
	}
	while (session->sending == NULL && !list_is_empty(&session->queue)) {
		struct imap_command *command = command_of(list_first(&session->queue));
		if (!may_send(session, command)) {
			struct imap_command *holder = command_of(list_first(&session->flight));
			if (holder->type->yield != NULL)
				holder->type->yield(holder);
			break;
		}
		list_remove(&command->link);
		list_append(&session->flight, &command->link);
		imap_trace_sent(command);
		command_send(command);
		if (imap_session_is_over(session))
			return;
	}
	net_link_touch(&session->link);
}

/* The body is out and its answer was there already: only now may it finish, as
 * the server took the rest of the body for what it was. */
static void command_resume(struct imap_session *session, struct imap_command *command)
{
	command_send(command);
	if (command->state == IMAP_COMMAND_SENT && command->is_answered)
		imap_command_finish(command, command->code);
	imap_command_pump(session);
}

void imap_command_continue(struct imap_session *session, struct slice text)
{
	struct imap_command *command = session->sending;

	if (command != NULL && command->state == IMAP_COMMAND_STOPPED) {
		command_resume(session, command);
		return;
	}
	struct list *first = list_first(&session->flight);
	if (first != NULL && command_of(first)->type->continuation != NULL)
		command_of(first)->type->continuation(command_of(first), text);
}

void imap_command_drained(struct imap_session *session)
{
	struct imap_command *command = session->sending;

	if (command != NULL && command->state == IMAP_COMMAND_BODY)
		command_resume(session, command);
}

static struct imap_command *find_tag(struct imap_session *session, struct slice tag)
{
	list_for_each(link, &session->flight)
	{
		if (slice_equals_str(tag, command_of(link)->tag))
			return command_of(link);
	}
	return NULL;
}

void imap_command_answer(struct imap_session *session, const struct imap_response *response)
{
	struct imap_command *command = find_tag(session, response->tag);
	struct error err;

	if (command == NULL) {
		(void)error_set(&err, SYNCD_EPROTO, "the server answered a command never sent");
		imap_session_fail(session, &err);
		return;
	}
	int code = 0;
	if (response->condition != IMAP_OK)
		code = imap_reply_refused(response, command->type, &command->err);
	if (command->type->tagged != NULL)
		command->type->tagged(command, response);
	if (command->state == IMAP_COMMAND_BODY) {
		command->is_answered = true;
		command->code = code;
		return;
	}
	imap_command_finish(command, code);
	imap_command_pump(session);
}

void imap_command_line(struct imap_command *command, struct slice line)
{
	struct imap_session *session = command->session;

	if (command->type->is_secret)
		log_trace(session->settings.account, "C: ***");
	else
		log_trace(session->settings.account, "C: %.*s", (int)line.len, line.data);
	(void)stream_write(session->link.stream, line);
	(void)stream_write(session->link.stream, SLICE_LITERAL("\r\n"));
	net_link_touch(&session->link);
}
