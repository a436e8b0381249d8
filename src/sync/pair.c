/* Pairing: first contact of a filled maildir with a filled mailbox, also after lost
 * state or a changed UIDVALIDITY. Equal messages become agreed ones, the rest are
 * new on their side; nothing is deleted, nothing doubled (DESIGN 6).
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_baseline.h"

#define RESET_CHUNK 256 /* records forgotten in one commit */

void pair_free(struct pair *pair)
{
	match_free(&pair->match);
	store_batch_free(&pair->commit.batch);
}

/* --- A changed UIDVALIDITY: every UID the state has means nothing now ----------------- */

static void reset_continue(struct sync_pass *pass);

static void reset_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, pair.commit.op);

	if (code != 0) {
		pass_fail(pass, &op->err);
		pass_piece_done(pass);
		return;
	}
	reset_continue(pass);
}

static void reset_adopt(struct sync_pass *pass)
{
	pass->mailbox.uidvalidity = pass_uidvalidity(pass);
	pass->mailbox.uidnext = 0;
	pass->mailbox.email_uidnext = 0;
	pass->is_listing_stripped = pass->mailbox.unkept != 0;
	pass->open.flags_mask |= pass->mailbox.unkept; /* it may be another server by now */
	pass->mailbox.unkept = 0;
	pass->mailbox.highestmodseq = 0;
	pass->mailbox.exists = 0;
	pass->mailbox.mtimes = (struct local_mtimes){ 0 };
	pass->mailbox.policy = 0;
	pass->mailbox.held_remote = pass->mailbox.held_local = (struct held_deletions){ 0 };
	pass->is_mailbox_recorded = false;
	pass->wants_all = true;
	pass->is_verifying = false; /* there is nothing to compare with */
	pass_piece_done(pass);
}

static void reset_continue(struct sync_pass *pass)
{
	struct pair *pair = &pass->pair;
	struct remote_flags records[RESET_CHUNK];
	struct mailbox_record emptied = pass->mailbox;
	struct error err = { 0 };
	size_t count = 0;

	if (pass->ports.store->ops->messages_after(pass->ports.store, pass->mailbox.id,
						   pair->after_uid, records, RESET_CHUNK, &count,
						   &err) != 0) {
		pass_fail(pass, &err);
		pass_piece_done(pass);
		return;
	}
	if (count == 0) {
		reset_adopt(pass);
		return;
	}
	for (size_t i = 0; i < count; i++)
		store_batch_delete_message(&pair->commit.batch, pass->mailbox.id, records[i].uid);
	pair->after_uid = records[count - 1].uid;
	/* Cut short, and the old mailbox comes under another name, or back. */
	sync_baseline_void(&emptied);
	store_batch_put_mailbox(&pair->commit.batch, &emptied);
	pass_commit(pass, &pair->commit, reset_committed);
}

/* Those known by UID; the local ones stay. */
static void reset_forget_aside(struct sync_pass *pass)
{
	struct sync_setaside *setaside = &pass->setaside;
	size_t kept = 0;

	for (size_t i = 0; i < setaside->count; i++) {
		const struct setaside_record *record = &setaside->records[i];
		if (record->uid == 0)
			setaside->records[kept++] = *record;
		else
			store_batch_delete_setaside(&pass->pair.commit.batch, pass->mailbox.id,
						    record->uid, record->name);
	}
	setaside->count = kept;
}

void reset_start(struct sync_pass *pass)
{
	uint32_t known = pass->mailbox.uidvalidity;

	store_batch_init(&pass->pair.commit.batch);
	if (known == pass_uidvalidity(pass) && !pass->is_restored) {
		pass_piece_done(pass);
		return;
	}
	if (known == 0) {
		reset_adopt(pass);
		return;
	}
	if (pass->is_restored)
		log_warn(pass->options.account,
			 "%s: the server gives UIDs anew that others had, as when it was restored "
			 "from a backup; messages are paired again",
			 pass->name);
	else if (known == SYNC_BASELINE_VOID)
		log_info(pass->options.account, "%s: messages are paired anew", pass->name);
	else
		log_warn(pass->options.account,
			 "%s: UIDVALIDITY changed from %u to %u; messages are paired again",
			 pass->name, known, pass_uidvalidity(pass));
	reset_forget_aside(pass);
	reset_continue(pass);
}

/* --- Pairing ------------------------------------------------------------------------------ */

static void pair_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, pair.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_piece_done(pass);
}

/* Agreed is what both have; merging then gives each the other's flags. */
static void pair_found(struct sync_pass *pass, const struct candidate *local,
		       const struct candidate *remote)
{
	struct message_record record = {
		.uid = remote->uid,
		.flags = local->flags & remote->flags,
		.size_bytes = local->size_bytes,
		.identity = local->identity,
	};

	memcpy(record.name, local->name, strlen(local->name) + 1);
	pass->pair.count++;
	store_batch_put_message(&pass->pair.commit.batch, pass->mailbox.id, &record);
	pass_clear_aside(pass, &pass->pair.commit.batch, 0, record.name);
}

static void pair_identified(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, pair.match.identify.op);
	struct pair *pair = &pass->pair;

	if (code != 0)
		pass_fail(pass, &op->err);
	if (pass_is_failing(pass)) {
		pass_piece_done(pass);
		return;
	}
	match_pairs(&pair->match, pair_found);
	if (pair->commit.batch.count == 0) {
		pass_piece_done(pass);
		return;
	}
	log_info(pass->options.account, "%s: %zu messages of both sides paired", pass->name,
		 pair->count);
	pass_flush_commit(pass, &pair->commit, pair_committed);
}

static void pair_examine_next(struct sync_pass *pass);

static void pair_examined(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, pair.examine.op);
	const struct local_examine_req *examine = &pass->pair.examine;

	if (code == 0)
		candidates_add(&pass->pair.match.locals, &(struct candidate){
								 .identity = examine->identity,
								 .size_bytes = examine->size_bytes,
								 .flags = examine->flags,
								 .name = examine->name,
							 });
	else if (code != SYNCD_ENOTFOUND && code != SYNCD_EMESSAGE)
		pass_fail(pass, &op->err);
	pair_examine_next(pass);
}

static void pair_examine_next(struct sync_pass *pass)
{
	struct pair *pair = &pass->pair;
	const struct delta *delta = &pass->local_delta;

	if (pass_is_failing(pass)) {
		pass_piece_done(pass);
		return;
	}
	if (pair->next < delta->count && delta->entries[pair->next].change == SIDE_NEW) {
		pair->examine.op.done = pair_examined;
		pair->examine.name = delta->entries[pair->next++].name;
		pass->local->ops->examine(pass->local, &pair->examine);
		return;
	}
	match_identify(pass, &pair->match, pair_identified);
}

/* Only where the state knows nothing of this mailbox; later, what appears on both
 * sides is two messages. */
static bool pair_is_first_contact(struct sync_pass *pass)
{
	struct error err = { 0 };
	struct remote_flags any;
	size_t count = 0;

	if (pass->listing.is_delta || pass->observation.is_delta)
		return false;
	if (pass->listing.count == 0 && pass->listing.is_stable)
		return false;
	if (pass->observation.count == 0 && pass->observation.is_complete)
		return false;
	int code = pass->ports.store->ops->messages_after(pass->ports.store, pass->mailbox.id, 0,
							  &any, 1, &count, &err);
	if (code == 0 && count > 0)
		return false;
	if (code == 0 && !(pass->listing.is_stable && pass->observation.is_complete))
		code = error_set(&err, SYNCD_EBUSY,
				 "a first comparison needs complete listings of both sides");
	if (code == 0)
		code = pass_make_deltas(pass, INT64_MAX, &err); /* set aside or not */
	if (code != 0)
		pass_fail(pass, &err);
	return code == 0;
}

void pair_start(struct sync_pass *pass)
{
	struct pair *pair = &pass->pair;

	if (!pair_is_first_contact(pass)) {
		pass_piece_done(pass);
		return;
	}
	for (size_t i = 0; i < pass->remote_delta.count; i++)
		must(uidset_add(&pair->match.uids, pass->remote_delta.entries[i].uid) == 0);
	if (uidset_is_empty(&pair->match.uids))
		pass_piece_done(pass);
	else
		pair_examine_next(pass);
}
