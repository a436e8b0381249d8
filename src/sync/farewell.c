/* Following the deletion of a mailbox, when all that it holds here is known to the state: its
 * messages were seen on the other side and went with it. Otherwise it is kept, and made anew where
 * it was missing. Each step can be cut short, and is begun again by the next run.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_plan.h"

static void farewell_next(struct farewell *farewell);

static struct sync_box *box_of(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	return &tree->boxes.items[farewell->mailbox - tree->mailboxes];
}

void farewell_cancel(struct farewell *farewell)
{
	if (farewell->remote != NULL)
		farewell->remote->ops->cancel(farewell->remote);
	if (farewell->local != NULL)
		farewell->local->ops->cancel(farewell->local);
}

void farewell_free(struct farewell *farewell)
{
	must(farewell->remote == NULL && farewell->local == NULL);
	store_batch_free(&farewell->commit.batch);
}

void farewell_fail(struct farewell *farewell, const struct error *err)
{
	if (farewell->err.code == 0)
		farewell->err = *err;
}

void farewell_stepped(struct farewell *farewell, const struct port_op *op, int code)
{
	if (code != 0)
		farewell_fail(farewell, &op->err);
	farewell_step(farewell);
}

static struct sync_observer observer_of(struct farewell *farewell, uint64_t mask)
{
	return (struct sync_observer){
		.store = farewell_tree(farewell)->ports.store,
		.mailbox_id = farewell->record.id,
		.mask = mask,
		.setaside = &farewell->setaside,
		.now_s = INT64_MAX, /* one that was refused is nowhere else */
	};
}

static bool has_new(const struct delta *delta)
{
	for (size_t i = 0; i < delta->count; i++) {
		if (delta->entries[i].change == SIDE_NEW)
			return true;
	}
	return false;
}

/* --- Deleted on the server: the maildir ---------------------------------------------------- */

static void asked(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, status.op);

	if (code == 0)
		code = error_set(&op->err, SYNCD_ESERVER,
				 "the server has it, but leaves it out of its list: it stays as "
				 "it is");
	else if (code == SYNCD_ENOTFOUND)
		code = 0;
	farewell_stepped(farewell, op, code);
}

/* A list may lack what its server could not read in time, or a line of it be damaged: what is not
 * in it is gone when the server says so of the mailbox itself. */
static bool ask_remote(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	farewell->status = (struct remote_status_req){ .name = farewell->mailbox->name };
	farewell->status.op.done = asked;
	tree->ports.remote->ops->status(tree->ports.remote, &farewell->status);
	return true;
}

static void scanned(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, scan.op);
	struct error err = { 0 };

	if (code == 0 && !farewell->listing.is_stable)
		code = error_set(&op->err, SYNCD_EBUSY, "the maildir keeps changing");
	if (code == 0) {
		struct sync_observer observer =
			observer_of(farewell, farewell->local->ops->flags_mask(farewell->local));
		if (sync_observe_local(&observer, &farewell->listing, &farewell->delta, &err) != 0)
			farewell_fail(farewell, &err);
		farewell->is_kept = has_new(&farewell->delta);
	}
	farewell_stepped(farewell, op, code);
}

static bool scan_local(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	struct error err = { 0 };

	if (tree->ports.local->ops->open(tree->ports.local, farewell->mailbox->name,
					 &farewell->record.keywords, &farewell->local, &err) != 0) {
		farewell_fail(farewell, &err);
		return false;
	}
	farewell->scan = (struct local_scan_req){ .result = &farewell->listing };
	farewell->scan.op.done = scanned;
	farewell->local->ops->scan(farewell->local, &farewell->scan);
	return true;
}

static void remove_some(struct farewell *farewell);

static void turned(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, turn);

	if (code != 0)
		farewell_fail(farewell, &op->err);
	if (farewell->err.code != 0 || farewell->removed == farewell->listing.count)
		farewell_step(farewell);
	else
		remove_some(farewell);
}

static void remove_some(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	struct local_mailbox *local = farewell->local;
	struct error err = { 0 };

	for (size_t i = 0;
	     i < FAREWELL_GROUP_MESSAGES && farewell->removed < farewell->listing.count; i++) {
		const struct local_item *item = &farewell->listing.items[farewell->removed++];
		if (local->ops->remove(local, item->name, item->flags, &err) != 0) {
			farewell_fail(farewell, &err);
			break;
		}
	}
	farewell->turn.done = turned;
	tree->ports.env->ops->defer(tree->ports.env, &farewell->turn);
}

static bool remove_files(struct farewell *farewell)
{
	farewell->removed = 0;
	if (farewell->is_kept || farewell->listing.count == 0)
		return false;
	remove_some(farewell);
	return true;
}

/* A message that has come by now keeps it. */
static bool remove_local(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	struct error err = { 0 };

	farewell->local->ops->close(farewell->local);
	farewell->local = NULL;
	if (farewell->is_kept)
		return false;
	log_info(tree->options.account, "%s: deleted on the server, and now here",
		 farewell->mailbox->name);
	int code = tree->ports.local->ops->remove(tree->ports.local, farewell->mailbox->name, &err);
	if (code == SYNCD_EBUSY)
		farewell->is_kept = true;
	else if (code != 0)
		farewell_fail(farewell, &err);
	farewell->mailbox->is_local = code != 0;
	return false;
}

/* --- Deleted here: the server ---------------------------------------------------------------- */

static void opened(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, open.op);

	if (code == 0) {
		farewell->remote = farewell->open.mailbox;
		farewell->is_kept = farewell->has_unseen ||
				    farewell->open.uidvalidity != farewell->record.uidvalidity;
	}
	farewell_stepped(farewell, op, code);
}

static bool open_remote(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	farewell->open = (struct remote_open_req){
		.name = farewell->mailbox->name,
		.keywords = &farewell->record.keywords,
	};
	farewell->open.op.done = opened;
	tree->ports.remote->ops->open(tree->ports.remote, &farewell->open);
	return true;
}

static void observed(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, observe.op);
	struct error err = { 0 };

	if (code == 0 && !farewell->observation.is_complete)
		code = error_set(&op->err, SYNCD_EBUSY, "the server does not list all messages");
	if (code == 0) {
		struct sync_observer observer = observer_of(farewell, farewell->open.flags_mask);
		if (sync_observe_remote(&observer, &farewell->observation, &farewell->delta,
					&err) != 0)
			farewell_fail(farewell, &err);
		farewell->is_kept |= has_new(&farewell->delta);
	}
	farewell_stepped(farewell, op, code);
}

static bool observe_remote(struct farewell *farewell)
{
	if (farewell->is_kept)
		return false;
	farewell->observe = (struct remote_observe_req){
		.wants_all = true,
		.result = &farewell->observation,
	};
	farewell->observe.op.done = observed;
	farewell->remote->ops->observe(farewell->remote, &farewell->observe);
	return true;
}

static void removed_remote(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, delete.op);

	farewell->mailbox->is_remote = code != 0;
	farewell_stepped(farewell, op, code);
}

static bool remove_remote(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	farewell->remote->ops->close(farewell->remote);
	farewell->remote = NULL;
	if (farewell->is_kept)
		return false;
	log_info(tree->options.account, "%s: deleted here, and now on the server",
		 farewell->mailbox->name);
	farewell->delete = (struct remote_delete_req){ .name = farewell->mailbox->name };
	farewell->delete.op.done = removed_remote;
	tree->ports.remote->ops->remove(tree->ports.remote, &farewell->delete);
	return true;
}

/* --- The order -------------------------------------------------------------------------------- */

/* Each starts something, and is stepped on when that is done, or returns false. */
struct farewell_step {
	const char *name;
	bool (*start)(struct farewell *farewell);
};

static const struct farewell_step local_steps[] = {
	{ "ask", ask_remote },
	{ "scan", scan_local },
	{ "remove files", remove_files },
	{ "remove", remove_local },
	{ "forget", farewell_forget },
	{ "anew", farewell_make_remote_anew },
	{ NULL, NULL },
};

static const struct farewell_step remote_steps[] = {
	{ "select", open_remote },
	{ "observe", observe_remote },
	{ "remove", remove_remote },
	{ "forget", farewell_forget },
	{ "anew", farewell_make_local_anew },
	{ NULL, NULL },
};

static const struct farewell_step restore_local_steps[] = {
	{ "void", farewell_void },
	{ "restore", farewell_restore_local },
	{ NULL, NULL },
};

static const struct farewell_step restore_remote_steps[] = {
	{ "void", farewell_void },
	{ "restore", farewell_restore_remote },
	{ NULL, NULL },
};

static const struct farewell_step state_steps[] = {
	{ "forget", farewell_forget },
	{ NULL, NULL },
};

static void farewell_over(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	if (farewell->remote != NULL)
		farewell->remote->ops->close(farewell->remote);
	if (farewell->local != NULL)
		farewell->local->ops->close(farewell->local);
	farewell->remote = NULL;
	farewell->local = NULL;
	local_listing_free(&farewell->listing);
	remote_observation_free(&farewell->observation);
	delta_free(&farewell->delta);
	sync_setaside_free(&farewell->setaside);
	keyword_table_free(&farewell->record.keywords);
	store_batch_free(&farewell->commit.batch);
	if (farewell->err.code != 0) {
		farewell->mailbox->is_wanted = false;
		tree_ended_without_pass(tree, farewell->mailbox, &farewell->err);
		tree_note_failure(tree, &farewell->err);
	} else if (!farewell->is_kept && tree->ops->vanished != NULL) {
		tree->ops->vanished(tree, farewell->mailbox->name);
	}
	farewell_next(farewell);
}

void farewell_step(struct farewell *farewell)
{
	while (farewell->err.code == 0 && farewell->step->start != NULL) {
		if ((farewell->step++)->start(farewell))
			return;
	}
	farewell_over(farewell);
}

static const struct farewell_step *steps_of(enum sync_box_action action)
{
	switch (action) {
	case BOX_DELETE_LOCAL:
		return local_steps;
	case BOX_DELETE_REMOTE:
		return remote_steps;
	case BOX_RESTORE_LOCAL:
		return restore_local_steps;
	case BOX_RESTORE_REMOTE:
		return restore_remote_steps;
	case BOX_FORGET:
		return state_steps;
	case BOX_NOTHING:
	case BOX_PASS:
	case BOX_CREATE_LOCAL:
	case BOX_CREATE_REMOTE:
	case BOX_HOLD_LOCAL:
	case BOX_HOLD_REMOTE:
	case BOX_RENAME_LOCAL:
	case BOX_RENAME_REMOTE:
	case BOX_RENAME_STATE:
		break;
	}
	return NULL;
}

static void note_delivery(void *context, const struct journal_record *journal)
{
	bool *has_delivery = context;

	*has_delivery |= journal->kind == JOURNAL_DELIVER;
}

/* What the state has, and a kill left behind in tmp/, nobody has seen here: it was not deleted with
 * the mailbox. */
static int check_deliveries(struct farewell *farewell, struct error *err)
{
	struct store_port *store = farewell_tree(farewell)->ports.store;

	return store->ops->journal_each(store, farewell->record.id, note_delivery,
					&farewell->has_unseen, err);
}

static void farewell_begin(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	struct store_port *store = tree->ports.store;
	struct error err = { 0 };
	bool is_known = false;

	local_listing_init(&farewell->listing);
	remote_observation_init(&farewell->observation);
	delta_init(&farewell->delta);
	farewell->setaside = (struct sync_setaside){ .count = 0 };
	farewell->is_kept = farewell->has_unseen = false;
	error_clear(&farewell->err);
	farewell->step = steps_of(box_of(farewell)->action);
	int code = store->ops->mailbox_get(store, farewell->mailbox->name, &is_known,
					   &farewell->record, &err);
	if (code != 0 || !is_known)
		keyword_table_init(&farewell->record.keywords);
	if (code == 0 && is_known)
		code = sync_setaside_load(store, farewell->record.id, &farewell->setaside, &err);
	if (code == 0 && is_known)
		code = check_deliveries(farewell, &err);
	if (code != 0)
		farewell_fail(farewell, &err);
	farewell_step(farewell);
}

/* The mailbox whose turn it is, or NULL. First come deletions, from the last name to the first: a
 * server may refuse to delete one that has others below it (RFC 9051 §6.3.5, Cyrus). Then the rest
 * in order. */
static struct tree_mailbox *take_turn(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	size_t turn = farewell->next++;
	bool are_deletions = turn < tree->count;
	size_t at = are_deletions ? tree->count - 1 - turn : turn - tree->count;
	enum sync_box_action action = tree->boxes.items[at].action;
	bool is_deletion = action == BOX_DELETE_LOCAL || action == BOX_DELETE_REMOTE;

	return is_deletion == are_deletions ? &tree->mailboxes[at] : NULL;
}

static void farewell_next(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	while (tree->err.code == 0 && farewell->next < 2 * tree->count) {
		struct tree_mailbox *mailbox = take_turn(farewell);
		if (mailbox == NULL || mailbox->is_unusable)
			continue;
		farewell->mailbox = mailbox;
		enum sync_box_action action = box_of(farewell)->action;
		farewell_tell_held(tree, (size_t)(farewell->mailbox - tree->mailboxes));
		if (steps_of(action) == NULL)
			continue;
		farewell_begin(farewell);
		return;
	}
	tree_piece_done(tree);
}

static void noted(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, commit.op);

	if (code != 0)
		tree_fail(farewell_tree(farewell), &op->err);
	farewell_next(farewell);
}

/* What is to go, and what would be held. */
static void farewell_would(struct sync_tree *tree)
{
	for (size_t at = 0; tree->err.code == 0 && at < tree->count; at++) {
		const struct sync_box *box = &tree->boxes.items[at];
		bool is_told = box->action == BOX_DELETE_LOCAL ||
			       box->action == BOX_DELETE_REMOTE || box->action == BOX_HOLD_LOCAL ||
			       box->action == BOX_HOLD_REMOTE;
		if (is_told && tree->ops->would != NULL)
			tree->ops->would(tree, box->name, box->action, NULL);
		farewell_tell_held(tree, at);
	}
	tree_piece_done(tree);
}

void farewell_start(struct sync_tree *tree)
{
	struct farewell *farewell = &tree->farewell;
	struct error err = { 0 };

	store_batch_init(&farewell->commit.batch);
	/* What was in there may have been moved to where it cannot be seen. */
	if (tree->survey.is_blind) {
		tree_piece_done(tree);
		return;
	}
	if (farewell_judge(tree, &err) != 0)
		tree_fail(tree, &err);
	farewell->next = 0;
	if (tree->options.is_dry_run) {
		farewell_would(tree);
		return;
	}
	if (tree->err.code != 0 || farewell->commit.batch.count == 0) {
		farewell_next(farewell);
		return;
	}
	farewell->commit.op.done = noted;
	tree->ports.store->ops->commit(tree->ports.store, &farewell->commit);
}
