/* Recovery: finishes what a crash or a lost link left in the journal (DESIGN 5): the
 * maildir's part (mend) before it is looked at, the server's once that is opened. With
 * an empty journal it only sweeps tmp/.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

void recover_free(struct recover *recover)
{
	free(recover->journal);
	uidset_free(&recover->expunged);
	sync_waiting_free(&recover->waiting);
	match_free(&recover->match);
	store_batch_free(&recover->commit.batch);
}

static void recover_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, recover.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_piece_done(pass);
}

/* The file is not sent and the message not removed, unless the server is through with it. */
static void recover_hold(struct recover *recover, const struct journal_record *journal)
{
	if (journal->looked_s != JOURNAL_ANSWERED)
		sync_waiting_add(&recover->waiting, journal);
}

/* What cannot be judged yet, whatever the server shows. When its time is over the journal forgets
 * it, and only the run after this one takes it up: that one begins with a clear view of all
 * mailboxes, and sees that a file was moved. */
static void recover_wait(struct sync_pass *pass, struct store_batch *batch,
			 const struct journal_record *journal)
{
	struct journal_record looked_at = *journal;

	if (journal->looked_s == JOURNAL_ANSWERED) { /* and this look has told the rest */
		store_batch_delete_journal(batch, pass->mailbox.id, journal->kind, journal->name);
		return;
	}
	int64_t left_s = sync_waiting_left_s(journal, pass->now_s, pass->options.unanswered_wait_s,
					     &looked_at.looked_s);

	pass->is_left_over = pass->result.wants_run = true;
	if (left_s > pass->result.run_in_s)
		pass->result.run_in_s = left_s;
	if (left_s > 0 && looked_at.looked_s != journal->looked_s)
		store_batch_put_journal(batch, pass->mailbox.id, &looked_at);
	else if (left_s == 0)
		store_batch_delete_journal(batch, pass->mailbox.id, journal->kind, journal->name);
}

/* An upload that is not there. Of one UIDVALIDITY only: after a change, pairing finds them
 * (pair.c).
 */
static bool recover_is_ours(const struct sync_pass *pass, const struct journal_record *journal)
{
	return journal->uidvalidity == pass_uidvalidity(pass) && !pass->is_restored;
}

static bool recover_is_open(const struct sync_pass *pass, const struct journal_record *journal)
{
	return journal->kind == JOURNAL_APPEND && recover_is_ours(pass, journal) &&
	       journal->uid == 0;
}

static void recover_commit(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;

	for (size_t i = 0; i < recover->count; i++) {
		const struct journal_record *journal = &recover->journal[i];
		if (recover_is_open(pass, journal)) {
			recover_hold(recover, journal);
			recover_wait(pass, &recover->commit.batch, journal);
		} else if (journal->kind == JOURNAL_DELIVER || journal->kind == JOURNAL_APPEND) {
			store_batch_delete_journal(&recover->commit.batch, pass->mailbox.id,
						   journal->kind, journal->name);
		}
	}
	sync_waiting_sort(&recover->waiting);
	if (recover->commit.batch.count > 0)
		pass_flush_commit(pass, &recover->commit, recover_committed);
	else
		pass_piece_done(pass);
}

/* --- Appends whose answer was lost ------------------------------------------------- */

static void recover_paired(struct sync_pass *pass, const struct candidate *local,
			   const struct candidate *remote)
{
	struct message_record record = {
		.uid = remote->uid,
		.flags = local->flags,
		.size_bytes = local->size_bytes,
		.identity = local->identity,
	};

	memcpy(record.name, local->name, strlen(local->name) + 1);
	store_batch_put_message(&pass->recover.commit.batch, pass->mailbox.id, &record);
	pass->recover.journal[local->index].uid = remote->uid;
	log_info(pass->options.account, "%s: an interrupted upload had arrived as UID %u",
		 pass->name, record.uid);
}

/* What came up to now was among them. */
static void recover_note_looked(struct recover *recover)
{
	for (size_t i = 0; i < recover->match.remotes.count; i++) {
		uint32_t uid = recover->match.remotes.items[i].uid;
		if (uid > recover->waiting.looked_uid)
			recover->waiting.looked_uid = uid;
	}
}

static void recover_identified(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, recover.match.identify.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	if (pass_is_failing(pass)) {
		pass_piece_done(pass);
		return;
	}
	recover_note_looked(&pass->recover);
	match_pairs(&pass->recover.match, recover_paired);
	recover_commit(pass);
}

static uint32_t recover_list_appends(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;
	uint32_t first_uid = UINT32_MAX;

	for (size_t i = 0; i < recover->count; i++) {
		const struct journal_record *journal = &recover->journal[i];
		if (!recover_is_open(pass, journal))
			continue;
		if (journal->uidnext < first_uid)
			first_uid = journal->uidnext;
		candidates_add(&recover->match.locals, &(struct candidate){
							       .identity = journal->identity,
							       .size_bytes = journal->size_bytes,
							       .flags = journal->flags,
							       .name = journal->name,
							       .index = i,
						       });
	}
	return first_uid;
}

/* --- Removals that may have been carried out ------------------------------- */

/* What to make of them, and of files, is clear when both sides have been seen. */
static void recover_note_removals(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;

	for (size_t i = 0; i < recover->count; i++) {
		const struct journal_record *journal = &recover->journal[i];
		pass->change.is_removing |= journal->kind == JOURNAL_REMOVE;
		if (journal->kind != JOURNAL_EXPUNGE)
			continue;
		if (!recover_is_ours(pass, journal)) {
			store_batch_delete_expunge(&pass->change.batch, pass->mailbox.id,
						   journal->uid);
			continue;
		}
		must(uidset_add(&recover->expunged, journal->uid) == 0);
		recover_hold(recover, journal);
	}
}

bool recover_is_back(struct sync_pass *pass, const struct sync_action *action)
{
	return action->kind == SYNC_REMOVE && uidset_contains(&pass->recover.expunged, action->uid);
}

bool recover_is_under_way(const struct sync_pass *pass, const struct sync_action *action)
{
	return action->kind == SYNC_EXPUNGE &&
	       uidset_contains(&pass->recover.waiting.uids, action->uid);
}

/* Whether the look at the server tells of it: that it is there, or else that it is not. */
static bool recover_is_seen(const struct sync_pass *pass, uint32_t uid)
{
	return remote_observation_has(&pass->observation, uid) || pass_sees_gone(pass);
}

/* Gone from the server, or of no message that the state knows, it is over; the former by the record
 * that says so (change.c). */
void recover_judge_removals(struct sync_pass *pass)
{
	struct store_batch *batch = &pass->change.batch;
	struct recover *recover = &pass->recover;
	size_t count = 0;
	const struct sync_action *gone = sync_plan_of(&pass->plan, SYNC_FORGET, &count);
	struct uidset over;

	if (uidset_is_empty(&recover->expunged))
		return;
	uidset_init(&over);
	for (size_t i = 0; i < count; i++)
		must(uidset_add(&over, gone[i].uid) == 0);
	for (size_t i = 0; i < recover->count; i++) {
		const struct journal_record *journal = &recover->journal[i];
		bool is_known = true;
		if (journal->kind != JOURNAL_EXPUNGE ||
		    !uidset_contains(&recover->expunged, journal->uid) ||
		    uidset_contains(&over, journal->uid))
			continue;
		if (pass_uid_is_known(pass, journal->uid, &is_known) != 0)
			break;
		if (is_known && !recover_is_seen(pass, journal->uid))
			continue; /* gone, it would look as if somebody else had removed it */
		if (is_known)
			recover_wait(pass, batch, journal);
		else
			store_batch_delete_expunge(batch, pass->mailbox.id, journal->uid);
	}
	uidset_free(&over);
}

/* --- Deliveries that may not have been renamed ----------------------------------------- */

/* A message that is nowhere is to be fetched again: no delta may tell of it once more. */
static int recover_publish(struct sync_pass *pass, const struct journal_record *journal,
			   struct error *err)
{
	int code = pass->local->ops->publish(pass->local, journal->name, journal->flags, err);

	if (code == SYNCD_ENOTFOUND) {
		log_info(pass->options.account, "%s: UID %u will be fetched again", pass->name,
			 journal->uid);
		store_batch_delete_message(&pass->recover.commit.batch, pass->mailbox.id,
					   journal->uid);
		pass->wants_all = true;
		return 0;
	}
	return code;
}

static bool recover_is_staged(void *context, const char *name)
{
	const struct recover *recover = context;

	for (size_t i = 0; i < recover->count; i++) {
		if (recover->journal[i].kind == JOURNAL_DELIVER &&
		    strcmp(recover->journal[i].name, name) == 0)
			return true;
	}
	return false;
}

static void recover_add(void *context, const struct journal_record *journal)
{
	struct recover *recover = context;

	recover->journal =
		xgrow(recover->journal, recover->count, &recover->cap, sizeof(*recover->journal));
	recover->journal[recover->count++] = *journal;
}

/* What the maildir needs, before it is looked at. */
void mend_start(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;
	struct error err = { 0 };
	int code = pass->ports.store->ops->journal_each(pass->ports.store, pass->mailbox.id,
							recover_add, recover, &err);

	store_batch_init(&recover->commit.batch);
	for (size_t i = 0; code == 0 && i < recover->count; i++) {
		if (recover->journal[i].kind == JOURNAL_DELIVER)
			code = recover_publish(pass, &recover->journal[i], &err);
	}
	if (code == 0)
		code = pass->local->ops->clean_tmp(pass->local, recover_is_staged, recover, &err);
	if (code != 0)
		pass_fail(pass, &err);
	pass->needs_remote |= recover->count > 0;
	pass_piece_done(pass);
}

void recover_start(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;

	if (recover->count == 0) {
		pass_piece_done(pass);
		return;
	}
	recover_note_removals(pass);
	uint32_t first_uid = recover_list_appends(pass);
	recover->waiting.looked_uid = first_uid > 0 ? first_uid - 1 : 0;
	if (recover->match.locals.count > 0)
		match_identify_from(pass, &recover->match, first_uid, recover_identified);
	else
		recover_commit(pass);
}
