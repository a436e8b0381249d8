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

static void recover_commit(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;

	for (size_t i = 0; i < recover->count; i++) {
		enum journal_kind kind = recover->journal[i].kind;
		if (kind != JOURNAL_EXPUNGE && kind != JOURNAL_REMOVE)
			store_batch_delete_journal(&recover->commit.batch, pass->mailbox.id, kind,
						   recover->journal[i].name);
	}
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
	log_info(pass->options.account, "%s: an interrupted upload had arrived as UID %u",
		 pass->name, record.uid);
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
	match_pairs(&pass->recover.match, recover_paired);
	recover_commit(pass);
}

/* Of one UIDVALIDITY only: after a change, pairing finds them (pair.c). */
static uint32_t recover_list_appends(struct sync_pass *pass)
{
	struct recover *recover = &pass->recover;
	uint32_t first_uid = UINT32_MAX;

	for (size_t i = 0; i < recover->count; i++) {
		const struct journal_record *journal = &recover->journal[i];
		if (journal->kind != JOURNAL_APPEND ||
		    journal->uidvalidity != pass_uidvalidity(pass) || pass->is_restored)
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
		if (journal->uidvalidity == pass_uidvalidity(pass) && !pass->is_restored)
			must(uidset_add(&recover->expunged, journal->uid) == 0);
		store_batch_delete_expunge(&pass->change.batch, pass->mailbox.id, journal->uid);
	}
}

bool recover_is_back(struct sync_pass *pass, const struct sync_action *action)
{
	return action->kind == SYNC_REMOVE && uidset_contains(&pass->recover.expunged, action->uid);
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
	if (recover->match.locals.count > 0)
		match_identify_from(pass, &recover->match, first_uid, recover_identified);
	else
		recover_commit(pass);
}
