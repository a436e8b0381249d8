/* IDLE (RFC 2177): waiting for news, renewed before the server's half hour is over and when it
 * is silent, given up when another command wants the connection.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static struct imap_idle *idle_of(struct imap_command *command)
{
	return container_of(command, struct imap_idle, command);
}

/* DONE may only follow the server's "+" (RFC 2177 §3). */
static void idle_end(struct imap_idle *idle)
{
	struct imap_session *session = idle->command.session;

	if (idle->is_ending || !idle->is_accepted)
		return;
	idle->is_ending = true;
	loop_timer_stop(&idle->renew);
	session->is_idling = false;
	imap_command_line(&idle->command, SLICE_LITERAL("DONE"));
}

/* Milliseconds until it is to be renewed; 0: now. */
static uint64_t idle_left_ms(const struct imap_idle *idle)
{
	const struct imap_session *session = idle->command.session;
	uint64_t now_ms = loop_now_ms(session->settings.loop);
	uint64_t old_ms = idle->began_ms + IMAP_IDLE_MS;
	uint64_t silent_ms = session->heard_ms + IMAP_SILENCE_MS;
	uint64_t due_ms = old_ms < silent_ms ? old_ms : silent_ms;

	return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void idle_continuation(struct imap_command *command, struct slice text)
{
	struct imap_idle *idle = idle_of(command);

	(void)text;
	if (idle->is_accepted)
		return;
	idle->is_accepted = true;
	if (idle->is_stopped) {
		idle_end(idle);
		return;
	}
	command->session->is_idling = true;
	net_link_touch(&command->session->link);
	idle->began_ms = loop_now_ms(command->session->settings.loop);
	loop_timer_start(&idle->renew, idle_left_ms(idle));
}

static void idle_yield(struct imap_command *command)
{
	struct imap_idle *idle = idle_of(command);

	idle->is_stopped = true;
	idle_end(idle);
}

static const struct imap_command_type idle_type = {
	.name = "IDLE",
	.is_exclusive = true,
	.continuation = idle_continuation,
	.yield = idle_yield,
};

static void idle_send(struct imap_session *session, struct imap_idle *idle);

static void idle_done(struct imap_command *command, int code)
{
	struct imap_idle *idle = idle_of(command);

	loop_timer_stop(&idle->renew);
	command->session->is_idling = false;
	if (code == 0 && idle->is_ending && !idle->is_stopped) {
		idle_send(command->session, idle);
		return;
	}
	idle->err = command->err;
	idle->done(idle, code);
}

/* What was heard meanwhile has put it off. */
static void idle_renew(struct loop_timer *timer)
{
	struct imap_idle *idle = container_of(timer, struct imap_idle, renew);
	uint64_t left_ms = idle_left_ms(idle);

	if (left_ms > 0)
		loop_timer_start(timer, left_ms);
	else
		idle_end(idle);
}

static void idle_send(struct imap_session *session, struct imap_idle *idle)
{
	idle->is_accepted = false;
	idle->is_ending = false;
	imap_command_init(session, &idle->command, &idle_type, idle_done);
	imap_write_text(&idle->command.write, "IDLE");
	imap_command_start(&idle->command);
}

void imap_idle_start(struct imap_session *session, struct imap_idle *idle)
{
	error_clear(&idle->err);
	idle->is_stopped = false;
	loop_timer_init(session->settings.loop, &idle->renew, idle_renew);
	idle_send(session, idle);
}

void imap_idle_stop(struct imap_idle *idle)
{
	idle->is_stopped = true;
	idle_end(idle);
}
