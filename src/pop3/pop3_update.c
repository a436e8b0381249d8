/* Marking messages deleted, and the session's end, at which they go: DELE, RSET, NOOP, QUIT (RFC
 * 1939 §5, §6). SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "pop3_private.h"

/* --- DELE --- */

static struct pop3_dele *dele_of(struct pop3_command *command)
{
	return container_of(command, struct pop3_dele, command);
}

static bool dele_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	struct pop3_dele *dele = dele_of(command);

	if (!dele->next(dele, &asked->number))
		return false;
	must(asked->number > 0);
	must(buf_printf(line, "DELE %u", asked->number) == 0);
	return true;
}

static void dele_accepted(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct pop3_status *status)
{
	(void)status;
	dele_of(command)->answered(dele_of(command), asked->number, NULL);
}

static void dele_rejected(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct error *err)
{
	dele_of(command)->answered(dele_of(command), asked->number, err);
}

static const struct pop3_command_type dele_type = {
	.name = "DELE",
	.refused = SYNCD_EMESSAGE,
	.is_run = true,
	.write = dele_write,
	.accepted = dele_accepted,
	.rejected = dele_rejected,
};

void pop3_dele_start(struct pop3_session *session, struct pop3_dele *dele, pop3_command_done done)
{
	pop3_command_start(session, &dele->command, &dele_type, done);
}

/* --- RSET, NOOP --- */

static const struct pop3_command_type rset_type = { .name = "RSET" };
static const struct pop3_command_type noop_type = { .name = "NOOP" };

void pop3_rset_start(struct pop3_session *session, struct pop3_command *command,
		     pop3_command_done done)
{
	pop3_command_start(session, command, &rset_type, done);
}

void pop3_noop_start(struct pop3_session *session, struct pop3_command *command,
		     pop3_command_done done)
{
	pop3_command_start(session, command, &noop_type, done);
}

/* --- QUIT --- */

static struct pop3_quit *quit_of(struct pop3_command *command)
{
	return container_of(command, struct pop3_quit, command);
}

/* Once it is handed to the stream nobody knows whether the server has it. */
static bool quit_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	(void)asked;
	quit_of(command)->outcome = POP3_QUIT_UNKNOWN;
	must(buf_add_str(line, "QUIT") == 0);
	return true;
}

static void quit_answered(struct pop3_command *command, enum pop3_quit_outcome outcome)
{
	quit_of(command)->outcome = outcome;
	command->session->phase = POP3_PHASE_DONE;
	net_link_halt(&command->session->link);
}

static void quit_accepted(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct pop3_status *status)
{
	(void)asked;
	(void)status;
	quit_answered(command, POP3_QUIT_DONE);
}

static void quit_rejected(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct error *err)
{
	(void)asked;
	command->err = *err;
	quit_answered(command, POP3_QUIT_REFUSED);
}

static const struct pop3_command_type quit_type = {
	.name = "QUIT",
	.is_last = true,
	.write = quit_write,
	.accepted = quit_accepted,
	.rejected = quit_rejected,
};

void pop3_quit_start(struct pop3_session *session, struct pop3_quit *quit, pop3_command_done done)
{
	quit->outcome = POP3_QUIT_UNSENT;
	pop3_command_start(session, &quit->command, &quit_type, done);
	if (session->phase == POP3_PHASE_READY)
		session->phase = POP3_PHASE_QUIT;
}
