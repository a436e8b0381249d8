/* What is asked when, and whose answer comes: in the order it was asked (RFC 1939 §3, RFC 2449
 * §6.6). SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "pop3_private.h"

static struct pop3_command *command_of(struct list *link)
{
	return container_of(link, struct pop3_command, link);
}

/* --- The flight -------------------------------------------------------------- */

static struct pop3_asked *first_asked(struct pop3_session *session)
{
	must(session->flight_count > 0);
	return &session->flight[session->flight_first];
}

static void flight_push(struct pop3_session *session, const struct pop3_asked *asked)
{
	size_t at = (session->flight_first + session->flight_count) % POP3_PIPE_COMMANDS;

	must(session->flight_count < POP3_PIPE_COMMANDS);
	session->flight[at] = *asked;
	session->flight_count++;
	session->messages_awaited += asked->awaits_bytes > 0;
	session->bytes_awaited += asked->awaits_bytes;
	asked->command->in_flight++;
}

static struct pop3_asked flight_pop(struct pop3_session *session)
{
	struct pop3_asked asked = *first_asked(session);

	session->flight_first = (session->flight_first + 1) % POP3_PIPE_COMMANDS;
	session->flight_count--;
	session->messages_awaited -= asked.awaits_bytes > 0;
	session->bytes_awaited -= asked.awaits_bytes;
	asked.command->in_flight--;
	return asked;
}

/* The last statement about the command: it is the caller's again. */
static void command_finish(struct pop3_command *command)
{
	list_remove(&command->link);
	command->done(command, command->err.code);
}

static void finish_if_answered(struct pop3_command *command)
{
	if (!command->is_asking && command->in_flight == 0)
		command_finish(command);
}

/* --- Asking -------------------------------------------------------------------- */

static bool has_room(const struct pop3_session *session, const struct pop3_command_type *type)
{
	bool has_pipe = (session->capabilities & POP3_CAP_PIPELINING) != 0 &&
			!session->settings.is_cautious;

	if (session->flight_count >= (has_pipe ? POP3_PIPE_COMMANDS : 1))
		return false;
	return type->follows != POP3_FOLLOWS_MESSAGE ||
	       session->messages_awaited < POP3_PIPE_MESSAGES_LEAST ||
	       session->bytes_awaited < POP3_PIPE_BYTES;
}

static bool may_ask(const struct pop3_session *session, const struct pop3_command *command)
{
	bool is_alone =
		session->queue.next == &command->link && session->queue.prev == &command->link;

	return (!command->type->is_last || is_alone) && has_room(session, command->type);
}

static bool write_line(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	if (command->type->write != NULL)
		return command->type->write(command, asked, line);
	must(buf_add_str(line, command->type->name) == 0);
	return true;
}

/* One line of the command; then it stands behind the others, or has nothing more to ask. */
static void ask(struct pop3_session *session, struct pop3_command *command)
{
	struct pop3_asked asked = { .command = command };
	struct buf *out = &session->out;
	size_t before = out->len;

	bool is_asked = write_line(command, &asked, out);
	if (is_asked) {
		must(out->len - before <= POP3_COMMAND_MAX);
		pop3_trace_sent(session, command->type,
				(struct slice){ out->data + before, out->len - before });
		must(buf_add_str(out, "\r\n") == 0);
		flight_push(session, &asked);
	}
	command->is_asking = is_asked && command->type->is_run;
	list_remove(&command->link);
	list_append(command->is_asking ? &session->queue : &session->sent, &command->link);
	if (!is_asked)
		finish_if_answered(command);
}

static bool ask_one(struct pop3_session *session)
{
	list_for_each(link, &session->queue)
	{
		if (may_ask(session, command_of(link))) {
			ask(session, command_of(link));
			return true;
		}
	}
	return false;
}

/* All at once, as each write may be a TLS record. */
static void send_out(struct pop3_session *session)
{
	if (session->out.len > 0 && !pop3_session_is_over(session))
		(void)stream_write(session->link.stream, buf_slice(&session->out));
	if (session->out.data != NULL)
		secret_wipe(session->out.data, session->out.len);
	buf_reset(&session->out);
}

void pop3_command_pump(struct pop3_session *session)
{
	while (!pop3_session_is_over(session) && !net_link_is_paused(&session->link) &&
	       ask_one(session))
		;
	send_out(session);
	net_link_touch(&session->link);
}

static void pump_turn(struct loop_defer *defer)
{
	pop3_command_pump(container_of(defer, struct pop3_session, pump));
}

void pop3_command_pump_later(struct pop3_session *session)
{
	if (!pop3_session_is_over(session))
		loop_defer(session->settings.loop, &session->pump, pump_turn);
}

void pop3_command_start(struct pop3_session *session, struct pop3_command *command,
			const struct pop3_command_type *type, pop3_command_done done)
{
	*command = (struct pop3_command){
		.type = type, .done = done, .session = session, .is_asking = true
	};
	must(session->phase == POP3_PHASE_LOGIN || session->phase == POP3_PHASE_READY ||
	     session->phase == POP3_PHASE_BROKEN);
	list_append(&session->queue, &command->link);
	if (session->phase == POP3_PHASE_BROKEN)
		pop3_session_fail(session, &session->err);
	pop3_command_pump_later(session);
}

/* --- Answers --------------------------------------------------------------------- */

/* The first of the flight has its whole answer. What may be asked now is, when all that has come
 * is read. */
static void answered(struct pop3_session *session)
{
	finish_if_answered(flight_pop(session).command);
}

static void reject(struct pop3_session *session, const struct pop3_status *status)
{
	const struct pop3_asked *asked = first_asked(session);
	struct pop3_command *command = asked->command;
	struct error err;

	(void)pop3_reply_refused(session, status, command->type, &err);
	if (command->type->rejected != NULL)
		command->type->rejected(command, asked, &err);
	else
		command->err = err;
}

static void challenge(struct pop3_session *session, struct pop3_command *command, struct slice text)
{
	struct error err;

	if (command->type->challenge != NULL) {
		command->type->challenge(command, text);
		return;
	}
	(void)error_set(&err, SYNCD_EPROTO, "the server answered %s with a challenge",
			command->type->name);
	pop3_session_fail(session, &err);
}

enum pop3_follows pop3_command_status(struct pop3_session *session,
				      const struct pop3_status *status)
{
	const struct pop3_asked *asked = first_asked(session);
	const struct pop3_command_type *type = asked->command->type;

	if (status->indicator == POP3_CHALLENGE) {
		challenge(session, asked->command, status->text);
		return POP3_FOLLOWS_STATUS;
	}
	if (status->indicator == POP3_ERR)
		reject(session, status);
	else if (type->accepted != NULL)
		type->accepted(asked->command, asked, status);
	if (status->indicator == POP3_OK && type->follows != POP3_FOLLOWS_STATUS)
		return type->follows;
	answered(session);
	return POP3_FOLLOWS_STATUS;
}

void pop3_command_line(struct pop3_session *session, struct slice line)
{
	struct pop3_command *command = first_asked(session)->command;

	command->type->line(command, line);
}

void pop3_command_data(struct pop3_session *session, struct slice data)
{
	struct pop3_command *command = first_asked(session)->command;

	command->type->data(command, data);
}

void pop3_command_end(struct pop3_session *session)
{
	const struct pop3_asked *asked = first_asked(session);

	if (asked->command->type->end != NULL)
		asked->command->type->end(asked->command, asked);
	answered(session);
}

bool pop3_command_finish_one(struct pop3_session *session)
{
	struct list *link = list_first(&session->sent);

	if (link == NULL)
		link = list_first(&session->queue);
	if (link == NULL)
		return false;
	struct pop3_command *command = command_of(link);
	if (command->err.code == 0)
		command->err = session->err;
	command_finish(command);
	return true;
}
