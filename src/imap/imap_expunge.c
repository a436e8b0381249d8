/* Removing certain messages and no others (DESIGN 5). With UIDPLUS: mark, UID EXPUNGE. Without, a
 * bare EXPUNGE takes everything that is marked, so the marks of others are taken
 * off before and put back after; a cut in between leaves mail unmarked, never gone.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

#define EXPUNGE_SEARCHES_MAX 5 /* the first, one after marking ours, three times over again */
#define EXPUNGE_STEP_UNMARK 1  /* where to start over */

/* The story, one step after another; each starts something or returns false to be passed over. */
struct expunge_step {
	const char *name;
	bool (*start)(struct imap_expunge *expunge, struct imap_session *session);
};

static void expunge_next(struct imap_expunge *expunge);

/* The marks are put back as they were, as far as the server lets us. The first reason is told. */
static void give_up(struct imap_expunge *expunge, const struct error *err)
{
	if (expunge->err.code != 0)
		return;
	expunge->err = *err;
	expunge->step = 0;
}

static void expunge_finish(struct imap_expunge *expunge)
{
	uid_pile_free(&expunge->named);
	uidset_free(&expunge->found);
	uidset_free(&expunge->others);
	uidset_free(&expunge->ours);
	expunge->done(expunge, expunge->err.code);
}

static void expunge_stepped(struct imap_expunge *expunge, int code, const struct error *err)
{
	if (code < 0)
		give_up(expunge, err);
	if (code < 0 && imap_session_is_over(expunge->run.command.session)) {
		expunge_finish(expunge);
		return;
	}
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

	if (uid_pile_add_range(&expunge->named, low, high) != 0)
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

/* Of a part of the mailbox only (MESSAGELIMIT, RFC 9738) it does not tell whose marks there are. */
static void search_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_expunge *expunge = container_of(command, struct imap_expunge, command);
	struct imap_cut cut;

	expunge->is_damaged |= imap_reply_is_cut(response, &cut);
}

static const struct imap_command_type search_type = {
	.name = "SEARCH",
	.untagged = search_untagged,
	.range = search_range,
	.tagged = search_tagged,
};

/* Leaves in `found` what others marked; the first time, `ours` becomes what of ours is not
 * marked yet. Returns 0, or SYNCD_ELIMIT of a set. */
static int sort_found(struct imap_expunge *expunge)
{
	int rc = 0;

	if (expunge->searches == 1) {
		rc = uidset_merge(&expunge->ours, expunge->uids);
		if (rc == 0)
			rc = uidset_subtract(&expunge->ours, &expunge->found);
	}
	if (rc == 0)
		rc = uidset_subtract(&expunge->found, expunge->uids);
	return rc == 0 ? uidset_merge(&expunge->others, &expunge->found) : rc;
}

/* Not knowing whose marks there are, nothing is expunged. */
static int search_judge(struct imap_expunge *expunge, struct error *err)
{
	expunge->is_damaged |= uid_pile_move(&expunge->named, &expunge->found) != 0;
	uint64_t count = uidset_count(&expunge->found);

	if (expunge->is_damaged || sort_found(expunge) != 0)
		return error_set(err, SYNCD_EMESSAGE,
				 "the server's list of deleted messages cannot be read");
	expunge->has_found_ours = uidset_count(&expunge->found) < count;
	if (expunge->searches == EXPUNGE_SEARCHES_MAX && !uidset_is_empty(&expunge->found))
		return error_set(err, SYNCD_EMESSAGE,
				 "another client keeps marking messages as deleted");
	return 0;
}

static void search_done(struct imap_command *command, int code)
{
	struct imap_expunge *expunge = container_of(command, struct imap_expunge, command);

	expunge->searches++;
	if (code == 0)
		code = search_judge(expunge, &command->err);
	expunge_stepped(expunge, code, &command->err);
}

/* iCloud answers wrongly unless the UIDs are named (kenn-io/msgvault#436). */
static bool start_search(struct imap_expunge *expunge, struct imap_session *session)
{
	uid_pile_free(&expunge->named);
	uidset_clear(&expunge->found);
	imap_command_init(session, &expunge->command, &search_type, search_done);
	imap_write_text(&expunge->command.write, "UID SEARCH UID 1:* DELETED");
	imap_command_start(&expunge->command);
	return true;
}

static bool start_unmark_others(struct imap_expunge *expunge, struct imap_session *session)
{
	return mark(expunge, session, &expunge->found, false);
}

static bool start_mark(struct imap_expunge *expunge, struct imap_session *session)
{
	return mark(expunge, session, expunge->uids, true);
}

static bool start_over(struct imap_expunge *expunge, struct imap_session *session)
{
	(void)session;
	if (!uidset_is_empty(&expunge->found))
		expunge->step = EXPUNGE_STEP_UNMARK;
	return false;
}

/* --- the removal -------------------------------------------------------------------- */

static bool expunge_untagged(struct imap_command *command, const struct imap_response *response)
{
	(void)command;
	return slice_equals_str(response->name, "EXPUNGE") ||
	       slice_equals_str(response->name, "VANISHED");
}

static bool expunge_is_own_removal(const struct imap_command *command, uint32_t low, uint32_t high)
{
	const struct imap_expunge *expunge = container_of(command, struct imap_expunge, command);

	return uidset_contains_range(expunge->uids, low, high);
}

static const struct imap_command_type expunge_type = {
	.name = "EXPUNGE",
	.refused = SYNCD_EMESSAGE,
	.untagged = expunge_untagged,
	.is_own_removal = expunge_is_own_removal,
};

/* When the search does not name what was just marked, ours are gone already, or it is not to be
 * relied on: only others' mail could go. */
static bool start_bare_expunge(struct imap_expunge *expunge, struct imap_session *session)
{
	if (!expunge->has_found_ours)
		return false;
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

/* Ours are gone, or unmarked again. */
static bool start_mark_others(struct imap_expunge *expunge, struct imap_session *session)
{
	uidset_clear(&expunge->ours);
	return mark(expunge, session, &expunge->others, true);
}

static bool start_unmark_ours(struct imap_expunge *expunge, struct imap_session *session)
{
	return mark(expunge, session, &expunge->ours, false);
}

/* --- The stories ---------------------------------------------------------------------- */

static const struct expunge_step with_uidplus[] = {
	{ "mark", start_mark },
	{ "uid expunge", start_uid_expunge },
	{ NULL, NULL },
};

/* What another client marked since the first search would go with ours. */
static const struct expunge_step without_uidplus[] = {
	{ "search", start_search },
	[EXPUNGE_STEP_UNMARK] = { "unmark others", start_unmark_others },
	{ "mark", start_mark },
	{ "search again", start_search },
	{ "start over", start_over },
	{ "expunge", start_bare_expunge },
	{ "mark others", start_mark_others },
	{ NULL, NULL },
};

static const struct expunge_step undo[] = {
	{ "unmark ours", start_unmark_ours },
	{ "mark others", start_mark_others },
	{ NULL, NULL },
};

static const struct expunge_step *steps_of(const struct imap_expunge *expunge)
{
	if (expunge->err.code != 0)
		return undo;
	return expunge->has_uidplus ? with_uidplus : without_uidplus;
}

static void expunge_next(struct imap_expunge *expunge)
{
	struct imap_session *session = expunge->run.command.session;
	const struct expunge_step *steps = steps_of(expunge);

	while (steps[expunge->step].start != NULL) {
		if (steps[expunge->step++].start(expunge, session))
			return;
	}
	expunge_finish(expunge);
}

static void expunge_turn(struct loop_defer *defer)
{
	expunge_next(container_of(defer, struct imap_expunge, defer));
}

void imap_expunge_start(struct imap_session *session, struct imap_expunge *expunge)
{
	error_clear(&expunge->err);
	expunge->step = 0;
	expunge->searches = 0;
	expunge->is_damaged = false;
	expunge->has_uidplus = imap_session_can(session, IMAP_CAP_UIDPLUS);
	expunge->defer = (struct loop_defer){ 0 };
	expunge->run.command.session = session;
	expunge->named = (struct uid_pile){ 0 };
	uidset_init(&expunge->found);
	uidset_init(&expunge->others);
	uidset_init(&expunge->ours);
	loop_defer(session->settings.loop, &expunge->defer, expunge_turn);
}
