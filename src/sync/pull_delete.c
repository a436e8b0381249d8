/* Deleting on the server what is due, and the end of the session; what both tell is recorded.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include "syncd/log.h"
#include "syncd/must.h"

/* --- What is due --------------------------------------------------------------------- */

bool pull_is_due(const struct sync_pull *pull, const struct pull_entry *entry)
{
	if (entry->kind != ENTRY_KNOWN)
		return false;
	const struct pull_record *record = &pull->records.items[entry->record];
	switch (pull->options.keep) {
	case PULL_KEEP_ALL:
		return false;
	case PULL_KEEP_NONE:
		return true;
	case PULL_KEEP_FOR:
		return pull->now_s - record->first_seen_s >= pull->options.keep_s;
	case PULL_KEEP_UNTIL_DELETED:
		return entry->is_due;
	}
	must_fail("known keep", __FILE__, __LINE__);
}

/* What is due may not be deleted: the messages are fetched anew, or wait for a person. */
static void let_stay(struct sync_pull *pull, bool is_forgotten)
{
	for (size_t i = 0; i < pull->listing.count; i++) {
		struct pull_entry *entry = &pull->listing.items[i];
		if (!entry->is_due)
			continue;
		entry->is_due = false;
		if (!is_forgotten)
			continue;
		struct pull_record *record = &pull->records.items[entry->record];
		record->is_dirty = record->is_dropped = true;
		entry->record = PULL_NONE;
		pull_decide(pull, entry);
	}
}

static void hold(struct sync_pull *pull, size_t due, size_t total)
{
	struct error err = { 0 };

	pull->mailbox.held_remote.count = (uint32_t)due;
	pull->mailbox.held_remote.total = (uint32_t)total;
	pull->result.held_deletions = due;
	error_set(&err, SYNCD_EHELD,
		  "%zu of %zu messages would be deleted on the server, as they are no more in the "
		  "maildir: held until you accept or restore",
		  due, total);
	pull_refuse(pull, &err);
	let_stay(pull, false);
}

void pull_hold(struct sync_pull *pull)
{
	struct held_deletions *held = &pull->mailbox.held_remote;
	const struct held_deletions before = *held;
	size_t due = 0;
	size_t total = 0;

	for (size_t i = 0; i < pull->listing.count; i++) {
		total += pull->listing.items[i].kind == ENTRY_KNOWN;
		due += pull->listing.items[i].is_due;
	}
	*held = (struct held_deletions){ .count = 0 };
	if (sync_limit_holds(&pull->options.deletion_limit, &before, due, total)) {
		if (pull->options.decision == SYNC_HOLD)
			hold(pull, due, total);
		else if (pull->options.decision == SYNC_RESTORE)
			let_stay(pull, true);
	}
	if (!pull->options.is_dry_run &&
	    (held->count != before.count || held->total != before.total))
		store_batch_put_mailbox(&pull->batch, &pull->mailbox);
}

/* --- A dry run ----------------------------------------------------------------------- */

void pull_plan_start(struct sync_pull *pull)
{
	bool is_told = pull->options.is_dry_run && pull->options.planned != NULL;

	for (size_t i = 0; is_told && i < pull->listing.count; i++) {
		const struct pull_entry *entry = &pull->listing.items[i];
		struct pull_message message = pull_message_of(pull, entry);
		bool is_fetched = entry->kind == ENTRY_FETCH;
		bool is_deleted = pull_is_due(pull, entry) ||
				  (is_fetched && pull->options.keep == PULL_KEEP_NONE);
		if (is_fetched)
			pull->options.planned(pull, &message, false);
		if (is_deleted)
			pull->options.planned(pull, &message, true);
	}
	pull_piece_done(pull);
}

/* --- DELE ---------------------------------------------------------------------------- */

static void saved(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, commit.op);

	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

void pull_save_start(struct sync_pull *pull)
{
	pull_save(pull, saved);
}

static struct sync_pull *pull_of(struct maildrop_delete_req *req)
{
	return container_of(req, struct sync_pull, remove);
}

static bool remove_next(struct maildrop_delete_req *req, uint32_t *number)
{
	struct sync_pull *pull = pull_of(req);

	while (pull->removing < pull->listing.count && !pull_is_failing(pull)) {
		const struct pull_entry *entry = &pull->listing.items[pull->removing++];
		if (pull_is_due(pull, entry) &&
		    pull->records.items[entry->record].state == POP3_DELIVERED) {
			*number = entry->number;
			return true;
		}
	}
	return false;
}

static void remove_answered(struct maildrop_delete_req *req, uint32_t number,
			    const struct error *refusal)
{
	struct sync_pull *pull = pull_of(req);

	if (refusal == NULL)
		pull_entry_of(pull, number)->is_marked = true;
	else
		log_info(pull->options.account, "message %u is not deleted: %s", (unsigned)number,
			 refusal->text);
}

static void removed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, remove.op);

	pull_note_disorder(pull, code);
	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

void pull_delete_start(struct sync_pull *pull)
{
	pull->removing = 0;
	pull->remove = (struct maildrop_delete_req){
		.op.done = removed,
		.next = remove_next,
		.answered = remove_answered,
	};
	pull->ports.maildrop->ops->remove(pull->ports.maildrop, &pull->remove);
}

/* --- QUIT ---------------------------------------------------------------------------- */

/* Where nothing was to go, it does not matter how the session ends. */
static void quitted(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, quit.op);
	struct error err = { 0 };
	size_t marked = 0;

	pull_note_disorder(pull, code);
	for (size_t i = 0; i < pull->listing.count; i++)
		marked += pull->listing.items[i].is_marked;
	if (marked > 0 && pull->quit.outcome == MAILDROP_GONE) {
		pull->result.counts.expunged += marked;
	} else if (marked > 0) {
		error_set(&err, SYNCD_ENET, "the server did not say that it deleted %zu messages",
			  marked);
		pull_fail(pull, code != 0 ? &op->err : &err);
	}
	pull_piece_done(pull);
}

void pull_quit_start(struct sync_pull *pull)
{
	pull->quit.op.done = quitted;
	pull->ports.maildrop->ops->quit(pull->ports.maildrop, &pull->quit);
}

/* --- What is gone -------------------------------------------------------------------- */

/* Records of before may be messages that have not been fetched. */
static bool has_unresolved(const struct sync_pull *pull)
{
	for (size_t i = 0; i < pull->listing.count; i++) {
		const struct pull_entry *entry = &pull->listing.items[i];
		if (entry->kind == ENTRY_FETCH || (entry->kind == ENTRY_LEFT && entry->is_suspect))
			return true;
	}
	return false;
}

/* Without a unique-id it could not be known again, and another would be taken for it. */
static void is_gone(const struct sync_pull *pull, struct pull_record *record)
{
	bool is_long_gone = record->absent_since_s != 0 &&
			    pull->now_s - record->absent_since_s >= PULL_FORGET_S;

	if (is_long_gone || !pull_has_uid(&record->uid))
		record->is_dirty = record->is_dropped = true;
	else if (record->absent_since_s == 0)
		record->absent_since_s = pull->now_s;
	else
		return;
	record->is_dirty = true;
}

static void settle_records(struct sync_pull *pull)
{
	bool may_be_there = has_unresolved(pull);

	for (size_t i = 0; i < pull->listing.count; i++) {
		const struct pull_entry *entry = &pull->listing.items[i];
		if (entry->is_marked)
			is_gone(pull, &pull->records.items[entry->record]);
	}
	for (size_t i = 0; pull->listing.req.is_complete && i < pull->records.count; i++) {
		struct pull_record *record = &pull->records.items[i];
		bool may_be_listed = record->is_listed || !pull_has_uid(&record->uid);
		if (!record->is_claimed && !record->is_dropped && !(may_be_listed && may_be_there))
			is_gone(pull, record);
	}
}

static void settle_asides(struct sync_pull *pull)
{
	for (size_t i = 0; pull->listing.req.is_complete && i < pull->setaside.count; i++) {
		if (!pull->is_aside_used[i])
			store_batch_delete_setaside(&pull->batch, pull->mailbox.id, 0,
						    pull->setaside.records[i].name);
	}
}

void pull_settle_start(struct sync_pull *pull)
{
	settle_records(pull);
	settle_asides(pull);
	pull_save(pull, saved);
}
