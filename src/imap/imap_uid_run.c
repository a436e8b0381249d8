/* One command over a UID set of any size, line by line (RFC 3501 §6.4.8): UID STORE, UID EXPUNGE
 * (RFC 4315); UID COPY and UID MOVE are in imap_transfer.c.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static void run_next(struct imap_uid_run *run);

static void run_finish(struct imap_uid_run *run, int code)
{
	buf_free(&run->suffix);
	run->done(run, code);
}

/* A server that takes fewer messages than it was given (RFC 9738 §3.1) gets the same ones again, as
 * many at a time as it wants. */
void imap_uid_run_take_cut(struct imap_uid_run *run, const struct imap_response *response,
			   bool may_repeat)
{
	struct imap_cut cut;

	run->is_cut = imap_reply_is_cut(response, &cut);
	run->is_repeated = run->is_cut && may_repeat && cut.most > 0 && cut.most < run->count;
	if (run->is_repeated)
		run->most = cut.most;
}

/* What was done already is not done twice by doing it again. */
static void run_tagged(struct imap_command *command, const struct imap_response *response)
{
	imap_uid_run_take_cut(container_of(command, struct imap_uid_run, command), response, true);
}

static void run_done(struct imap_command *command, int code)
{
	struct imap_uid_run *run = container_of(command, struct imap_uid_run, command);

	if (run->is_repeated) {
		run->place = run->begun;
		run_next(run);
		return;
	}
	if (code == 0 && run->is_cut)
		code = error_set(&command->err, SYNCD_EMESSAGE,
				 "the server did it for a part of the messages only");
	if (code < 0) {
		run->err = command->err;
		run_finish(run, code);
		return;
	}
	run_next(run);
}

/* Of what follows the set in the line: a blank and quotes go with the name. */
static size_t rest_len(const struct imap_uid_run *run)
{
	return run->suffix.len + (run->name.len > 0 ? run->name.len + 3 : 0);
}

static void run_next(struct imap_uid_run *run)
{
	struct imap_command *command = &run->command;

	if (!uidset_format_left(run->uids, &run->place)) {
		run_finish(run, 0);
		return;
	}
	imap_command_init(command->session, command, run->type, run_done);
	imap_write_printf(&command->write, "UID %s ", run->type->name);
	run->is_cut = false;
	run->is_repeated = false;
	run->begun = run->place;
	run->count =
		imap_write_uids(&command->write, run->uids, &run->place, rest_len(run), run->most);
	imap_write_text(&command->write, buf_str(&run->suffix));
	if (run->name.len > 0) {
		imap_write_text(&command->write, " ");
		imap_write_string(&command->write, run->name);
	}
	imap_command_start(command);
}

static void run_turn(struct loop_defer *defer)
{
	run_next(container_of(defer, struct imap_uid_run, defer));
}

void imap_uid_run_start(struct imap_session *session, struct imap_uid_run *run,
			const struct imap_command_type *type)
{
	error_clear(&run->err);
	run->command.session = session;
	run->type = type;
	run->place = (struct uidset_place){ 0 };
	run->most = type->is_upload ? imap_session_limits(session)->saved_messages
				    : imap_session_limits(session)->messages;
	run->defer = (struct loop_defer){ 0 };
	run->name = (struct slice){ NULL, 0 };
	buf_init(&run->suffix, IMAP_COMMAND_LINE_MAX);
	loop_defer(session->settings.loop, &run->defer, run_turn);
}

static const struct imap_uid_run *run_of(const struct imap_command *command)
{
	return container_of(command, struct imap_uid_run, command);
}

/* .SILENT spares the answers; what comes all the same is nobody's news. */
static bool store_untagged(struct imap_command *command, const struct imap_response *response)
{
	uint32_t uid = imap_fetch_uid(response);

	return uid != 0 && uidset_contains(run_of(command)->uids, uid);
}

static bool store_is_own_change(const struct imap_command *command, uint32_t uid,
				const uint64_t *flags)
{
	const struct imap_uid_run *run = run_of(command);

	if (!uidset_contains(run->uids, uid))
		return false;
	return flags == NULL || (*flags & run->flags) == (run->is_added ? run->flags : 0);
}

static const struct imap_command_type store_type = {
	.name = "STORE",
	.refused = SYNCD_EMESSAGE,
	.untagged = store_untagged,
	.is_own_change = store_is_own_change,
	.tagged = run_tagged,
};

void imap_store_start(struct imap_session *session, struct imap_uid_run *run, bool is_added,
		      uint64_t flags)
{
	must(flags != 0 && session->mailbox.keywords != NULL);
	imap_uid_run_start(session, run, &store_type);
	run->flags = flags;
	run->is_added = is_added;
	int rc = buf_printf(&run->suffix, " %cFLAGS.SILENT (", is_added ? '+' : '-');
	must(rc == 0);
	/* 58 keywords of 128 bytes fit one line. */
	rc = flags_format_imap(session->mailbox.keywords, flags, &run->suffix);
	must(rc == 0);
	rc = buf_add_char(&run->suffix, ')');
	must(rc == 0);
}

static bool run_is_own_removal(const struct imap_command *command, uint32_t low, uint32_t high)
{
	return uidset_contains_range(run_of(command)->uids, low, high);
}

static bool expunge_untagged(struct imap_command *command, const struct imap_response *response)
{
	(void)command;
	return slice_equals_str(response->name, "EXPUNGE") ||
	       slice_equals_str(response->name, "VANISHED");
}

static const struct imap_command_type uid_expunge_type = {
	.name = "EXPUNGE",
	.refused = SYNCD_EMESSAGE,
	.untagged = expunge_untagged,
	.is_own_removal = run_is_own_removal,
	.tagged = run_tagged,
};

void imap_uid_expunge_start(struct imap_session *session, struct imap_uid_run *run)
{
	imap_uid_run_start(session, run, &uid_expunge_type);
}
