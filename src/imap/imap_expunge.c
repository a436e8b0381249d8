/* Removing certain messages and no others (DESIGN 5). With UIDPLUS: mark, UID EXPUNGE. Without, a
 * bare EXPUNGE takes everything that is marked, so the marks of others are taken
 * off before and put back after; a cut in between leaves mail unmarked, never gone.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

/* The story, one step after another; each starts something or returns false to be passed over. */
struct expunge_step {
	const char *name;
	bool (*start)(struct imap_expunge *expunge, struct imap_session *session);
};

static void expunge_next(struct imap_expunge *expunge);

static void expunge_finish(struct imap_expunge *expunge, int code)
{
	uidset_free(&expunge->others);
	expunge->done(expunge, code);
}

static void expunge_stepped(struct imap_expunge *expunge, int code, const struct error *err)
{
	if (code < 0) {
		expunge->err = *err;
		expunge_finish(expunge, code);
		return;
	}
	expunge->step++;
	expunge_next(expunge);
}

static void run_done(struct imap_uid_run *run, int code)
{
	expunge_stepped(container_of(run, struct imap_expunge, run), code, &run->err);
}

static void command_done(struct imap_command *command, int code)
{
	expunge_stepped(container_of(command, struct imap_expunge, command), code, &command->err);
}

static bool mark(struct imap_expunge *expunge, struct imap_session *session,
		 const struct uidset *uids, bool is_added)
{
	if (uidset_is_empty(uids))
		return false;
	expunge->run.uids = uids;
	expunge->run.done = run_done;
	imap_store_start(session, &expunge->run, is_added, FLAG_DELETED);
	return true;
}

/* --- search: who else is marked ------------------------------------------------- */

static void search_range(struct imap_command *command, uint32_t low, uint32_t high)
{
	struct imap_expunge *expunge = container_of(command, struct imap_expunge, command);

	if (uidset_add_range(&expunge->others, low, high) != 0)
		expunge->is_damaged = true;
}

static bool search_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_expunge *expunge = container_of(command, struct imap_expunge, command);

	if (!slice_equals_str(response->name, "SEARCH") &&
	    !slice_equals_str(response->name, "ESEARCH"))
		return false;
	expunge->is_damaged |= response->is_damaged;
	return true;
}

static const struct imap_command_type search_type = {
	.name = "SEARCH",
	.untagged = search_untagged,
	.range = search_range,
};

/* iCloud answers wrongly unless the UIDs are named (kenn-io/msgvault#436). */
static bool start_search(struct imap_expunge *expunge, struct imap_session *session)
{
	imap_command_init(session, &expunge->command, &search_type, command_done);
	imap_write_text(&expunge->command.write, "UID SEARCH UID 1:* DELETED");
	imap_command_start(&expunge->command);
	return true;
}

static bool start_unmark_others(struct imap_expunge *expunge, struct imap_session *session)
{
	int rc = uidset_subtract(&expunge->others, expunge->uids);

	if (rc != 0)
		expunge->is_damaged = true;
	return mark(expunge, session, &expunge->others, false);
}

static bool start_mark(struct imap_expunge *expunge, struct imap_session *session)
{
	return mark(expunge, session, expunge->uids, true);
}

/* --- the removal -------------------------------------------------------------------- */

static bool expunge_untagged(struct imap_command *command, const struct imap_response *response)
{
	(void)command;
	return slice_equals_str(response->name, "EXPUNGE") ||
	       slice_equals_str(response->name, "VANISHED");
}

static const struct imap_command_type expunge_type = {
	.name = "EXPUNGE",
	.refused = SYNCD_EMESSAGE,
	.untagged = expunge_untagged,
};

static bool start_bare_expunge(struct imap_expunge *expunge, struct imap_session *session)
{
	imap_command_init(session, &expunge->command, &expunge_type, command_done);
	imap_write_text(&expunge->command.write, "EXPUNGE");
	imap_command_start(&expunge->command);
	return true;
}

static bool start_uid_expunge(struct imap_expunge *expunge, struct imap_session *session)
{
	expunge->run.uids = expunge->uids;
	expunge->run.done = run_done;
	imap_uid_expunge_start(session, &expunge->run);
	return true;
}

static bool start_mark_others(struct imap_expunge *expunge, struct imap_session *session)
{
	return mark(expunge, session, &expunge->others, true);
}

static const struct expunge_step with_uidplus[] = {
	{ "mark", start_mark },
	{ "uid expunge", start_uid_expunge },
	{ NULL, NULL },
};

static const struct expunge_step without_uidplus[] = {
	{ "search", start_search },
	{ "unmark others", start_unmark_others },
	{ "mark", start_mark },
	{ "expunge", start_bare_expunge },
	{ "mark others", start_mark_others },
	{ NULL, NULL },
};

static void expunge_next(struct imap_expunge *expunge)
{
	struct imap_session *session = expunge->run.command.session;
	const struct expunge_step *steps =
		imap_session_can(session, IMAP_CAP_UIDPLUS) ? with_uidplus : without_uidplus;

	for (; steps[expunge->step].name != NULL; expunge->step++) {
		if (expunge->is_damaged)
			break;
		if (steps[expunge->step].start(expunge, session))
			return;
	}
	if (expunge->is_damaged) {
		/* Not knowing whose marks there are, nothing is expunged. */
		(void)error_set(&expunge->err, SYNCD_EMESSAGE,
				"the server's list of deleted messages cannot be read");
		expunge_finish(expunge, SYNCD_EMESSAGE);
		return;
	}
	expunge_finish(expunge, 0);
}

static void expunge_turn(struct loop_defer *defer)
{
	expunge_next(container_of(defer, struct imap_expunge, defer));
}

void imap_expunge_start(struct imap_session *session, struct imap_expunge *expunge)
{
	error_clear(&expunge->err);
	expunge->step = 0;
	expunge->is_damaged = false;
	expunge->defer = (struct loop_defer){ 0 };
	expunge->run.command.session = session;
	uidset_init(&expunge->others);
	loop_defer(session->settings.loop, &expunge->defer, expunge_turn);
}
