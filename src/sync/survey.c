/* The survey: before the passes, a look at what users did to the files of all mailboxes that
 * changed. What is gone from one and new in another is a move, which a pass over either could
 * not tell.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include "syncd/must.h"
#include "syncd/sync_plan.h"

static struct sync_tree *tree_of(struct survey *survey)
{
	return container_of(survey, struct sync_tree, survey);
}

static void survey_next(struct survey *survey);

void survey_cancel(struct survey *survey)
{
	if (survey->local != NULL)
		survey->local->ops->cancel(survey->local);
}

void survey_free(struct survey *survey)
{
	must(survey->local == NULL);
	sync_waiting_free(&survey->waiting);
	sync_moves_free(&survey->moves);
}

/* The mailbox is over: what was not seen here is no move, and the pass tells why. */
static void survey_leave(struct survey *survey)
{
	if (survey->local != NULL)
		survey->local->ops->close(survey->local);
	survey->local = NULL;
	local_listing_free(&survey->listing);
	delta_free(&survey->delta);
	sync_setaside_free(&survey->setaside);
	keyword_table_free(&survey->record.keywords);
	survey_next(survey);
}

/* A mailbox that cannot be read has no pass in this run: to that, what was moved there would be
 * new, and lose what only the server has of it. */
static void survey_fail(struct survey *survey, const struct error *err)
{
	struct sync_tree *tree = tree_of(survey);

	if (error_class_of(err->code) == ERROR_CLASS_PERMANENT && err->code != SYNCD_ENOTFOUND) {
		survey->is_blind = true;
		survey->mailbox->is_wanted = false;
		tree_ended_without_pass(tree, survey->mailbox, err);
		tree_note_failure(tree, err);
	}
	survey_leave(survey);
}

/* --- Files that came ------------------------------------------------------------- */

static void peek_some(struct survey *survey);

static void peeked(struct port_op *op, int code)
{
	struct survey_peek *peek = container_of(op, struct survey_peek, req.op);
	struct survey *survey = peek->survey;

	if (code == 0)
		sync_moves_add_came(
			&survey->moves,
			&(struct sync_came){
				.mailbox = (size_t)(survey->mailbox - tree_of(survey)->mailboxes),
				.flags = peek->flags,
				.size_bytes = peek->req.size_bytes,
				.identity = peek->req.identity,
				.name = (char *)(uintptr_t)peek->req.name,
			});
	must(survey->peeking > 0);
	if (--survey->peeking == 0)
		peek_some(survey);
}

/* A name is a message's identity (CONTRACT 3), so that ten thousand files that were moved need not
 * be read, where each is at least as long as the one that is gone. */
static bool is_known_by_name(struct survey *survey, const struct delta_entry *entry)
{
	struct local_mailbox *local = survey->local;

	return survey->moves.gone_count > 0 &&
	       local->ops->is_whole(local, entry->name, entry->flags) &&
	       sync_moves_take_name(
		       &survey->moves,
		       &(struct sync_came){
			       .mailbox = (size_t)(survey->mailbox - tree_of(survey)->mailboxes),
			       .flags = entry->flags,
			       .name = (char *)(uintptr_t)entry->name,
		       });
}

static void peek(struct survey *survey, const struct delta_entry *entry)
{
	struct survey_peek *peek = &survey->peeks[survey->peeking++];

	peek->survey = survey;
	peek->flags = entry->flags;
	peek->req = (struct local_examine_req){ .name = entry->name, .is_peek = true };
	peek->req.op.done = peeked;
	survey->local->ops->examine(survey->local, &peek->req);
}

/* New ones come first in a delta. */
static void peek_some(struct survey *survey)
{
	const struct delta *delta = &survey->delta;

	while (survey->peeking < SURVEY_PEEKS && survey->peeked < delta->count &&
	       delta->entries[survey->peeked].change == SIDE_NEW &&
	       tree_of(survey)->err.code == 0) {
		const struct delta_entry *entry = &delta->entries[survey->peeked++];
		if (!is_known_by_name(survey, entry))
			peek(survey, entry);
	}
	if (survey->peeking == 0)
		survey_leave(survey);
}

/* --- What changed in one mailbox ------------------------------------------------------ */

static int note_gone(struct survey *survey, uint32_t mailbox_id, uint32_t uid, struct error *err)
{
	struct sync_tree *tree = tree_of(survey);
	struct message_record record;
	bool is_known = false;

	if (uidset_contains(&survey->waiting.uids, uid))
		return 0;
	int code = tree->ports.store->ops->message_get(tree->ports.store, mailbox_id, uid,
						       &is_known, &record, err);

	if (code == 0 && is_known)
		sync_moves_add_gone(&survey->moves,
				    &(struct sync_gone){
					    .mailbox = (size_t)(survey->mailbox - tree->mailboxes),
					    .uid = record.uid,
					    .flags = record.flags,
					    .size_bytes = record.size_bytes,
					    .identity = record.identity,
					    .name = record.name,
				    });
	return code;
}

static int survey_compare(struct survey *survey, struct error *err)
{
	struct sync_tree *tree = tree_of(survey);
	struct sync_observer observer = {
		.store = tree->ports.store,
		.mailbox_id = survey->record.id,
		.mask = survey->local->ops->flags_mask(survey->local),
		.setaside = &survey->setaside,
		.waiting = &survey->waiting,
		.now_s = INT64_MAX, /* what is set aside here may be at home elsewhere */
	};
	int code = sync_observe_local(&observer, &survey->listing, &survey->delta, err);

	for (size_t i = 0; code == 0 && i < survey->delta.count; i++) {
		if (survey->delta.entries[i].change == SIDE_GONE)
			code = note_gone(survey, survey->record.id, survey->delta.entries[i].uid,
					 err);
	}
	return code;
}

static void survey_scanned(struct port_op *op, int code)
{
	struct survey *survey = container_of(op, struct survey, scan.op);
	struct error err = { 0 };

	survey->peeked = 0;
	if (code != 0)
		err = op->err;
	else
		code = survey_compare(survey, &err);
	if (code != 0)
		survey_fail(survey, &err);
	else
		peek_some(survey);
}

static void note_journal(void *context, const struct journal_record *journal)
{
	struct survey *survey = context;

	if (journal->kind == JOURNAL_APPEND || journal->kind == JOURNAL_EXPUNGE)
		sync_waiting_add(&survey->waiting, journal);
	else
		survey->has_local_journal = true;
}

/* What a crash left under way in the maildir is for the mailbox's pass to end; before, neither its
 * files nor its records are the whole truth. What is open on the server is no move that could be
 * told. */
static int check_journal(struct survey *survey, struct error *err)
{
	struct store_port *store = tree_of(survey)->ports.store;

	sync_waiting_free(&survey->waiting);
	survey->has_local_journal = false;
	int code = store->ops->journal_each(store, survey->record.id, note_journal, survey, err);
	sync_waiting_sort(&survey->waiting);
	return code == 0 && survey->has_local_journal ? SYNCD_EBUSY : code;
}

static int survey_load(struct survey *survey, struct error *err)
{
	const struct sync_ports *ports = &tree_of(survey)->ports;
	bool is_known = false;
	int code = ports->store->ops->mailbox_get(ports->store, survey->mailbox->name, &is_known,
						  &survey->record, err);

	if (code != 0 || !is_known)
		survey->record = (struct mailbox_record){ .id = 0 };
	if (code == 0 && is_known)
		code = check_journal(survey, err);
	if (code == 0 && is_known)
		code = sync_setaside_load(ports->store, survey->record.id, &survey->setaside, err);
	if (code == 0)
		code = ports->local->ops->open(ports->local, survey->mailbox->name,
					       &survey->record.keywords, &survey->local, err);
	return code;
}

static void survey_mailbox(struct survey *survey)
{
	struct error err = { 0 };

	local_listing_init(&survey->listing);
	delta_init(&survey->delta);
	survey->setaside = (struct sync_setaside){ .count = 0 };
	sync_waiting_free(&survey->waiting);
	if (survey_load(survey, &err) != 0) {
		survey_fail(survey, &err);
		return;
	}
	survey->scan = (struct local_scan_req){
		.hints = survey->mailbox->hints,
		.hint_count = survey->mailbox->hint_count,
		.known = survey->record.mtimes,
		.result = &survey->listing,
	};
	survey->scan.op.done = survey_scanned;
	survey->local->ops->scan(survey->local, &survey->scan);
}

/* --- All of them --------------------------------------------------------------------------- */

static bool is_to_be_surveyed(const struct survey *survey, const struct tree_mailbox *mailbox)
{
	const struct sync_tree *tree = container_of(survey, struct sync_tree, survey);

	return mailbox->is_wanted &&
	       (mailbox->hints != NULL || !mailbox->is_known ||
		!tree->ports.local->ops->is_unchanged(tree->ports.local, mailbox->name,
						      &mailbox->record.mtimes));
}

/* All that was in a mailbox which was deleted here; but of what a kill left on its way into it,
 * nobody had a file that could have been moved. */
static int note_all_gone(struct survey *survey, struct error *err)
{
	struct store_port *store = tree_of(survey)->ports.store;
	uint32_t id = survey->mailbox->record.id;
	struct remote_flags some[SURVEY_PEEKS];
	uint32_t after = 0;
	size_t count = 0;
	int code = 0;

	survey->record = (struct mailbox_record){ .id = id };
	code = check_journal(survey, err);
	if (code != 0)
		return code == SYNCD_EBUSY ? 0 : code;
	do {
		code = store->ops->messages_after(store, id, after, some, SURVEY_PEEKS, &count,
						  err);
		for (size_t i = 0; code == 0 && i < count; i++)
			code = note_gone(survey, id, some[i].uid, err);
		after = count > 0 ? some[count - 1].uid : 0;
	} while (code == 0 && count > 0);
	return code;
}

static void survey_deleted(struct survey *survey)
{
	struct sync_tree *tree = tree_of(survey);
	struct error err = { 0 };

	for (size_t i = 0; tree->boxes.items != NULL && i < tree->count; i++) {
		survey->mailbox = &tree->mailboxes[i];
		if (tree->boxes.items[i].action == BOX_DELETE_REMOTE &&
		    note_all_gone(survey, &err) != 0)
			tree_fail(tree, &err);
	}
}

static void survey_next(struct survey *survey)
{
	struct sync_tree *tree = tree_of(survey);

	while (tree->err.code == 0 && survey->next < tree->count) {
		survey->mailbox = &tree->mailboxes[survey->next++];
		if (is_to_be_surveyed(survey, survey->mailbox)) {
			survey_mailbox(survey);
			return;
		}
	}
	if (survey->moves.came_count > 0)
		survey_deleted(survey);
	sync_moves_find(&survey->moves);
	tree_piece_done(tree);
}

static bool has_agreed_any(const struct sync_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->mailboxes[i].is_known && tree->mailboxes[i].record.uidvalidity != 0)
			return true;
	}
	return false;
}

/* Where nothing was ever agreed nothing was moved. */
void survey_start(struct sync_tree *tree)
{
	if (!has_agreed_any(tree) || tree->options.direction == SYNC_PULL)
		tree_piece_done(tree);
	else
		survey_next(&tree->survey);
}
