/* Flags and removals: what is repeatable needs no journal. Changes go out, local
 * renames are made durable, then one record after the other says so (DESIGN 5).
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <string.h>

#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_baseline.h"

static void change_continue(struct sync_pass *pass);

void change_free(struct change *change)
{
	for (size_t i = 0; i < CHANGE_STORES_MAX; i++)
		uidset_free(&change->stores[i].uids);
	uidset_free(&change->uids);
	uidset_free(&change->failed);
	store_batch_free(&change->batch);
	store_batch_free(&change->commit.batch);
}

/* One side refuses a change for good: the rest goes on, the pass tells of it. */
static void change_refused(struct sync_pass *pass, const struct uidset *uids,
			   const struct error *err)
{
	must(uidset_merge(&pass->change.failed, uids) == 0);
	pass_refuse(pass, err);
}

/* --- On the server -------------------------------------------------------------------- */

static void change_stored(struct port_op *op, int code)
{
	struct change_store *store = container_of(op, struct change_store, req.op);
	struct sync_pass *pass = store->pass;

	store->is_in_flight = false;
	must(pass->change.in_flight > 0);
	pass->change.in_flight--;
	if (code == 0) {
		pass->result.counts.flags_remote += uidset_count(&store->uids);
		kept_note(pass, uidset_lowest(&store->uids), store->req.add);
	} else if (code == SYNCD_EMESSAGE) {
		change_refused(pass, &store->uids, &op->err);
	} else {
		pass_fail(pass, &op->err);
	}
	change_continue(pass);
}

static struct change_store *change_free_store(struct change *change)
{
	for (size_t i = 0; i < CHANGE_STORES_MAX; i++) {
		if (!change->stores[i].is_in_flight)
			return &change->stores[i];
	}
	return NULL;
}

/* All messages that get the same change, at once; the next change behind it, as they commute.
 * False when the pipe is full. */
static bool change_store(struct sync_pass *pass)
{
	struct change *change = &pass->change;
	const struct sync_action *action = &pass->plan.actions[change->next];
	struct change_store *store = change_free_store(change);

	if (store == NULL)
		return false;
	store->pass = pass;
	store->is_in_flight = true;
	store->req.op.done = change_stored;
	store->req.uids = &store->uids;
	store->req.add = action->add;
	store->req.remove = action->remove;
	uidset_clear(&store->uids);
	for (; change->next < pass->plan.count; change->next++) {
		const struct sync_action *other = &pass->plan.actions[change->next];
		if (other->kind != SYNC_STORE || other->add != action->add ||
		    other->remove != action->remove)
			break;
		must(uidset_add(&store->uids, other->uid) == 0);
	}
	change->in_flight++;
	pass->remote->ops->store(pass->remote, &store->req);
	return true;
}

/* They are gone from the server, or it refuses. */
static void change_removed(struct sync_pass *pass, int code, const struct error *err)
{
	if (code == 0)
		pass->result.counts.expunged += uidset_count(&pass->change.uids);
	else if (code == SYNCD_EMESSAGE)
		change_refused(pass, &pass->change.uids, err);
	else
		pass_fail(pass, err);
	change_continue(pass);
}

static void change_expunged(struct port_op *op, int code)
{
	change_removed(container_of(op, struct sync_pass, change.expunge.op), code, &op->err);
}

static void change_expunge(struct sync_pass *pass)
{
	struct change *change = &pass->change;

	change->expunge.op.done = change_expunged;
	change->expunge.uids = &change->uids;
	pass->remote->ops->expunge(pass->remote, &change->expunge);
}

/* Where the server copied them without removing them, they need not be copied again. */
static void change_trashed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, change.transfer.op);

	if (code == 0 && !pass->change.transfer.is_removed) {
		change_expunge(pass);
		return;
	}
	if (code == SYNCD_EMESSAGE || code == SYNCD_ENOTFOUND) {
		error_context(&op->err, "trash %s", pass->options.trash);
		code = SYNCD_EMESSAGE; /* without that mailbox all the same */
	}
	change_removed(pass, code, &op->err);
}

static void change_trash(struct sync_pass *pass)
{
	struct change *change = &pass->change;

	change->transfer = (struct remote_transfer_req){
		.uids = &change->uids,
		.target = pass->options.trash,
		.is_move = true,
	};
	change->transfer.op.done = change_trashed;
	pass->remote->ops->transfer(pass->remote, &change->transfer);
}

static void change_unmarked(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, change.unmark.op);

	if (code != 0 && code != SYNCD_EMESSAGE) {
		pass_fail(pass, &op->err);
		change_continue(pass);
		return;
	}
	change_trash(pass);
}

/* Into the trash without \Deleted, or they would be removed from there at once. */
static void change_unmark(struct sync_pass *pass)
{
	struct change *change = &pass->change;

	change->unmark = (struct remote_store_req){
		.uids = &change->uids,
		.remove = FLAG_DELETED,
	};
	change->unmark.op.done = change_unmarked;
	pass->remote->ops->store(pass->remote, &change->unmark);
}

static void change_remove_remote(struct sync_pass *pass)
{
	struct change *change = &pass->change;
	const char *trash = pass->options.trash;

	uidset_clear(&change->uids);
	for (; change->next < pass->plan.count &&
	       pass->plan.actions[change->next].kind == SYNC_EXPUNGE;
	     change->next++)
		must(uidset_add(&change->uids, pass->plan.actions[change->next].uid) == 0);
	if (trash == NULL || strcmp(trash, pass->name) == 0)
		change_expunge(pass);
	else if (pass->options.expunges_deleted)
		change_unmark(pass);
	else
		change_trash(pass);
}

/* --- In the maildir -------------------------------------------------------------------- */

/* One that the state does not know, marked as deleted. */
static int change_unknown_file(struct sync_pass *pass, const struct sync_action *action,
			       struct error *err)
{
	struct local_mailbox *local = pass->local;

	if (action->kind == SYNC_REMOVE) {
		pass->result.counts.removed++;
		return local->ops->remove(local, action->name, action->flags, err);
	}
	pass->result.counts.flags_local++;
	int code = local->ops->set_flags(local, action->name, action->flags, action->add,
					 action->remove, err);
	return code == SYNCD_ENOTFOUND ? 0 : code;
}

/* Applies one action to the file of its message. A file that is gone by now needs
 * nothing: the next pass sees what that means. */
static int change_file(struct sync_pass *pass, const struct sync_action *action, struct error *err)
{
	struct local_mailbox *local = pass->local;
	struct message_record record;
	bool is_known = true;

	/* Refused on the server, it stays here too. */
	if (action->kind == SYNC_REMOVE && uidset_contains(&pass->change.failed, action->uid))
		return 0;
	if (action->uid == 0)
		return change_unknown_file(pass, action, err);
	int code = pass->ports.store->ops->message_get(pass->ports.store, pass->mailbox.id,
						       action->uid, &is_known, &record, err);

	if (code != 0 || !is_known)
		return code;
	if (action->kind == SYNC_REMOVE) {
		pass->result.counts.removed++;
		return local->ops->remove(local, record.name, record.flags, err);
	}
	pass->result.counts.flags_local++;
	code = local->ops->set_flags(local, record.name, record.flags, action->add, action->remove,
				     err);
	if (code != SYNCD_EMESSAGE && code != SYNCD_ENOTFOUND)
		return code;
	/* Not agreed: the file is gone, or its name has no room for the flags. */
	must(uidset_add(&pass->change.failed, action->uid) == 0);
	if (code == SYNCD_EMESSAGE)
		pass_refuse(pass, err);
	return 0;
}

static void change_turned(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, change.turn);

	if (code != 0)
		pass_fail(pass, &op->err);
	change_continue(pass);
}

/* A group of file operations, then the loop gets its turn. */
static void change_files(struct sync_pass *pass, enum sync_action_kind kind)
{
	struct change *change = &pass->change;
	struct error err = { 0 };
	size_t most = pass_group(pass, CHANGE_GROUP_MESSAGES);

	for (size_t i = 0; i < most && change->next < pass->plan.count; i++) {
		const struct sync_action *action = &pass->plan.actions[change->next];
		if (action->kind != kind)
			break;
		change->next++;
		if (change_file(pass, action, &err) != 0) {
			pass_fail(pass, &err);
			break;
		}
	}
	change->turn.done = change_turned;
	pass->ports.env->ops->defer(pass->ports.env, &change->turn);
}

/* --- Recording ------------------------------------------------------------------------------ */

static void change_record(struct sync_pass *pass, const struct sync_action *action)
{
	struct change *change = &pass->change;

	if (action->kind == SYNC_EXPUNGE ||
	    (action->kind == SYNC_FORGET && uidset_contains(&pass->recover.expunged, action->uid)))
		store_batch_delete_expunge(&change->commit.batch, pass->mailbox.id, action->uid);
	if (action->uid == 0 || uidset_contains(&change->failed, action->uid))
		return;
	if (action->kind == SYNC_AGREE)
		store_batch_set_flags(&change->commit.batch, pass->mailbox.id, action->uid,
				      action->flags);
	else
		store_batch_delete_message(&change->commit.batch, pass->mailbox.id, action->uid);
}

static bool change_is_recorded(enum sync_action_kind kind)
{
	return kind == SYNC_AGREE || kind == SYNC_EXPUNGE || kind == SYNC_REMOVE ||
	       kind == SYNC_FORGET;
}

static void change_committed(struct port_op *op, int code);

static void change_commit(struct sync_pass *pass)
{
	struct change *change = &pass->change;

	store_batch_move(&change->commit.batch, &change->batch);
	for (; change->recorded < pass->plan.count &&
	       change->commit.batch.count < pass_group(pass, CHANGE_GROUP_MESSAGES);
	     change->recorded++) {
		const struct sync_action *action = &pass->plan.actions[change->recorded];
		if (change_is_recorded(action->kind))
			change_record(pass, action);
	}
	if (change->is_removing && change->recorded == pass->plan.count) {
		store_batch_delete_removal(&change->commit.batch, pass->mailbox.id);
		change->is_removing = false;
	}
	if (change->commit.batch.count > 0) {
		pass_flush_commit(pass, &change->commit, change_committed);
		return;
	}
	pass_piece_done(pass);
}

static void change_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, change.commit.op);

	if (code != 0) {
		pass_fail(pass, &op->err);
		pass_piece_done(pass);
		return;
	}
	change_commit(pass);
}

/* --- The order -------------------------------------------------------------------------------- */

/* Starts what comes next; false when that needs no waiting. */
static bool change_start_next(struct sync_pass *pass)
{
	const struct sync_action *action = &pass->plan.actions[pass->change.next];

	switch (action->kind) {
	case SYNC_EXPUNGE:
		change_remove_remote(pass);
		return true;
	case SYNC_SET_FLAGS:
	case SYNC_REMOVE:
		change_files(pass, action->kind);
		return true;
	case SYNC_FORGET:
		/* Pushing, a message gone from the server is new from now on. */
		if (pass->options.direction == SYNC_PUSH) {
			pass->result.wants_another = true;
			pass->is_left_over = true;
		}
		return false;
	case SYNC_STORE:
	case SYNC_FETCH:
	case SYNC_APPEND:
	case SYNC_AGREE:
		break;
	}
	return false;
}

/* Goes on behind what is done, in the plan's order. Nothing else begins before all changes of
 * flags on the server are answered. */
static void change_continue(struct sync_pass *pass)
{
	struct change *change = &pass->change;

	while (!pass_is_failing(pass) && change->next < pass->plan.count) {
		if (pass->plan.actions[change->next].kind == SYNC_STORE) {
			if (!change_store(pass))
				return;
			continue;
		}
		if (change->in_flight > 0 || change_start_next(pass))
			return;
		change->next++;
	}
	if (change->in_flight > 0)
		return;
	if (pass_is_failing(pass))
		pass_piece_done(pass);
	else
		change_commit(pass);
}

static void change_intended(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, change.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	change_continue(pass);
}

/* Those whose files are gone. Of messages flagged \Deleted they are there until the server's are
 * gone. */
static void change_intend(struct sync_pass *pass)
{
	struct change *change = &pass->change;
	size_t count = 0;
	const struct sync_action *expunges = sync_plan_of(&pass->plan, SYNC_EXPUNGE, &count);
	size_t removal_count = 0;
	const struct sync_action *removals = sync_plan_of(&pass->plan, SYNC_REMOVE, &removal_count);

	uidset_clear(&change->uids);
	for (size_t i = 0; i < removal_count; i++) {
		if (removals[i].uid != 0)
			must(uidset_add(&change->uids, removals[i].uid) == 0);
	}
	for (size_t i = 0; i < count; i++) {
		if (!uidset_contains(&change->uids, expunges[i].uid))
			store_batch_put_expunge(&change->commit.batch, pass->mailbox.id,
						pass_uidvalidity(pass), expunges[i].uid, 0);
	}
}

/* Messages that are new in the maildir once they are forgotten, whose directories have not changed:
 * only a look at all of it finds them. */
static bool change_makes_new(const struct sync_pass *pass)
{
	size_t count = 0;

	(void)sync_plan_of(&pass->plan, SYNC_FORGET, &count);
	return pass_is_restoring(pass) || (pass->options.direction == SYNC_PUSH && count > 0);
}

/* Before anything is removed on the server because it is gone here, that must be so for good: a
 * rename that a power cut takes back would bring the file back, and the next pass remove it too.
 * And the journal says so: a file that is put back while we are dead is no deletion on the server;
 * and a copy that somebody makes of a message whose file we removed is not that file renamed. */
void change_start(struct sync_pass *pass)
{
	struct change *change = &pass->change;
	size_t removals = 0;

	store_batch_init(&change->commit.batch);
	if (change_makes_new(pass)) {
		/* Goes with the first commit: cut short, what was forgotten by then comes back all
		 * the same, and the rest is held still, or forgotten then. */
		sync_baseline_list_anew(&pass->mailbox);
		pass->is_mailbox_recorded = false;
	}
	change_intend(pass);
	bool needs_flush = change->commit.batch.count > 0;
	(void)sync_plan_of(&pass->plan, SYNC_REMOVE, &removals);
	if (removals > 0 && !change->is_removing) {
		store_batch_put_removal(&change->commit.batch, pass->mailbox.id);
		change->is_removing = true;
	}
	if (needs_flush)
		pass_flush_commit(pass, &change->commit, change_intended);
	else if (change->commit.batch.count > 0)
		pass_commit(pass, &change->commit, change_intended);
	else
		change_continue(pass);
}
