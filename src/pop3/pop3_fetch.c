/* Messages, streamed: RETR or TOP, with the next ones in the pipe (RFC 1939 §5, §7).
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "pop3_private.h"

#define TOP_GUESS (8 * 1024) /* bytes of a header and a few lines */

static struct pop3_fetch *fetch_of(struct pop3_command *command)
{
	return container_of(command, struct pop3_fetch, command);
}

static void give_up(struct pop3_fetch *fetch, int code)
{
	if (fetch->command.err.code == 0)
		(void)error_set(&fetch->command.err, code, "the message could not be taken");
	fetch->is_begun = false;
}

static bool is_given_up(const struct pop3_fetch *fetch)
{
	return fetch->command.err.code != 0;
}

/* What it counts against the room in the pipe, whatever a server makes of sizes. */
static uint64_t awaited_bytes(const struct pop3_fetch *fetch, uint64_t size_bytes)
{
	if (fetch->is_top)
		return TOP_GUESS;
	if (size_bytes == 0)
		return POP3_SIZE_GUESS;
	return size_bytes < POP3_PIPE_BYTES ? size_bytes : POP3_PIPE_BYTES;
}

static bool fetch_write(struct pop3_command *command, struct pop3_asked *asked, struct buf *line)
{
	struct pop3_fetch *fetch = fetch_of(command);

	if (is_given_up(fetch) || !fetch->next(fetch, &asked->number, &asked->size_bytes))
		return false;
	asked->awaits_bytes = awaited_bytes(fetch, asked->size_bytes);
	must(asked->number > 0);
	if (fetch->is_top)
		must(buf_printf(line, "TOP %u %u", asked->number, fetch->top_lines) == 0);
	else
		must(buf_printf(line, "RETR %u", asked->number) == 0);
	return true;
}

static void fetch_accepted(struct pop3_command *command, const struct pop3_asked *asked,
			   const struct pop3_status *status)
{
	struct pop3_fetch *fetch = fetch_of(command);

	(void)status;
	if (is_given_up(fetch))
		return;
	fetch->is_begun = true;
	int rc = fetch->begin(fetch, asked->number, asked->size_bytes);
	if (rc < 0)
		give_up(fetch, rc);
}

static void fetch_data(struct pop3_command *command, struct slice data)
{
	struct pop3_fetch *fetch = fetch_of(command);

	if (!fetch->is_begun)
		return;
	int rc = fetch->data(fetch, data);
	if (rc < 0)
		give_up(fetch, rc);
}

static void fetch_end(struct pop3_command *command, const struct pop3_asked *asked)
{
	struct pop3_fetch *fetch = fetch_of(command);

	if (!fetch->is_begun)
		return;
	fetch->is_begun = false;
	int rc = fetch->end(fetch, asked->number);
	if (rc < 0)
		give_up(fetch, rc);
}

static void fetch_rejected(struct pop3_command *command, const struct pop3_asked *asked,
			   const struct error *err)
{
	struct pop3_fetch *fetch = fetch_of(command);

	if (is_given_up(fetch))
		return;
	int rc = fetch->refused(fetch, asked->number, err);
	if (rc < 0)
		give_up(fetch, rc);
}

static const struct pop3_command_type retr_type = {
	.name = "RETR",
	.refused = SYNCD_EMESSAGE,
	.follows = POP3_FOLLOWS_MESSAGE,
	.is_run = true,
	.write = fetch_write,
	.accepted = fetch_accepted,
	.rejected = fetch_rejected,
	.data = fetch_data,
	.end = fetch_end,
};

static const struct pop3_command_type top_type = {
	.name = "TOP",
	.refused = SYNCD_EMESSAGE,
	.follows = POP3_FOLLOWS_MESSAGE,
	.is_run = true,
	.write = fetch_write,
	.accepted = fetch_accepted,
	.rejected = fetch_rejected,
	.data = fetch_data,
	.end = fetch_end,
};

static void fetch_done(struct pop3_command *command, int code)
{
	struct pop3_fetch *fetch = fetch_of(command);

	if (fetch->is_paused)
		pop3_fetch_resume(fetch);
	fetch->done(fetch, code);
}

void pop3_fetch_start(struct pop3_session *session, struct pop3_fetch *fetch)
{
	fetch->is_begun = false;
	fetch->is_paused = false;
	pop3_command_start(session, &fetch->command, fetch->is_top ? &top_type : &retr_type,
			   fetch_done);
}

void pop3_fetch_pause(struct pop3_fetch *fetch)
{
	must(!fetch->is_paused);
	fetch->is_paused = true;
	pop3_session_pause(fetch->command.session);
}

void pop3_fetch_resume(struct pop3_fetch *fetch)
{
	must(fetch->is_paused);
	fetch->is_paused = false;
	pop3_session_resume(fetch->command.session);
}

/* It has nothing more to ask from here on. A paused one reads on, as its end is awaited. */
void pop3_fetch_cancel(struct pop3_fetch *fetch)
{
	give_up(fetch, SYNCD_ECANCELLED);
	if (fetch->is_paused)
		pop3_fetch_resume(fetch);
}
